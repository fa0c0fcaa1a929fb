"""How many spans lie over each position of a line, and where the last one is lifted: the inner part of `stack`.

Spans are laid once and then lifted one by one; a lifting answers with the positions that are free from then on. Counts
stand in blocks of about the square root of the line, with one number per block for what covers all of it, so that a
lifting touches two blocks and the row of blocks: O(sqrt n) in NumPy, a few microseconds.

    >>> layers = Layers(6, [(1, 3), (2, 6)])
    >>> layers.free().tolist(), layers.lift(1, 3), layers.lift(2, 6)
    ([0], [1], [2, 3, 4, 5])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 512


class Layers:
    """A line of `length` positions; a span covers `begin` up to but without `end`."""

    def __init__(self, length: int, spans: Sequence[tuple[int, int]]) -> None:
        blocks = length // BLOCK + 1
        steps = np.zeros(blocks * BLOCK + 1, dtype=np.int64)
        if spans:
            ends = np.array(spans, dtype=np.int64)
            np.add.at(steps, ends[:, 0], 1)
            np.add.at(steps, ends[:, 1], -1)
        counts = np.cumsum(steps[:-1])
        counts[length:] = len(spans) + 1  # beyond the line: never free
        self._counts: NDArray[np.int64] = counts.reshape(blocks, BLOCK)
        self._over = np.zeros(blocks, dtype=np.int64)
        self._least = self._counts.min(axis=1)

    def free(self) -> NDArray[np.int64]:
        """Positions without a span."""
        return np.flatnonzero((self._counts + self._over[:, None]).ravel() == 0)

    def lift(self, begin: int, end: int) -> list[int]:
        """Lift a span that was laid; the positions that are free now and were not before."""
        first, last = begin // BLOCK, (end - 1) // BLOCK
        if first == last:
            return self._lift_within(first, begin - first * BLOCK, end - first * BLOCK)
        found = self._lift_within(first, begin - first * BLOCK, BLOCK)
        if last - first > 1:
            self._over[first + 1 : last] -= 1
            whole = self._least[first + 1 : last] + self._over[first + 1 : last]
            for block in (np.flatnonzero(whole == 0) + first + 1).tolist():
                found += self._free_in(block, 0, BLOCK)
        return found + self._lift_within(last, 0, end - last * BLOCK)

    def _lift_within(self, block: int, begin: int, end: int) -> list[int]:
        row = self._counts[block]
        row[begin:end] -= 1
        self._least[block] = row.min()
        if self._least[block] + self._over[block]:
            return []
        return self._free_in(block, begin, end)

    def _free_in(self, block: int, begin: int, end: int) -> list[int]:
        free = np.flatnonzero(self._counts[block, begin:end] + self._over[block] == 0)
        found: list[int] = (free + (block * BLOCK + begin)).tolist()
        return found
