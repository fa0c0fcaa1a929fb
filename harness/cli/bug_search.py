"""Searching for one planted bug, or for a violation of the correct store: many short simulated runs.

A search draws seeds one after another until a run shows a violation whose certificate stands, or until its limit is
reached. How many runs it took is what is measured: a bug that shows in every run takes one.

    find = search("no-fencing", first_seed=1, limit=40)
    find.runs, find.trial.sentence

Everything here runs in worker processes, one run at a time: arguments and answers are plain data.

Limits: only on the simulated ground. The runs are short, so what takes minutes to go wrong does not show.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from harness.plan import Plan, Setting

CHECK_BUDGET_S = 20.0
RUN_BUDGET_S = 30.0
"""Real time for one run, which takes half a second: with a safeguard off, a store may talk to itself for ever."""


class Trial(msgspec.Struct, frozen=True):
    """What one run came to.

    Attributes:
        seed: of the run; outcome: as in a result; reason: why it is neither valid nor a violation.
        checkers: who found it; guarantees: what was broken.
        sentence, operations: of the smallest witness, and how many operations it names; checker: whose it is.
        repeat: the command that runs it again.
    """

    seed: int
    outcome: str
    reason: str = ""
    checkers: tuple[str, ...] = ()
    guarantees: tuple[str, ...] = ()
    checker: str = ""
    sentence: str = ""
    operations: int = 0
    repeat: str = ""


class Search(msgspec.Struct, frozen=True):
    """One search: how many runs it took, and what it found; None where the limit came first."""

    runs: int
    trial: Trial | None


class _Overdue(KeyboardInterrupt):
    """The one exception that a running event loop lets through at once, like Ctrl-C."""


def plan_of(setting: Any, bug: str, seed: int) -> Plan:
    """The plan of one run in a setting of `system_under_test.leader_follower.bugs`; `bug` may be ""."""
    from harness import registry

    system, workload = registry.load("systems", "leader-follower"), registry.load("workloads", setting.workload)
    options: dict[str, Setting] = {option.name: option.default for option in [*system.options, *workload.options]}
    fields = {name: getattr(setting, name) for name in Plan.__struct_fields__ if hasattr(setting, name)}
    fields["options"] = options | dict(setting.options) | {"bug": bug}
    return Plan(**fields, seed=seed, check_budget_s=CHECK_BUDGET_S)


def run_once(plan: Plan) -> Trial:
    """Run a plan on the simulated ground and judge what it left; nothing of it stays on disk."""
    from harness import registry
    from harness.cli import judging, planning

    system, workload = registry.load("systems", plan.system), registry.load("workloads", plan.workload)
    repeat = planning.repeat_command(plan, [*system.options, *workload.options])
    with tempfile.TemporaryDirectory(prefix="splitbrain-") as folder:
        failure = _drive(plan, system, workload, Path(folder))
        if failure:
            return Trial(plan.seed, "harness", failure, repeat=repeat)
        from checkers.judge import judge_run
        from checkers.protocol import Budget
        from harness.history.reader import read_history

        history = read_history(Path(folder) / "history.jsonl")
        result = judge_run(history, plan, workload.checkers(plan), Budget(plan.check_budget_s), repeat)
        return _trial(plan.seed, judging.verified(history, result))


def _drive(plan: Plan, system: Any, workload: Any, folder: Path) -> str:
    """Run it into `folder`; returns what went wrong with the run itself, or ""."""
    from harness import registry
    from harness.cli.trials import Nobody
    from harness.controller import Controller
    from harness.errors import SplitbrainError
    from harness.store import Run

    ground = registry.load("grounds", "sim")(plan.seed, None)
    try:
        with _bounded(RUN_BUDGET_S):
            Controller(Run(folder), plan, ground, system, workload, Nobody(), dict(plan.options)).execute()
    except (SplitbrainError, _Overdue) as error:
        return str(error)
    return ""


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


def _trial(seed: int, result: Any) -> Trial:
    broken = [verdict for verdict in result.verdicts if verdict.answer == "invalid"]
    if result.outcome != "violation":
        return Trial(seed, result.outcome, result.reason, repeat=result.repeat)
    shown = [(len(anomaly.ops), verdict.checker, anomaly) for verdict in broken for anomaly in verdict.anomalies]
    operations, checker, smallest = min(shown, key=lambda one: (one[0], len(one[2].sentence), one[1]))
    return Trial(
        seed,
        result.outcome,
        checkers=tuple(verdict.checker for verdict in broken),
        guarantees=tuple(sorted({anomaly.guarantee for _, _, anomaly in shown})),
        checker=checker,
        sentence=smallest.sentence,
        operations=operations,
        repeat=result.repeat,
    )


def search(bug: str, first_seed: int, limit: int) -> Search:
    """Run the bug's setting with one seed after another until a run shows it."""
    from system_under_test.leader_follower.bugs import BUGS, SETTINGS

    setting = SETTINGS[BUGS[bug].setting]
    for run in range(limit):
        trial = run_once(plan_of(setting, bug, first_seed + run))
        if trial.outcome == "violation":
            return Search(run + 1, trial)
    return Search(limit, None)


def correct(setting: str, seeds: Sequence[int]) -> list[Trial]:
    """The same setting without a bug."""
    from system_under_test.leader_follower.bugs import SETTINGS

    return [run_once(plan_of(SETTINGS[setting], "", seed)) for seed in seeds]
