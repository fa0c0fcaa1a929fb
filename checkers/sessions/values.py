"""A history without versions in columns: lanes, and for every read the write that it read from, found by its value.

It is what `checkers.sessions.record` says of such a history, and much sooner; `Told.record` is that record, of which an
access is made when somebody looks at it.

Limits: reads and writes, no version, each value written to a key once and never the initial one; else None, and
`Record.of` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.accesses import Access
from checkers.sessions.columns import code_of_initial, codes_of, sources_by_value
from checkers.sessions.lanes import Column, lanes_by_invocation, places_within
from checkers.sessions.record import INITIAL, UNKNOWN, Impossible, Record
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import FAIL, NEVER, OK

Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """Completed reads, and writes that happened or may have, in order of invocation.

    Attributes:
        row, invoke, response, session, key, lane: of each; reads: whether it is a read; place: in its lane.
        source: as in `Record`; impossible: as there.
        upper: per write the first event at which it had surely happened, NEVER if nobody knows.
    """

    history: History
    row: Column
    reads: Marks
    invoke: Column
    response: Column
    session: Column
    key: Column
    lane: Column
    place: Column
    source: Column
    impossible: list[Impossible]

    @property
    def lanes(self) -> int:
        """How many there are."""
        return int(self.lane.max(initial=-1)) + 1

    @cached_property
    def upper(self) -> Column:
        """See the class."""
        upper = np.where(self.reads, NEVER, self.response)
        shown = np.flatnonzero(self.source >= 0)
        np.minimum.at(upper, self.source[shown], self.response[shown])
        return upper

    @cached_property
    def lanes_of(self) -> dict[int, list[int]]:
        """Per session its lanes, in order."""
        first = np.unique(self.lane, return_index=True)[1]
        found: dict[int, list[int]] = {}
        for lane, session in enumerate(self.session[first].tolist()):
            found.setdefault(session, []).append(lane)
        return found

    @cached_property
    def responses(self) -> list[Column]:
        """Per lane when its operations were over, in order."""
        return [self.response[some] for some in self._members]

    @cached_property
    def _members(self) -> list[Column]:
        sorting = np.argsort(self.lane, kind="stable")
        return np.split(sorting, np.searchsorted(self.lane[sorting], np.arange(1, self.lanes)))

    def completed(self, lane: int, before: int) -> int:
        """How many operations of a lane were over at an event."""
        return int(np.searchsorted(self.responses[lane], before))

    def part(self, numbers: Column) -> Told:
        """Some of it, with the writes that its reads read from; lanes keep their order."""
        to_part = np.full(len(self.row), UNKNOWN)
        to_part[numbers] = np.arange(len(numbers))
        source = self.source[numbers]
        source = np.where(source >= 0, to_part[source], source)
        lane = np.unique(self.lane[numbers], return_inverse=True)[1]
        return Told(
            self.history, self.row[numbers], self.reads[numbers], self.invoke[numbers], self.response[numbers],
            self.session[numbers], self.key[numbers], lane, places_within(lane), source, [],
        )  # fmt: skip

    def record(self, at_once: bool = False) -> Record:
        """The same as a record; with all accesses made at once, if most will be looked at again and again."""
        codes = frozenset(codes_of(self.key).tolist())
        done = self.reads | (self.response != NEVER)
        versioned = codes - frozenset(self.key[done].tolist())  # of which nobody has heard: nothing contradicts
        few = Accesses(self)
        return Record(
            self.history, list(few) if at_once else few, self.key.tolist(), self.lane.tolist(), self.place.tolist(),
            self.source.tolist(), {}, [some.tolist() for some in self._members], self.lanes_of, versioned, {},
            self.impossible, token_of(self.history.header.initial), codes, self.invoke.tolist(),
            self.reads.tolist(),
        )  # fmt: skip


class Accesses(Sequence[Access]):
    """Accesses that are made when somebody looks at them."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def __len__(self) -> int:
        return len(self._told.row)

    @overload
    def __getitem__(self, number: int) -> Access: ...

    @overload
    def __getitem__(self, number: slice) -> list[Access]: ...

    def __getitem__(self, number: int | slice) -> Access | list[Access]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        told, o = self._told, self._told.history.operations
        row, reads = int(told.row[number]), bool(told.reads[number])
        value = o.values[int((o.result if reads else o.argument)[row])]
        return Access(
            row, reads, value, token_of(value), int(told.session[number]), int(told.invoke[number]),
            int(told.response[number]), int(o.status[row]), None,
        )  # fmt: skip


def read_values(history: History) -> Told | None:
    """See the module docstring."""
    o = history.operations
    names = [name for name in o.fs if name is not None]
    if not len(o) or not set(names) <= {"read", "write"} or np.any(o.generation >= 0):
        return None
    is_read = o.f == (o.fs.index("read") if "read" in names else -1)
    reads, writes = np.flatnonzero(is_read & (o.status == OK)), np.flatnonzero(~is_read & (o.status != FAIL))
    initial = code_of_initial(history)
    if not len(reads) or not len(writes) or np.any(o.argument[writes] == initial):
        return None
    origin = sources_by_value(o, reads, writes)
    if origin is None:
        return None
    early = (origin >= 0) & (o.invoke[writes][origin] > o.response[reads])
    rows = np.concatenate([reads, writes])
    sorting = np.argsort(o.invoke[rows])
    numbers = np.empty(len(rows), np.int64)
    numbers[sorting] = np.arange(len(rows))
    source = np.full(len(rows), UNKNOWN)
    known = np.where(origin >= 0, numbers[len(reads) :][origin], UNKNOWN)
    known[o.result[reads] == initial] = INITIAL
    source[numbers[: len(reads)]] = np.where(early, UNKNOWN, known)
    impossible = _impossible(history, reads, origin, numbers, (known == UNKNOWN) | early)
    row = rows[sorting]
    session, key = o.session[row].astype(np.int64), o.key[row].astype(np.int64)
    name = session * len(o.names) + o.process[row]
    lane = lanes_by_invocation(name, o.invoke[row], o.response[row])
    return Told(
        history, row, sorting < len(reads), o.invoke[row], o.response[row], session, key, lane, places_within(lane),
        source, impossible,
    )  # fmt: skip


def _impossible(history: History, reads: Column, origin: Column, numbers: Column, wrong: Marks) -> list[Impossible]:
    """Reads of what nobody wrote, or nobody had written."""
    o, found = history.operations, list[Impossible]()
    if not wrong.any():
        return found
    failed = np.flatnonzero((o.status == FAIL) & (o.f == o.fs.index("write")))
    aborted = set(zip(o.key[failed].tolist(), o.argument[failed].tolist(), strict=True))
    for place in np.flatnonzero(wrong).tolist():
        number, write = int(numbers[place]), int(origin[place])
        if write >= 0:
            found.append(Impossible(number, "future-read", int(numbers[len(reads) + write])))
            continue
        shown = int(o.key[reads[place]]), int(o.result[reads[place]])
        found.append(Impossible(number, "aborted-read" if shown in aborted else "garbage-read", None))
    return sorted(found)
