"""What a number of runs means: a bound on how often a run fails.

No failure in n runs: with 95 % confidence fewer than 1 - 0.05^(1/n) of all runs fail, about 3/n. With failures: the
exact interval of Clopper and Pearson (Biometrika, 1934).

>>> round(upper_bound(0, 1000), 5)
0.00299
>>> tuple(round(bound, 4) for bound in interval(3, 100))
(0.0062, 0.0852)
"""

from __future__ import annotations

import math
from collections.abc import Callable


def upper_bound(failures: int, runs: int, confidence: float = 0.95) -> float:
    """One-sided: the share of failing runs is below this with that confidence; 1.0 of no runs."""
    if runs == 0 or failures >= runs:
        return 1.0
    return _root(lambda p: _at_most(failures, runs, p) - (1 - confidence))


def interval(failures: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided, by Clopper and Pearson."""
    if runs == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if failures == 0 else _root(lambda p: tail - (1 - _at_most(failures - 1, runs, p)))
    high = 1.0 if failures == runs else _root(lambda p: _at_most(failures, runs, p) - tail)
    return low, high


def _at_most(failures: int, runs: int, p: float) -> float:
    """The chance of so few failures or fewer."""
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 1.0 if failures >= runs else 0.0
    logs = [
        math.lgamma(runs + 1)
        - math.lgamma(k + 1)
        - math.lgamma(runs - k + 1)
        + k * math.log(p)
        + (runs - k) * math.log1p(-p)
        for k in range(failures + 1)
    ]
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def _root(falling: Callable[[float], float]) -> float:
    """Where a function that falls from above zero to below crosses it, within [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
