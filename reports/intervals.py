"""The median of a small sample with its interval: how many runs it takes to find a bug. And bounds, in words.

>>> median_interval([1, 1, 2, 3, 9])
Median(middle=2, low=1, high=9)
>>> share_below(0.00014977)
'0.015%'

The interval is the one between order statistics that covers the true median with the confidence asked for, whatever
the distribution (Conover, Practical Nonparametric Statistics, 3.2); where the sample is too small for that, it is the
whole range. A sample may hold infinity, for searches that were given up: medians do not mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb, floor, log10
from typing import NamedTuple


def share_below(bound: float) -> str:
    """A bound from above in per cent with two digits that count, rounded up: what is told must hold, too."""
    if bound <= 0:
        return "0%"
    places = max(0, 1 - floor(log10(bound * 100)))
    return f"{ceil(round(bound * 100 * 10**places, 9)) / 10**places:.{places}f}%"


class Median(NamedTuple):
    """The middle of a sample, and the ends of its interval."""

    middle: float
    low: float
    high: float


def median_interval(sample: Sequence[float], confidence: float = 0.95) -> Median:
    """The median and its interval; of an even number of values the lower middle one, so that it is one of them."""
    ordered = sorted(sample)
    count = len(ordered)
    assert count, "the median of nothing"
    rank, below = 0, 0.0
    while rank < (count - 1) // 2 and below + comb(count, rank) / 2**count <= (1 - confidence) / 2:
        below += comb(count, rank) / 2**count
        rank += 1
    first = max(rank - 1, 0)
    return Median(ordered[(count - 1) // 2], ordered[first], ordered[count - 1 - first])
