"""Gathers what staleness is counted on: reads and completed writes in columns, by versions and without.

    samples_of(history)      by columns where all versions are in order; else key by key

A write in doubt counts as complete from when somebody had read it; nobody saw it before. Reads that cannot be right
(of what nobody wrote, of failed writes, of the future) are counted apart, and so are reads whose write is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.columns import NOTHING, Columns, read_columns
from checkers.sessions.record import INITIAL, UNKNOWN, Record
from checkers.staleness.missed import Missed, Reads, Writes, count
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
        zones: per key without versions its operations by event index, and by time (empty without times); and the rows
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
    zones: dict[int, tuple[list[Done], list[Done], list[int]]] = field(default_factory=dict)


def samples_of(history: History) -> Samples:
    """See the module docstring."""
    columns = read_columns(history)
    return _by_columns(columns) if columns is not None else _by_record(Record.of(history))


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


def _zones(record: Record, numbers: list[int]) -> tuple[list[Done], list[Done], list[int]]:
    """What happened on a key, by event index and by time; and the rows of its reads."""
    o: Operations = record.history.operations
    read_from = {record.source[number] for number in numbers}
    values = {INITIAL: 0}
    by_index, by_time, rows = [], [], []
    timed = True
    for number in numbers:
        access = record.accesses[number]
        value = record.source[number] if access.reads else number
        if value == UNKNOWN or (access.response == NEVER and number not in read_from):
            continue
        place = values.setdefault(value, len(values))
        if access.reads:
            rows.append(access.row)
        done = access.response != NEVER
        begin, end = int(o.invoke_ns[access.row]), int(o.response_ns[access.row])
        timed = timed and begin >= 0 and (end >= 0 or not done)
        by_index.append(Done(access.reads, place, access.invoke, access.response if done else FOREVER))
        by_time.append(Done(access.reads, place, begin, end if done else FOREVER))
    return by_index, by_time if timed else [], rows
