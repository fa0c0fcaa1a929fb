"""Searching for one planted bug, or for a violation of the correct store: many short simulated runs.

A search draws seeds one after another until a run shows a violation whose certificate stands, or until its limit is
reached. How many runs it took is what is measured: a bug that shows in every run takes one.

    find = search("no-fencing", first_seed=1, limit=40)
    find.runs, find.shown.sentence

Everything here runs in worker processes, one run at a time: arguments and answers are plain data.

Limits: only on the simulated ground. The runs are short, so what takes minutes to go wrong does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness import registry
from harness.cli.judged import Judged, run_judged
from harness.plan import Plan, Setting, Thresholds

CHECK_BUDGET_S = 20.0


class Shown(msgspec.Struct, frozen=True):
    """What one run showed.

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
    shown: Shown | None


def plan_of(setting: Any, bug: str, seed: int) -> Plan:
    """The plan of one run in a setting of `system_under_test.leader_follower.bugs`; `bug` may be ""."""
    system, workload = registry.load("systems", "leader-follower"), registry.load("workloads", setting.workload)
    options: dict[str, Setting] = {option.name: option.default for option in [*system.options, *workload.options]}
    fields = {name: getattr(setting, name) for name in Plan.__struct_fields__ if hasattr(setting, name)}
    fields["world"] = dict(setting.world)
    fields["thresholds"] = Thresholds(recovery_s_max=setting.recovery_s_max)
    fields["options"] = options | dict(setting.options) | {"bug": bug}
    return Plan(**fields, seed=seed, check_budget_s=CHECK_BUDGET_S)


def first_failure(bug: str, first_seed: int, limit: int) -> tuple[int, Judged | None]:
    """Run the bug's setting with one seed after another until a run shows it; how many runs that took, and that run."""
    from system_under_test.leader_follower.bugs import BUGS, SETTINGS

    setting = SETTINGS[BUGS[bug].setting]
    for run in range(limit):
        judged = run_judged(plan_of(setting, bug, first_seed + run))
        if judged.result is not None and judged.result.outcome == "violation":
            return run + 1, judged
    return limit, None


def search(bug: str, first_seed: int, limit: int) -> Search:
    """One search, as plain data."""
    runs, judged = first_failure(bug, first_seed, limit)
    return Search(runs, None if judged is None else _shown(judged))


def correct(setting: str, seeds: Sequence[int]) -> list[Shown]:
    """The same setting without a bug."""
    from system_under_test.leader_follower.bugs import SETTINGS

    return [_shown(run_judged(plan_of(SETTINGS[setting], "", seed))) for seed in seeds]


def _shown(judged: Judged) -> Shown:
    seed, result = judged.plan.seed, judged.result
    if result is None:
        return Shown(seed, "harness", judged.failure, repeat=_repeat(judged.plan))
    if result.outcome != "violation":
        return Shown(seed, result.outcome, result.reason, repeat=result.repeat)
    broken = [verdict for verdict in result.verdicts if verdict.answer == "invalid"]
    found = [(len(anomaly.ops), verdict.checker, anomaly) for verdict in broken for anomaly in verdict.anomalies]
    operations, checker, smallest = min(found, key=lambda one: (one[0], len(one[2].sentence), one[1]))
    return Shown(
        seed,
        result.outcome,
        checkers=tuple(verdict.checker for verdict in broken),
        guarantees=tuple(sorted({anomaly.guarantee for _, _, anomaly in found})),
        checker=checker,
        sentence=smallest.sentence,
        operations=operations,
        repeat=result.repeat,
    )


def _repeat(plan: Plan) -> str:
    from harness.cli import planning

    system, workload = registry.load("systems", plan.system), registry.load("workloads", plan.workload)
    return planning.repeat_command(plan, [*system.options, *workload.options])
