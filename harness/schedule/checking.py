"""Refuses lists of faults and operations that cannot be carried out, before anything starts."""

from __future__ import annotations

from collections.abc import Collection

from harness.errors import PlanError, nearest
from harness.history.holders import ACQUIRE, LOCK_HOLDER
from harness.nemesis.shapes import SHAPES
from harness.nemesis.targets import validate, validate_end
from harness.plan import Plan
from harness.protocols import Announcing, System
from harness.schedule.planned import THERE, PlannedFault
from harness.schedule.watch import check_triggers


def check_lists(plan: Plan, system: System, *, observed: bool) -> None:
    """Check a plan's faults and operations one by one; observed: whether the ground's nodes can be listened to.

    Raises:
        PlanError: naming the element by its place, the field, what was found and what was wanted.
    """
    for place, fault in enumerate(plan.faults or ()):
        try:
            _check_fault(plan, fault)
        except PlanError as error:
            raise PlanError(f"Fault {place + 1} of the plan: {error}") from error
    check_triggers(plan.faults or (), system.events if isinstance(system, Announcing) else {}, observed)
    operations = system.operations
    for place, op in enumerate(plan.operations or ()):
        where = f"Operation {place + 1} of the plan"
        if not 0 <= op.worker < plan.concurrency:
            last = plan.concurrency - 1
            raise PlanError(f"{where}: there is no worker {op.worker}; the concurrency makes {last} the last.")
        if op.at_s < 0:
            raise PlanError(f"{where}: at_s must not be below zero, found {op.at_s:g}.")
        if op.f not in operations:
            raise PlanError(f"{where}: the system offers no {op.f!r}.{nearest(op.f, operations)}")
        if op.node is not None and op.node not in plan.node_names():
            raise PlanError(f"{where}: there is no node {op.node!r}.{nearest(op.node, plan.node_names())}")


def check_targets(plan: Plan, operations: Collection[str]) -> None:
    """Refuse a target that no run of a workload with these operations has.

    Raises:
        PlanError: naming the target and what it needs.
    """
    aims = [fault.target for fault in plan.faults] if plan.faults is not None else [plan.target] * bool(plan.nemesis)
    if LOCK_HOLDER in aims and ACQUIRE not in operations:
        raise PlanError(
            f"The target {LOCK_HOLDER!r} needs a workload that takes locks, as --workload lock;"
            f" {plan.workload!r} takes none."
        )


def _check_fault(plan: Plan, fault: PlannedFault) -> None:
    if fault.at_s < 0 or (fault.duration_s is not None and fault.duration_s < 0):
        raise PlanError("at_s and duration_s must not be below zero.")
    if fault.target == THERE and fault.after is None:
        raise PlanError(f"the target {THERE!r} is where a trigger happened, and it has none.")
    if fault.target != THERE:
        validate(fault.target, plan.node_names())
    if fault.partition not in SHAPES:
        raise PlanError(f"there is no partition shape {fault.partition!r}.{nearest(fault.partition, SHAPES)}")
    for node in (node for cut in fault.cuts or () for node in cut):
        validate_end(node, plan.node_names())
    if fault.after is not None and fault.after.count < 1:
        raise PlanError(f"count must be at least 1, found {fault.after.count}.")
