"""Several nemeses as one, built from a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from harness.errors import PlanError, nearest
from harness.nemesis.catalogue import BLOWS, LINK_SLOTS, SURFACES, WHOLE, Making, fault
from harness.nemesis.shapes import SHAPES
from harness.nemesis.targets import OLD_LEADER, Scene, validate
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import ChangesMembers, Cluster
from harness.streams import Streams

__all__ = [
    "BLOWS",
    "SURFACES",
    "ComposedNemesis",
    "Member",
    "build_nemesis",
    "lifting_place",
    "one_member",
    "system_faults",
    "validate_faults",
]
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


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
        self._led: tuple[str | None, str | None] = (None, None)
        self.fs = frozenset(f for member in members for f in member.fs)

    async def invoke(self, op: Op) -> Op:
        """Inject or lift; the leader is asked for just before a fault is aimed, so that it is still the leader."""
        member = next((member for member in self.members if op.f in member.fs), None)
        if member is None:
            return op.info(f"unknown-fault: {op.f}")
        return await self.conduct(member, op)

    async def conduct(self, member: Member, op: Op) -> Op:
        """Have that member do it, told of what the others have in force."""
        others = [other.active for other in self.members if other is not member and other.active is not None]
        if frozen := _nodes(others, ("freeze",)):
            return op.fail(f"not-now: nothing can be told to {' '.join(sorted(frozen))}, which stands still")
        if not op.f.startswith("start-"):
            return await member.invoke(op, Scene(None, _nodes(others, BLOWS), _nodes(others, ("power",))))
        slot = fault(op.f.partition("-")[2]).slot
        rivals = [other for other in others if slot and fault(other["kind"]).slot == slot]
        if rivals and slot in LINK_SLOTS:
            return op.fail(f"in-force: {rivals[0]['fault']} is not lifted yet")
        leader = await self._leader()
        scene = Scene(
            leader,
            _nodes(others, BLOWS),
            _nodes(others, ("power",)),
            self._remember(leader),
            frozenset(node for rival in rivals for node in rival["nodes"]),
        )
        return await member.invoke(op, scene)

    def _remember(self, leader: str | None) -> Mapping[str, str]:
        """Who is known by a name besides the leader, now that this is the leader."""
        now, before = self._led
        if leader not in (None, now):
            self._led = now, before = leader, now
        return {OLD_LEADER: before} if before is not None else {}

    def lifting_ops(self) -> list[Op]:
        """The operations that lift, with evidence, whatever is in force now: what holds processes, cuts, the rest.

        A link proves nothing while one of its ends has no power or while it is cut, and nothing can be told to a node
        that stands still.
        """
        kinds = [member.active["kind"] for member in self.members if member.active is not None]
        return [Op(process=NEMESIS, f=f"stop-{kind}") for kind in sorted(kinds, key=lifting_place)]

    async def heal(self) -> None:
        """Lift everything, without evidence: for exits in a hurry."""
        for member in self.members:
            await member.heal()


def lifting_place(kind: str) -> tuple[bool, bool, bool, bool]:
    """By what to sort kinds of faults that are to be lifted: those come first that would hide the lifting of others.

    Members come last: they take a leader.
    """
    slot = fault(kind).slot
    return kind != "freeze", kind not in BLOWS, slot != "cut", slot == "members"


def _nodes(faults: Iterable[dict[str, Any]], kinds: Sequence[str]) -> frozenset[str]:
    return frozenset(node for fault in faults if fault["kind"] in kinds for node in fault["nodes"])


def validate_faults(plan: Plan, offered: frozenset[str], lacking: Mapping[str, str] = NOTHING) -> None:
    """Refuse a plan whose faults are unknown or that its ground does not offer, before anything starts.

    Args:
        lacking: faults that the ground cannot make here and now: by kind, why and what to do.

    Raises:
        PlanError: naming the fault, what it needs and what would do.
    """
    for kind in plan.nemesis:
        needs = fault(kind).needs
        if kind in lacking:
            raise PlanError(f"The fault {kind!r} cannot be made on the ground {plan.on!r}: {lacking[kind]}.")
        missing = sorted(needs - offered, key=lambda need: (need not in WHOLE, need))
        if missing and missing[0] in WHOLE:
            raise PlanError(f"The fault {kind!r} needs the surface {missing[0]!r}, which the ground {plan.on!r} lacks.")
        if "membership" in missing:
            raise PlanError(
                f"The fault {kind!r} needs a system that changes its members, which {plan.system!r} does not."
            )
        if missing:
            raise PlanError(f"The fault {kind!r} cannot be made on the ground {plan.on!r}.")
    if plan.partition not in SHAPES:
        raise PlanError(f"There is no partition shape {plan.partition!r}.{nearest(plan.partition, SHAPES)}")
    validate(plan.target, plan.node_names())


def system_faults(system: object) -> frozenset[str]:
    """What faults may ask of a system, and this one has."""
    return frozenset({"membership"}) if isinstance(system, ChangesMembers) else frozenset()


def build_nemesis(
    plan: Plan, cluster: Cluster, leader: Callable[[], Awaitable[str | None]], streams: Streams
) -> ComposedNemesis:
    """The nemeses that a plan names, each with a random stream of its own."""
    return ComposedNemesis([one_member(kind, plan, cluster, streams) for kind in plan.nemesis], leader)


def one_member(kind: str, plan: Plan, cluster: Cluster, streams: Streams) -> Member:
    """The nemesis of one kind of fault, with a random stream of its own."""
    member: Member = fault(kind).make(Making(kind, plan, cluster, streams.stream(f"faults/{kind}")))
    return member
