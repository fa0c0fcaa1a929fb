"""The plan: a whole test as names and numbers. It prints, hashes, is stored as JSON and re-runs.

>>> Plan(nodes=3).nodes
3
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from harness.errors import PlanError, nearest
from harness.schedule.planned import PlannedFault, PlannedOp

Setting = str | int | float | bool


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How well a system must serve for a run to pass; None: any way will do. Only the main phase and after counts.

    Attributes:
        recovery_s_max: from the lifting of each fault to the first success of an operation that began after it.
        unavailable_s_max: the longest time without any success although clients asked.
        success_share_min: the least share of operations that succeed.
    """

    recovery_s_max: float | None = None
    unavailable_s_max: float | None = None
    success_share_min: float | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides a run. Times in seconds, rates in operations per second.

    Attributes:
        system, workload, on: registered names; `on` is the ground.
        nodes: how many; they are called n1, n2, ...
        concurrency: client workers.
        rate: operations per second over all workers together.
        time_limit_s: length of the main phase.
        op_timeout_s: a client's deadline for one operation.
        seed: decides every random choice; on `sim` it decides the run.
        nemesis: names of the fault packages that take part.
        target: which nodes faults aim at: one, minority, majority, leader, followers, all, none, random, or n1,n2.
        partition: shape of partitions: halves, random-halves, isolate, blocks, majorities-ring, bridge, one-way; auto
            isolates the target, and draws random halves when the target is random.
        interval_s: mean pause between faults of one package.
        duration_s: mean length of one fault.
        combine: whether faults of different packages may overlap.
        quiet_s: pause after the final heal, before the final reads.
        options: switches of system and workload by name, as in `System.options`.
        check_budget_s: deadline for all checkers together.
        faults: the faults one by one, instead of being drawn from `nemesis`, `interval_s` and the like.
        operations: the client operations one by one, instead of the workload's; its final reads, too.
        stop_on_violation: whether the main phase ends at the first violation that shows while it runs.
        thresholds: how well the system must serve meanwhile.
        world: on `sim`, what kind of world it is, where that differs from the usual one (docs/simulation-world.md).
    """

    system: str = "leader-follower"
    workload: str = "register"
    on: str = "sim"
    nodes: int = 5
    concurrency: int = 10
    rate: float = 200.0
    time_limit_s: float = 30.0
    op_timeout_s: float = 2.0
    seed: int = 0
    nemesis: tuple[str, ...] = ()
    target: str = "random"
    partition: str = "auto"
    interval_s: float = 3.0
    duration_s: float = 3.0
    combine: bool = False
    quiet_s: float = 3.0
    options: dict[str, Setting] = msgspec.field(default_factory=dict)
    check_budget_s: float = 120.0
    faults: tuple[PlannedFault, ...] | None = None
    operations: tuple[PlannedOp, ...] | None = None
    stop_on_violation: bool = False
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    world: dict[str, Setting] = msgspec.field(default_factory=dict)

    def node_names(self) -> tuple[str, ...]:
        """n1, n2, ..."""
        return tuple(f"n{i + 1}" for i in range(self.nodes))

    def to_json(self) -> bytes:
        """Canonical JSON: equal plans give equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=2)

    def digest(self) -> str:
        """Twelve hex digits that name this plan."""
        return hashlib.sha256(self.to_json()).hexdigest()[:12]


def read_plan(path: Path) -> Plan:
    """Read a plan from a TOML or JSON file.

    Raises:
        PlanError: naming the file, the field, what was found and what was wanted.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: the plan cannot be read: {error.strerror}.") from error
    try:
        decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
        return decode(raw, type=Plan)
    except msgspec.MsgspecError as error:
        raise PlanError(f"{path}: {_told(str(error))}") from error


def _told(error: str) -> str:
    """What msgspec says of a plan, as a sentence about a field."""
    if (wrong := re.fullmatch(r"Expected `(.+)`, got `(.+)` - at `\$\.(.+)`", error)) is not None:
        return f"the field {wrong[3]!r} wants {wrong[1]}, found {wrong[2]}."
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$\.(thresholds)`)?", error)
    if unknown is not None:
        known = Thresholds if unknown[2] else Plan
        return f"there is no field {unknown[1]!r}.{nearest(unknown[1], known.__struct_fields__)}"
    return f"this is not a plan: {error}."
