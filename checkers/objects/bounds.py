"""Between which numbers a counter must be, whatever its amounts: everything that is over counts, what is open may.

    add 5 → ok, add -2 (open), read → ?         3 to 5

Necessary for linearizability, and all that can be said in reasonable time of amounts that differ: to decide those
exactly is as hard as the sum of subsets. O(n log n).

    >>> Bounds([(0, 1, 5), (2, 9, -2)], start=0).at(3, 4)
    (3, 5)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate


class Bounds:
    """Of a counter that starts at `start`, by changes (invocation, response, amount)."""

    def __init__(self, changes: Iterable[tuple[int, int, int]], start: int) -> None:
        known = list(changes)
        begun = sorted((begin, amount) for begin, _, amount in known)
        ended = sorted((end, amount) for _, end, amount in known)
        self._begun, self._ended = [begin for begin, _ in begun], [end for end, _ in ended]
        self._sure = list(accumulate((amount for _, amount in ended), initial=start))
        self._open = [
            (
                list(accumulate((least_or_most(amount, 0) for _, amount in begun), initial=0)),
                list(accumulate((least_or_most(amount, 0) for _, amount in ended), initial=0)),
            )
            for least_or_most in (min, max)
        ]

    def at(self, begin: int, end: int, own: int = 0) -> tuple[int, int]:
        """The least and the most at some moment of an operation, which itself changed the counter by `own` before."""
        over, begun = bisect_left(self._ended, begin), bisect_left(self._begun, end)
        sure = self._sure[over] + own
        (low_begun, low_ended), (high_begun, high_ended) = self._open
        return (
            sure + low_begun[begun] - low_ended[over] - min(own, 0),
            sure + high_begun[begun] - high_ended[over] - max(own, 0),
        )
