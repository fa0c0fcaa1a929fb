"""Staleness of a whole key whose values are all different, without knowing the order of its writes.

For each value, f is when the first operation on it was over, and s when the last one began. Two values conflict if each
was begun after the other was done with: then no order is right (Gibbons & Korach, as a 2-cycle).

    gamma     the least widening of all operations, half at each end, after which no two values conflict:
              the greatest min(s(v) - f(u), s(u) - f(v)) of conflicting values, and what a read was too early
    delta     the least by which all reads have to begin earlier for that
    k         the least number such that every read returned one of the last k writes, by search on small keys

Sources: Golab, Hurwitz, Li (ICDCS 2013 and 2014); Golab, Li, Shah (PODC 2011). Times in nanoseconds.
Limits: above PAIRS_MAX pairs gamma is found by bisection, to a microsecond; above READ_PAIRS_MAX pairs of a read and a
value that of single reads is left out. k above 1 is searched for on keys of up to
SEARCHED_MAX operations, up to K_MAX, in at most STATES_MAX steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PAIRS_MAX: Final = 4_000_000
READ_PAIRS_MAX: Final = 200_000_000
SEARCHED_MAX: Final = 40
K_MAX: Final = 8
STATES_MAX: Final = 50_000
PRECISION_NS: Final = 1_000
FOREVER: Final = 1 << 60

Times = NDArray[np.int64]


class Done(NamedTuple):
    """One operation on a value: its place among the key's values (0 is the initial one), and its times."""

    reads: bool
    value: int
    begin: int
    end: int


@dataclass(frozen=True)
class Zones:
    """One key: f, s and the beginning of the write per value, the initial one first; begin, end and value per read."""

    done: Sequence[Done]
    f: Times
    s: Times
    begin: Times
    end: Times
    value: Times
    wrote: Times

    @classmethod
    def of(cls, done: Sequence[Done]) -> Zones:
        """From its operations; the initial value was written before everything."""
        count = 1 + max((one.value for one in done), default=0)
        f, s = np.full(count, FOREVER), np.full(count, -FOREVER)
        wrote = np.full(count, -FOREVER)
        f[0] = -FOREVER
        for one in done:
            f[one.value] = min(f[one.value], one.end)
            s[one.value] = max(s[one.value], one.begin)
            if not one.reads:
                wrote[one.value] = one.begin
        reads = [one for one in done if one.reads]
        columns = [
            np.array(column, np.int64) for column in zip(*((r.begin, r.end, r.value) for r in reads), strict=True)
        ]
        begin, end, value = columns or [np.empty(0, np.int64)] * 3
        return cls(done, f, s, begin, end, value, wrote)

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
        if len(self.f) ** 2 <= PAIRS_MAX:
            return max(early, int(_overlap(self.f, self.s).max(initial=0)))
        return max(early, self._bisected(lambda g: self.atomic(self.f + g // 2, self.s - (g - g // 2))))

    def gammas(self) -> Times | None:
        """Per read the widening that it takes part in; None where the key is too large."""
        found = np.zeros(len(self.value), np.int64)
        if self.atomic(self.f, self.s):
            return found
        if len(self.value) * len(self.f) > READ_PAIRS_MAX:
            return None
        step = max(1, PAIRS_MAX // len(self.f))
        for low in range(0, len(found), step):
            begin, value = self.begin[low : low + step], self.value[low : low + step]
            ahead = np.minimum(begin[:, None] - self.f[None, :], self.s[None, :] - self.f[value][:, None])
            ahead[np.arange(len(value)), value] = 0
            found[low : low + step] = np.maximum(ahead.max(axis=1, initial=0), 0)
        return found

    def delta(self) -> int:
        """See the module docstring."""
        if self.atomic(self.f, self.s):
            return 0

        def enough(shift: int) -> bool:
            s = self.wrote.copy()
            np.maximum.at(s, self.value, self.begin - shift)
            return self.atomic(self.f, s)

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
        if len(self.done) > SEARCHED_MAX:
            return None
        for k in range(2, K_MAX + 1):
            if (found := _k_atomic(self.done, k)) or found is None:
                return k if found else None
        return None


def _overlap(f: Times, s: Times) -> Times:
    """By how much any two values conflict."""
    ahead = np.minimum(s[:, None] - f[None, :], s[None, :] - f[:, None])
    np.fill_diagonal(ahead, 0)
    return np.asarray(np.maximum(ahead, 0), np.int64)


def _k_atomic(done: Sequence[Done], k: int) -> bool | None:
    """Whether some order that keeps to time has every read return one of the last k writes; None if it takes long."""
    ops = sorted(done, key=lambda one: one.begin)
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
