"""Re-checks causality without an order of writes: did a read return what its session knew to be overwritten?

Each write brings along, per lane, how many writes of that lane come causally before it, itself among them; each session
knows that of what was over. A lane is what one process of a session wrote, up to a write in doubt: whoever sees one of
its writes sees those before it. So of each lane the last write of a read's key that the reader sees is enough: if what
the read returned comes before any of them, it comes before that one.

    lane 0: write a=1, write a=2        lane 1: read a=2, read a=1        1 comes before 2, which lane 1 had seen

    acts_of(history)               None: it is not a history that this can be told of from columns
    late_reads(acts)               the reads that returned what was overwritten; none is best

It shares no code with the checkers, on purpose.
Limits: a number per write and lane, NUMBERS_MAX of them, which is as many as the checker has room for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.session_columns import (
    ENDLESS,
    NOTHING,
    Numbers,
    columns_of,
    grouped,
    initial_code,
    plain,
    sources_of,
)
from harness.history import History
from harness.history.operations import OK

NUMBERS_MAX: Final = 1 << 29
PART: Final = 1 << 21
"""Numbers in what the reads see that are looked at together."""
_BEGUN, _WROTE, _ASKED, _READ = range(4)
_Clock = NDArray[np.int32]


@dataclass(frozen=True)
class Acts:
    """Completed reads, and writes that happened or may have, in order of invocation.

    Attributes:
        begin, over: events, ENDLESS for a write in doubt; session, process, key: numbers from 0 on.
        wrote: whether it is a write; source: per read the place of its write here, else NOTHING.
    """

    begin: Numbers
    over: Numbers
    session: Numbers
    process: Numbers
    key: Numbers
    wrote: NDArray[np.bool_]
    source: Numbers


def acts_of(history: History) -> Acts | None:
    """A history with values that tell what each read read from; versions are not looked at."""
    if not plain(history):
        return None
    o = history.operations
    reads, writes = columns_of(o)
    source = sources_of(o, reads, writes, initial_code(history))
    if source is None:
        return None
    rows = np.concatenate([reads, writes])
    order = np.argsort(rows)
    place = np.empty(len(rows) + 1, np.int64)
    place[order], place[-1] = np.arange(len(rows)), NOTHING
    shown = np.full(len(rows), NOTHING)
    shown[: len(reads)] = np.append(place[len(reads) : -1], NOTHING)[source]
    rows = rows[order]
    over = np.where(o.status[rows] == OK, o.response[rows], ENDLESS)
    session, process, key = (column[rows].astype(np.int64) for column in (o.session, o.process, o.key))
    return Acts(o.invoke[rows], over, session, process, key, order >= len(reads), shown[order])


def late_reads(acts: Acts) -> Numbers | None:
    """Reads that returned what their session knew to be overwritten, as they were over; None if there is no room."""
    reads = int(np.count_nonzero(~acts.wrote))
    if not reads or reads == len(acts.wrote):
        return np.zeros(0, np.int64)
    lanes = _Lanes(acts)
    if (len(acts.wrote) - reads) * lanes.count > NUMBERS_MAX:
        return None
    past, strands = _Past(acts, lanes), _Strands(acts, lanes)
    return np.concatenate([_late(acts, lanes, past, strands.last(*seen)) for seen in past.seen()])


def _late(acts: Acts, lanes: _Lanes, past: _Past, pairs: tuple[Numbers, Numbers]) -> Numbers:
    """Of some reads, with the last writes of their key that they see: those that returned what one replaced."""
    read, write = pairs
    source = acts.source[read]
    behind = past.clocks[lanes.slot[write], lanes.of[source]] > lanes.place[source]
    found: Numbers = read[(write != source) & ((source < 0) | behind)]
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found


class _Lanes:
    """What one process of a session wrote, up to a write in doubt.

    Attributes:
        of: per act its lane; place: per write how many of its lane are before it; slot: how many of all are.
        alone: per session whether it does one thing at a time.
    """

    def __init__(self, acts: Acts) -> None:
        name = acts.session * (int(acts.process.max()) + 1) + acts.process
        order = grouped(np.unique(name, return_inverse=True)[1])
        names, over = name[order], acts.over[order]
        after = names[1:] == names[:-1]
        births = np.append(True, ~after | (over[:-1] > acts.begin[order][1:]))
        lane = np.cumsum(births) - 1
        self.count = int(lane[-1]) + 1
        self.of = np.empty(len(order), np.int64)
        self.of[order] = lane
        wrote = acts.wrote[order]
        before: Numbers = np.cumsum(wrote) - wrote
        self.place = np.empty(len(order), np.int64)
        self.place[order] = before - before[births][lane]
        self.slot: Numbers = np.cumsum(acts.wrote) - acts.wrote
        self.alone = np.bincount(acts.session[order][births]) == 1


class _Past:
    """Goes through the events, and keeps what each write brings along and what each session knows.

    Attributes:
        clocks: what each write brings along, by `_Lanes.slot`.
    """

    def __init__(self, acts: Acts, lanes: _Lanes) -> None:
        self.acts, self.lanes = acts, lanes
        self.clocks = np.zeros((int(np.count_nonzero(acts.wrote)), lanes.count), np.int32)

    def seen(self) -> Iterator[tuple[Numbers, _Clock]]:
        """Reads, and how much each sees of each lane; part by part."""
        acts, lanes, maximum = self.acts, self.lanes, np.maximum
        room = max(1, min(PART // lanes.count, int(np.count_nonzero(~acts.wrote))))
        views, reads = np.zeros((room, lanes.count), np.int32), list[int]()
        brings, known = list(self.clocks), list(np.zeros((int(acts.session.max()) + 1, lanes.count), np.int32))
        rows, asked = list(views), dict[int, _Clock]()
        session, lane, place, slot = (c.tolist() for c in (acts.session, lanes.of, lanes.place, lanes.slot))
        source, alone = acts.source.tolist(), lanes.alone.tolist()
        for kind, number in _events(acts, lanes):
            mine = session[number]
            knows = known[mine]
            if kind == _BEGUN:
                brought = brings[slot[number]]
                brought[:] = knows
                brought[lane[number]] = place[number] + 1
            elif kind == _WROTE:
                if alone[mine]:
                    knows[lane[number]] = place[number] + 1
                else:
                    maximum(knows, brings[slot[number]], out=knows)
            elif kind == _ASKED:
                asked[number] = knows.copy()
            else:
                view, own = rows[len(reads)], source[number]
                before = knows if alone[mine] else asked.pop(number)
                if own >= 0:
                    maximum(before, brings[slot[own]], out=view)
                    maximum(knows, brings[slot[own]], out=knows)
                else:
                    view[:] = before
                reads.append(number)
                if len(reads) == room:
                    yield np.array(reads), views
                    reads.clear()
        yield np.array(reads, np.int64), views[: len(reads)]


def _events(acts: Acts, lanes: _Lanes) -> Iterator[tuple[int, int]]:
    """What begins and ends, in order; each with an act."""
    writes, reads = np.flatnonzero(acts.wrote), np.flatnonzero(~acts.wrote)
    over, several = writes[acts.over[writes] < ENDLESS], reads[~lanes.alone[acts.session[reads]]]
    moments: list[tuple[int, Numbers, Numbers]] = [
        (_BEGUN, writes, acts.begin[writes]),
        (_WROTE, over, acts.over[over]),
        (_ASKED, several, acts.begin[several]),
        (_READ, reads, acts.over[reads]),
    ]
    order = np.argsort(np.concatenate([when for _, _, when in moments]))
    kinds = np.concatenate([np.full(len(some), kind) for kind, some, _ in moments])[order]
    numbers = np.concatenate([some for _, some, _ in moments])[order]
    return zip(kinds.tolist(), numbers.tolist(), strict=True)


class _Strands:
    """The writes of one key in one lane each."""

    def __init__(self, acts: Acts, lanes: _Lanes) -> None:
        writes = np.flatnonzero(acts.wrote)
        self.key, self.span = acts.key, len(acts.wrote) + 1
        names, strand = np.unique(acts.key[writes] * lanes.count + lanes.of[writes], return_inverse=True)
        self.lane = names % lanes.count
        self.starts = np.searchsorted(names // lanes.count, np.arange(int(acts.key.max()) + 2))
        places = strand * self.span + lanes.place[writes]
        order = np.argsort(places)
        self.places, self.writes = places[order], writes[order]
        self.first = lanes.place[self.writes[np.searchsorted(self.places, np.arange(len(names)) * self.span)]]

    def last(self, reads: Numbers, views: _Clock) -> tuple[Numbers, Numbers]:
        """Reads, each with the last write of its key that it sees of each lane, if it sees any."""
        key = self.key[reads]
        count = self.starts[key + 1] - self.starts[key]
        which = np.repeat(np.arange(len(reads)), count)
        strand = np.arange(len(which)) - np.repeat(np.cumsum(count) - count - self.starts[key], count)
        reach = views[which, self.lane[strand]]
        some = np.flatnonzero(reach > self.first[strand])
        at = np.searchsorted(self.places, strand[some] * self.span + reach[some]) - 1
        return reads[which[some]], self.writes[at]
