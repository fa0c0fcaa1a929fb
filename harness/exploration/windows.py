"""Bold guesses at a small failing plan: a few neighbouring faults, and the operations about them.

    for guess in guesses(failure): run it, under this seed or another

A bug that needs luck (two nodes that stand within a millisecond) shows in a long run because that rolls the dice very
often. Whoever takes one element away from it changes all later rolls, so the failure is gone, whether the element was
needed or not. A short stretch of the run, rolled again under many seeds, gets there sooner: it costs a fraction of the
run, and where it fails little is left to take away.

A guess is no fault to `FAULTS_MAX` neighbouring ones, told from the start, with the operations that the anomaly names,
with all on their keys, or with all, as far as they were begun near one of the faults or of the named operations; what
lies between is left out, and the gap closed. Stretches about the witness come first.

Limits: what needs faults between which others struck is not among the guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from harness.exploration import chance, steps
from harness.exploration.failure import Failure
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp

replace = msgspec.structs.replace
FAULTS_MAX: Final = 4
BEFORE_UNITS: Final = 3.0
AFTER_UNITS: Final = 12.0
NEAR_UNITS: Final = 2.0
COUNTS: Final = (1, 2, 3, 5, 8, 13)
"""Of triggers: what an event's number in the whole run is in a stretch of it nobody can say, so these are tried."""


@dataclass(frozen=True)
class _Stretch:
    """Some neighbouring faults, by their places, from when to when, and the spans of it that count."""

    places: tuple[int, ...]
    from_s: float
    to_s: float
    near: tuple[tuple[float, float], ...]


def guesses(failure: Failure) -> Iterator[Plan]:
    """Smaller plans, round and round: the ones that cost least first, each stretch in turn."""
    plans = []
    for count in range(min(FAULTS_MAX, len(failure.exact.faults or ())) + 1):
        for chosen in (_named, _on_their_keys, _all):
            plans.append(list(_different(failure, count, chosen)))
    rows = [row for row in plans if row]
    turn = 0
    while rows:
        for row in rows:
            yield row[turn % len(row)]
        turn += 1


def _different(failure: Failure, count: int, chosen: Any) -> Iterator[Plan]:
    seen: set[bytes] = set()
    for stretch in _stretches(failure, count):
        for plan in _plans(failure, stretch, chosen(failure, stretch)):
            key = plan.to_json()
            if key not in seen:
                seen.add(key)
                yield plan


def _stretches(failure: Failure, count: int) -> list[_Stretch]:
    """Every run of so many neighbouring faults, the ones about the witness first."""
    plan, unit = failure.exact, steps.unit_s(failure.exact)
    faults, struck_s = plan.faults or (), failure.struck_s
    order = sorted(range(len(faults)), key=lambda place: struck_s[place])
    moments = [op.at_s for op in failure.witness if op.phase == "main"]
    if count == 0:
        if not moments:
            return []
        from_s, to_s = max(0.0, min(moments) - BEFORE_UNITS * unit), max(moments) + unit
        return [_Stretch((), from_s, to_s, ((from_s, to_s),))]
    found = []
    for first in range(len(order) - count + 1):
        places = tuple(order[first : first + count])
        began_s = struck_s[places[0]]
        before_s = _lifted_s(faults[order[first - 1]], struck_s[order[first - 1]]) if first else 0.0
        lifted_s = max(_lifted_s(faults[place], struck_s[place]) for place in places)
        next_s = struck_s[order[first + count]] if first + count < len(order) else plan.time_limit_s
        near = [at_s for at_s in moments if began_s - BEFORE_UNITS * unit <= at_s <= lifted_s + AFTER_UNITS * unit]
        from_s = max(0.0, min([max(before_s, began_s - BEFORE_UNITS * unit), *near]))
        to_s = max([min(next_s, lifted_s + AFTER_UNITS * unit), *near])
        spans = [(struck_s[place], _lifted_s(faults[place], struck_s[place])) for place in places]
        spans += [(at_s, at_s) for at_s in near]
        counting = tuple((from_s - NEAR_UNITS * unit, to_s + 2 * NEAR_UNITS * unit) for from_s, to_s in spans)
        found.append(_Stretch(places, from_s, to_s, counting))
    middle = sum(moments) / len(moments) if moments else plan.time_limit_s
    return sorted(found, key=lambda stretch: (-_inside(stretch, moments), abs(stretch.to_s - middle)))


def _lifted_s(fault: PlannedFault, struck_s: float) -> float:
    return struck_s + (fault.duration_s or 0.0)


def _inside(stretch: _Stretch, moments: Sequence[float]) -> int:
    return sum(stretch.from_s <= at_s <= stretch.to_s for at_s in moments)


def _plans(failure: Failure, stretch: _Stretch, ops: Sequence[PlannedOp]) -> Iterator[Plan]:
    if not ops:
        return
    plan, start_s = failure.exact, stretch.from_s
    timed = failure.on_time().faults or ()
    kept = [replace(timed[place], at_s=round(max(0.0, timed[place].at_s - start_s), 9)) for place in stretch.places]
    moved = [replace(op, at_s=round(max(0.0, op.at_s - start_s), 9)) if op.phase == "main" else op for op in ops]
    smaller = steps.with_little_quiet(steps.with_operations(plan, moved))
    smaller = replace(smaller, time_limit_s=round(stretch.to_s - start_s + steps.SLACK_S, 3))
    smaller = chance.skipping(smaller, [(start_s, start_s)] if start_s else [], failure.started_ns)
    whole = steps.with_faults(smaller, kept)
    yield steps.closer(whole, failure.started_ns) or whole
    planned = plan.faults or ()
    others = [fault for fault, place in zip(kept, stretch.places, strict=True) if planned[place].after is None]
    waiting = [(planned[place], after) for place in stretch.places if (after := planned[place].after) is not None]
    for count in COUNTS if waiting else ():
        again = [replace(fault, after=replace(after, count=min(count, after.count))) for fault, after in waiting]
        yield steps.with_faults(smaller, [*others, *again])


def _in(stretch: _Stretch, op: PlannedOp) -> bool:
    return op.phase == "final" or any(from_s <= op.at_s <= to_s for from_s, to_s in stretch.near)


def _within(stretch: _Stretch, op: PlannedOp) -> bool:
    return op.phase == "final" or stretch.from_s <= op.at_s <= stretch.to_s


def _named(failure: Failure, stretch: _Stretch) -> list[PlannedOp]:
    """The operations that the anomaly names, if all are there."""
    ops = list(failure.witness)
    return ops if len(ops) > 1 and all(_within(stretch, op) for op in ops) else []


def _on_their_keys(failure: Failure, stretch: _Stretch) -> list[PlannedOp]:
    keys = {op.key for op in failure.witness if isinstance(op.key, str | int)}
    ops = steps.operations(failure.exact)
    return [op for op in ops if op.key in keys and _within(stretch, op) and _in(stretch, op)] if keys else []


def _all(failure: Failure, stretch: _Stretch) -> list[PlannedOp]:
    return [op for op in steps.operations(failure.exact) if _within(stretch, op) and _in(stretch, op)]
