"""From what a run did to the lists that do it again: every fault and every operation, with the time it was begun.

Run again with the same seed on the simulated ground, the lists give the same history. What never began is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp


def exact_plan(plan: Plan, faults: Sequence[PlannedFault], events: Sequence[Op], final_index: int) -> Plan:
    """The plan with its faults and operations as lists.

    Args:
        plan: what was run; faults: as they were drawn or given; events: the whole history.
        final_index: the place in it where the final phase began; its length if it never did.
    """
    done = _faults(faults, events)
    return msgspec.structs.replace(
        plan,
        faults=done,
        operations=_operations(plan, events, final_index),
        nemesis=tuple(sorted({fault.kind for fault in done})),
    )


def _operations(plan: Plan, events: Sequence[Op], final_index: int) -> tuple[PlannedOp, ...]:
    final_ns = next((op.time or 0 for op in events[final_index:] if op.process != NEMESIS), 0)
    return tuple(
        PlannedOp(
            at_s=((op.time or 0) - (final_ns if place >= final_index else 0)) / 1e9,
            worker=op.process % plan.concurrency,
            f=op.f,
            key=op.key,
            value=op.value,
            node=op.node,
            phase="final" if place >= final_index else "main",
        )
        for place, op in enumerate(events)
        if op.type == "invoke" and isinstance(op.process, int)
    )


def _faults(faults: Sequence[PlannedFault], events: Sequence[Op]) -> tuple[PlannedFault, ...]:
    """Those that were begun, also in vain, since trying costs time; with the times at which they were to begin, since
    those decide what goes first when several are due."""
    done: dict[int, PlannedFault] = {}
    for op in events:
        if op.process != NEMESIS or not op.f.startswith("start-") or not isinstance(op.value, dict):
            continue
        place = op.value.get("planned")
        if isinstance(place, int):
            done[place] = msgspec.structs.replace(faults[place], hit=str(op.value.get("detail", "")))
    return tuple(done[place] for place in sorted(done))
