"""Re-counts staleness by versions in whole columns, for all reads of a long history.

The events of each key are laid one after another. A running maximum over the writes that were over by then says which
reads missed any; what those missed is counted by halving the writes by how new they are, again and again (a wavelet
matrix), and what they missed first is where the maximum first rose above what they returned.

    counted = counted_in_columns(trace)      trace as in `session_columns`
    counted.worst()                          (k, delta in ns, reads)
    counted.get(4711)                        (k, delta in ns) of the read that began with that event, or None

It shares no code with the checkers, on purpose.
Limits: as of the trace; in one key fewer than 2^62 / keys versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.verifiers.session_columns import ENDLESS, Numbers, Trace, grouped
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
class _Over:
    """Writes that were certainly over at some time, by key and that time, which is an event."""

    key: Numbers
    event: Numbers
    level: Numbers


def counted_in_columns(trace: Trace) -> Counted:
    """See the module docstring."""
    o, key = trace.operations, trace.operations.key.astype(np.int64)
    shown, whose, begin = trace.shown(), key[trace.reads], o.invoke[trace.reads]
    over = _over(trace, key)
    span = int(trace.level.max(initial=0)) + 1
    places = _places(over, key[trace.reads], begin)
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
    ended, began = times[first], o.invoke_ns[trace.reads[stale]]
    delta_ns[stale] = np.where((ended < 0) | (began < 0), 0, np.maximum(0, began - ended))
    return Counted(begin, k, delta_ns)


def _over(trace: Trace, key: Numbers) -> _Over:
    """A write was over when it was acknowledged; one in doubt, when the first read of it was."""
    o, found = trace.operations, trace.source >= 0
    status = o.status[trace.writes]
    event = np.where(status == OK, o.response[trace.writes], ENDLESS)
    source, ends = trace.source[found], o.response[trace.reads[found]]
    doubtful = status[source] == INFO
    np.minimum.at(event, source[doubtful], ends[doubtful])
    done = np.flatnonzero(event < ENDLESS)
    done = done[np.argsort(event[done])]
    done = done[grouped(key[trace.writes[done]])]
    return _Over(key[trace.writes[done]], event[done], trace.level[done])


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
