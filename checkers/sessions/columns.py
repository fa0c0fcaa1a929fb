"""Confirms session guarantees quickly where versions are told: a few sorted columns instead of a pass over operations.

A system with one log gives every write a place in it. If every write is newer than all that the rules put before it,
then whatever a read is obliged to see is at most as new as the newest thing that its session knew, T. So the guarantees
hold if no write of the read's key lies between what it returned and T. Where read-your-writes and monotonic reads are
asked for without the others, T counts the same key only, which is exact.

    wrote 1 at (1, 4), read 2 at (1, 9)      fine
    wrote 1 at (1, 9), read 2 at (1, 4)      not confirmed: the pass decides

`decide` confirms, or says nothing (None) and leaves the history to `checkers.sessions.visibility`, which is exact:
where versions are missing or contradict each other, where a value was written twice, where there are compare-and-sets,
and where something seems to be wrong. In that last case `checkers.sessions.suspects` says what need be looked at.

Limits: versions must fit into 62 bits together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.visibility import MR, MW, RYW, WFR, Rules
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import FAIL, INFO, OK, Operations

Column = NDArray[np.int64]
NOTHING: Final = -1
"""The version of the initial value, and of what nobody saw."""


@dataclass(frozen=True)
class Quick:
    """What was confirmed: keys, reads that were obliged to see something, writes that had one before them."""

    keys: int
    obliged: int
    ordered: int


@dataclass(frozen=True)
class Columns:
    """Completed reads, and writes that happened or may have, with one number for a version.

    Attributes:
        row, invoke, response, session, key, version: of reads (read_...) and of writes (write_...).
        source: per read which of the writes it read from, -1 for the initial value.
    """

    read_row: Column
    write_row: Column
    source: Column
    read_invoke: Column
    read_response: Column
    read_session: Column
    read_key: Column
    read_version: Column
    write_invoke: Column
    write_response: Column
    write_session: Column
    write_key: Column
    write_version: Column
    acknowledged: NDArray[np.bool_]
    keys: int


@dataclass(frozen=True)
class Bounds:
    """What the rules ask of each write and of each read.

    Attributes:
        in_session: per write the newest version that its session puts before it; floor: that any rule puts before it.
        known: per read the newest version that its session knew before, of its key only where the rules are not mixed.
    """

    in_session: Column
    floor: Column
    known: Column

    @staticmethod
    def of(c: Columns, rules: Rules) -> Bounds:
        """Find them."""
        floor = in_session = before_in_session(c, rules)
        if rules.linearizable_writes:
            floor = np.maximum(floor, before_in_time(c, rules))
        return Bounds(in_session, floor, known_to_session(c, rules))


def decide(history: History, rules: Rules) -> Quick | None:
    """See the module docstring."""
    columns = read_columns(history)
    return None if columns is None else confirmed(columns, rules, Bounds.of(columns, rules))


def confirmed(c: Columns, rules: Rules, bounds: Bounds) -> Quick | None:
    """The same for a history that was read into columns."""
    placed = c.write_version > NOTHING
    if np.any((bounds.floor >= c.write_version) & placed):
        return None
    least = newest_of_key(c, bounds.known) if mixed(rules) else bounds.known
    if np.any(least > c.read_version):
        return None
    obliged, ordered = np.count_nonzero(least > NOTHING), np.count_nonzero((bounds.in_session > NOTHING) & placed)
    return Quick(c.keys, int(obliged), int(ordered))


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────────────


def before_in_session(c: Columns, rules: Rules) -> Column:
    """Per write the newest version that its session puts before it."""
    floor = np.full(len(c.write_invoke), NOTHING)
    done = c.acknowledged
    if MW in rules.guarantees:
        own = newest(c.write_session[done], c.write_response[done], c.write_version[done],
                      c.write_session, c.write_invoke)  # fmt: skip
        floor = np.maximum(floor, own)
    if WFR in rules.guarantees:
        seen = newest(c.read_session, c.read_response, c.read_version, c.write_session, c.write_invoke)
        floor = np.maximum(floor, seen)
    return floor


def before_in_time(c: Columns, rules: Rules) -> Column:
    """Per write the newest version whose write was over when it began."""
    done = c.acknowledged
    place = c.write_key if rules.per_key else np.zeros_like(c.write_key)
    return newest(place[done], c.write_response[done], c.write_version[done], place, c.write_invoke)


def mixed(rules: Rules) -> bool:
    """Whether what a session knows of one key can oblige it to see another."""
    return bool(rules.guarantees & {MW, WFR})


def known_to_session(c: Columns, rules: Rules) -> Column:
    """Per read the newest version that its session knew before: T, of its key only where the rules are not mixed."""
    over_keys = mixed(rules)
    width = int(max(c.read_key.max(initial=0), c.write_key.max(initial=0))) + 1

    def place(session: Column, key: Column) -> Column:
        return session if over_keys else session * width + key

    least = np.full(len(c.read_invoke), NOTHING)
    asked = place(c.read_session, c.read_key)
    done = c.acknowledged
    if RYW in rules.guarantees:
        mine = place(c.write_session, c.write_key)[done]
        own = newest(mine, c.write_response[done], c.write_version[done], asked, c.read_invoke)
        least = np.maximum(least, own)
    if MR in rules.guarantees:
        least = np.maximum(least, newest(asked, c.read_response, c.read_version, asked, c.read_invoke))
    return least


def newest_of_key(c: Columns, most: Column) -> Column:
    """Per read the newest write of its key that is at most as new as a version."""
    known = c.write_version > NOTHING
    span = int(max(c.write_version.max(initial=0), most.max(initial=0))) + 2
    places = np.sort(c.write_key[known] * span + c.write_version[known])
    found = np.searchsorted(places, c.read_key * span + most, side="right") - 1
    values = places[np.maximum(found, 0)] if len(places) else np.zeros(len(most), np.int64)
    there = (found >= 0) & (values // span == c.read_key) & (most > NOTHING)
    return np.where(there, values % span, NOTHING)


def newest(group: Column, moment: Column, version: Column, asked: Column, when: Column) -> Column:
    """Per question (`asked`, `when`) the newest version that its group had before that moment."""
    if not len(group):
        return np.full(len(asked), NOTHING)
    span = int(max(moment.max(), when.max(initial=0))) + 1
    sorting = np.argsort(group * span + moment)
    places = (group * span + moment)[sorting]
    height = int(version.max()) + 2
    tops = np.maximum.accumulate(group[sorting] * height + version[sorting] + 1)
    found = np.searchsorted(places, asked * span + when) - 1
    values = tops[np.maximum(found, 0)]
    there = (found >= 0) & (values // height == asked)
    return np.where(there, values % height - 1, NOTHING)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_columns(history: History, without: Column | None = None) -> Columns | None:
    """Columns of a history whose versions can be believed and whose written values are all different; else None.

    Args:
        without: rows of reads to leave out, see `from_nowhere`.
    """
    o = history.operations
    names = [name for name in o.fs if name is not None]
    if not len(o) or not set(names) <= {"read", "write"}:
        return None
    version = versions_of(o.generation, o.log_index)
    if version is None:
        return None
    is_read = o.f == (o.fs.index("read") if "read" in names else -1)
    reads = np.flatnonzero(is_read & (o.status == OK))
    reads = reads if without is None else np.setdiff1d(reads, without)
    writes = np.flatnonzero(~is_read & (o.status != FAIL))
    if not len(reads) and not len(writes):
        return None
    acknowledged = o.status[writes] == OK
    if np.any(version[reads] == NOTHING) or np.any(version[writes][acknowledged] == NOTHING):
        return None
    told = _traced(history, reads, writes, version)
    if told is None:
        return None
    read_version, write_version, source = told
    wide = np.int64
    key = o.key.astype(wide)
    session = o.session.astype(wide)
    return Columns(
        reads, writes, source,
        o.invoke[reads], o.response[reads], session[reads], key[reads], read_version,
        o.invoke[writes], o.response[writes], session[writes], key[writes], write_version,
        acknowledged, len(codes_of(key[reads], key[writes])),
    )  # fmt: skip


def from_nowhere(history: History) -> Column:
    """Rows of reads of what nobody wrote, whose versions are of nothing else either.

    They are wrong whatever is asked for, and say nothing about any other operation.
    """
    o, nothing = history.operations, np.empty(0, np.int64)
    version = versions_of(o.generation, o.log_index)
    if version is None or "read" not in o.fs or len(o) * (int(version.max(initial=0)) + 2) > 1 << 62:
        return nothing
    is_read = o.f == o.fs.index("read")
    happened = is_read & (o.status == OK)
    place = o.key.astype(np.int64) * len(o.values)
    written = (place + o.argument)[~is_read & (o.status != FAIL)]
    garbage = happened & (o.result != code_of_initial(history)) & (version > NOTHING)
    garbage &= ~np.isin(place + o.result, written)
    if not np.any(garbage):
        return nothing
    named = o.key.astype(np.int64) * (int(version.max()) + 2) + version
    others = named[(o.status == OK) & ~garbage]
    versions, values = named[garbage], (place + o.result)[garbage]
    both = np.unique(np.stack([versions, values]), axis=1)
    alone = not np.any(np.isin(versions, others)) and len(np.unique(versions)) == both.shape[1]
    return np.flatnonzero(garbage).astype(np.int64) if alone else nothing


def codes_of(*columns: Column) -> Column:
    """The codes that occur, in order."""
    return np.flatnonzero(np.bincount(np.concatenate(columns)))


def versions_of(generation: Column, index: Column) -> Column | None:
    """Versions as numbers in the same order, NOTHING where there is none."""
    width = int(index.max(initial=0)) + 1
    if (int(generation.max(initial=0)) + 1) * width > 1 << 62:
        return None
    version = np.where(generation >= 0, generation * width + index, NOTHING)
    if int(version.max(initial=0)) > 1 << 31:  # ranks instead, so that a group and a version fit into one number
        version = np.unique(np.append(version, NOTHING), return_inverse=True)[1][:-1] - 1
    return version


def _traced(history: History, reads: Any, writes: Any, version: Column) -> tuple[Column, Column, Column] | None:
    """Versions of reads and writes, and sources, once every read is traced to the one write of its value; else None."""
    o = history.operations
    initial = code_of_initial(history)
    first = o.result[reads] == initial
    traced = ~first
    if np.any(o.argument[writes] == initial):
        return None
    if not len(writes):
        nothing = np.full(len(reads), NOTHING)
        return (nothing, np.empty(0, np.int64), nothing) if np.all(first) else None
    source = sources_by_value(o, reads, writes)
    if source is None or np.any(source[traced] < 0):
        return None
    if np.any(o.invoke[writes][source][traced] > o.response[reads][traced]):
        return None
    write_version = version[writes].copy()
    doubtful = traced & (o.status[writes][source] == INFO)
    told = write_version[source[doubtful]]
    if np.any((told > NOTHING) & (told != version[reads][doubtful])):
        return None
    write_version[source[doubtful]] = version[reads][doubtful]
    if np.any(write_version[source][traced] != version[reads][traced]):
        return None
    known = write_version > NOTHING
    span = int(version.max()) + 2
    places = np.sort(o.key[writes][known].astype(np.int64) * span + write_version[known])
    if np.any(places[1:] == places[:-1]):
        return None
    if np.any(np.isin(o.key[reads][first].astype(np.int64) * span + version[reads][first], places)):
        return None
    return np.where(first, NOTHING, version[reads]), write_version, np.where(first, NOTHING, source)


def sources_by_value(o: Operations, reads: Column, writes: Column) -> Column | None:
    """Per read the place of the one write of its value to its key, -1 without one; None where a value has several."""
    width, places = len(o.values), np.arange(len(writes))
    writer = np.full(width, -1)
    writer[o.argument[writes]] = places
    if np.array_equal(writer[o.argument[writes]], places):  # all different, of whatever key: no need to sort them
        source = writer[o.result[reads]]
        return np.where(o.key[writes][source] == o.key[reads], source, -1)
    written = o.key[writes].astype(np.int64) * width + o.argument[writes]
    sorting = np.argsort(written)
    ranked = written[sorting]
    if np.any(ranked[1:] == ranked[:-1]):
        return None
    shown = o.key[reads].astype(np.int64) * width + o.result[reads]
    found = np.minimum(np.searchsorted(ranked, shown), len(ranked) - 1)
    return np.where(ranked[found] == shown, sorting[found], -1)


def code_of_initial(history: History) -> int:
    """The code of the initial value; -1 when it was never seen."""
    initial = token_of(history.header.initial)
    if initial is None:
        return 0
    return next((code for code, value in enumerate(history.operations.values) if token_of(value) == initial), -1)
