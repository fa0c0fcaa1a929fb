"""Whether a run comes out the same twice, and if not, where it first does not.

    difference = check_twice(lambda: SimGround(7, record=True), run)
    print(difference or "equal")

    At event 1041 the two runs part:
      first run    1.204113 s  n2  task     n2-1
      second run   1.204113 s  n2  task     Task-88
    what they have in common ends with
      ...

`share_is_checked` picks the seeds that are worth a second run: always the same ones, so that a report can be repeated.

Limits: a leak that comes out the same twice is not seen; runs in other processes, with another PYTHONHASHSEED, show
more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.simulation.recording import Event, Recording

if TYPE_CHECKING:
    from harness.simulation.ground import SimGround

COMMON_SHOWN: Final = 5


@dataclass(frozen=True)
class Difference:
    """Where two runs part.

    Attributes:
        place: how many events they have in common; first, second: what came then, None where a run was over.
        before: the last events that they have in common.
    """

    place: int
    first: Event | None
    second: Event | None
    before: tuple[Event, ...]

    def __str__(self) -> str:
        lines = [f"At event {self.place} the two runs part:"]
        lines += [f"  first run   {_told(self.first)}", f"  second run  {_told(self.second)}"]
        if self.before:
            lines += ["what they have in common ends with", *(f"  {_told(event)}" for event in self.before)]
        return "\n".join(lines)


def compare(first: Recording, second: Recording) -> Difference | None:
    """The first difference between two runs, step by step; None if they are equal."""
    ours, theirs = first.events, second.events
    for place, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one != other:
            return Difference(place, one, other, ours[max(0, place - COMMON_SHOWN) : place])
    return None


def check_twice(ground: Callable[[], SimGround], run: Callable[[SimGround], object]) -> Difference | None:
    """Run twice, each time on a new ground that records; the first difference, None if there is none.

    Runs whose events look the same but whose digests differ part in a payload, a disk or a state: then the difference
    is at the end.
    """
    grounds = ground(), ground()
    for each in grounds:
        run(each)
    first, second = (each.recording() for each in grounds)
    difference = compare(first, second)
    if difference is None and grounds[0].digest() != grounds[1].digest():
        events = first.events
        return Difference(len(events), None, None, events[-COMMON_SHOWN:])
    return difference


def same_bytes(first: Path, second: Path) -> bool:
    """Whether two files hold the same."""
    return first.read_bytes() == second.read_bytes()


def share_is_checked(seed: int, share: float) -> bool:
    """Whether this seed is among so large a share of all seeds."""
    digest = hashlib.sha256(f"twice/{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * (1 << 64)


def _told(event: Event | None) -> str:
    if event is None:
        return "the end"
    peer = f"  {event.peer}" if event.peer else ""
    size = f"  {event.size} bytes" if event.size else ""
    return f"{event.time_ns / 1e9:.6f} s  {event.node:<8}{event.kind:<8} {event.what}{peer}{size}"
