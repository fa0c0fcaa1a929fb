"""Every moment at which a single fault can make a difference: the effects that nodes have on each other and on disks.

A node that is struck dead between two effects leaves what one leaves that is struck just before the second. So one run
for each boundary is all that single blows can do: before each use of a disk, before each message leaves, and after it
left, where nothing else follows in the same instant. A link between two nodes is cut before a message, which is then
lost with all that comes behind it, and after it, so that it arrives and its answer does not.

    counter = Counter(now_ns)
    run_judged(golden(plan), on_cluster=counter.begin, watcher=counter)
    faults = single_faults(counter.found(), ("kill", "partition"), duration_s=0.2)

Boundaries are told by counts of events in the main phase. `golden` has a fault, too, which waits for an event that
never comes: so up to its boundary a run with a single fault is the run that was counted, step by step.

Limits: after its first fault a run is another one, so the second of a pair may come elsewhere than counted, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.exploration.steps import replace, with_faults
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Cluster, ObservesNodes
from harness.schedule.planned import DISK_EVENTS, SEND, SENT, THERE, PlannedFault, Trigger
from harness.streams import Random

BLOWS: Final = ("kill", "power")
CUT: Final = "partition"
NEVER: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Boundary:
    """One moment.

    Attributes:
        event: what the node is about to do, or that it has "sent"; node: which; count: the how-manieth of its kind.
        link: a message's way if it goes from node to node, else None; is_last: whether the node does nothing more in
            that instant.
    """

    event: str
    node: str
    count: int
    link: tuple[str, str] | None
    is_last: bool


class Counter:
    """Lists a run's boundaries; is told of its phases as a `harness.controller.Watcher`. `now_ns`: of the nodes."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._seen: list[tuple[int, str, str, int, tuple[str, str] | None]] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._counting = False

    def begin(self, cluster: Cluster) -> None:
        """Hear the nodes from now on; where they cannot be heard there are no boundaries."""
        if not isinstance(cluster, ObservesNodes):
            return
        nodes = cluster.nodes

        def told(node: str, event: str, text: str) -> None:
            if self._counting and (event in DISK_EVENTS or event in (SEND, SENT)):
                count = self._counts[event, node] = self._counts.get((event, node), 0) + 1
                link = (node, text) if event not in DISK_EVENTS and text in nodes else None
                self._seen.append((self._now_ns(), event, node, count, link))

        cluster.listen(told)

    def phase(self, name: str) -> None:
        """Faults begin in the main phase, so it alone counts."""
        self._counting = name == "main"

    def event(self, op: Op) -> None:
        """What clients see is no boundary."""

    def found(self) -> list[Boundary]:
        """All of them, in order."""
        boundaries: list[Boundary] = []
        next_ns: dict[str, int] = {}
        for at_ns, event, node, count, link in reversed(self._seen):
            boundaries.append(Boundary(event, node, count, link, next_ns.get(node) != at_ns))
            next_ns[node] = at_ns
        return boundaries[::-1]


def golden(plan: Plan) -> Plan:
    """The plan with a fault that never comes."""
    never = PlannedFault(kind="kill", after=Trigger(SENT, count=NEVER), target=THERE)
    return with_faults(plan, (never,))


def single_faults(boundaries: Sequence[Boundary], kinds: Sequence[str], duration_s: float) -> list[PlannedFault]:
    """Each single fault of these kinds, of `BLOWS` and `CUT`, in the order in which they would strike."""
    return [fault for boundary in boundaries for fault in _at(boundary, kinds, duration_s)]


def _at(boundary: Boundary, kinds: Sequence[str], duration_s: float) -> Iterator[PlannedFault]:
    after = Trigger(boundary.event, boundary.node, boundary.count)
    for kind in kinds:
        if kind in BLOWS and (boundary.event != SENT or boundary.is_last):
            yield PlannedFault(kind=kind, after=after, duration_s=duration_s, target=THERE)
        elif kind == CUT and boundary.link is not None:
            cuts = (boundary.link, boundary.link[::-1])
            yield PlannedFault(kind=kind, after=after, duration_s=duration_s, target=THERE, cuts=cuts)


def evenly(faults: Sequence[PlannedFault], most: int) -> list[PlannedFault]:
    """All of them, or so many, as far from each other as can be."""
    count = min(most, len(faults))
    return [faults[place * len(faults) // count] for place in range(count)]


def pairs(faults: Sequence[PlannedFault], count: int, random: Random) -> list[tuple[PlannedFault, PlannedFault]]:
    """So many different pairs of them, the earlier one first; all where there are no more."""
    whole = len(faults) * (len(faults) - 1) // 2
    numbers = sorted(random.sample(range(whole), min(count, whole)))
    return [(faults[one], faults[two]) for one, two in map(_pair, numbers)]


def _pair(number: int) -> tuple[int, int]:
    """The pairs of numbers that are below each other, counted: (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    two = (1 + math.isqrt(1 + 8 * number)) // 2
    return number - two * (two - 1) // 2, two


def of_faults(plan: Plan, *faults: PlannedFault) -> Plan:
    """The plan with these faults, each at its moment, whichever other is in force."""
    return replace(with_faults(plan, faults), combine=len(faults) > 1)


def told(faults: Sequence[PlannedFault]) -> str:
    """What kind of run this is: "kill at the disk", "partition at a message", or "pair"."""
    if len(faults) > 1:
        return "pair"
    where = "the disk" if faults[0].after is not None and faults[0].after.event in DISK_EVENTS else "a message"
    return f"{faults[0].kind} at {where}"
