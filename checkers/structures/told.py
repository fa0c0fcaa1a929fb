"""Objects whose answers tell the place of every operation: numbers of counters, tokens of locks, whole reads.

Their rules are those of `checkers.objects`, which names everything that is wrong; here the first of it is enough. Each
is imported only when there is such an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers.objects.calls import Call
from checkers.structures import members
from checkers.structures.decision import Decision, Violation
from checkers.tokens import denies
from harness.verdict import Anomaly


def decide_counter(calls: Sequence[Call], initial: Any = None) -> Decision:
    """By the numbers that increments return, where they do; else by `credits`."""
    from checkers.objects.counter import OneCounter
    from checkers.structures import credits

    if not any(call.f == "increment" and call.ok and call.result is not None for call in calls):
        return credits.decide(calls, initial)
    if not all(call.f in ("increment", "read") for call in calls):
        return None
    one = OneCounter(calls[0].key, calls, initial or 0)
    found, why_not = one.judge()
    return _first(found) if found else None if why_not else one.order


def decide_set(calls: Sequence[Call], initial: Any = None) -> Decision:
    """By whole reads, where there are any and nothing is removed; else by element."""
    if any(call.f == "read" for call in calls):
        told = any(call.f == "add" and call.ok and denies(call.result) for call in calls)
        return None if told else decide_grown_set(calls, initial)
    return members.decide(calls, initial)


def decide_grown_set(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Adds and whole reads."""
    return _grown(calls, "add", initial)


def decide_log(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Appends and whole reads."""
    return _grown(calls, "append", initial)


def _grown(calls: Sequence[Call], f: str, initial: Any) -> Decision:
    if not calls or not all(call.f in (f, "read") for call in calls):
        return None if calls else []
    from checkers.objects.grown import OneGrown

    one = OneGrown.of(calls, f, initial)
    found = [] if one.why_not else one.judge()
    return _first(found) if found else None if one.why_not else one.order


def decide_fenced_lock(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Acquires that return tokens, and their releases."""
    if initial or not calls or not all(call.f in ("acquire", "release") for call in calls):
        return None if calls else []
    from checkers.objects.lock import OneLock

    one = OneLock.of(calls)
    found = one.judge()
    return _first(found) if found else None if one.why_not else one.order


def _first(anomalies: Sequence[Anomaly]) -> Violation:
    anomaly = min(anomalies, key=lambda anomaly: (len(anomaly.ops), anomaly.culprit or 0))
    culprit = anomaly.ops[-1] if anomaly.culprit is None else anomaly.culprit
    return Violation(anomaly.name, anomaly.rule, anomaly.ops, culprit, anomaly.sentence, anomaly.certificate)
