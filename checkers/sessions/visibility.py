"""Decides any of the 15 combinations of session guarantees in one pass over a history, exactly.

A set of guarantees holds if there is an order of all writes, and for every read a set of writes that it sees, so that
the read returned the last of its key in that set (the initial value if there is none), and

    read-your-writes       it sees its session's earlier acknowledged writes
    monotonic-reads        it sees what the session's earlier reads saw
    monotonic-writes       writes are in the order of their session, and whoever sees one sees those before it
    writes-follow-reads    a write comes after what its session had read, and whoever sees it sees that as well

The smallest sets that the rules allow decide: no read of the initial value may see a write of its key, and "everything
else that it sees comes before what it returned" must not form a circle, together with the order of the sessions.

    session 1 read 5, then 7:  5 → 7
    session 2 read 7, then 5:  7 → 5       a circle: no order serves both

What a write brings along is a prefix of every lane, so it is one number per lane (a vector clock). A lane's writes of
one key, and the values it read there, are lists; what a read sees of a list is a prefix, found by bisection. On a key
whose versions are believed the order is given, and the greatest version of a prefix is compared instead.

Sources: Terry et al. (PDIS 1994); Viotti & Vukolić (ACM Computing Surveys 2016); the bisection is that of AWDIT
(Møldrup & Pavlogiannis, PLDI 2025).
Limits: O(lanes) per operation, and memory for one clock per write that is still to be read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.order import TIE, Order, Step, Ties, Why
from checkers.sessions.record import INITIAL, UNKNOWN, Record
from harness.history.operations import NEVER
from harness.op import Version

Clock = NDArray[np.int32]
RYW, MR, MW, WFR = "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"
GUARANTEES: Final = (RYW, MR, MW, WFR)
EVENTS_BETWEEN_LOOKS: Final = 20_000
SESSIONS_ALONE_MAX: Final = 64
"""Sessions that are looked at one by one to say whether only their agreement is missing."""


@dataclass(frozen=True)
class Rules:
    """What is asked for.

    Attributes:
        guarantees: some of GUARANTEES.
        per_key: writes to different keys have no order between them.
        convergent: one order of writes for everybody; else one for each reading session.
        linearizable_writes: a write that was over before another began comes before it.
    """

    guarantees: frozenset[str]
    per_key: bool = False
    convergent: bool = True
    linearizable_writes: bool = False


class Seen(NamedTuple):
    """A read, and a write of its key that it was obliged to see although it returned something older."""

    read: int
    write: int


@dataclass
class Findings:
    """What is wrong.

    Attributes:
        initial: reads of the initial value that were obliged to see more.
        older: reads of a version that is older than one they were obliged to see.
        circles: of steps between writes.
        order: of writes, where there is no circle; orders: one per reading session, where there is none for all.
        convergence: whether each session by itself has an order, so that only agreement is missing.
        obliged: reads that were obliged to see something; ordered: times that a session put one write before another.
        spent: where the budget ended the pass, how many of its events were done.
    """

    initial: list[Seen] = field(default_factory=list)
    older: list[Seen] = field(default_factory=list)
    circles: list[list[Step]] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    orders: dict[int, list[int]] = field(default_factory=dict)
    convergence: bool = False
    obliged: int = 0
    ordered: int = 0
    spent: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.initial or self.older or self.circles)


class Strand:
    """What one lane wrote and read of one key: places, writes, and the greatest version so far."""

    __slots__ = ("known", "read", "read_places", "read_tops", "write_places", "write_tops", "written")

    def __init__(self, order: Order) -> None:
        self.write_places: list[int] = []
        self.read_places: list[int] = []
        self.written, self.read = Ties(order), Ties(order)
        self.known: dict[int, int] = {}  # a write that was read, and where in `read` it is
        self.write_tops: list[tuple[Version, int]] = []
        self.read_tops: list[tuple[Version, int]] = []


def judge(record: Record, rules: Rules, spent: Callable[[], bool]) -> Findings:
    """Judge; see the module docstring."""
    walk = Walk(record, rules)
    if not walk.run(spent):
        walk.findings.spent = walk.progress
        return walk.findings
    walk.finish()
    findings = walk.findings
    if findings.circles:
        _each_session(record, rules, findings, spent)
    return findings


def _each_session(record: Record, rules: Rules, findings: Findings, spent: Callable[[], bool]) -> None:
    """There is no order for everybody: look whether each reading session has one of its own."""
    sessions = sorted({access.session for access in record.accesses if access.reads})
    if not sessions or (rules.convergent and len(sessions) > SESSIONS_ALONE_MAX):
        return
    circles: list[list[Step]] = []
    for count, session in enumerate(sessions):
        walk = Walk(record, rules, session)
        if not walk.run(spent):
            findings.spent = (count, len(sessions))
            break
        walk.finish()
        circles += walk.findings.circles
        findings.orders[session] = walk.findings.order
        if circles and rules.convergent:
            break
    findings.convergence = not circles and findings.spent is None and len(sessions) > 1
    if rules.convergent:
        findings.orders, findings.spent = {}, None
    else:
        findings.circles = circles


class Walk:
    """The pass. Writes count from their invocation, reads from their response; what is earlier is so by both."""

    def __init__(self, record: Record, rules: Rules, only: int | None = None) -> None:
        self.record, self.rules, self.only = record, rules, only
        self.ryw, self.mr, self.mw, self.wfr = (name in rules.guarantees for name in GUARANTEES)
        self.findings = Findings()
        self.order = Order(len(record.accesses))
        self.progress = (0, 0)
        self._strands: dict[int, dict[int, Strand]] = {}
        self.keep_clocks, self.trust_versions = False, True
        self.suspects: frozenset[int] | None = None  # reads to look at; None for all
        self.clocks: dict[int, Clock] = {}
        self._readers = Counter(source for source in record.source if source >= 0)
        self._read: dict[int, Clock] = {}  # per session: what its completed reads brought along
        self._wrote: dict[int, Clock] = {}  # per session: what its completed writes bring along
        self._asked: dict[int, Clock | None] = {}  # per running read: what the session knew when it began
        self._last: dict[int, int] = {}  # per lane the last completed write
        self._unread: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._barriers: dict[int, int] = {}
        self._ties_of_reads: dict[tuple[int, int], int] = {}
        self._several = {session for session, lanes in record.lanes_of.items() if len(lanes) > 1}

    # ── the pass ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, spent: Callable[[], bool]) -> bool:
        """Go through the events; False when the budget ended it."""
        accesses = self.record.accesses
        moments, numbers = self._moments()
        for count, (moment, number) in enumerate(zip(moments, numbers, strict=True)):
            if not count % EVENTS_BETWEEN_LOOKS and spent():
                self.progress = (count, len(moments))
                return False
            access = accesses[number]
            if moment == access.invoke:
                if access.reads:
                    self._ask(number)
                else:
                    self._begin_write(number)
            elif access.reads:
                self._end_read(number)
            else:
                self._end_write(number)
        return True

    def _moments(self) -> tuple[list[int], list[int]]:
        """Events in order, and whose they are."""
        accesses = self.record.accesses
        begins = np.fromiter((access.invoke for access in accesses), np.int64, len(accesses))
        ends = np.fromiter((access.response for access in accesses), np.int64, len(accesses))
        asks = np.fromiter((access.reads for access in accesses), np.bool_, len(accesses))
        if self._several:
            many = np.fromiter((access.session in self._several for access in accesses), np.bool_, len(accesses))
            asks &= ~many
        begun, ended = np.flatnonzero(~asks), np.flatnonzero(ends != NEVER)
        moments, numbers = np.concatenate([begins[begun], ends[ended]]), np.concatenate([begun, ended])
        sorting = np.argsort(moments, kind="stable")
        return moments[sorting].tolist(), numbers[sorting].tolist()

    def _ask(self, number: int) -> None:
        """A read of a session that does several things at a time begins: what it may know is fixed now."""
        self._asked[number] = self._known(self.record.accesses[number].session)

    def _known(self, session: int) -> Clock | None:
        """What a session's completed operations oblige a read to see."""
        clock = self._read.get(session) if self.mr else None
        own = self._wrote.get(session) if self.ryw else None
        if clock is None:
            return own
        return clock if own is None else np.maximum(clock, own)

    def _begin_write(self, number: int) -> None:
        record = self.record
        access, lane = record.accesses[number], record.lane[number]
        if self.mw:
            self._after_own_writes(number)
        if self.wfr:
            self._after_own_reads(number)
        if self.rules.linearizable_writes:
            barrier = self._barriers.get(record.key[number] if self.rules.per_key else 0)
            if barrier is not None:
                self.order.add(barrier, number, TIE)
        strand = self._strand(number)
        strand.write_places.append(record.place[number])
        strand.written.items.append(number)
        if (version := record.order.get(number)) is not None or strand.write_tops:
            _grow(strand.write_tops, version, number)
        if (self.mw or self.wfr) and (access.response != NEVER or self._readers[number]):
            clock = np.zeros(len(record.lanes), np.int32)
            if self.wfr and access.session in self._read:
                clock = self._read[access.session].copy()
            for own in record.lanes_of[access.session]:
                done = record.place[number] if own == lane else record.completed(own, access.invoke)
                clock[own] = max(clock[own], done)
            clock[lane] = record.place[number] + (1 if self.mw else 0)
            self.clocks[number] = clock

    def _end_write(self, number: int) -> None:
        record = self.record
        session = record.accesses[number].session
        self._last[record.lane[number]] = number
        if self.ryw and (self.mw or self.wfr):
            own = self._wrote.get(session)
            clock = self.clocks[number]
            self._wrote[session] = clock if own is None else np.maximum(own, clock)
        if not self.keep_clocks and number in self.clocks and not self._readers[number]:
            del self.clocks[number]
        if self.rules.linearizable_writes:
            place = record.key[number] if self.rules.per_key else 0
            barrier = self.order.knot()
            if place in self._barriers:
                self.order.add(self._barriers[place], barrier, TIE)
            self.order.add(number, barrier, Why("real-time"))
            self._barriers[place] = barrier

    def _end_read(self, number: int) -> None:
        record = self.record
        source, access = record.source[number], record.accesses[number]
        known = self._asked.pop(number) if number in self._asked else self._known(access.session)
        if source == UNKNOWN:
            return
        clock = known
        if source >= 0 and (self.mw or self.wfr):
            brought = self.clocks[source]
            self._readers[source] -= 1
            clock = brought if known is None else np.maximum(known, brought)
            if self.mr or self.wfr:
                before = self._read.get(access.session)
                self._read[access.session] = brought if before is None else np.maximum(before, brought)
            done = not self._readers[source] and record.accesses[source].response < access.response
            if done and not self.keep_clocks:
                del self.clocks[source]
        if self.suspects is None or number in self.suspects:
            self._look(number, source, clock)
        if source >= 0:
            self._remember(number, source)

    # ── what a read sees ─────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, number: int, source: int, clock: Clock | None) -> None:
        """Everything of the key that a read sees comes before what it returned."""
        record = self.record
        access = record.accesses[number]
        told = self.trust_versions and record.key[number] in record.versioned
        version = access.version if told else None
        strands = self._strands.get(record.key[number], {})
        own = record.lanes_of[access.session]
        obliged = False
        known: Sequence[int] | Clock | None = clock
        if clock is not None and 4 * len(strands) > len(clock):
            known = clock.tolist()  # reading single numbers out of a column is slow
        for lane, strand in strands.items():
            reached = int(known[lane]) if known is not None else 0
            writes, reads = reached if self.mw else 0, reached if self.wfr and not self.mw else 0
            if lane in own and (self.ryw or self.mr):
                done = record.place[number] if lane == record.lane[number] else record.completed(lane, access.invoke)
                writes = max(writes, done if self.ryw else 0)
                # What brings earlier writes along holds all that was read, too.
                reads = max(reads, done if self.mr and not self.mw else 0)
            if writes or reads:
                chained = self.mr and (self.only is None or lane in own)
                obliged |= self._compare(number, source, version, strand, writes, reads, chained)
        self.findings.obliged += obliged

    def _compare(
        self, number: int, source: int, version: Version | None, strand: Strand, writes: int, reads: int, chained: bool
    ) -> bool:
        """Compare a read with a prefix of what a lane wrote and read; whether there was anything to compare with."""
        wrote, read = _prefix(strand.write_places, writes), _prefix(strand.read_places, reads)
        if not wrote and not read:
            return False
        if source == INITIAL:
            seen = strand.written.items[wrote - 1] if wrote else strand.read.items[read - 1]
            self.findings.initial.append(Seen(number, seen))
        elif version is not None:
            tops = [tops[count - 1] for tops, count in ((strand.write_tops, wrote), (strand.read_tops, read)) if count]
            if tops and max(tops)[0] > version:
                self.findings.older.append(Seen(number, max(tops)[1]))
        else:
            self._precede(strand.written, wrote, source, number, self.mw, bisect_left(strand.written.items, source))
            self._precede(strand.read, read, source, number, chained, strand.known.get(source, read))
        return True

    def _precede(self, ties: Ties, count: int, source: int, number: int, chained: bool, known: int) -> None:
        """All of a prefix but the returned write itself, which is at `known`, comes before it."""
        if not count or (self.only is not None and self.record.accesses[number].session != self.only):
            return
        why = Why("sees", number)
        if chained:
            if ties.items[count - 1] != source:
                self.order.add(ties.items[count - 1], source, why)
            return
        own = known if known < count and ties.items[known] == source else count
        for start, stop in ((0, own), (own + 1, count)):
            for before in ties.stretch(start, stop):
                self.order.add(before, source, why)

    def _remember(self, number: int, source: int) -> None:
        """A read is over: what it returned obliges later reads and writes."""
        record = self.record
        strand = self._strand(number)
        if source not in strand.known:
            strand.known[source] = len(strand.read.items)
            strand.read_places.append(record.place[number])
            strand.read.items.append(source)
            if (version := record.version(number)) is not None or strand.read_tops:
                _grow(strand.read_tops, version, source)
        if self.wfr:
            place = (record.accesses[number].session, record.key[number] if self.rules.per_key else 0)
            self._unread.setdefault(place, []).append((source, number))

    def _strand(self, number: int) -> Strand:
        strands = self._strands.setdefault(self.record.key[number], {})
        lane = self.record.lane[number]
        found = strands.get(lane)
        if found is None:
            found = strands[lane] = Strand(self.order)
        return found

    # ── the order of sessions ────────────────────────────────────────────────────────────────────────────────────────

    def _after_own_writes(self, number: int) -> None:
        """Monotonic writes: a write comes after the last one that was over in each lane of its session."""
        record = self.record
        for lane in record.lanes_of[record.accesses[number].session]:
            if self.rules.per_key:
                strand = self._strands.get(record.key[number], {}).get(lane)
                done = record.completed(lane, record.accesses[number].invoke)
                count = _prefix(strand.write_places, done) if strand else 0
                before = strand.written.items[count - 1 : count] if strand and count else []
            else:
                before = [self._last[lane]] if lane in self._last else []
            for write in before:
                self.order.add(write, number, Why("mw"))
                self.findings.ordered += 1

    def _after_own_reads(self, number: int) -> None:
        """Writes follow reads: a write comes after all that its session had read, which is tied together."""
        record = self.record
        place = (record.accesses[number].session, record.key[number] if self.rules.per_key else 0)
        fresh = self._unread.get(place, [])
        knot = self._ties_of_reads.get(place)
        if fresh:
            before, knot = knot, self.order.knot()
            self._ties_of_reads[place] = knot
            if before is not None:
                self.order.add(before, knot, TIE)
            for source, read in fresh:
                self.order.add(source, knot, Why("wfr", read))
            fresh.clear()
        if knot is not None:
            self.order.add(knot, number, TIE)
            self.findings.ordered += 1

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def finish(self) -> None:
        """Add the order of versions, and solve."""
        for before, after in self._version_chain():
            self.order.add(before, after, Why("version"))
        order, self.findings.circles = self.order.solve()
        self.findings.order = [number for number in order if not self.record.accesses[number].reads]

    def _version_chain(self) -> Iterator[tuple[int, int]]:
        record = self.record
        of_key: dict[int, list[tuple[Version, int]]] = {}
        for number, version in record.order.items():
            of_key.setdefault(record.key[number], []).append((version, number))
        for some in of_key.values():
            some.sort()
            yield from ((one, other) for (_, one), (_, other) in pairwise(some))


def _prefix(places: list[int], bound: int) -> int:
    """How many of the places, which ascend, are below a bound."""
    if not bound or not places or places[0] >= bound:
        return 0
    return len(places) if places[-1] < bound else bisect_left(places, bound)


def _grow(tops: list[tuple[Version, int]], version: Version | None, number: int) -> None:
    """Append the greatest version so far."""
    top = ((-1, -1), -1) if version is None else (version, number)
    tops.append(max(tops[-1], top) if tops else top)
