"""A history as the session checkers look at it: lanes of accesses, and for every read the write that it read from.

A lane is what one process did within one session, so it is a sequence; a session is one lane or several, which may
overlap. What comes earlier within a session is what was over when the other began, in whichever lane.

Every read is traced to its write, by its version where versions can be believed, else by its value. Reads that cannot
be right whatever a guarantee asks for are found on the way:

    garbage-read    a value that nobody wrote
    aborted-read    a value whose only writes failed
    future-read     a value whose write was not yet invoked when the read was over

    >>> from harness.history import Header, History
    >>> Record.of(History(Header(), ())).accesses
    []

Limits: a value that was written twice, on a key whose versions cannot be believed, has no known writer: reads of it
are left out, and the key is `ambiguous`. A successful cas counts as a write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from checkers.sessions import by_versions
from checkers.sessions.accesses import Access, by_key
from checkers.tokens import Token, token_of
from harness.history import History
from harness.history.operations import FAIL, OK
from harness.op import Version

INTEGRITY: Final = "read-integrity"
"""What reads break that cannot be: no guarantee asks for it, and all of them rest on it."""
INITIAL: Final = -1
UNKNOWN: Final = -2


class Impossible(NamedTuple):
    """A read that cannot be: its number, the rule, and the write that it may have read from."""

    read: int
    rule: str
    write: int | None


@dataclass(frozen=True)
class Record:
    """Accesses in order of invocation; a number below is a place in `accesses`.

    Attributes:
        accesses: completed reads, and writes that happened or may have.
        key: code of the key of each; lane: of each; place: within its lane.
        source: per read the write that it read from, INITIAL, or UNKNOWN; UNKNOWN for writes.
        order: per write its version on keys with versions, also where only a read told it.
        lanes: per lane its accesses; lanes_of: per session its lanes.
        versioned: codes of keys whose versions are believed; ambiguous: per code a value that was written twice.
        impossible: reads that cannot be right; their source is UNKNOWN.
        initial: token of the initial value.
        invoke: of each access; reads: whether it reads.
        codes: codes of all keys; of the whole history, also where only a part of it is recorded.
    """

    history: History
    accesses: Sequence[Access]
    key: list[int]
    lane: list[int]
    place: list[int]
    source: list[int]
    order: dict[int, Version]
    lanes: list[list[int]]
    lanes_of: dict[int, list[int]]
    versioned: frozenset[int]
    ambiguous: dict[int, Access]
    impossible: list[Impossible]
    initial: Token
    codes: frozenset[int]
    invoke: list[int]
    reads: list[bool]

    @classmethod
    def of(cls, history: History) -> Record:
        """Read a history."""
        return _Reader(history).record()

    def version(self, number: int) -> Version | None:
        """The version that an access is of, on a key with versions."""
        access = self.accesses[number]
        return access.version if access.reads else self.order.get(number)

    def completed(self, lane: int, before: int) -> int:
        """How many accesses of a lane were over at an event."""
        lane_accesses = self.lanes[lane]
        low, high = 0, len(lane_accesses)
        while low < high:
            middle = (low + high) // 2
            if self.accesses[lane_accesses[middle]].response < before:
                low = middle + 1
            else:
                high = middle
        return low

    def earlier(self, number: int) -> list[int]:
        """What was over in the session of an access when it began."""
        access = self.accesses[number]
        found = []
        for lane in self.lanes_of[access.session]:
            found += self.lanes[lane][: self.completed(lane, access.invoke)]
        return found


@dataclass
class _Reader:
    """Builds a record, key by key."""

    history: History
    source: dict[int, int] = field(default_factory=dict)
    order: dict[int, Version] = field(default_factory=dict)
    impossible: list[Impossible] = field(default_factory=list)
    ambiguous: dict[int, Access] = field(default_factory=dict)

    def record(self) -> Record:
        """Everything but failed writes, in order of invocation."""
        keys = by_key(self.history)
        initial = token_of(self.history.header.initial)
        numbered = sorted(
            ((access, code) for code, accesses in keys.items() for access in accesses if access.status != FAIL),
            key=lambda pair: (pair[0].invoke, not pair[0].reads),
        )
        accesses = [access for access, _ in numbered]
        codes = [code for _, code in numbered]
        numbers: dict[int, list[int]] = {}
        for number, code in enumerate(codes):
            numbers.setdefault(code, []).append(number)
        versioned = frozenset(code for code, some in keys.items() if by_versions.usable(some))
        for code, mine in numbers.items():
            aborted = {access.token for access in keys[code] if access.status == FAIL}
            self._trace(code, accesses, mine, aborted, initial, code in versioned)
        lanes, lanes_of, lane, place = _lanes(self.history, accesses)
        source = [self.source.get(number, UNKNOWN) for number in range(len(accesses))]
        return Record(
            self.history, accesses, codes, lane, place, source, self.order, lanes, lanes_of, versioned,
            self.ambiguous, sorted(self.impossible), initial, frozenset(codes), [access.invoke for access in accesses],
            [access.reads for access in accesses],
        )  # fmt: skip

    def _trace(
        self,
        code: int,
        accesses: Sequence[Access],
        mine: Sequence[int],
        aborted: set[Token],
        initial: Token,
        versioned: bool,
    ) -> None:
        """Find the writes that the reads of one key read from."""
        writers: dict[Token, list[int]] = {}
        by_version: dict[Version, int] = {}
        for number in mine:
            access = accesses[number]
            if not access.reads:
                writers.setdefault(access.token, []).append(number)
                if versioned and access.version is not None and access.status == OK:
                    by_version[access.version] = number
                    self.order[number] = access.version
        for number in mine:
            access = accesses[number]
            if access.reads:
                self._trace_read(code, number, accesses, writers, by_version, aborted, initial, versioned)

    def _trace_read(
        self,
        code: int,
        number: int,
        accesses: Sequence[Access],
        writers: Mapping[Token, list[int]],
        by_version: dict[Version, int],
        aborted: set[Token],
        initial: Token,
        versioned: bool,
    ) -> None:
        access = accesses[number]
        some = writers.get(access.token, [])
        if versioned and access.version is not None:
            known = by_version.get(access.version)
            doubtful = [write for write in some if accesses[write].status != OK]
            candidates = [known] if known is not None else doubtful
            candidates = candidates or ([] if access.token == initial else some)
        else:
            candidates = some
        late = all(accesses[write].invoke > access.response for write in candidates)
        if access.token == initial and not candidates:
            self.source[number] = INITIAL
        elif not candidates:
            rule = "aborted-read" if access.token in aborted else "garbage-read"
            self.impossible.append(Impossible(number, rule, None))
        elif late and access.token != initial:
            self.impossible.append(Impossible(number, "future-read", candidates[0]))
        elif len(candidates) == 1 and not late and (versioned or access.token != initial):
            self.source[number] = candidates[0]
            if versioned and access.version is not None:
                self.order.setdefault(candidates[0], access.version)
        else:
            self.ambiguous.setdefault(code, accesses[candidates[0]])


def _lanes(
    history: History, accesses: Sequence[Access]
) -> tuple[list[list[int]], dict[int, list[int]], list[int], list[int]]:
    """Lanes, the lanes of each session, and per access its lane and its place in it."""
    processes = history.operations.process.tolist()
    names: dict[tuple[int, int], int] = {}
    lanes: list[list[int]] = []
    lanes_of: dict[int, list[int]] = {}
    lane, place = [], []
    for number, access in enumerate(accesses):
        name = (access.session, processes[access.row])
        mine = names.get(name)
        if mine is None or accesses[lanes[mine][-1]].response > access.invoke:
            mine = names[name] = len(lanes)
            lanes.append([])
            lanes_of.setdefault(access.session, []).append(mine)
        lane.append(mine)
        place.append(len(lanes[mine]))
        lanes[mine].append(number)
    return lanes, lanes_of, lane, place
