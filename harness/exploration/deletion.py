"""Taking away from a list as much as can be: right to left, in blocks that double while it works and halve when not.

With k of n elements needed this takes about k log n trials. Going from the right first, what came after the failure
goes in the first few trials.

>>> kept, trials = delete_all(range(100), lambda some: {3, 50} <= set(some))
>>> kept, trials < 40
([3, 50], True)

After that no single element can be taken away, unless the trials ran out first: `keeps` said no to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def delete_all(items: Iterable[T], keeps: Callable[[list[T]], bool]) -> tuple[list[T], int]:
    """The items that could not be taken away, and how many trials that took. `keeps` says whether a list still fails.

    One pass from right to left, again and again until one takes nothing away.
    """
    kept, trials = list(items), 0
    while True:
        before = len(kept)
        kept, more = _one_pass(kept, keeps)
        trials += more
        if len(kept) == before:
            return kept, trials


def _one_pass(items: list[T], keeps: Callable[[list[T]], bool]) -> tuple[list[T], int]:
    end, trials, size = len(items), 0, max(1, len(items) // 2)
    while end > 0:
        size = min(size, end)
        trials += 1
        without = items[: end - size] + items[end:]
        if keeps(without):
            items, end = without, end - size
            size *= 2
        elif size > 1:
            size //= 2
        else:
            end -= 1
    return items, trials
