"""Several nemeses as one, built from a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec

from harness.errors import PlanError, nearest
from harness.history.circumstances import OLD_LEADER, Situation
from harness.history.holders import LOCK_HOLDER
from harness.nemesis.catalogue import BLOWS, LINK_SLOTS, SURFACES, WHOLE, Making, fault
from harness.nemesis.shapes import SHAPES
from harness.nemesis.targets import Scene, resolve_cuts, validate
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import ChangesMembers, Cluster, System, TellsSituation
from harness.streams import Streams

__all__ = [
    "BLOWS",
    "SURFACES",
    "ComposedNemesis",
    "Member",
    "build_nemesis",
    "lifting_place",
    "look",
    "one_member",
    "system_faults",
    "validate_faults",
]
Look = Callable[[], Awaitable[Situation]]
Holder = Callable[[], str | None]
"""Which node serves the client that holds a lock."""
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

    def __init__(self, members: Sequence[Member], situation: Look, holder: Holder = lambda: None) -> None:
        self.members = tuple(members)
        self._situation, self._holder = situation, holder
        self._lifted_s: float | None = None
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
            lifted = await member.invoke(op, Scene(None, _nodes(others, BLOWS), _nodes(others, ("power",))))
            if lifted.type == "ok":
                self._lifted_s = asyncio.get_running_loop().time()
            return lifted
        slot = fault(op.f.partition("-")[2]).slot
        rivals = [other for other in others if slot and fault(other["kind"]).slot == slot]
        exact = getattr(member, "fixed_cuts", None) is not None
        if rivals and slot in LINK_SLOTS and not exact:
            return op.fail(f"in-force: {rivals[0]['fault']} is not lifted yet")
        situation = await self._situation()
        ago_s = None if self._lifted_s is None else asyncio.get_running_loop().time() - self._lifted_s
        scene = Scene(
            situation.leader,
            _nodes(others, BLOWS),
            _nodes(others, ("power",)),
            self._remember(situation.leader),
            frozenset(node for rival in rivals for node in rival["nodes"]),
        )
        if exact and (rival := self._in_the_way(member, rivals, scene)) is not None:
            return op.fail(f"in-force: {rival} is not lifted yet")
        return _told(await member.invoke(op, scene), situation, ago_s, scene.roles.get(OLD_LEADER))

    def _in_the_way(self, member: Any, rivals: Sequence[dict[str, Any]], scene: Scene) -> str | None:
        """The name of a fault in force on a link of the exact cuts that this member is to make, or on unknown ones."""
        wanted = resolve_cuts(member.fixed_cuts, member.nodes, scene)
        if isinstance(wanted, str):  # nobody has that role, which the member itself will tell
            return None
        links = {frozenset(cut) for cut in wanted}
        for other in self.members:
            theirs = {frozenset(cut) for cut in getattr(other, "cuts", ())}
            if other.active is not None and other.active in rivals and (not theirs or theirs & links):
                return str(other.active["fault"])
        return None

    def _remember(self, leader: str | None) -> Mapping[str, str]:
        """Who is known by a name besides the leader, now that this is the leader."""
        now, before = self._led
        if leader not in (None, now):
            self._led = now, before = leader, now
        roles = {OLD_LEADER: before, LOCK_HOLDER: self._holder()}
        return {role: node for role, node in roles.items() if node is not None}

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


def _told(completion: Op, situation: Situation, lifted_s_ago: float | None, led_before: str | None) -> Op:
    """The injection with whom it hit in which role, and in which phase."""
    value = completion.value
    if completion.type == "fail" or not isinstance(value, dict) or "fault" not in value:
        return completion
    roles = [situation.role(node, led_before) for node in value.get("nodes", ())]
    told = {**value, "roles": roles, "phase": situation.phase(lifted_s_ago)}
    return msgspec.structs.replace(completion, value=told)


def look(system: System, cluster: Cluster) -> Look:
    """How a system is asked for its situation; one that does not tell it says who leads."""

    async def ask() -> Situation:
        if isinstance(system, TellsSituation):
            return await system.situation(cluster)
        return Situation(await system.leader(cluster))

    return ask


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

    async def situation() -> Situation:
        return Situation(await leader())

    return ComposedNemesis([one_member(kind, plan, cluster, streams) for kind in plan.nemesis], situation)


def one_member(kind: str, plan: Plan, cluster: Cluster, streams: Streams) -> Member:
    """The nemesis of one kind of fault, with a random stream of its own."""
    member: Member = fault(kind).make(Making(kind, plan, cluster, streams.stream(f"faults/{kind}")))
    return member
