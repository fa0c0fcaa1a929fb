"""The nemesis of a list of faults: each is carried out by a member of its own, with chance of its own.

So what one of them draws does not depend on whether another is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.nemesis.compose import ComposedNemesis, Holder, Look, Member, lifting_place, one_member
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Cluster
from harness.schedule.planned import THERE, PlannedFault
from harness.streams import Streams


class ScheduledNemesis:
    """Carries out the faults of a list; the value of an operation says which, as `{"planned": place}`."""

    def __init__(
        self,
        plan: Plan,
        faults: Sequence[PlannedFault],
        cluster: Cluster,
        situation: Look,
        holder: Holder = lambda: None,
    ) -> None:
        self._plan, self._faults, self._cluster = plan, faults, cluster
        self._members: dict[int, Member] = {}
        self._composed = ComposedNemesis((), situation, holder)
        self.fs = frozenset(f"{verb}-{fault.kind}" for fault in faults for verb in ("start", "stop"))

    async def invoke(self, op: Op) -> Op:
        """Inject or lift; the completion says which fault of the list it was."""
        place = op.value["planned"]
        if op.f.startswith("start-"):
            self._members[place] = self._member(place, op.value.get("node"))
            self._composed.members = tuple(self._members.values())
        member = self._members.get(place)
        if member is None:
            return op.fail("nothing-to-lift")
        completion = await self._composed.conduct(member, op)
        if not isinstance(completion.value, dict) or "fault" not in completion.value:
            return completion
        name = f"{self._faults[place].kind}-{place + 1}"
        if member.active is not None:
            member.active["fault"] = name
        return msgspec.structs.replace(completion, value={**completion.value, "fault": name, "planned": place})

    def owed_ops(self, struck: Iterable[tuple[int, str]]) -> list[Op]:
        """The operations that begin, and prove, what struck at once (fault's place, node) when the phase was over
        before its nemesis had come to it."""
        owed = [(place, node) for place, node in struck if place not in self._members]
        return [
            Op(process=NEMESIS, f=f"start-{self._faults[place].kind}", value={"planned": place, "node": node})
            for place, node in owed
        ]

    def lifting_ops(self) -> list[Op]:
        """The operations that lift, with evidence, whatever is in force now: first what holds processes."""
        active = [place for place, member in self._members.items() if member.active is not None]
        active.sort(key=lambda place: lifting_place(self._faults[place].kind))
        return [Op(process=NEMESIS, f=f"stop-{self._faults[place].kind}", value={"planned": place}) for place in active]

    async def heal(self) -> None:
        """Lift everything, without evidence: for exits in a hurry."""
        for member in self._members.values():
            await member.heal()

    def _member(self, place: int, node: str | None) -> Member:
        fault = self._faults[place]
        target = node or "none" if fault.target == THERE else fault.target
        plan = msgspec.structs.replace(self._plan, target=target, partition=fault.partition)
        member: Any = one_member(fault.kind, plan, self._cluster, Streams(fault.draw))
        if fault.cuts is not None and hasattr(member, "fixed_cuts"):
            member.fixed_cuts = fault.cuts
        if fault.offset_ms is not None and hasattr(member, "fixed_ns"):
            member.fixed_ns = round(fault.offset_ms * 1e6)
        return member  # type: ignore[no-any-return]  # of whichever kind
