"""Why a read was obliged to see a write: the few operations that lead from one to the other.

Each hop is an operation and the rule by which it follows:

    returned        the write that the read before it returned
    own-write       a write of the reader's session that was over when it began        read-your-writes
    earlier-read    a read of the same session that was over when it began             monotonic reads
    earlier-write   a write of the same session that was over when that one began      monotonic writes
    read-before     a read of the session of a write that was over when that began     writes follow reads

    read 9 → earlier-read 4 → returned 1

Limits: fewest hops, by breadth-first search over at most what happened between the two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from checkers.sessions.record import Record
from checkers.sessions.visibility import MR, MW, RYW, WFR


class Hop(NamedTuple):
    """See the module docstring."""

    rule: str
    number: int


def path(record: Record, guarantees: frozenset[str], read: int, write: int) -> list[Hop]:
    """The hops from a read to a write that it was obliged to see; empty when it was not."""
    start = Hop("", read)
    came: dict[Hop, Hop] = {}
    seen: set[tuple[str, int]] = {("read", read)}
    taken: dict[tuple[str, int], int] = {}
    ahead = deque([start])
    while ahead:
        hop = ahead.popleft()
        for after in _hops(record, guarantees, hop, start, write, taken):
            if after.number < write and not record.reads[after.number]:
                continue  # it had begun before, so it brings nothing of it
            mark = (after.rule if after.rule == "read-before" else "", after.number)
            if mark in seen:
                continue
            seen.add(mark)
            came[after] = hop
            if after.number == write:
                return _back(after, came, start)
            ahead.append(after)
    return []


def _hops(
    record: Record, guarantees: frozenset[str], hop: Hop, start: Hop, write: int, taken: dict[tuple[str, int], int]
) -> Iterator[Hop]:
    if record.reads[hop.number]:
        if record.source[hop.number] >= 0:
            yield Hop("returned", record.source[hop.number])
        if hop == start and RYW in guarantees:
            yield from (Hop("own-write", n) for n in _earlier(record, hop.number, False, "own-write", write, taken))
        if hop == start and MR in guarantees:
            yield from (Hop("earlier-read", n) for n in _earlier(record, hop.number, True, "own-read", write, taken))
        return
    if MW in guarantees:
        yield from (Hop("earlier-write", n) for n in _earlier(record, hop.number, False, "write", write, taken))
    if WFR in guarantees:
        yield from (Hop("read-before", n) for n in _earlier(record, hop.number, True, "read", write, taken))


def _earlier(
    record: Record, number: int, reads: bool, kind: str, write: int, taken: dict[tuple[str, int], int]
) -> Iterator[int]:
    """What was over in the session when an operation began, the latest first, as far as nobody has asked before.

    Of what began before the write that is looked for, only the last read of a lane can have known of it.
    """
    access = record.accesses[number]
    for lane in record.lanes_of[access.session]:
        done = record.place[number] if lane == record.lane[number] else record.completed(lane, access.invoke)
        before = taken.get((kind, lane), 0)
        taken[kind, lane] = max(before, done)
        for other in reversed(record.lanes[lane][before:done]):
            if record.reads[other] == reads:
                yield other
            if other < write:
                break


def _back(hop: Hop, came: dict[Hop, Hop], start: Hop) -> list[Hop]:
    hops = []
    while hop != start:
        hops.append(hop)
        hop = came[hop]
    return hops[::-1]
