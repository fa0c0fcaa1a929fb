"""How stale each read was: how many completed writes it missed, and for how long the first of them had been complete.

    k(r)      1 + the number of writes of the key that are newer than what r returned and were over before r began
    delta(r)  from the end of the first of them to the beginning of r; 0 if there is none

"Newer" is by `level`. Where the system tells versions, they are the levels, and both numbers are exact. Where it does
not, a write is certainly newer than a value if it began after somebody was done with that value: then the level of a
write is when it began, the level of a read is when the first operation on its value was over, and both numbers are
lower bounds.

All reads of all keys are counted at once, in columns: the reads that missed something are found by a running maximum,
and counted in a wavelet matrix (Claude, Navarro, Ordóñez 2015) of the writes in the order in which they ended.

Source: Golab, Li, Shah (PODC 2011) for k and delta.
Limits: O((reads + writes) log writes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.columns import newest

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Reads:
    """Reads to judge; `row` is in `Operations`, `moment` when each began, as an event index."""

    row: Column
    key: Column
    level: Column
    moment: Column


@dataclass(frozen=True)
class Writes:
    """Completed writes, and those in doubt from when somebody had read them; `over` is an event index."""

    row: Column
    key: Column
    level: Column
    over: Column


@dataclass(frozen=True)
class Missed:
    """Per read: k, and which write it missed first and which was the newest, as places in `Writes`; -1 for none."""

    k: Column
    first: Column
    newest: Column


def count(reads: Reads, writes: Writes) -> Missed:
    """See the module docstring."""
    reads_count = len(reads.row)
    missed = Missed(*(np.full(reads_count, fill, np.int64) for fill in (1, -1, -1)))
    if not len(writes.row) or not reads_count:
        return missed
    _, levels = np.unique(np.concatenate([writes.level, reads.level]), return_inverse=True)
    write_level, read_level = levels[: len(writes.row)], levels[len(writes.row) :]
    top = newest(writes.key, writes.over, write_level, reads.key, reads.moment)
    stale = np.flatnonzero(top > read_level)
    if not len(stale):
        return missed
    span = int(levels.max()) + 2
    by_level = np.argsort(writes.key * span + write_level, kind="stable")
    ranked = (writes.key * span + write_level)[by_level]
    key, level, moment = reads.key[stale], read_level[stale], reads.moment[stale]
    missed.newest[stale] = by_level[np.searchsorted(ranked, key * span + top[stale])]
    threshold = np.searchsorted(ranked, key * span + level, side="right")
    missed.first[stale] = _first_over(writes, by_level)[threshold]
    missed.k[stale] = 1 + _count_newer(writes, by_level, key, moment, threshold)
    return missed


def _first_over(writes: Writes, by_level: Column) -> Column:
    """Per place in order of level, which write of the key, from there on, was over first."""
    span = int(writes.over.max()) + 1
    places = (writes.key * span + writes.over)[by_level]
    least = np.minimum.accumulate(places[::-1])[::-1]
    by_over = np.argsort(writes.key * span + writes.over)
    return by_over[np.searchsorted((writes.key * span + writes.over)[by_over], least)]


def _count_newer(writes: Writes, by_level: Column, key: Column, moment: Column, threshold: Column) -> Column:
    """How many writes of the key were over before a moment, and are at or above a place in order of level."""
    rank = np.empty(len(by_level), np.int64)
    rank[by_level] = np.arange(len(by_level))
    span = int(max(writes.over.max(), moment.max())) + 1
    by_over = np.argsort(writes.key * span + writes.over)
    places = (writes.key * span + writes.over)[by_over]
    low, high = np.searchsorted(places, key * span), np.searchsorted(places, key * span + moment)
    return _at_least(rank[by_over], low, high, threshold)


def _at_least(sequence: Column, low: Column, high: Column, threshold: Column) -> Column:
    """Per question, how many of sequence[low:high] are at least `threshold`, bit by bit from the highest."""
    counted = np.zeros(len(low), np.int64)
    for bit in range(max(int(sequence.max()), int(threshold.max())).bit_length() - 1, -1, -1):
        ones = (sequence >> bit) & 1
        zeros = np.concatenate([[0], np.cumsum(1 - ones)])
        low_zeros, high_zeros = zeros[low], zeros[high]
        low_ones, high_ones = zeros[-1] + low - low_zeros, zeros[-1] + high - high_zeros
        wants_one = (threshold >> bit) & 1 == 1
        counted += np.where(wants_one, 0, high_ones - low_ones)
        low, high = np.where(wants_one, low_ones, low_zeros), np.where(wants_one, high_ones, high_zeros)
        sequence = np.concatenate([sequence[ones == 0], sequence[ones == 1]])
    return counted + high - low
