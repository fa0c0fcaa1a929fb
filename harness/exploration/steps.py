"""What a shrinker tries on a plan of lists: each step gives a smaller or simpler plan, or None where it cannot.

Elements are taken away as units: a fault goes with its lifting, a client with all that it did, a key with all that was
done to it, a node with everything aimed at it. What remains keeps its times, so that it meets the system as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from harness.exploration.chance import skipping
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp

replace = msgspec.structs.replace
UNIT_DEFAULT_S: Final = 0.3
SLACK_S: Final = 0.05
"""How long the main phase goes on after its last element began."""

PAUSE_UNITS: Final = 2.0
LEAST_GAP_S: Final = 0.002
"""Of pauses that are cut: what rounding leaves would be cut for ever."""
DENSE_UNITS: Final = 4.0

Element = PlannedFault | PlannedOp


def unit_s(plan: Plan) -> float:
    """The system's own unit of time: its election timeout, where it has one."""
    told = plan.options.get("election_timeout_ms")
    return float(told) / 1000 if isinstance(told, int | float) and told > 0 else UNIT_DEFAULT_S


def faults(plan: Plan) -> list[PlannedFault]:
    """The plan's faults as a list."""
    return list(plan.faults or ())


def operations(plan: Plan) -> list[PlannedOp]:
    """The plan's operations as a list: main phase first, each phase in order of time."""
    return sorted(plan.operations or (), key=lambda op: (op.phase == "final", op.at_s))


def with_faults(plan: Plan, kept: Sequence[PlannedFault]) -> Plan:
    """The plan with these faults only."""
    return replace(plan, faults=tuple(kept), nemesis=tuple(sorted({fault.kind for fault in kept})))


def with_operations(plan: Plan, kept: Sequence[PlannedOp]) -> Plan:
    """The plan with these operations only."""
    return replace(plan, operations=tuple(kept))


def without(plan: Plan, element: Element) -> Plan:
    """The plan less one element, told by identity."""
    if isinstance(element, PlannedFault):
        return with_faults(plan, [fault for fault in faults(plan) if fault is not element])
    return with_operations(plan, [op for op in operations(plan) if op is not element])


def clients(plan: Plan) -> list[int]:
    """The workers that do something."""
    return sorted({op.worker for op in operations(plan)})


def with_clients(plan: Plan, kept: Sequence[int]) -> Plan:
    """Only what these workers do; their numbers stay, since a number says where a client is at home."""
    return with_operations(plan, [op for op in operations(plan) if op.worker in kept])


def keys(plan: Plan) -> list[Any]:
    """The keys that something is done to, in order of first use."""
    return list(dict.fromkeys(op.key for op in operations(plan) if isinstance(op.key, str | int)))


def with_keys(plan: Plan, kept: Sequence[Any]) -> Plan:
    """Only what is done to these keys, or to none."""
    return with_operations(plan, [op for op in operations(plan) if op.key in kept or not isinstance(op.key, str | int)])


def kinds(plan: Plan) -> list[str]:
    """The kinds of faults."""
    return sorted({fault.kind for fault in faults(plan)})


def with_kinds(plan: Plan, kept: Sequence[str]) -> Plan:
    """Only faults of these kinds."""
    return with_faults(plan, [fault for fault in faults(plan) if fault.kind in kept])


def with_nodes(plan: Plan, count: int) -> Plan:
    """A cluster of so many nodes; what named one of the others goes, or is aimed at those that are left."""
    smaller = replace(plan, nodes=count)
    names = set(smaller.node_names())
    kept = []
    for fault in faults(plan):
        named = set(plan.node_names()) & set(fault.target.split(","))
        left = [name for name in fault.target.split(",") if name in names]
        cuts = None if fault.cuts is None else tuple(cut for cut in fault.cuts if names.issuperset(cut))
        if (named and not left) or cuts == ():
            continue
        kept.append(replace(fault, target=",".join(left) if named else fault.target, cuts=cuts, hit=""))
    ops = [replace(op, node=None) if op.node not in names else op for op in operations(plan)]
    return with_operations(with_faults(smaller, kept), ops)


def cut_after(plan: Plan, time_s: float) -> Plan:
    """Only what begins by then, and the final phase."""
    ops = [op for op in operations(plan) if op.phase == "final" or op.at_s <= time_s]
    return with_operations(with_faults(plan, [fault for fault in faults(plan) if fault.at_s <= time_s]), ops)


def cut_before(plan: Plan, time_s: float, started_ns: int = 0) -> Plan | None:
    """Only what begins from then on, and the main phase shortly before; None where a trigger tells the time."""
    if any(fault.after is not None for fault in faults(plan)):
        return None
    gone_s = round(time_s - SLACK_S, 9)
    if gone_s <= 0:
        return plan
    ops = [op for op in operations(plan) if op.phase == "final" or op.at_s >= time_s]
    later = with_operations(with_faults(plan, [fault for fault in faults(plan) if fault.at_s >= time_s]), ops)
    moved = skipping(_moved(later, lambda at_s: round(at_s - gone_s, 9)), [(gone_s, gone_s)], started_ns)
    return replace(moved, time_limit_s=max(SLACK_S, round(plan.time_limit_s - gone_s, 3)))


def ending(plan: Plan, time_s: float) -> Plan:
    """The main phase ends then, or when the last fault that began by then has been lifted."""
    lifted = [fault.at_s + (fault.duration_s or 0.0) for fault in faults(plan) if fault.after is None]
    end = round(max([time_s, *lifted]) + SLACK_S, 3)
    return replace(plan, time_limit_s=min(plan.time_limit_s, end))


def times(plan: Plan) -> list[float]:
    """When something begins in the main phase, ascending."""
    return sorted({op.at_s for op in operations(plan) if op.phase == "main"})


def end_s(plan: Plan) -> float:
    """When the last element of the main phase has begun, or been lifted; the time limit where one has a trigger."""
    if any(fault.after is not None for fault in faults(plan)):
        return plan.time_limit_s
    moments = [op.at_s for op in operations(plan) if op.phase == "main"]
    return max([*moments, *(fault.at_s for fault in faults(plan)), 0.0]) + SLACK_S


def with_little_quiet(plan: Plan) -> Plan:
    """A pause before the final phase that is just long enough for an election."""
    return replace(plan, quiet_s=min(plan.quiet_s, 2 * unit_s(plan)))


def closer(plan: Plan, started_ns: int = 0) -> Plan | None:
    """No pause longer than a few of the system's own units, in which nothing begins and nothing is in force.

    started_ns: when the main phase begins, if it is known, so that what comes after a pause meets the same chance.
    """
    longest = PAUSE_UNITS * unit_s(plan)
    spans = [(op.at_s, op.at_s) for op in operations(plan) if op.phase == "main"]
    spans += [(one.at_s, one.at_s + (one.duration_s or 0.0)) for one in faults(plan) if one.after is None]
    gaps, reached = [], 0.0
    for began, ended in sorted(spans):
        if began - reached > longest + LEAST_GAP_S:
            gaps.append((began, began - reached - longest))
        reached = max(reached, ended)
    if not gaps:
        return None
    moved = _moved(plan, lambda at_s: round(at_s - sum(less for began, less in gaps if began <= at_s), 9))
    moved = skipping(moved, gaps, started_ns)
    return replace(moved, time_limit_s=round(plan.time_limit_s - sum(less for _, less in gaps), 3))


# ── simpler ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def simpler(plan: Plan, started_ns: int = 0) -> Iterator[Plan]:
    """Plans with the same elements, each simpler in one way, the boldest first."""
    in_time = (partial(earlier, started_ns=started_ns), partial(closer, started_ns=started_ns), denser, _rounder)
    for step in (shorter, _calmer, _renamed, _fewer_workers, *in_time):
        found = step(plan)
        if found is not None and found != plan:
            yield found
    for place, fault in enumerate(faults(plan)):
        for other in _simpler_fault(fault, plan):
            if _cost(other, plan) < _cost(fault, plan):
                yield with_faults(plan, [*faults(plan)[:place], other, *faults(plan)[place + 1 :]])


def shorter(plan: Plan) -> Plan | None:
    """End when the last element has begun."""
    end = round(end_s(plan), 3)
    return replace(plan, time_limit_s=end) if end < plan.time_limit_s else None


def _calmer(plan: Plan) -> Plan | None:
    """No pause before a final phase in which nothing is done, and faults one at a time."""
    quiet_s = plan.quiet_s if any(op.phase == "final" for op in operations(plan)) else 0.0
    return replace(plan, quiet_s=quiet_s, combine=plan.combine and len(kinds(plan)) > 1)


def _fewer_workers(plan: Plan) -> Plan | None:
    """Workers numbered from 0, no more of them than do something."""
    numbers = {worker: number for number, worker in enumerate(clients(plan))}
    ops = [replace(op, worker=numbers[op.worker]) for op in operations(plan)]
    return replace(with_operations(plan, ops), concurrency=max(1, len(numbers)))


def _renamed(plan: Plan) -> Plan | None:
    """Keys k0, k1, ... and whole-number values 1, 2, ... in order of first use; equal ones stay equal."""
    names: dict[Any, str] = {key: f"k{number}" for number, key in enumerate(keys(plan))}
    if not all(isinstance(key, str) for key in names):
        names = {}
    numbers: dict[int, int] = {}

    def number(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            return [number(part) for part in value] if isinstance(value, list) else value
        return numbers.setdefault(value, len(numbers) + 1)

    ops = [
        replace(op, key=names.get(op.key, op.key) if isinstance(op.key, str) else op.key, value=number(op.value))
        for op in operations(plan)
    ]
    return with_operations(plan, ops)


def _moved(plan: Plan, move: Callable[[float], float]) -> Plan:
    ops = [replace(op, at_s=move(op.at_s)) if op.phase == "main" else op for op in operations(plan)]
    moved = [replace(fault, at_s=move(fault.at_s)) if fault.after is None else fault for fault in faults(plan)]
    return with_operations(with_faults(plan, moved), ops)


def earlier(plan: Plan, started_ns: int = 0) -> Plan | None:
    """Begin with the first element."""
    starts = [op.at_s for op in operations(plan) if op.phase == "main"]
    starts += [fault.at_s for fault in faults(plan) if fault.after is None]
    first = min(starts, default=0.0)
    if first <= SLACK_S:
        return None
    return skipping(_moved(plan, lambda at_s: round(at_s - first, 9)), [(first, first)], started_ns)


def denser(plan: Plan) -> Plan | None:
    """Everything twice as fast, but for the lengths of faults: a shorter run is cheaper to try."""
    if end_s(plan) < DENSE_UNITS * unit_s(plan):
        return None
    moved = _moved(plan, lambda at_s: round(at_s / 2, 9))
    return replace(moved, time_limit_s=round(min(plan.time_limit_s, end_s(moved)), 3))


def _rounder(plan: Plan) -> Plan | None:
    """Times in whole milliseconds."""
    return _moved(plan, lambda at_s: round(at_s, 3))


def _targets(plan: Plan) -> tuple[str, ...]:
    """Targets that draw nothing, the plainest first."""
    return ("leader", *plan.node_names(), "followers", "all")


def _cost(fault: PlannedFault, plan: Plan) -> tuple[float, ...]:
    """How much there is to say of a fault: only what costs less is simpler, so that simplifying comes to an end."""
    plain = _targets(plan)
    shape = {"isolate": 0, "halves": 1}.get(fault.partition, 2)
    return (
        fault.cuts is not None,
        shape if fault.kind == "partition" else 0,
        plain.index(fault.target) if fault.target in plain else len(plain),
        fault.draw != 0 or fault.hit != "",
        fault.duration_s or 0.0,
    )


def _simpler_fault(fault: PlannedFault, plan: Plan) -> Iterator[PlannedFault]:
    """One fault, told more simply: nothing drawn, one node or the leader, its length in the system's own units."""
    unit = unit_s(plan)
    for target in _targets(plan):
        if fault.kind == "partition":
            yield replace(fault, partition="isolate", target=target, cuts=None, draw=0, hit="")
        else:
            yield replace(fault, target=target, draw=0, hit="")
    yield replace(fault, draw=0, hit="")
    if fault.duration_s is not None:
        whole = max(1, round(fault.duration_s / unit)) * unit
        for length in (unit, whole, round(fault.duration_s, 2)):
            if round(length, 6) < fault.duration_s:
                yield replace(fault, duration_s=round(length, 6))
