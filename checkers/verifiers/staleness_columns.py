"""Re-counts staleness in whole columns, for all reads of a long history.

The events of each key are laid one after another. A running maximum over the writes that were over by then says which
reads missed any; what those missed is counted by halving the writes by how new they are, again and again (a wavelet
matrix), and what they missed first is where the maximum first rose above what they returned.

How new something is, its level, is a version where those of its key can be believed. Else a write is as new as its
beginning, and a value as what was first over with it, so that a write is only newer if it certainly is.

    counted = counted_in_columns(leveled(history))
    counted.worst()                          (k, delta in ns, reads)
    counted.get(4711)                        (k, delta in ns) of the read that began with that event, or None

It shares no code with the checkers, on purpose.
Limits: reads and writes of numbers, words, true, false and null, and values that are written once to a key; in one key
fewer than 2^62 / keys versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.believed import believed_keys
from checkers.verifiers.session_columns import (
    ENDLESS,
    NOTHING,
    Numbers,
    columns_of,
    grouped,
    initial_code,
    levels,
    plain,
    trace_of,
    writers_of,
)
from harness.history import History, Operations
from harness.history.operations import INFO, OK


@dataclass(frozen=True)
class Counted:
    """Every read, in order of beginning: the event, k, and for how long what it missed first had been complete."""

    begin: Numbers
    k: Numbers
    delta_ns: Numbers

    def worst(self) -> tuple[int, int, int]:
        """The greatest k and delta of all, and how many reads there are."""
        return int(self.k.max()), int(self.delta_ns.max()), len(self.begin)

    def get(self, begin: int) -> tuple[int, int] | None:
        """The figures of one read."""
        at = int(np.searchsorted(self.begin, begin)) if type(begin) is int else len(self.begin)
        known = at < len(self.begin) and int(self.begin[at]) == begin
        return (int(self.k[at]), int(self.delta_ns[at])) if known else None


@dataclass(frozen=True)
class Leveled:
    """Completed reads, each with its write if it can be right, and writes that happened or may have.

    Attributes:
        reads, writes: rows of the operations; source: per read its write, as a place in `writes`, NOTHING for none.
        level: how new what each write wrote is; shown: how new what each read returned is.
    """

    operations: Operations
    reads: Numbers
    writes: Numbers
    source: Numbers
    level: Numbers
    shown: Numbers


@dataclass(frozen=True)
class _Over:
    """Writes that were certainly over at some time, by key and that time, which is an event."""

    key: Numbers
    event: Numbers
    level: Numbers


def leveled(history: History) -> Leveled | None:
    """By versions if all can be believed, else key by key; None if it is not a history that this can be told of."""
    trace = trace_of(history)
    if trace is not None:
        return Leveled(trace.operations, trace.reads, trace.writes, trace.source, trace.level, trace.shown())
    if not plain(history):
        return None
    o, initial = history.operations, initial_code(history)
    reads, writes = columns_of(o)
    source, believed, version = writers_of(o, reads, writes, initial), believed_keys(o), levels(o)
    if source is None or believed is None or version is None:
        return None
    right = (source >= 0) | (o.result[reads] == initial)
    reads, source = reads[right], source[right]
    told = np.where(o.status[writes] == OK, version[writes], NOTHING)
    doubtful = np.flatnonzero(source >= 0)
    doubtful = doubtful[o.status[writes[source[doubtful]]] == INFO]
    told[source[doubtful]] = version[reads[doubtful]]
    event = _ends(o, reads, writes, source, np.ones(len(writes), np.bool_))
    level = np.where(believed[o.key[writes]], told, o.invoke[writes])
    shown = np.where(believed[o.key[reads]], np.append(told, NOTHING)[source], np.append(event, NOTHING)[source])
    return Leveled(o, reads, writes, source, level, shown)


def counted_in_columns(told: Leveled) -> Counted:
    """See the module docstring."""
    o, key, shown = told.operations, told.operations.key.astype(np.int64), told.shown
    whose, begin = key[told.reads], o.invoke[told.reads]
    over = _over(told, key)
    span = int(max(told.level.max(initial=0), shown.max(initial=0))) + 1
    places = _places(over, key[told.reads], begin)
    tops = np.maximum.accumulate(over.key * span + over.level)
    newest = np.append(-1, tops)[places]
    stale = np.flatnonzero(newest > whose * span + shown)
    bound = whose[stale] * span + shown[stale]
    sorting = np.argsort(over.key * span + over.level)
    ranks = np.empty(len(sorting), np.int64)
    ranks[sorting] = np.arange(len(sorting))
    least = np.searchsorted((over.key * span + over.level)[sorting], bound, side="right")
    k, delta_ns = np.ones(len(begin), np.int64), np.zeros(len(begin), np.int64)
    k[stale] += _count(ranks, places[stale], least)
    first = over.event[np.searchsorted(tops, bound, side="right")]
    times = np.full(int(max(o.invoke[-1], o.completion.max())) + 1, -1)
    times[o.completion[o.completion >= 0]] = o.response_ns[o.completion >= 0]
    ended, began = times[first], o.invoke_ns[told.reads[stale]]
    delta_ns[stale] = np.where((ended < 0) | (began < 0), 0, np.maximum(0, began - ended))
    return Counted(begin, k, delta_ns)


def _over(told: Leveled, key: Numbers) -> _Over:
    """A write was over when it was acknowledged; one in doubt, when the first read of it was."""
    o = told.operations
    event = _ends(o, told.reads, told.writes, told.source, o.status[told.writes] == INFO)
    done = np.flatnonzero(event < ENDLESS)
    done = done[np.argsort(event[done])]
    done = done[grouped(key[told.writes[done]])]
    return _Over(key[told.writes[done]], event[done], told.level[done])


def _ends(o: Operations, reads: Numbers, writes: Numbers, source: Numbers, shown: NDArray[np.bool_]) -> Numbers:
    """Per write the event at which it was over; or at which the first read of it was, of those where that counts."""
    event: Numbers = np.where(o.status[writes] == OK, o.response[writes], ENDLESS)
    found = np.flatnonzero(source >= 0)
    found = found[shown[source[found]]]
    np.minimum.at(event, source[found], o.response[reads[found]])
    return event


def _places(over: _Over, key: Numbers, begin: Numbers) -> Numbers:
    """Per read how many writes stand before it, in the order of `over`; those of lesser keys among them."""
    whose, moment = np.concatenate([over.key, key]), np.concatenate([over.event, begin])
    order = np.argsort(moment)
    order = order[grouped(whose[order])]
    counted = np.empty(len(order), np.int64)
    counted[order] = np.cumsum(order < len(over.key))
    places: Numbers = counted[len(over.key) :]
    return places


def _count(ranks: Numbers, places: Numbers, least: Numbers) -> Numbers:
    """Per question how many of the first so many ranks are not below a bound."""
    low, high, count = np.zeros_like(places), places, np.zeros_like(places)
    for bit in reversed(range(len(ranks).bit_length())):
        one = ranks >> bit & 1
        ones = np.append(0, np.cumsum(one))
        low_ones, high_ones, zeros = ones[low], ones[high], len(ranks) - ones[-1]
        up = (least >> bit & 1) == 1
        count += np.where(up, 0, high_ones - low_ones)
        low = np.where(up, zeros + low_ones, low - low_ones)
        high = np.where(up, zeros + high_ones, high - high_ones)
        ranks = np.concatenate([ranks[one == 0], ranks[one == 1]])
    return count + high - low
