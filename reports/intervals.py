"""The median of a small sample with its interval: how many runs it takes to find a bug.

>>> median_interval([1, 1, 2, 3, 9])
Median(middle=2, low=1, high=9)

The interval is the one between order statistics that covers the true median with the confidence asked for, whatever
the distribution (Conover, Practical Nonparametric Statistics, 3.2); where the sample is too small for that, it is the
whole range. A sample may hold infinity, for searches that were given up: medians do not mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple


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
