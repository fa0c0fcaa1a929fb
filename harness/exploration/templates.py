"""Shapes of fault schedules that find bugs, each drawn anew for every run.

Lengths are log-uniform in the system's own unit of time (its election timeout), from a tenth to twenty of it: what
breaks a system is as often too short to be noticed as too long to be borne. A run uses a drawn subset of the kinds of
faults that its plan permits (swarm testing, Groce et al., ISSTA 2012), and the templates that do with those. Many short
balanced splits reach every pair of nodes soon (Majumdar and Niksic, POPL 2018).

>>> from harness.streams import Streams
>>> random = Streams(1).stream("templates")
>>> [fault.partition for fault in draw("ring", Draw(("n1", "n2", "n3"), 0.3, 1.0, random))][:1]
['majorities-ring']

Limits: one fault of a kind at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from harness.history.circumstances import OLD_LEADER
from harness.nemesis.catalogue import FAULTS
from harness.schedule.planned import THERE, PlannedFault, Trigger
from harness.streams import Random

replace = msgspec.structs.replace
BLOCKS: Final = 3
SHORTEST_UNITS: Final = 0.1
LONGEST_UNITS: Final = 20.0
FAULTS_MAX: Final = 24


@dataclass(frozen=True)
class Draw:
    """What a template draws from: the nodes, the unit and the main phase's length in seconds, and chance."""

    nodes: tuple[str, ...]
    unit_s: float
    length_s: float
    random: Random

    def lasting_s(self) -> float:
        """A length, log-uniform; at most half of the main phase."""
        log = self.random.uniform(math.log(SHORTEST_UNITS), math.log(LONGEST_UNITS))
        return round(min(math.exp(log) * self.unit_s, self.length_s / 2), 6)

    def pause_s(self) -> float:
        """A pause between two faults: half a unit to three."""
        return self.random.uniform(0.5, 3.0) * self.unit_s

    def fault(self, kind: str, at_s: float, duration_s: float, target: str, partition: str = "auto") -> PlannedFault:
        """One fault with chance of its own."""
        return PlannedFault(
            kind=kind,
            at_s=round(at_s, 6),
            duration_s=duration_s,
            target=target,
            partition=partition,
            draw=self.random.getrandbits(32),
        )

    def one(self) -> str:
        """A node, or whoever leads."""
        return self.random.choice(("leader", self.random.choice(self.nodes)))


Template = Callable[[Draw], list[PlannedFault]]


def _again(draw: Draw, kind: str, target: Callable[[], str], partition: str = "auto") -> list[PlannedFault]:
    """The same fault again and again, with pauses."""
    faults: list[PlannedFault] = []
    at_s = draw.pause_s()
    while at_s < draw.length_s and len(faults) < FAULTS_MAX:
        lasting_s = draw.lasting_s()
        faults.append(draw.fault(kind, at_s, lasting_s, target(), partition))
        at_s += lasting_s + draw.pause_s()
    return faults


def _rolling_kill(draw: Draw) -> list[PlannedFault]:
    """One node after the other, round and round."""
    order = list(draw.nodes)
    draw.random.shuffle(order)
    turns = iter(range(FAULTS_MAX))
    return _again(draw, "kill", lambda: order[next(turns) % len(order)])


def _kill_in_partition(draw: Draw) -> list[PlannedFault]:
    """While the leader is cut off, somebody else is killed, or the leader itself is, after the heal."""
    faults: list[PlannedFault] = []
    for cut in _again(draw, "partition", lambda: "leader", "isolate"):
        length_s = cut.duration_s or 0.0
        faults.append(cut)
        faults.append(draw.fault("kill", cut.at_s + draw.random.uniform(0.2, 1.2) * length_s, draw.unit_s, draw.one()))
    return faults[:FAULTS_MAX]


def _after(draw: Draw, kind: str, trigger: Trigger, target: str, partition: str = "auto") -> PlannedFault:
    return PlannedFault(
        kind=kind,
        after=trigger,
        duration_s=draw.lasting_s(),
        target=target,
        partition=partition,
        draw=draw.random.getrandbits(32),
    )


def _delay_s(draw: Draw) -> float:
    """None at all, or up to half a unit."""
    return draw.random.choice((0.0, round(draw.random.uniform(0, 0.5) * draw.unit_s, 6)))


def _cut_the_elected(draw: Draw) -> list[PlannedFault]:
    """Whoever is elected is cut off soon after; a first cut brings the first election about."""
    first = draw.fault("partition", draw.pause_s(), 2 * draw.unit_s, "leader", "isolate")
    elections = [Trigger("elected", count=count, delay_s=_delay_s(draw)) for count in range(1, 5)]
    return [first, *(_after(draw, "partition", election, THERE, "isolate") for election in elections)]


def _kill_the_elected(draw: Draw) -> list[PlannedFault]:
    """As above, killed."""
    first = draw.fault("kill", draw.pause_s(), 2 * draw.unit_s, "leader")
    elections = [Trigger("elected", count=count, delay_s=_delay_s(draw)) for count in range(1, 5)]
    return [first, *(_after(draw, "kill", election, THERE) for election in elections)]


def _kill_after_acknowledging(draw: Draw) -> list[PlannedFault]:
    """A leader dies right after it told a client of a success."""
    counts = sorted(draw.random.sample(range(1, 200), 6))
    return [_after(draw, "kill", Trigger("acknowledged", "leader", count, _delay_s(draw)), THERE) for count in counts]


def _at_the_disk(kind: str) -> Template:
    """Between an append and its sync, or before the append."""

    def template(draw: Draw) -> list[PlannedFault]:
        faults = []
        for _ in range(draw.random.randint(1, 4)):
            event = draw.random.choice(("sync", "append", "rename"))
            node = draw.random.choice(("leader", "", draw.random.choice(draw.nodes)))
            count = round(math.exp(draw.random.uniform(0, math.log(300))))
            faults.append(_after(draw, kind, Trigger(event, node, count), THERE))
        return faults

    return template


def _split_in_three(draw: Draw) -> list[PlannedFault]:
    """Balanced: every node in a block drawn for it, none of which is a majority where there are more than three."""
    faults = []
    for fault in _again(draw, "partition", lambda: "random"):
        order = list(draw.nodes)
        draw.random.shuffle(order)
        block = {node: place % BLOCKS for place, node in enumerate(order)}
        cuts = tuple((one, other) for one in draw.nodes for other in draw.nodes if block[one] != block[other])
        faults.append(replace(fault, cuts=cuts))
    return faults


def _swizzled_cuts(draw: Draw) -> list[PlannedFault]:
    """Links are cut one by one, one way each, and come back one by one in another order."""
    links = [(one, other) for one in draw.nodes for other in draw.nodes if one != other]
    cut = draw.random.sample(links, draw.random.randint(2, min(len(links), FAULTS_MAX // 3)))
    back = draw.random.sample(cut, len(cut))
    steps = [cut[: count + 1] for count in range(len(cut))] + [back[count + 1 :] for count in range(len(cut) - 1)]
    faults, at_s = [], draw.pause_s()
    for links_now in steps:
        lasting_s = min(draw.lasting_s(), draw.length_s / len(steps))
        fault = draw.fault("partition", at_s, lasting_s, "random")
        faults.append(replace(fault, cuts=tuple(sorted(links_now))))
        at_s += lasting_s
    return faults


def _isolate_old_leader(draw: Draw) -> list[PlannedFault]:
    """A leader, and then, again and again, whoever led before the one who leads now."""
    targets = iter(("leader", *[OLD_LEADER] * FAULTS_MAX))
    return _again(draw, "partition", lambda: next(targets), "isolate")


def _followers(_draw: Draw) -> str:
    return "followers"


def _inside(outer: str, inner: str, target: Callable[[Draw], str]) -> Template:
    """While the leader suffers one thing, somebody suffers another."""

    def template(draw: Draw) -> list[PlannedFault]:
        faults: list[PlannedFault] = []
        for fault in _again(draw, outer, lambda: "leader", "isolate"):
            at_s = fault.at_s + draw.random.uniform(0.1, 0.9) * (fault.duration_s or 0.0)
            faults += [fault, draw.fault(inner, at_s, draw.lasting_s(), target(draw))]
        return faults[:FAULTS_MAX]

    return template


def _cut_between_append_and_sync(draw: Draw) -> list[PlannedFault]:
    """A leader that has written an entry, and is about to sync it, is cut off there and then."""
    counts = sorted(round(math.exp(draw.random.uniform(0, math.log(300)))) for _ in range(4))
    return [_after(draw, "partition", Trigger("sync", "leader", count), THERE, "isolate") for count in counts]


def _alone(kind: str) -> Template:
    """One kind again and again, at whom it may."""
    return lambda draw: _again(draw, kind, lambda: draw.random.choice(("leader", "one", "random", "minority")))


def _of(kinds: str, template: Template) -> tuple[frozenset[str], Template]:
    return frozenset(kinds.split()), template


TEMPLATES: Final[dict[str, tuple[frozenset[str], Template]]] = {
    "split": _of("partition", lambda draw: _again(draw, "partition", lambda: "random", "random-halves")),
    "split-in-three": _of("partition", _split_in_three),
    "isolate-leader": _of("partition", lambda draw: _again(draw, "partition", lambda: "leader", "isolate")),
    "isolate-old-leader": _of("partition", _isolate_old_leader),
    "isolate-one": _of("partition", lambda draw: _again(draw, "partition", lambda: "one", "isolate")),
    "ring": _of("partition", lambda draw: _again(draw, "partition", lambda: "random", "majorities-ring")),
    "bridge": _of("partition", lambda draw: _again(draw, "partition", draw.one, "bridge")),
    "one-way": _of("partition", lambda draw: _again(draw, "partition", draw.one, "one-way")),
    "swizzled-cuts": _of("partition", _swizzled_cuts),
    "cut-the-elected": _of("partition", _cut_the_elected),
    "cut-between-append-and-sync": _of("partition", _cut_between_append_and_sync),
    "kill-leader": _of("kill", lambda draw: _again(draw, "kill", lambda: "leader")),
    "kill-some": _of("kill", lambda draw: _again(draw, "kill", lambda: "random")),
    "kill-all": _of("kill", lambda draw: _again(draw, "kill", lambda: "all")),
    "rolling-kill": _of("kill", _rolling_kill),
    "kill-the-elected": _of("kill", _kill_the_elected),
    "kill-after-acknowledging": _of("kill", _kill_after_acknowledging),
    "kill-at-the-disk": _of("kill", _at_the_disk("kill")),
    "kill-in-partition": _of("partition kill", _kill_in_partition),
    "pause": _of("pause", lambda draw: _again(draw, "pause", draw.one)),
    "kill-in-pause": _of("pause kill", _inside("pause", "kill", _followers)),
    "power-majority": _of("power", lambda draw: _again(draw, "power", lambda: "majority")),
    "power-some": _of("power", lambda draw: _again(draw, "power", lambda: "random")),
    "power-at-the-disk": _of("power", _at_the_disk("power")),
    "power-in-partition": _of("partition power", _inside("partition", "power", _followers)),
    "clock": _of("clock", lambda draw: _again(draw, "clock", lambda: "random")),
    "clock-in-partition": _of("partition clock", _inside("partition", "clock", _followers)),
    "clogged-leader": _of("clog", lambda draw: _again(draw, "clog", lambda: "leader")),
    "reset-leader": _of("reset", lambda draw: _again(draw, "reset", lambda: "leader", "isolate")),
    "kill-with-slow-links": _of("latency kill", _inside("latency", "kill", Draw.one)),
}
"""By name: the kinds of faults that it needs, and what draws it."""
TEMPLATES.update(
    (kind, _of(kind, _alone(kind))) for kind in FAULTS if kind not in ("partition", "kill", "power", *TEMPLATES)
)


def feasible(kinds: Iterable[str]) -> list[str]:
    """The templates that do with these kinds of faults."""
    offered = frozenset(kinds)
    return [name for name, (needed, _) in TEMPLATES.items() if needed <= offered]


def draw(name: str, source: Draw) -> tuple[PlannedFault, ...]:
    """The faults of one template, in order of time; those with triggers last."""
    return _in_order(TEMPLATES[name][1](source))


def swarm(name: str, kinds: Sequence[str], source: Draw) -> tuple[PlannedFault, ...]:
    """A template, and for each further kind that a coin lets in, another that does with that kind alone."""
    faults = list(TEMPLATES[name][1](source))
    for kind in kinds:
        if kind not in TEMPLATES[name][0] and source.random.random() < 0.3:
            others = feasible((kind,))
            if others:
                faults += TEMPLATES[source.random.choice(others)][1](source)
    return _in_order(faults)


def _in_order(faults: Sequence[PlannedFault]) -> tuple[PlannedFault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.after is not None, fault.at_s)))
