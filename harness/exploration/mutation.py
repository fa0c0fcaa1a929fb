"""Schedules of faults that led to something new, and others made of them: what lies near may lead further.

A schedule whose run reached a new state is kept. Later ones are made from those that are kept, by one to three steps:
splice (the beginning of one, the end of another), shift (a fault in time), stretch (its length), duplicate, delete,
retarget. So a rare situation, once it came about, is tried again and again with something else happening next
(Mallory, CCS 2023, found more states with such feedback than without).

    corpus = Corpus()
    corpus.learn(faults)
    faults = corpus.mutant(draw)

Everything is drawn from the `Draw` that is given, and schedules are learned in the order of the runs: equal arguments
give equal schedules, however many runs go on at once.

Limits: faults only, not what clients do. Of equal schedules one is kept; the oldest are forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from harness.exploration.templates import FAULTS_MAX, LONGEST_UNITS, SHORTEST_UNITS, Draw
from harness.schedule.planned import THERE, PlannedFault

replace = msgspec.structs.replace
KEPT_MAX: Final = 64
STEPS_MAX: Final = 3

Schedule = tuple[PlannedFault, ...]
Step = Callable[[list[PlannedFault], Schedule, Draw], list[PlannedFault]]


class Corpus:
    """The schedules that are kept, oldest first."""

    def __init__(self) -> None:
        self._kept: dict[Schedule, None] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def learn(self, faults: Schedule) -> None:
        """Keep a schedule that led to something new."""
        if faults:
            self._kept.pop(faults, None)
            self._kept[faults] = None
            if len(self._kept) > KEPT_MAX:
                del self._kept[next(iter(self._kept))]

    def mutant(self, draw: Draw) -> Schedule:
        """Another schedule, near one that is kept, of which there must be one."""
        kept = list(self._kept)
        faults, other = list(draw.random.choice(kept)), draw.random.choice(kept)
        for _ in range(draw.random.randint(1, STEPS_MAX)):
            faults = draw.random.choice(STEPS)(faults, other, draw) or faults
        faults.sort(key=lambda fault: (fault.after is not None, fault.at_s))
        return tuple(faults[:FAULTS_MAX])


def splice(faults: list[PlannedFault], other: Schedule, draw: Draw) -> list[PlannedFault]:
    """What begins before some moment of the one, and what begins after it of the other."""
    at_s = draw.random.uniform(0.0, draw.length_s)
    waits = draw.random.random() < 0.5
    mine = [fault for fault in faults if (waits if fault.after is not None else fault.at_s < at_s)]
    theirs = [fault for fault in other if (not waits if fault.after is not None else fault.at_s >= at_s)]
    return mine + theirs


def shift(faults: list[PlannedFault], _other: Schedule, draw: Draw) -> list[PlannedFault]:
    """One fault comes earlier or later, by time or by the count of what it waits for."""

    def moved(fault: PlannedFault) -> PlannedFault:
        if fault.after is not None:
            count = max(1, round(fault.after.count * math.exp(draw.random.uniform(-0.7, 0.7))))
            return replace(fault, after=replace(fault.after, count=count))
        way = draw.random.choice((-1, 1))
        at_s = fault.at_s + way * _units(draw, SHORTEST_UNITS, LONGEST_UNITS / 4) * draw.unit_s
        return replace(fault, at_s=round(min(max(0.0, at_s), draw.length_s), 6))

    return _changed(faults, moved, draw)


def stretch(faults: list[PlannedFault], _other: Schedule, draw: Draw) -> list[PlannedFault]:
    """One fault lasts for another time."""
    return _changed(faults, lambda fault: replace(fault, duration_s=draw.lasting_s()), draw)


def duplicate(faults: list[PlannedFault], _other: Schedule, draw: Draw) -> list[PlannedFault]:
    """One fault comes once more, with chance of its own, at another time."""
    fault = draw.random.choice(faults)
    again = replace(fault, draw=draw.random.getrandbits(32), hit="")
    return [*faults, *shift([again], (), draw)]


def delete(faults: list[PlannedFault], _other: Schedule, draw: Draw) -> list[PlannedFault]:
    """One fault less."""
    place = draw.random.randrange(len(faults))
    return [*faults[:place], *faults[place + 1 :]]


def retarget(faults: list[PlannedFault], _other: Schedule, draw: Draw) -> list[PlannedFault]:
    """One fault is aimed at somebody else."""

    def aimed(fault: PlannedFault) -> PlannedFault:
        there = (THERE,) if fault.after is not None else ()
        targets = (draw.one(), "leader", "followers", "minority", "majority", "random", *there)
        target = draw.random.choice(targets)
        return replace(fault, target=target, cuts=None, draw=draw.random.getrandbits(32), hit="")

    return _changed(faults, aimed, draw)


STEPS: Final[tuple[Step, ...]] = (splice, shift, stretch, duplicate, delete, retarget)


def _changed(
    faults: list[PlannedFault], change: Callable[[PlannedFault], PlannedFault], draw: Draw
) -> list[PlannedFault]:
    place = draw.random.randrange(len(faults))
    return [*faults[:place], change(faults[place]), *faults[place + 1 :]]


def _units(draw: Draw, shortest: float, longest: float) -> float:
    return math.exp(draw.random.uniform(math.log(shortest), math.log(longest)))
