"""Gathers what staleness is counted on: reads and completed writes in columns, by versions and without.

    samples_of(history)      in columns where each value was written once (`checkers.staleness.traced`); else key by key

A write in doubt counts as complete from when somebody had read it; nobody saw it before. Reads that cannot be right
(of what nobody wrote, of failed writes, of the future) are counted apart, and so are reads whose write is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.columns import NOTHING, Columns, codes_of, read_columns
from checkers.sessions.record import INITIAL, UNKNOWN, Record
from checkers.staleness.missed import Missed, Reads, Writes, count
from checkers.staleness.traced import Traced, read_traced
from checkers.staleness.zones import FOREVER, Done
from harness.history import History, Operations
from harness.history.operations import NEVER

Column = NDArray[np.int64]


@dataclass
class Samples:
    """Reads with how stale each was; keys without versions as zones.

    Attributes:
        reads, writes, missed: see `checkers.staleness.missed`; exact: per read whether versions say so.
        keys: how many; keys_by_versions: of them; impossible, unknown: reads that were left out.
        zones: per key without versions its operations by event index, and by time (None without times); and the rows
            of the reads among them.
    """

    reads: Reads
    writes: Writes
    missed: Missed
    exact: NDArray[np.bool_]
    keys: int
    keys_by_versions: int
    impossible: int = 0
    unknown: int = 0
    zones: dict[int, tuple[Done, Done | None, Column]] = field(default_factory=dict)


def samples_of(history: History) -> Samples:
    """See the module docstring."""
    columns = read_columns(history)
    if columns is not None:
        return _by_columns(columns)
    traced = read_traced(history)
    return _by_record(Record.of(history)) if traced is None else _by_traced(traced)


def _by_columns(c: Columns) -> Samples:
    """All by versions."""
    over = c.write_response.copy()
    seen = np.full(len(over), NEVER)
    traced = c.source >= 0
    np.minimum.at(seen, c.source[traced], c.read_response[traced])
    over[~c.acknowledged] = seen[~c.acknowledged]
    done = over != NEVER
    reads = Reads(c.read_row, c.read_key, c.read_version, c.read_invoke)
    writes = Writes(c.write_row[done], c.write_key[done], c.write_version[done], over[done])
    exact = np.ones(len(reads.row), np.bool_)
    return Samples(reads, writes, count(reads, writes), exact, c.keys, c.keys)


def _by_traced(t: Traced) -> Samples:
    """By versions where they are believed, else by what was certainly over."""
    o, source = t.history.operations, t.source
    traced = source >= 0
    response, invoke = o.response[t.writes], o.invoke[t.writes]
    seen = np.full(len(t.writes), NEVER)
    np.minimum.at(seen, source[traced], o.response[t.reads[traced]])
    over = np.where(response != NEVER, response, seen)
    finished = np.append(np.minimum(response, seen), NOTHING)
    read_key, write_key = o.key[t.reads].astype(np.int64), o.key[t.writes].astype(np.int64)
    exact = t.believed[read_key]
    read_level = np.where(exact, np.append(t.version, NOTHING)[source], finished[source])
    write_level = np.where(t.believed[write_key], t.version, invoke)
    done = over != NEVER
    reads = Reads(t.reads, read_key, read_level, o.invoke[t.reads])
    writes = Writes(t.writes[done], write_key[done], write_level[done], over[done])
    keys = codes_of(o.key[t.all_reads].astype(np.int64), write_key)
    nothing = np.zeros(0, np.int64)
    empty = Done(nothing > 0, nothing, nothing, nothing)
    zones: dict[int, tuple[Done, Done | None, Column]]
    zones = dict.fromkeys(keys[~t.believed[keys]].tolist(), (empty, empty, nothing))
    zones |= _zones_of(t, np.flatnonzero(done))
    return Samples(
        reads, writes, count(reads, writes), exact, len(keys), int(np.count_nonzero(t.believed[keys])),
        len(t.all_reads) - len(t.reads), 0, zones,
    )  # fmt: skip


def _zones_of(t: Traced, writes: Column) -> Iterator[tuple[int, tuple[Done, Done | None, Column]]]:
    """Per key without versions what happened on it, by event index and by time; and the rows of its reads."""
    o = t.history.operations
    rows = np.concatenate([t.writes[writes], t.reads])
    key = o.key[rows].astype(np.int64)
    some = np.flatnonzero(~t.believed[key])
    some = some[np.lexsort((some, key[some]))]  # of each key the writes first
    rows, key, wrote = rows[some], key[some], some < len(writes)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(key))[: len(starts)]
    number = np.zeros(len(t.writes) + 1, np.int64)  # of the initial value it is 0
    place = np.arange(len(key)) - np.repeat(starts, ends - starts)
    number[writes[some[wrote]]] = 1 + place[wrote]
    value = np.where(wrote, 1 + place, 0)
    value[~wrote] = number[t.source[some[~wrote] - len(writes)]]
    done = o.response[rows] != NEVER
    begin_ns, end_ns = o.invoke_ns[rows], np.where(done, o.response_ns[rows], FOREVER)
    end = np.where(done, o.response[rows], FOREVER)
    timed = (begin_ns >= 0) & (end_ns >= 0)
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        part = slice(first, last)
        reads = ~wrote[part]
        by_index = Done(reads, value[part], o.invoke[rows[part]], end[part])
        by_time = Done(reads, value[part], begin_ns[part], end_ns[part]) if timed[part].all() else None
        yield int(key[first]), (by_index, by_time, rows[part][reads])


def _by_record(record: Record) -> Samples:
    """Key by key: by versions where they are believed, else by what was certainly over."""
    seen: dict[int, int] = {}
    for number, source in enumerate(record.source):
        if source >= 0:
            seen[source] = min(seen.get(source, NEVER), record.accesses[number].response)
    levels = _version_levels(record)
    reads, writes, exact = [], [], []
    unknown = 0
    for number, access in enumerate(record.accesses):
        key, source = record.key[number], record.source[number]
        versioned = key in record.versioned
        if access.reads and source == UNKNOWN:
            unknown += 1
        elif access.reads:
            finished = min(seen[source], record.accesses[source].response) if source >= 0 else NOTHING
            level = levels.get(source, NOTHING) if versioned else finished
            reads.append((access.row, key, level, access.invoke))
            exact.append(versioned)
        else:
            over = access.response if access.response != NEVER else seen.get(number, NEVER)
            level = levels.get(number, NOTHING) if versioned else access.invoke
            if over != NEVER:
                writes.append((access.row, key, level, over))
    r, w = (_columns(rows) for rows in (reads, writes))
    keys = set(record.key)
    zones = {key: _zones(record, numbers) for key, numbers in _without_versions(record)}
    return Samples(
        Reads(*r), Writes(*w), count(Reads(*r), Writes(*w)), np.array(exact, np.bool_), len(keys),
        len(keys & record.versioned), len(record.impossible), unknown - len(record.impossible), zones,
    )  # fmt: skip


def _columns(rows: list[tuple[int, int, int, int]]) -> list[Column]:
    return list(np.array(rows, np.int64).reshape(-1, 4).T.copy())


def _version_levels(record: Record) -> dict[int, int]:
    """The writes with versions, numbered in their order."""
    ranked = sorted(record.order.items(), key=lambda item: item[1])
    return {number: place for place, (number, _) in enumerate(ranked)}


def _without_versions(record: Record) -> Iterator[tuple[int, list[int]]]:
    numbers: dict[int, list[int]] = {}
    for number, key in enumerate(record.key):
        if key not in record.versioned and key not in record.ambiguous:
            numbers.setdefault(key, []).append(number)
    yield from numbers.items()


def _zones(record: Record, numbers: list[int]) -> tuple[Done, Done | None, Column]:
    """What happened on a key, by event index and by time; and the rows of its reads."""
    o: Operations = record.history.operations
    read_from = {record.source[number] for number in numbers}
    values = {INITIAL: 0}
    told: list[tuple[bool, int, int, bool]] = []
    for number in numbers:
        access = record.accesses[number]
        value = record.source[number] if access.reads else number
        if value == UNKNOWN or (access.response == NEVER and number not in read_from):
            continue
        told.append((access.reads, values.setdefault(value, len(values)), access.row, access.response != NEVER))
    columns = np.array(told, np.int64).reshape(-1, 4).T
    reads, done, value, rows = columns[0] > 0, columns[3] > 0, columns[1], columns[2]
    begin_ns, end_ns = o.invoke_ns[rows], np.where(done, o.response_ns[rows], FOREVER)
    by_index = Done(reads, value, o.invoke[rows], np.where(done, o.response[rows], FOREVER))
    timed = bool(np.all(begin_ns >= 0) and np.all(end_ns >= 0))
    return by_index, Done(reads, value, begin_ns, end_ns) if timed else None, rows[reads]
