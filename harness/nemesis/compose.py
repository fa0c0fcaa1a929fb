"""Several nemeses as one, built from a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from harness.errors import PlanError, nearest
from harness.nemesis import process
from harness.nemesis.clock import ClockNemesis
from harness.nemesis.partition import PartitionNemesis
from harness.nemesis.shapes import SHAPES
from harness.nemesis.targets import Scene, validate
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Cluster
from harness.streams import Streams

SURFACES: Final[dict[str, frozenset[str]]] = {
    "partition": frozenset({"net"}),
    "kill": frozenset({"processes"}),
    "pause": frozenset({"processes"}),
    "power": frozenset({"processes", "disks"}),
    "clock": frozenset({"clocks"}),
}
"""The fault surfaces that each kind of fault needs."""
BLOWS: Final = ("kill", "pause", "power")
"""The faults that hold a node's process."""


class Member(Protocol):
    """A nemesis that is told the scene, and says what it has in force."""

    fs: frozenset[str]
    active: dict[str, Any] | None

    async def invoke(self, op: Op, scene: Scene) -> Op:
        """Inject or lift, with evidence."""

    async def heal(self) -> None:
        """Lift what is in force."""


class ComposedNemesis:
    """Routes fault operations to the nemesis that handles them."""

    def __init__(self, members: Sequence[Member], leader: Callable[[], Awaitable[str | None]]) -> None:
        self.members = tuple(members)
        self._leader = leader
        self.fs = frozenset(f for member in members for f in member.fs)

    async def invoke(self, op: Op) -> Op:
        """Inject or lift; the leader is asked for just before a fault is aimed, so that it is still the leader."""
        member = next((member for member in self.members if op.f in member.fs), None)
        if member is None:
            return op.info(f"unknown-fault: {op.f}")
        return await self.conduct(member, op)

    async def conduct(self, member: Member, op: Op) -> Op:
        """Have that member do it, told of what the others have in force."""
        leader = await self._leader() if op.f.startswith("start-") else None
        others = [other.active for other in self.members if other is not member and other.active is not None]
        return await member.invoke(op, Scene(leader, _nodes(others, BLOWS), _nodes(others, ("power",))))

    def lifting_ops(self) -> list[Op]:
        """The operations that lift, with evidence, whatever is in force now: first what holds processes, then the rest.

        A link proves nothing while one of its ends has no power.
        """
        kinds = [member.active["kind"] for member in self.members if member.active is not None]
        return [Op(process=NEMESIS, f=f"stop-{kind}") for kind in sorted(kinds, key=lambda kind: kind not in BLOWS)]

    async def heal(self) -> None:
        """Lift everything, without evidence: for exits in a hurry."""
        for member in self.members:
            await member.heal()


def _nodes(faults: Iterable[dict[str, Any]], kinds: Sequence[str]) -> frozenset[str]:
    return frozenset(node for fault in faults if fault["kind"] in kinds for node in fault["nodes"])


def validate_faults(plan: Plan, offered: frozenset[str]) -> None:
    """Refuse a plan whose faults are unknown or that its ground does not offer, before anything starts.

    Raises:
        PlanError: naming the fault, what it needs and what would do.
    """
    for kind in plan.nemesis:
        if kind not in SURFACES:
            raise PlanError(f"There is no nemesis {kind!r}.{nearest(kind, SURFACES)}")
        missing = sorted(SURFACES[kind] - offered)
        if missing:
            raise PlanError(f"The fault {kind!r} needs the surface {missing[0]!r}, which the ground {plan.on!r} lacks.")
    if plan.partition not in SHAPES:
        raise PlanError(f"There is no partition shape {plan.partition!r}.{nearest(plan.partition, SHAPES)}")
    validate(plan.target, plan.node_names())


def build_nemesis(
    plan: Plan, cluster: Cluster, leader: Callable[[], Awaitable[str | None]], streams: Streams
) -> ComposedNemesis:
    """The nemeses that a plan names, each with a random stream of its own."""
    return ComposedNemesis([one_member(kind, plan, cluster, streams) for kind in plan.nemesis], leader)


def one_member(kind: str, plan: Plan, cluster: Cluster, streams: Streams) -> Member:
    """The nemesis of one kind of fault, with a random stream of its own."""
    random = streams.stream(f"faults/{kind}")
    if kind == "partition":
        assert cluster.net is not None
        return PartitionNemesis(cluster, cluster.net, plan.partition, plan.target, random)
    if kind == "clock":
        assert cluster.clocks is not None
        return ClockNemesis(cluster, cluster.clocks, plan.target, random)
    processes = cluster.processes
    assert processes is not None
    if kind == "power":
        assert cluster.disks is not None
        blow = process.power_blow(processes, cluster.disks)
    else:
        blow = {"kill": process.kill_blow, "pause": process.pause_blow}[kind](processes)
    return process.ProcessNemesis(cluster, processes, blow, plan.target, random)
