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

from harness.schedule.planned import THERE, PlannedFault, Trigger
from harness.streams import Random

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


TEMPLATES: Final[dict[str, tuple[frozenset[str], Template]]] = {
    "split": (frozenset({"partition"}), lambda draw: _again(draw, "partition", lambda: "random", "random-halves")),
    "isolate-leader": (frozenset({"partition"}), lambda draw: _again(draw, "partition", lambda: "leader", "isolate")),
    "isolate-one": (frozenset({"partition"}), lambda draw: _again(draw, "partition", lambda: "one", "isolate")),
    "ring": (frozenset({"partition"}), lambda draw: _again(draw, "partition", lambda: "random", "majorities-ring")),
    "bridge": (frozenset({"partition"}), lambda draw: _again(draw, "partition", draw.one, "bridge")),
    "one-way": (frozenset({"partition"}), lambda draw: _again(draw, "partition", draw.one, "one-way")),
    "cut-the-elected": (frozenset({"partition"}), _cut_the_elected),
    "kill-leader": (frozenset({"kill"}), lambda draw: _again(draw, "kill", lambda: "leader")),
    "kill-some": (frozenset({"kill"}), lambda draw: _again(draw, "kill", lambda: "random")),
    "kill-all": (frozenset({"kill"}), lambda draw: _again(draw, "kill", lambda: "all")),
    "rolling-kill": (frozenset({"kill"}), _rolling_kill),
    "kill-the-elected": (frozenset({"kill"}), _kill_the_elected),
    "kill-after-acknowledging": (frozenset({"kill"}), _kill_after_acknowledging),
    "kill-at-the-disk": (frozenset({"kill"}), _at_the_disk("kill")),
    "kill-in-partition": (frozenset({"partition", "kill"}), _kill_in_partition),
    "pause": (frozenset({"pause"}), lambda draw: _again(draw, "pause", draw.one)),
    "power-majority": (frozenset({"power"}), lambda draw: _again(draw, "power", lambda: "majority")),
    "power-some": (frozenset({"power"}), lambda draw: _again(draw, "power", lambda: "random")),
    "power-at-the-disk": (frozenset({"power"}), _at_the_disk("power")),
    "clock": (frozenset({"clock"}), lambda draw: _again(draw, "clock", lambda: "random")),
}
"""By name: the kinds of faults that it needs, and what draws it."""


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
