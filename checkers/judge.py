"""From a history to a result: every checker, and what the whole thing comes to.

Causes are kept apart. A violation is only what a definite verdict shows; a test in which nothing really happened is
vacuous, not valid; a checker that ran out of budget makes it inconclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

import msgspec
import numpy as np

from checkers.compose import check_all
from checkers.extra import EXTRA
from checkers.invariants.availability import Availability, fault_measures
from checkers.protocol import Budget, Checker
from checkers.statistics import Statistics
from checkers.vacuity import Vacuity
from harness.history import History
from harness.history.circumstances import possible, struck
from harness.history.faults import FaultWindow, fault_windows
from harness.history.operations import FAIL, INFO, OK, Operations
from harness.op import INTERRUPTED, NEMESIS, NOT_WELL, STOPPED, Op
from harness.plan import Plan, Thresholds
from harness.result import Counts, FaultProof, Result, Struck
from harness.verdict import Outcome, Verdict

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def judge_history(history: History, checkers: Sequence[Checker], budget: Budget, title: str) -> Result:
    """Judge a history that somebody else recorded: no plan, so nothing is known of what it was meant to test."""
    verdicts = check_all(history, [*checkers, Statistics()], budget)
    return _result(history, verdicts, title, plan=None, repeat="", vacuity=None)


def judge_run(history: History, plan: Plan, checkers: Sequence[Checker], budget: Budget, repeat: str) -> Result:
    """Judge a run of ours, also for whether it tested anything."""
    vacuity = Vacuity(
        faults_expected=bool(plan.nemesis) and plan.target != "none",
        sessions_expected=plan.workload == "session" and plan.nodes > 1,
    )
    bounds = plan.thresholds
    if plan.nemesis or bounds != Thresholds():
        availability = Availability(
            ok_share_min=bounds.success_share_min,
            recovery_s_max=bounds.recovery_s_max,
            unavailable_s_max=bounds.unavailable_s_max,
        )
        checkers = [*checkers, availability]
    verdicts = check_all(history, [*checkers, Statistics(), vacuity], budget)
    title = f"{plan.system} / {plan.workload} on {plan.on}"
    return _result(history, verdicts[:-1], title, plan, repeat, verdicts[-1])


def stream_result(
    verdicts: Sequence[Verdict], title: str, counts: Counts, faults: Sequence[Op], *, duration_ns: int, truncated: str
) -> Result:
    """The result of a history that was judged event by event, and is not in memory."""
    outcome, headline, reason = _outcome(verdicts, counts, None)
    proofs = _proofs(fault_windows(faults))
    return Result(
        outcome,
        headline,
        title,
        counts,
        tuple(verdicts),
        reason=reason,
        duration_ns=duration_ns,
        faults=proofs,
        truncated=truncated,
    )


def failed_result(plan: Plan, outcome: Outcome, reason: str, repeat: str) -> Result:
    """The result of a run that recorded nothing to judge."""
    title = f"{plan.system} / {plan.workload} on {plan.on}"
    data = msgspec.to_builtins(plan)
    return Result(
        outcome,
        "The run failed before it recorded anything.",
        title,
        Counts(0, 0, 0, 0),
        (),
        reason=reason,
        plan=data,
        repeat=repeat,
    )


def _result(
    history: History,
    verdicts: Sequence[Verdict],
    title: str,
    plan: Plan | None,
    repeat: str,
    vacuity: Verdict | None,
) -> Result:
    counts = count(history.operations)
    outcome, headline, reason = _outcome(verdicts, counts, vacuity)
    windows = fault_windows(history.fault_events)
    return Result(
        outcome=outcome,
        headline=headline,
        title=title,
        counts=counts,
        verdicts=(*verdicts, vacuity) if vacuity else tuple(verdicts),
        reason=reason,
        plan=msgspec.to_builtins(plan) if plan else {},
        duration_ns=max((op.time or 0 for op in history.events[-1:]), default=0),
        repeat=repeat,
        faults=_proofs(windows, fault_measures(history, windows)),
        coverage=_coverage(windows, plan.nemesis if plan else ()),
        truncated=history.truncated or " ".join(filter(None, (_interrupted(history), _not_well(history)))),
    )


def _coverage(windows: Sequence[FaultWindow], planned: Sequence[str]) -> tuple[Struck, ...]:
    """Every possible circumstance of the kinds that took part, with how often it came about."""
    if not any(window.phase for window in windows):
        return ()
    found = struck(windows)
    kinds = {window.kind for window in windows} | set(planned)
    return tuple(Struck(*one, found[one]) for one in possible(kinds))


def _proofs(windows: Sequence[FaultWindow], measures: Sequence[dict[str, Any]] = ()) -> tuple[FaultProof, ...]:
    return tuple(
        FaultProof(
            window.id,
            window.kind,
            tuple(window.nodes),
            window.detail,
            window.start_ns,
            window.stop_ns,
            window.injected_proven and window.lifted_proven,
            tuple(window.evidence),
            tuple(window.roles),
            window.phase,
            told.get("failover_s"),
            told.get("recovery_s"),
            told.get("unavailable_s"),
            told.get("dip"),
        )
        for window, told in zip_longest(windows, measures, fillvalue=NOTHING)
        if isinstance(window, FaultWindow)
    )


def _interrupted(history: History) -> str:
    """A sentence when somebody ended the run early, else ""."""
    for op in reversed(history.fault_events):
        if op.process == NEMESIS and op.f == INTERRUPTED and isinstance(op.value, str) and op.value.startswith(STOPPED):
            return f"The run was stopped {(op.time or 0) / 1e9:.1f} s after it began: {op.value.removeprefix(STOPPED)}"
        if op.process == NEMESIS and op.f == INTERRUPTED:
            return f"The run was interrupted {(op.time or 0) / 1e9:.1f} s after it began; what there is was judged."
    return ""


def _not_well(history: History) -> str:
    """A sentence when the system was not well again before the final reads, else ""."""
    for op in history.fault_events:
        if op.process == NEMESIS and op.f == NOT_WELL:
            return f"The system was not well again before the final reads; what there is was judged. {op.value}"
    return ""


def _outcome(verdicts: Sequence[Verdict], counts: Counts, vacuity: Verdict | None) -> tuple[Outcome, str, str]:
    """Outcome, headline, reason."""
    broken = [verdict for verdict in verdicts if verdict.answer == "invalid"]
    if broken:
        guarantees = {anomaly.guarantee: None for verdict in broken for anomaly in verdict.anomalies}
        names = _listed(list(guarantees) or [verdict.checker for verdict in broken])
        return "violation", f"{names} {'was' if len(guarantees) < 2 else 'were'} broken.", ""
    if vacuity is not None and vacuity.answer == "unknown":
        return "vacuous", "This run does not count as a test.", vacuity.reason or vacuity.summary
    if not counts.operations:
        return "vacuous", "Nothing was judged.", "The history has no operation."
    undecided = [verdict for verdict in verdicts if verdict.answer == "unknown" and not verdict.counts.get(EXTRA)]
    if undecided:
        reasons = " ".join(f"{verdict.checker}: {verdict.reason or verdict.summary}" for verdict in undecided)
        return "inconclusive", f"{_listed([verdict.checker for verdict in undecided])} could not be decided.", reasons
    promises = [verdict.checker for verdict in verdicts if verdict.answer == "valid" and not _is_aside(verdict)]
    return "valid", f"{_listed(promises)} held." if promises else "No promise was asked for.", ""


def _is_aside(verdict: Verdict) -> bool:
    """Whether nothing was promised of what this says: it only measures, or looks at what nodes wrote."""
    if verdict.checker == "staleness":
        return not any(bound is not None for bound in verdict.certificate.get("bounds", {}).values())
    if verdict.checker == "availability":
        return not verdict.counts.get("bounds")
    return verdict.checker in ("statistics", "log-pattern")


def count(operations: Operations) -> Counts:
    """Client operations by how they ended."""
    running = int(np.count_nonzero(operations.completion < 0))
    ended = [int(np.count_nonzero(operations.status == status)) for status in (OK, FAIL, INFO)]
    return Counts(len(operations), ended[0], ended[1], ended[2] - running, running)


def _listed(names: Sequence[str]) -> str:
    words = [name.replace("-", " ") if name != "read-your-writes" else name for name in names]
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return text[:1].upper() + text[1:]
