"""Staleness of a whole key whose values are all different, without knowing the order of its writes.

For each value, f is when the first operation on it was over, and s when the last one began. Two values conflict if each
was begun after the other was done with: then no order is right (Gibbons & Korach, as a 2-cycle).

    gamma     the least widening of all operations, half at each end, after which no two values conflict:
              the greatest min(s(v) - f(u), s(u) - f(v)) of conflicting values, and what a read was too early
    delta     the least by which all reads have to begin earlier for that
    k         the least number such that every read returned one of the last k writes, by search on small keys

Sources: Golab, Hurwitz, Li (ICDCS 2013 and 2014); Golab, Li, Shah (PODC 2011). Times in nanoseconds.
By how much values conflict is found for all of them at once: along the values in order of f, what is ahead of one
shrinks and the newest s among them grows, so the most of the lesser of both is where these meet.

Limits: delta is found by bisection, to a microsecond. k above 1 is searched for on keys of up to SEARCHED_MAX
operations, up to K_MAX, in at most STATES_MAX steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEARCHED_MAX: Final = 40
K_MAX: Final = 8
STATES_MAX: Final = 50_000
PRECISION_NS: Final = 1_000
FOREVER: Final = 1 << 60

Times = NDArray[np.int64]


class Done(NamedTuple):
    """Operations on one key: whether each reads, its place among the key's values (0 is the initial one), its times."""

    reads: NDArray[np.bool_]
    value: Times
    begin: Times
    end: Times


@dataclass(frozen=True)
class Zones:
    """One key: f, s and the beginning of the write per value, the initial one first; begin, end and value per read."""

    done: Done
    f: Times
    s: Times
    begin: Times
    end: Times
    value: Times
    wrote: Times

    @classmethod
    def of(cls, done: Done) -> Zones:
        """From its operations; the initial value was written before everything."""
        count = 1 + int(done.value.max(initial=0))
        f, s = np.full(count, FOREVER), np.full(count, -FOREVER)
        wrote = np.full(count, -FOREVER)
        np.minimum.at(f, done.value, done.end)
        np.maximum.at(s, done.value, done.begin)
        f[0] = -FOREVER
        writes = ~done.reads
        wrote[done.value[writes]] = done.begin[writes]
        return cls(done, f, s, done.begin[done.reads], done.end[done.reads], done.value[done.reads], wrote)

    def early(self) -> int:
        """By how much a read was over before its value was begun to be written."""
        return max(0, int((self.wrote[self.value] - self.end).max(initial=0)))

    def atomic(self, f: Times, s: Times) -> bool:
        """Whether no two values conflict."""
        forward = np.flatnonzero(f < s)
        forward = forward[np.argsort(f[forward], kind="stable")]
        if len(forward) > 1 and np.any(f[forward[1:]] < np.maximum.accumulate(s[forward])[:-1]):
            return False
        if not len(forward):
            return True
        backward = np.flatnonzero(f >= s)
        place = np.searchsorted(f[forward], s[backward]) - 1  # the last forward zone that begins below s
        inside = (place >= 0) & (s[forward[np.maximum(place, 0)]] > f[backward])
        return not bool(np.any(inside))

    def gamma(self) -> int:
        """See the module docstring."""
        early = self.early()
        if self.atomic(self.f, self.s):
            return early
        return max(early, int(self._overlap(self.s, np.arange(len(self.f))).max()))

    def gammas(self) -> Times:
        """Per read the widening that it takes part in."""
        if self.atomic(self.f, self.s):
            return np.zeros(len(self.value), np.int64)
        return self._overlap(self.begin, self.value)

    def _overlap(self, begin: Times, value: Times) -> Times:
        """By how much something that began then, on a value, conflicts with any other value at most; 0 without one.

        That is the greatest min(begin - f(u), s(u) - f(value)) of other values u.
        """
        order = np.argsort(self.f, kind="stable")
        f, s = self.f[order], self.s[order]
        newest = np.maximum.accumulate(s)
        before = np.append(-FOREVER, newest[:-1])
        whose = order[np.maximum.accumulate(np.where(s > before, np.arange(len(s)), 0))]
        second = np.maximum.accumulate(np.minimum(s, before))

        def ahead(place: Times) -> tuple[Times, Times]:
            others = np.where(whose[place] == value, second[place], newest[place])
            return begin - f[place], others - self.f[value]

        low, high = np.zeros(len(begin), np.int64), np.full(len(begin), len(f))
        while np.any(low < high):  # the first place at which the second is not less than the first
            middle = (low + high) // 2
            falls, grows = ahead(np.minimum(middle, len(f) - 1))
            met = grows >= falls
            low, high = np.where(met | (low >= high), low, middle + 1), np.where(met & (low < high), middle, high)
        places = np.maximum(low - 1, 0), np.minimum(low, len(f) - 1)
        found: Times = np.maximum(*(np.minimum(*ahead(place)) for place in places))
        return np.maximum(found, 0)

    def delta(self) -> int:
        """See the module docstring."""
        if self.atomic(self.f, self.s):
            return 0
        some = self._overlap(self.s, np.arange(len(self.f))) > 0  # others do not conflict, and will not
        place = np.cumsum(some) - 1
        reads = some[self.value]
        f, wrote, begin, value = self.f[some], self.wrote[some], self.begin[reads], place[self.value[reads]]

        def enough(shift: int) -> bool:
            s = wrote.copy()
            np.maximum.at(s, value, begin - shift)
            return self.atomic(f, s)

        return self._bisected(enough) if enough(FOREVER // 2) else FOREVER

    def _bisected(self, enough: Callable[[int], bool]) -> int:
        """The least number that is enough, to PRECISION_NS."""
        low, high = 0, 2 * int(max(abs(self.begin).max(initial=1), abs(self.wrote[1:]).max(initial=1))) + 2
        while high - low > PRECISION_NS:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def least_k(self) -> int | None:
        """See the module docstring; None when it is not known."""
        if self.early():
            return None
        if self.atomic(self.f, self.s):
            return 1
        if len(self.done.value) > SEARCHED_MAX:
            return None
        for k in range(2, K_MAX + 1):
            if (found := _k_atomic(self.done, k)) or found is None:
                return k if found else None
        return None


class _One(NamedTuple):
    """One operation, as in `Done`."""

    reads: bool
    value: int
    begin: int
    end: int


def _k_atomic(done: Done, k: int) -> bool | None:
    """Whether some order that keeps to time has every read return one of the last k writes; None if it takes long."""
    columns = (column.tolist() for column in done)
    ops = sorted((_One(*one) for one in zip(*columns, strict=True)), key=lambda one: one.begin)
    everything = (1 << len(ops)) - 1
    start: tuple[int, tuple[int, ...]] = (0, (0,))
    todo: list[tuple[int, tuple[int, ...]]] = [start]
    tried = {start}
    while todo:
        placed, last = todo.pop()
        left = [place for place in range(len(ops)) if not placed >> place & 1]
        if all(ops[place].end >= FOREVER for place in left) or placed == everything:
            return True
        soonest = min(ops[place].end for place in left)
        for place in left:
            one = ops[place]
            if one.begin > soonest or (one.reads and one.value not in last):
                continue
            state = (placed | 1 << place, last if one.reads else (*last, one.value)[-k:])
            if state not in tried:
                if len(tried) > STATES_MAX:
                    return None
                tried.add(state)
                todo.append(state)
    return False
