"""How many spans lie over each position of a line, and where the last one is lifted: the inner part of `stack`.

Spans are laid once and then lifted one by one; a lifting answers with the positions that are free from then on. There
are three kinds of them:

    short           counted position by position, as most spans are
    to the end      of those only the first that is left matters: everything behind it lies under it
    the others      counts stand in blocks of about the square root of the line, with one number per block for what
                    covers all of it: a lifting touches two blocks and the row of blocks, O(sqrt n) in NumPy

    >>> layers = Layers(6, [(1, 3), (2, 5)])
    >>> layers.free().tolist(), layers.lift(1, 3), layers.lift(2, 5)
    ([0, 5], [1], [2, 3, 4])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 512
SHORT: Final = 40


class Layers:
    """A line of `length` positions; a span covers `begin` up to but without `end`, which is a position as well."""

    def __init__(self, length: int, spans: Sequence[tuple[int, int]]) -> None:
        self._last = length - 1
        ends = np.array(spans, dtype=np.int64).reshape(-1, 2)
        to_the_end = ends[:, 1] == self._last
        short = ~to_the_end & (ends[:, 1] - ends[:, 0] <= SHORT)
        self._few: list[int] = _counts(length, ends[short]).tolist()
        blocks = length // BLOCK + 1
        counts = _counts(blocks * BLOCK, ends[~to_the_end & ~short])
        self._bare = bytearray((counts[:length] == 0).tobytes())
        counts[length:] = len(spans) + 1  # beyond the line: never free
        self._counts: NDArray[np.int64] = counts.reshape(blocks, BLOCK)
        self._over = np.zeros(blocks, dtype=np.int64)
        self._least = self._counts.min(axis=1)
        self._begins: list[int] = np.sort(ends[to_the_end, 0]).tolist()
        self._lifted: dict[int, int] = {}
        self._edge = self._begins[0] if self._begins else self._last
        self._place = 0

    def free(self) -> NDArray[np.int64]:
        """Positions without a span."""
        return np.array(self._free_of(range(self._last + 1)), dtype=np.int64)

    def lift(self, begin: int, end: int) -> list[int]:
        """Lift a span that was laid; the positions that are free now and were not before."""
        if end == self._last:
            return self._lift_to_the_end(begin)
        if end - begin > SHORT:
            found = self._lift_long(begin, end)
            for position in found:
                self._bare[position] = 1
            return self._free_of(found)
        few, found = self._few, []
        for position in range(begin, end):
            few[position] -= 1
            if not few[position]:
                found.append(position)
        return self._free_of(found) if found else found

    def _free_of(self, positions: Iterable[int]) -> list[int]:
        """Those that nothing covers."""
        few, bare, edge, last = self._few, self._bare, self._edge, self._last
        return [p for p in positions if bare[p] and not few[p] and (p < edge or p == last)]

    def _lift_to_the_end(self, begin: int) -> list[int]:
        lifted, begins, edge = self._lifted, self._begins, self._edge
        lifted[begin] = lifted.get(begin, 0) + 1
        if begin != edge:
            return []
        while self._place < len(begins) and lifted.get(begins[self._place]):
            lifted[begins[self._place]] -= 1
            self._place += 1
        self._edge = begins[self._place] if self._place < len(begins) else self._last
        return self._free_of(range(edge, self._edge))

    def _lift_long(self, begin: int, end: int) -> list[int]:
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


def _counts(length: int, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many spans cover each position."""
    steps = np.bincount(ends[:, 0], minlength=length + 1) - np.bincount(ends[:, 1], minlength=length + 1)
    counts: Any = np.cumsum(steps[:length])
    return counts  # type: ignore[no-any-return]  # whole numbers, as what was counted
