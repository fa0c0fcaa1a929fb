"""Judges an invalid history by versions quickly: columns say which operations matter, and the pass looks at them alone.

Whatever the rules put before a write is older than it, up to a few writes that are out of order. So versions are put
into steps: one version each, but all from a write that is out of order to the newest that is put before it share one.
Along any chain of reasons the steps never ascend, which bounds what can be wrong:

    a circle of writes          lies within one step
    a read of version v that    goes through versions from the next one of its key after v to the newest that
    missed something newer      its session knew, T, and on to the end of T's step

    session 7 read version 90, then 85 of a key that was written at 84, 85 and 88:       steps 88 to 90 matter

Every access of such a version is kept, with the write that it read from, and so the pass of
`checkers.sessions.visibility` finds among these what it finds in the whole history, and explains it by the same
operations. Where read-your-writes and monotonic reads are asked for without the others, only what one session did with
one key matters.

Columns also count what the pass counts, over the whole history: a read whose write brings itself along (monotonic
writes) was obliged to see that, a read of the initial value was obliged if that is wrong; and each lane of a session
with a write that was over puts that before the next one.

Limits: `judge_part` says nothing (None), and the pass goes through everything, where more than PART_MAX of it matters;
where all suspicion comes to nothing, for then an order of all writes is the certificate; where a write in doubt tells a
version; and for writes-follow-reads without monotonic writes on more than KEYS_MAX keys (`checkers.sessions.obliged`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.accesses import Access
from checkers.sessions.columns import (
    NOTHING,
    Bounds,
    Column,
    Columns,
    Quick,
    codes_of,
    mixed,
    newest,
    newest_of_key,
)
from checkers.sessions.lanes import lanes_by_invocation
from checkers.sessions.obliged import KEYS_MAX, obliged_by_reads
from checkers.sessions.record import INITIAL, UNKNOWN, Impossible, Record
from checkers.sessions.visibility import MW, WFR, Findings, Rules, Walk
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import FAIL, OK

Marks = NDArray[np.bool_]
NO_ROWS: Final[Column] = np.empty(0, np.int64)
PART_MAX: Final = 0.5
"""The share of all accesses that may be kept: of more, the pass over everything takes as long."""


def judge_part(
    history: History, c: Columns, rules: Rules, asked: Bounds, spent: Callable[[], bool], garbage: Column = NO_ROWS
) -> tuple[Record, Findings] | None:
    """What is wrong, with the part of the record that shows it; None where columns cannot say; see above.

    Args:
        garbage: rows of reads that were left out of the columns, see `columns.from_nowhere`.
    """
    if _by_reads_alone(rules) and c.keys > KEYS_MAX:
        return None
    if np.any(history.operations.generation[c.write_row][~c.acknowledged] >= 0):
        return None
    suspected = _Suspicion(c, rules, asked)
    reads, writes = suspected.reads, suspected.writes
    if np.count_nonzero(reads) + np.count_nonzero(writes) > PART_MAX * (len(reads) + len(writes)):
        return None
    lanes = _Lanes.of(history, c)
    record, numbers = _part(history, c, lanes, reads, writes)
    walk = Walk(record, rules)
    walk.suspects = frozenset(numbers[: np.count_nonzero(reads)][suspected.old[reads]].tolist())
    if not walk.run(spent):
        return None
    walk.finish()
    findings = walk.findings
    if not findings:
        return None
    findings.ordered = lanes.ordered(c, rules)
    findings.obliged = _obliged(c, rules, findings, suspected.known)
    if not rules.convergent:  # each reading session by itself meets the same circles: they are those of versions
        readers = np.union1d(c.read_session, history.operations.session[garbage])
        findings.circles = findings.circles * max(1, len(readers))
    return with_garbage(record, garbage), findings


def judge_garbage(history: History, c: Columns, quick: Quick, garbage: Column) -> tuple[Record, Findings]:
    """The record of reads of what nobody wrote, and no findings, where all that was read into columns is right."""
    none = np.zeros(len(c.read_row), np.bool_), np.zeros(len(c.write_row), np.bool_)
    record, _ = _part(history, c, _Lanes.of(history, c), *none)
    return with_garbage(record, garbage), Findings(obliged=quick.obliged, ordered=quick.ordered)


def with_garbage(record: Record, rows: Column) -> Record:
    """The record with reads of what nobody wrote, see `columns.from_nowhere`."""
    if not len(rows):
        return record
    history, first = record.history, len(record.accesses)
    o = history.operations
    accesses = list(_accesses(history, rows, np.ones(len(rows), np.bool_)))
    keys = o.key[rows].tolist()
    failed = (o.status == FAIL) & (o.f != o.fs.index("read"))
    aborted = set(zip(o.key[failed].tolist(), o.argument[failed].tolist(), strict=True))
    told = zip(keys, o.result[rows].tolist(), strict=True)
    rules = ["aborted-read" if shown in aborted else "garbage-read" for shown in told]
    outside = [UNKNOWN] * len(rows)
    return replace(
        record,
        accesses=[*record.accesses, *accesses],
        key=record.key + keys,
        lane=record.lane + outside,
        place=record.place + outside,
        source=record.source + outside,
        versioned=record.versioned | {*keys},
        impossible=[Impossible(first + number, rule, None) for number, rule in enumerate(rules)],
        codes=record.codes | {*keys},
        invoke=record.invoke + o.invoke[rows].tolist(),
        reads=record.reads + [True] * len(rows),
    )


def _obliged(c: Columns, rules: Rules, findings: Findings, known: Column) -> int:
    if not mixed(rules):
        return int(np.count_nonzero(known > NOTHING))
    written = obliged_by_reads(c, rules) if _by_reads_alone(rules) else int(np.count_nonzero(c.source >= 0))
    return written + len({seen.read for seen in findings.initial})


def _by_reads_alone(rules: Rules) -> bool:
    """Whether a write brings along what its session had read, but not what it wrote."""
    return WFR in rules.guarantees and MW not in rules.guarantees


# ── what matters ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Suspicion:
    """Reads that may be older than they must be, and what matters for saying so.

    Attributes:
        known: per read the newest version that its session knew.
        old: reads that may be wrong; reads, writes: what matters.
    """

    def __init__(self, c: Columns, rules: Rules, asked: Bounds) -> None:
        self.c, self.known = c, asked.known
        self._make_steps(asked.floor)
        self._group(apart=not mixed(rules) and not len(self._tangled))
        reach = self.known
        if mixed(rules):
            reach = np.maximum(self.known, c.read_version)
            if len(self._tangled):
                reach = np.where(reach > NOTHING, self._tops[self._step_of(reach)], NOTHING)
            reach = newest_of_key(c, reach)
        self.old = reach > c.read_version
        self._mark(np.flatnonzero(self.old), mixed(rules))
        self._keep_turns(rules)

    def _make_steps(self, floor: Column) -> None:
        """Number the steps, where there are writes out of order; else every version is a step by itself."""
        c = self.c
        self._tangled = np.flatnonzero((c.write_version > NOTHING) & (floor >= c.write_version))
        if not len(self._tangled):
            return
        self._versions = np.unique(c.write_version[c.write_version > NOTHING])
        count = len(self._versions)
        first = np.searchsorted(self._versions, c.write_version[self._tangled])
        last = np.searchsorted(self._versions, floor[self._tangled])
        edges = np.zeros(count, np.int64)
        np.add.at(edges, first, 1)
        np.add.at(edges, last, -1)
        joined = np.cumsum(edges) > 0  # with the next one
        self._steps = np.cumsum(np.append(True, ~joined[:-1])) - 1
        self._tops = self._versions[np.flatnonzero(~joined)]

    def _step_of(self, version: Column) -> Column:
        """The step of each version; NOTHING has none, whatever comes out for it."""
        if not len(self._tangled):
            return version
        return self._steps[np.minimum(np.searchsorted(self._versions, version), len(self._versions) - 1)]

    def _group(self, apart: bool) -> None:
        """Whether only what one session did with one key belongs together."""
        c = self.c
        self._read_group, self._write_group = np.zeros_like(c.read_key), np.zeros_like(c.write_key)
        if apart:
            width = int(max(c.read_key.max(initial=0), c.write_key.max(initial=0))) + 1
            self._read_group = c.read_session * width + c.read_key
            self._write_group = c.write_session * width + c.write_key

    def _mark(self, old: Column, over_keys: bool) -> None:
        """Mark what lies between the bounds of one of the old reads, and in steps that tangled writes share."""
        c = self.c
        span = int(max(c.read_version.max(initial=0), c.write_version.max(initial=0))) + 2
        newer = _next_of_key(c, c.read_key[old], c.read_version[old], span)
        reach = np.maximum(self.known[old], c.read_version[old]) if over_keys else self.known[old]
        tangled = self._step_of(c.write_version[self._tangled])
        low = np.concatenate([self._read_group[old] * span + self._step_of(newer), tangled])
        high = np.concatenate([self._read_group[old] * span + self._step_of(reach), tangled])
        bounds = _Stretches(low, high)
        reads = bounds.hold(self._read_group * span + self._step_of(c.read_version)) & (c.source >= 0)
        reads[old] = True
        writes = bounds.hold(self._write_group * span + self._step_of(c.write_version)) & (c.write_version > NOTHING)
        sources = c.source[reads]
        writes[sources[sources >= 0]] = True
        self.reads, self.writes = reads, writes

    def _keep_turns(self, rules: Rules) -> None:
        """Keep the next write of a session after each kept read, so that reads stay apart as they were.

        Which of several reads of one write is told as the reason of a circle hangs on that.
        """
        if not len(self._tangled) or WFR not in rules.guarantees:
            return
        c = self.c
        width = int(max(c.read_key.max(initial=0), c.write_key.max(initial=0))) + 1 if rules.per_key else 1
        read = np.flatnonzero(self.reads & (c.source >= 0))
        place = c.write_session * width + (c.write_key if rules.per_key else 0)
        asked = c.read_session[read] * width + (c.read_key[read] if rules.per_key else 0)
        span = int(max(c.write_invoke.max(initial=0), c.read_response.max(initial=0))) + 1
        sorting = np.argsort(place * span + c.write_invoke)
        begins = (place * span + c.write_invoke)[sorting]
        at = np.searchsorted(begins, asked * span + c.read_response[read])
        after = sorting[at[at < len(sorting)]]
        self.writes[after] = True


class _Stretches:
    """Stretches of numbers."""

    def __init__(self, low: Column, high: Column) -> None:
        sorting = np.argsort(low)
        self.low, self.high = low[sorting], np.maximum.accumulate(high[sorting])

    def hold(self, numbers: Column) -> Marks:
        """Which numbers lie in one of them."""
        if not len(self.low):
            return np.zeros(len(numbers), np.bool_)
        at = np.searchsorted(self.low, numbers, side="right") - 1
        return (at >= 0) & (numbers <= self.high[np.maximum(at, 0)])


def _next_of_key(c: Columns, key: Column, version: Column, span: int) -> Column:
    """The next version of a key after one; there is one."""
    known = c.write_version > NOTHING
    places = np.sort(c.write_key[known] * span + c.write_version[known])
    return places[np.searchsorted(places, key * span + version, side="right")] % span


# ── lanes, as `Record` has them ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Lanes:
    """The lane of each read and of each write; they are numbered by their first invocation."""

    of_read: Column
    of_write: Column

    @staticmethod
    def of(history: History, c: Columns) -> _Lanes:
        """Find the lanes of a whole history."""
        process = history.operations.process
        name = np.concatenate([
            c.read_session * len(history.operations.names) + process[c.read_row],
            c.write_session * len(history.operations.names) + process[c.write_row],
        ])  # fmt: skip
        invoke = np.concatenate([c.read_invoke, c.write_invoke])
        response = np.concatenate([c.read_response, c.write_response])
        lane = lanes_by_invocation(name, invoke, response)
        return _Lanes(lane[: len(c.read_row)], lane[len(c.read_row) :])

    def ordered(self, c: Columns, rules: Rules) -> int:
        """How often a session put one write before another, as the pass counts it."""
        width = int(max(c.read_key.max(initial=0), c.write_key.max(initial=0))) + 1 if rules.per_key else 1
        key = c.write_key if rules.per_key else np.zeros_like(c.write_key)
        place, done, found = c.write_session * width + key, c.acknowledged, 0
        if MW in rules.guarantees:
            owner, moment = _firsts(self.of_write[done] * width + key[done], c.write_response[done], place[done])
            found += _over(owner, moment, place, c.write_invoke)
        if WFR in rules.guarantees:
            key = c.read_key if rules.per_key else np.zeros_like(c.read_key)
            seen = newest(c.read_session * width + key, c.read_response, c.read_version, place, c.write_invoke)
            found += int(np.count_nonzero(seen > NOTHING))
        return found


def _firsts(unit: Column, moment: Column, owner: Column) -> tuple[Column, Column]:
    """Of each unit its owner, and its first moment."""
    sorting = np.lexsort((moment, unit))
    first = np.ones(len(unit), np.bool_)
    first[1:] = unit[sorting][1:] != unit[sorting][:-1]
    return owner[sorting][first], moment[sorting][first]


def _over(owner: Column, moment: Column, asked: Column, when: Column) -> int:
    """How many units of the owner asked about had had their moment, over all questions."""
    span = int(max(moment.max(initial=0), when.max(initial=0))) + 1
    places = np.sort(owner * span + moment)
    return int((np.searchsorted(places, asked * span + when) - np.searchsorted(places, asked * span)).sum())


# ── the part of the record ───────────────────────────────────────────────────────────────────────────────────────────


def _part(history: History, c: Columns, lanes: _Lanes, reads: Marks, writes: Marks) -> tuple[Record, Column]:
    """The record of what is kept; and the number in it of each kept read, and then of each kept write."""
    read, write = np.flatnonzero(reads), np.flatnonzero(writes)
    rows = np.concatenate([c.read_row[read], c.write_row[write]])
    sorting = np.argsort(np.concatenate([c.read_invoke[read], c.write_invoke[write]]))
    numbers = np.empty(len(rows), np.int64)
    numbers[sorting] = np.arange(len(rows))
    of_write = np.full(len(c.write_row), UNKNOWN)
    of_write[write] = numbers[len(read) :]
    source = np.full(len(rows), UNKNOWN)
    source[: len(read)] = np.where(c.source[read] >= 0, of_write[c.source[read]], INITIAL) if len(write) else INITIAL
    lane = np.concatenate([lanes.of_read[read], lanes.of_write[write]])[sorting]
    lane = np.unique(lane, return_inverse=True)[1]
    accesses = list(_accesses(history, rows[sorting], sorting < len(read)))
    members: list[list[int]] = [[] for _ in range(int(lane.max(initial=-1)) + 1)]
    lanes_of: dict[int, list[int]] = {}
    place = []
    for number, mine in enumerate(lane.tolist()):
        if not members[mine]:
            lanes_of.setdefault(accesses[number].session, []).append(mine)
        place.append(len(members[mine]))
        members[mine].append(number)
    for some in lanes_of.values():
        some.sort()
    o = history.operations
    codes = frozenset(codes_of(c.read_key, c.write_key).tolist())
    order = dict(zip(of_write[write].tolist(), _versions_of(history, c, write), strict=True))
    record = Record(
        history, accesses, o.key[rows[sorting]].tolist(), lane.tolist(), place, source[sorting].tolist(),
        {number: version for number, version in order.items() if version is not None},
        members, lanes_of, codes, {}, [], token_of(history.header.initial), codes,
        o.invoke[rows[sorting]].tolist(), (sorting < len(read)).tolist(),
    )  # fmt: skip
    return record, numbers


def _versions_of(history: History, c: Columns, write: Column) -> Iterator[tuple[int, int] | None]:
    """The version of each write: its own, or in doubt that of a read of it."""
    o = history.operations
    teller = np.full(len(c.write_row), -1)
    seen = c.source >= 0
    teller[c.source[seen]] = c.read_row[seen]
    teller[c.acknowledged] = c.write_row[c.acknowledged]
    rows = teller[write]
    told = zip(rows.tolist(), o.generation[rows].tolist(), o.log_index[rows].tolist(), strict=True)
    return (None if row < 0 else (generation, index) for row, generation, index in told)


def _accesses(history: History, rows: Column, reads: Marks) -> Iterator[Access]:
    o, values = history.operations, history.operations.values
    shown = np.where(reads, o.result[rows], o.argument[rows])
    columns: tuple[Any, ...] = (o.session, o.invoke, o.response, o.status, o.generation, o.log_index)
    told = zip(rows.tolist(), reads.tolist(), shown.tolist(), *(one[rows].tolist() for one in columns), strict=True)
    for row, is_read, code, session, invoke, response, status, generation, index in told:
        value, version = values[code], (generation, index) if generation >= 0 else None
        yield Access(
            row, is_read, value, token_of(value), session, invoke, response, OK if is_read else status, version
        )
