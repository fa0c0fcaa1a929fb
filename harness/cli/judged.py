"""One run on the simulated ground, judged as `splitbrain run` judges it, in memory: for whoever makes runs by the
thousand. Everything that goes in and comes out is plain data, so it can be done in another process.

    judged = run_judged(plan)
    judged.result.outcome, judged.exact

Limits: only on the simulated ground, and in a process' main thread, since a run that talks to itself for ever is ended
by a signal.
"""

from __future__ import annotations

import hashlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import SplitbrainError
from harness.history import History
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Cluster
from harness.result import Result
from harness.schedule.checking import check_lists
from harness.store import Run

RUN_BUDGET_S = 30.0
"""Real time for one run, which takes half a second: with a safeguard off, a store may talk to itself for ever."""


class _Overdue(KeyboardInterrupt):
    """The one exception that a running event loop lets through at once, like Ctrl-C."""


class Nobody:
    """A watcher that watches nothing."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def event(self, op: Op) -> None:
        """An event was recorded."""


@dataclass(frozen=True)
class Judged:
    """What one run came to.

    Attributes:
        plan: what was run; result: its judgement; None when the run itself failed, and `failure` says how.
        history: what was recorded, if anything; exact: the plan as lists of faults and operations.
        digest: over everything that happened on the loop; history_digest: over the history's bytes.
        logs: the lines of each node's log.
    """

    plan: Plan
    result: Result | None
    failure: str = ""
    history: History | None = None
    exact: Plan | None = None
    digest: str = ""
    history_digest: str = ""
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def run_judged(
    plan: Plan,
    *,
    system: Any = None,
    workload: Any = None,
    keep: Run | None = None,
    budget_s: float = RUN_BUDGET_S,
    on_cluster: Callable[[Cluster], None] | None = None,
) -> Judged:
    """Run a plan and judge what it left.

    Args:
        system, workload: instead of those that the plan names.
        keep: the run directory to write to; None: nothing stays on disk.
        on_cluster: called with the cluster once it is up.
    """
    from harness import registry

    system = system or registry.load("systems", plan.system)
    check_lists(plan, system, observed=True)
    workload = workload or registry.load("workloads", plan.workload)
    if keep is not None:
        return _run(plan, system, workload, keep, budget_s, on_cluster)
    with tempfile.TemporaryDirectory(prefix="splitbrain-") as folder:
        return _run(plan, system, workload, Run(Path(folder)), budget_s, on_cluster)


def _run(
    plan: Plan, system: Any, workload: Any, run: Run, budget_s: float, on_cluster: Callable[[Cluster], None] | None
) -> Judged:
    from harness import registry
    from harness.controller import Controller

    ground = registry.load("grounds", "sim")(plan.seed, None)
    controller = Controller(run, plan, ground, system, workload, Nobody(), dict(plan.options))
    controller.on_cluster = on_cluster
    failure = ""
    try:
        with _bounded(budget_s):
            controller.execute()
    except (SplitbrainError, _Overdue) as error:
        failure = str(error)
    except Exception as error:  # One run's failure is a finding, not the end of the others.
        failure = f"The harness itself failed: {type(error).__name__}: {error}"
    if failure or not run.history_path.exists():
        return Judged(plan, None, failure or "The run recorded no history.")
    return _judge(plan, system, workload, run, controller.exact, ground.digest())


def _judge(plan: Plan, system: Any, workload: Any, run: Run, exact: Plan | None, digest: str) -> Judged:
    from checkers.judge import judge_run
    from checkers.protocol import Budget
    from harness.cli import judging, planning
    from harness.history.reader import read_history

    history = read_history(run.history_path)
    repeat = planning.repeat_command(plan, [*system.options, *workload.options])
    result = judge_run(history, plan, workload.checkers(plan), Budget(plan.check_budget_s), repeat)
    logs = {
        folder.name: (folder / "server.log").read_text(encoding="utf-8").splitlines()
        for folder in sorted((run.path / "nodes").iterdir())
        if (folder / "server.log").is_file()
    }
    return Judged(
        plan,
        judging.verified(history, result),
        history=history,
        exact=exact,
        digest=digest,
        history_digest=hashlib.sha256(run.history_path.read_bytes()).hexdigest(),
        logs=logs,
    )


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Interrupt what is inside after so much real time."""

    def interrupt(_number: int, _frame: object) -> None:
        raise _Overdue(f"The run was not over after {seconds:g} s of real time.")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
