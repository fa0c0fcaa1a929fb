"""One run on the simulated ground, judged as `splitbrain run` judges it, in memory: for whoever makes runs by the
thousand. Everything that goes in and comes out is plain data, so it can be done in another process.

    judged = run_judged(plan)
    judged.result.outcome, judged.exact

Limits: only on the simulated ground, and in a process' main thread, since a run that talks to itself for ever is ended
by a signal.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import registry
from harness.errors import SplitbrainError
from harness.exploration.cost import limit_s
from harness.history import History
from harness.moments import Memory
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Cluster
from harness.result import Result
from harness.schedule.checking import check_lists
from harness.simulation.ground import SimGround
from harness.store import Run
from harness.verdict import Anomaly

if TYPE_CHECKING:
    from harness.cli.branches import Branches
    from harness.controller import Controller, Watcher
    from harness.simulation.recording import Recording


class _Overdue(KeyboardInterrupt):
    """The one exception that a running event loop lets through at once, like Ctrl-C."""


class Nobody:
    """A watcher that watches nothing."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def event(self, op: Op) -> None:
        """An event was recorded."""


@dataclass(frozen=True, repr=False)
class Judged:
    """What one run came to.

    Attributes:
        plan: what was run; result: its judgement; None when the run itself failed, and `failure` says how.
        history: what was recorded, if anything; exact: the plan as lists of faults and operations.
        digest: over everything that happened on the loop; history_digest: over the history's bytes.
        logs: the lines of each node's log; started_ns: what their clock showed when the history began.
        recording: everything that happened, if that was asked for.
        memory: what was drawn when, where the world notes it (`harness/moments.py`).
    """

    plan: Plan
    result: Result | None
    failure: str = ""
    history: History | None = None
    exact: Plan | None = None
    digest: str = ""
    history_digest: str = ""
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    started_ns: int = 0
    recording: Recording | None = None
    memory: Memory = field(default_factory=dict)

    def __repr__(self) -> str:
        outcome = self.result.outcome if self.result else f"failed: {self.failure}"
        return f"<run of {self.plan.system} with seed {self.plan.seed}: {outcome}>"

    def anomalies(self) -> list[Anomaly]:
        """What was found, the ones with the fewest operations first."""
        if self.result is None:
            return []
        found = [one for verdict in self.result.verdicts if verdict.answer == "invalid" for one in verdict.anomalies]
        return sorted(found, key=lambda one: (len(one.ops), len(one.sentence), one.guarantee, one.name))

    def broken(self) -> frozenset[tuple[str, str]]:
        """Guarantee and name of every anomaly: what a shrunk run is compared by."""
        return frozenset((one.guarantee, one.name) for one in self.anomalies())


def run_judged(
    plan: Plan,
    *,
    system: Any = None,
    workload: Any = None,
    keep: Run | None = None,
    budget_s: float | None = None,
    on_cluster: Callable[[Cluster], None] | None = None,
    branches: Branches | None = None,
    record: bool = False,
    watcher: Watcher | None = None,
) -> Judged:
    """Run a plan and judge what it left.

    Args:
        system, workload: instead of those that the plan names.
        keep: the run directory to write to; None: nothing stays on disk.
        budget_s: processor seconds after which it is given up; None: as `limit_s` has it.
        on_cluster: called with the cluster once it is up.
        branches: where the run is forked, and what came of its children.
        record: whether everything that happens is listed, too.
        watcher: is told of phases and events.
    """
    system = system or registry.load("systems", plan.system)
    check_lists(plan, system, observed=True)
    workload = workload or registry.load("workloads", plan.workload)
    ground = registry.load("grounds", "sim")(plan.seed, None)
    ground.record = record
    if plan.world:
        ground.configure(plan.world)
    with _folder(keep) as run:
        controller = _controller(plan, ground, system, workload, run, watcher or Nobody())
        controller.on_cluster = on_cluster
        with branches.of(controller) if branches is not None else nullcontext():
            judged = _run(controller, limit_s(plan) if budget_s is None else budget_s)
            if branches is not None:
                branches.over(judged)  # a child is gone here
        if judged.result is None:
            with quietly():  # it may have been stopped in the middle
                del controller, ground
        return judged


@contextmanager
def _folder(keep: Run | None) -> Iterator[Run]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="splitbrain-", dir=in_memory()) as folder:
        yield Run(Path(folder))


def _controller(plan: Plan, ground: Any, system: Any, workload: Any, run: Run, watcher: Watcher) -> Controller:
    from harness.controller import Controller

    return Controller(run, plan, ground, system, workload, watcher, dict(plan.options))


def _run(controller: Controller, budget_s: float) -> Judged:
    ground, failure = controller.ground, ""
    assert isinstance(ground, SimGround)
    failed: BaseException | None = None
    with _bounded(budget_s) as bound:
        try:
            controller.execute()
        except (SplitbrainError, _Overdue) as error:
            failed, failure = error, str(error)
        except Exception as error:  # One run's failure is a finding, not the end of the others.
            failed, failure = error, f"The harness itself failed: {type(error).__name__}: {error}"
    if failed is not None:
        with quietly():  # its frames hold what was stopped in the middle
            failed.__traceback__ = failed.__context__ = failed.__cause__ = None
    if bound.is_over:
        return Judged(controller.plan, None, f"The run was not over after {budget_s:g} processor seconds.")
    if controller.interrupted:
        raise KeyboardInterrupt  # a run ends early for Ctrl-C and is judged; whoever makes thousands of them stops
    run, plan = controller.run, controller.plan  # of a branch, its own
    if failure or not run.history_path.exists():
        return Judged(plan, None, failure or "The run recorded no history.")
    judged = _judge(plan, controller.system, controller.load, run)
    return replace(
        judged,
        exact=controller.exact,
        digest=ground.digest(),
        started_ns=controller.started_ns,
        recording=ground.recording() if ground.record else None,
        memory=ground.streams().memory(),
    )


def _judge(plan: Plan, system: Any, workload: Any, run: Run) -> Judged:
    from checkers.judge import judge_run
    from checkers.protocol import Budget
    from harness.cli import judging, planning
    from harness.history.reader import read_history

    history = read_history(run.history_path)
    repeat = planning.repeat_command(plan, [*system.options, *workload.options])
    checkers = [*workload.checkers(plan), *judging.of_logs(run)]
    result = judge_run(history, plan, checkers, Budget(plan.check_budget_s), repeat)
    logs = {
        folder.name: (folder / "server.log").read_text(encoding="utf-8").splitlines()
        for folder in sorted((run.path / "nodes").iterdir())
        if (folder / "server.log").is_file()
    }
    return Judged(
        plan,
        judging.verified(history, result),
        history=history,
        history_digest=hashlib.sha256(run.history_path.read_bytes()).hexdigest(),
        logs=logs,
    )


@contextmanager
def quietly() -> Iterator[None]:
    """What runs leave in the middle of what it did is let go of without a word of each task and socket."""
    said, logger = sys.unraisablehook, logging.getLogger("asyncio")
    sys.unraisablehook, logger.disabled = (lambda _unraisable: None), True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
            gc.collect()
    finally:
        sys.unraisablehook, logger.disabled = said, False


def in_memory() -> str | None:
    """Where files are not written to a disk, if there is such a place: they do not outlive the run."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a fresh folder in it is made


@dataclass
class _Bound:
    is_over: bool = False


@contextmanager
def _bounded(seconds: float) -> Iterator[_Bound]:
    """Stop the event loop that runs inside after so much processor time; what never returns to it is interrupted."""
    bound = _Bound()

    def interrupt(_number: int, _frame: object) -> None:
        if not bound.is_over:
            bound.is_over = True
            with suppress(RuntimeError):  # no loop runs
                asyncio.get_running_loop().stop()
            return
        raise _Overdue

    # A run that is stopped undoes nothing: neither its own handlers, which would keep all of it alive.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield bound
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
