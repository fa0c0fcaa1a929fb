"""What flows from session to session, in columns: how far each read saw each lane, and which writes those are.

Whoever sees a write sees what was before it in its lane (monotonic writes is asked for), so what a read sees is one
number per lane, and of a lane it is the last write of the read's key that matters. The clocks are passed on in one pass
over the events; what the reads of a part of the history saw is then looked up at once for all of them.

    lane 0: write a=1, write b=2       lane 1: read b=2, read a     that read saw two of lane 0, and its last a is 1

Limits: one clock per write, CLOCKS_BYTES_MAX together; None beyond that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.lanes import Column
from checkers.sessions.values import Told
from checkers.sessions.visibility import MR, RYW, WFR, Rules
from harness.history.operations import NEVER

Clock = NDArray[np.int32]
CLOCKS_BYTES_MAX: Final = 1 << 30
PART: Final = 1 << 21
"""Numbers in the clocks of the reads that are looked up at once."""
BEGIN_WRITE, END_WRITE, ASK, END_READ = range(4)


@dataclass(frozen=True)
class Pairs:
    """Reads and writes of their key that they saw: of each lane the last one.

    Attributes:
        read, write: numbers; strand: which of `Strands`, in the order in which the pass meets them.
    """

    read: Column
    write: Column
    strand: Column

    def only(self, some: NDArray[np.bool_]) -> Pairs:
        """A part of them."""
        return Pairs(self.read[some], self.write[some], self.strand[some])


class Strands:
    """The writes of one key in one lane each, by key, and of one key in the order in which the pass meets them."""

    def __init__(self, told: Told) -> None:
        writes = np.flatnonzero(~told.reads)
        width, met = told.lanes, np.where(told.reads, told.response, told.invoke)
        some = np.flatnonzero(~told.reads | (told.source >= 0))
        name = told.key[some] * width + told.lane[some]
        names, at = np.unique(name, return_inverse=True)
        first = np.full(len(names), NEVER)
        np.minimum.at(first, at, met[some])
        wrote = np.zeros(len(names), np.bool_)
        wrote[at[~told.reads[some]]] = True
        names, first = names[wrote], first[wrote]
        sorting = np.lexsort((first, names // width))
        self.lane = (names % width)[sorting]
        keys = (names // width)[sorting]
        self.starts = np.searchsorted(keys, np.arange(int(told.key.max()) + 2))
        rank = np.empty(len(names), np.int64)
        rank[sorting] = np.arange(len(names))
        self._span = len(told.row) + 1
        place = rank[np.searchsorted(names, told.key[writes] * width + told.lane[writes])] * self._span
        place += told.place[writes]
        sorting = np.argsort(place)
        self._places, self._writes = place[sorting], writes[sorting]
        begins = np.searchsorted(self._places, np.arange(len(names)) * self._span)
        self._first = told.place[self._writes[begins]]

    def seen(self, told: Told, reads: Column, clocks: Clock) -> Pairs:
        """What some reads saw, of which the clocks say how far they saw each lane."""
        key = told.key[reads]
        count = self.starts[key + 1] - self.starts[key]
        of = np.repeat(np.arange(len(reads)), count)
        strand = np.arange(len(of)) + np.repeat(self.starts[key] - (np.cumsum(count) - count), count)
        reached = clocks[of, self.lane[strand]]
        some = np.flatnonzero(reached > self._first[strand])
        of, strand = of[some], strand[some]
        return Pairs(reads[of], self.last(strand, reached[some]), strand)

    def last(self, strand: Column, reached: Column) -> Column:
        """The last write of a strand before a place in its lane; there is one."""
        found: Column = self._writes[np.searchsorted(self._places, strand * self._span + reached) - 1]
        return found


class Flow:
    """The pass over the events; see the module docstring. The rules ask for monotonic writes.

    Attributes:
        clocks: per write that was seen or acknowledged what it brings along; slot: per number its row there, or -1.
        obliged: how many reads were obliged to see something; progress: how far the pass came, and of how much.
    """

    @staticmethod
    def fits(told: Told) -> bool:
        """Whether the clocks fit."""
        return int(np.count_nonzero(~told.reads)) * told.lanes * 4 <= CLOCKS_BYTES_MAX

    def __init__(self, told: Told, rules: Rules) -> None:
        self.told, self.strands = told, Strands(told)
        self.ryw, self.mr, self.wfr = (name in rules.guarantees for name in (RYW, MR, WFR))
        wanted = np.flatnonzero(~told.reads & (told.upper != NEVER))
        self.slot = np.full(len(told.row), -1)
        self.slot[wanted] = np.arange(len(wanted))
        self.clocks = np.zeros((len(wanted), told.lanes), np.int32)
        self._several = {session for session, lanes in told.lanes_of.items() if len(lanes) > 1}
        self._pass_on_writes = self.ryw and self.wfr and not self.mr
        self.obliged = 0
        self.progress = (0, 0)

    def parts(self, spent: Callable[[], bool], wanted: NDArray[np.bool_] | None = None) -> Iterator[Pairs]:
        """What the reads saw, or those of them that are wanted, part by part as they end; until the time is spent."""
        kinds, numbers = self._events()
        room = max(1, min(PART // self.told.lanes, int(np.count_nonzero(self.told.reads))))
        views = np.zeros((room, self.told.lanes), np.int32)
        step = max(room, 20_000)
        self.obliged = 0
        self._start()
        for begin in range(0, len(kinds), step):
            self.progress = (begin, len(kinds))
            if spent():
                return
            some = slice(begin, begin + step)
            reads = numbers[some][kinds[some] == END_READ]
            for first in range(0, len(reads), room):  # one part, unless there are very many lanes
                last = min(first + room, len(reads))
                upto = self._upto(kinds[some], first, last, len(reads))
                part = slice(begin + upto[0], begin + upto[1])
                self._run(kinds[part].tolist(), numbers[part].tolist(), list(views))
                yield self._looked_up(reads[first:last], views[: last - first], wanted)
            if not len(reads):
                self._run(kinds[some].tolist(), numbers[some].tolist(), [])
        self.progress = (len(kinds), len(kinds))

    @staticmethod
    def _upto(kinds: Column, first: int, last: int, count: int) -> tuple[int, int]:
        """Where the events from one read up to another begin and end."""
        ends = np.flatnonzero(kinds == END_READ)
        return int(ends[first]) if first else 0, int(ends[last]) if last < count else len(kinds)

    def _events(self) -> tuple[Column, Column]:
        """What counts, in order: its kind, and whose it is."""
        told = self.told
        traced = told.reads & (told.source != -2)
        writes = np.flatnonzero(~told.reads & (self.slot >= 0))
        parts = [(BEGIN_WRITE, writes, told.invoke), (END_READ, np.flatnonzero(traced), told.response)]
        if self._several:
            many = np.isin(told.session, np.array(sorted(self._several)))
            parts.append((ASK, np.flatnonzero(traced & many), told.invoke))
        if self._pass_on_writes:
            parts.append((END_WRITE, writes[told.response[writes] != NEVER], told.response))
        kinds = np.concatenate([np.full(len(some), kind) for kind, some, _ in parts])
        numbers = np.concatenate([some for _, some, _ in parts])
        sorting = np.argsort(np.concatenate([when[some] for _, some, when in parts]))
        return kinds[sorting], numbers[sorting]

    def _start(self) -> None:
        told = self.told
        sessions = np.unique(told.session)
        self._sessions = np.searchsorted(sessions, told.session).tolist()
        self._names = told.session.tolist()
        self._lane, self._place = told.lane.tolist(), told.place.tolist()
        self._source, self._slot = told.source.tolist(), self.slot.tolist()
        self._rows = list(self.clocks)
        self._read = list(np.zeros((len(sessions), told.lanes), np.int32))
        self._wrote = list(np.zeros((len(sessions), told.lanes), np.int32))
        self._asked: dict[int, Clock] = {}

    def _run(self, kinds: list[int], numbers: list[int], views: list[Clock]) -> None:
        """Go through some events; what each read sees is left in a view."""
        sessions, lanes, places, sources, slots = self._sessions, self._lane, self._place, self._source, self._slot
        rows, read, several = self._rows, self._read, self._several
        keep, known, plain = self.mr or self.wfr, self.mr, not self._pass_on_writes
        maximum, view = np.maximum, iter(views)
        for kind, number in zip(kinds, numbers, strict=True):
            mine = sessions[number]
            if kind == END_READ:
                source, seen = sources[number], next(view)
                if source >= 0:
                    brought = rows[slots[source]]
                    if keep:
                        maximum(read[mine], brought, out=read[mine])
                if several and number in self._asked:
                    seen[:] = self._asked.pop(number)
                    if source >= 0:
                        maximum(seen, brought, out=seen)
                elif known:
                    seen[:] = read[mine]
                elif source >= 0:
                    seen[:] = brought
                else:
                    seen[:] = 0
                if not plain and not known and not (several and self._names[number] in several):
                    maximum(seen, self._wrote[mine], out=seen)
            elif kind == BEGIN_WRITE:
                row = rows[slots[number]]
                if self.wfr:
                    row[:] = read[mine]
                if several and self._names[number] in several:
                    self._over(number, row)
                row[lanes[number]] = places[number] + 1
            elif kind == ASK:
                self._asked[number] = self._known(number)
            else:
                maximum(self._wrote[mine], rows[slots[number]], out=self._wrote[mine])

    def _known(self, number: int) -> Clock:
        """What a session that does several things at a time knows when a read begins."""
        mine = self._sessions[number]
        seen = self._read[mine].copy() if self.mr else np.zeros(self.told.lanes, np.int32)
        if self._pass_on_writes:
            np.maximum(seen, self._wrote[mine], out=seen)
        if self.ryw:
            self._over(number, seen)
        return seen

    def _over(self, number: int, clock: Clock) -> None:
        """What was over in the lanes of its session when an operation began."""
        before = int(self.told.invoke[number])
        for lane in self.told.lanes_of[self._names[number]]:
            clock[lane] = max(clock[lane], self.told.completed(lane, before))

    def _looked_up(self, reads: Column, clocks: Clock, wanted: NDArray[np.bool_] | None) -> Pairs:
        told = self.told
        if wanted is not None:
            some = np.flatnonzero(wanted[reads])
            reads, clocks = reads[some], clocks[some]
        if self.ryw:
            at = np.arange(len(reads)), told.lane[reads]
            clocks[at] = np.maximum(clocks[at], told.place[reads])
        pairs = self.strands.seen(told, reads, clocks)
        # The pairs of a read are side by side.
        self.obliged += int(np.count_nonzero(pairs.read[1:] != pairs.read[:-1])) + (len(pairs.read) > 0)
        return pairs
