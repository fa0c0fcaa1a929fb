"""An order of writes that is to satisfy many "this before that", or the shortest circle that shows that there is none.

What must precede is an edge between two writes, with the reason. Where all of a long list must precede one write, the
list is tied together in knots, one for each aligned power of two, so that n lists cost n log n edges instead of n².

    order = Order(3)
    order.add(0, 1, Why("mw"))
    order.solve()       [0, 1, 2]; or a list of circles in `order.circles`

Sources: Kahn (1962) for the order; a breadth-first search inside a strongly connected component for the circle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from checkers.transactions.graph import tarjan

STARTS_MAX: Final = 64
"""How many writes of a tangle a shortest circle is looked for from; more would only shorten an explanation."""
CIRCLES_MAX: Final = 100
SHORTEST: Final = 2
"""Writes on the shortest circle that there can be."""


class Why(NamedTuple):
    """The reason of an edge; `by` is the operation that gives it, where there is one."""

    rule: str
    by: int = -1


class Step(NamedTuple):
    """One write before another, and why."""

    before: int
    after: int
    why: Why


TIE: Final = Why("")
"""The reason of an edge into a knot that has none of its own."""


@dataclass
class Order:
    """Edges between writes 0 to `count` - 1, and knots above."""

    count: int
    _after: dict[int, dict[int, Why]] = field(default_factory=dict)
    _knots: int = 0

    def knot(self) -> int:
        """A new knot."""
        self._knots += 1
        return self.count + self._knots - 1

    def add(self, before: int, after: int, why: Why) -> None:
        """The first reason of an edge stays with it."""
        self._after.setdefault(before, {}).setdefault(after, why)

    def copy(self) -> Order:
        """The same edges, to add others to."""
        return Order(self.count, {node: dict(after) for node, after in self._after.items()}, self._knots)

    def solve(self) -> tuple[list[int], list[list[Step]]]:
        """An order of the writes that respects every edge, and no circle; or circles, of which each is a proof."""
        total = self.count + self._knots
        waits = [0] * total
        for after in self._after.values():
            for node in after:
                waits[node] += 1
        ready = [node for node in range(total) if not waits[node]]
        for node in ready:  # which grows meanwhile
            for after_node in self._after.get(node, ()):
                waits[after_node] -= 1
                if not waits[after_node]:
                    ready.append(after_node)
        order = [node for node in ready if node < self.count]
        if len(ready) == total:
            return order, []
        return order, list(self._circles({node for node in range(total) if waits[node]}))

    def _circles(self, left: set[int]) -> Iterator[list[Step]]:
        """A shortest circle of each tangle, in the order of their writes."""
        tangles = self._tangles(sorted(left))
        for tangle in sorted(tangles, key=min)[:CIRCLES_MAX]:
            starts = sorted(node for node in tangle if node < self.count)
            path = shortest_circle(starts, lambda node, tangle=tangle: self._within(node, tangle), self.count)  # type: ignore[misc]  # bound by a default
            yield steps_of(path, lambda before, after: self._after[before][after], self.count)

    def _tangles(self, nodes: list[int]) -> list[set[int]]:
        """The strongly connected components of several nodes."""
        at = {node: place for place, node in enumerate(nodes)}
        starts, ends, targets = list[int](), list[int](), list[int]()
        for node in nodes:
            starts.append(len(targets))
            targets += [at[after] for after in self._after.get(node, ()) if after in at]
            ends.append(len(targets))
        return [{nodes[place] for place in some} for some in tarjan(starts, ends, targets) if len(some) > 1]

    def _within(self, node: int, tangle: set[int]) -> Iterator[int]:
        return (after for after in self._after.get(node, ()) if after in tangle)


def shortest_circle(starts: Sequence[int], follow: Callable[[int], Iterable[int]], count: int) -> list[int]:
    """The first of the shortest circles through one of the first starts, as its nodes; it ends as it begins.

    A step into a knot costs nothing. A start is given up as soon as its circle would be no shorter than the best.
    """
    best: list[int] = []
    length = 1 << 62
    for start in starts[:STARTS_MAX]:
        found = _circle_through(start, follow, count, length)
        if found:
            best, length = found, sum(node < count for node in found) - 1
        if length == SHORTEST:
            break
    return best


def _circle_through(start: int, follow: Callable[[int], Iterable[int]], count: int, below: int) -> list[int]:
    """A circle through `start` over fewer than so many writes, if there is one."""
    came: dict[int, int] = {}
    depth = {start: 0}
    ahead: deque[int] = deque([start])
    while ahead:
        node = ahead.popleft()
        steps = depth[node] + 1
        if steps >= below:
            break
        farthest = count if steps + 1 >= below else 0  # beyond that, only knots lead to anything near enough
        for after in follow(node):
            if after == start:
                return _path(start, node, came)
            if after >= farthest and after not in came:
                came[after] = node
                if after >= count:
                    depth[after] = steps - 1
                    ahead.appendleft(after)
                else:
                    depth[after] = steps
                    ahead.append(after)
    return []


def steps_of(path: Sequence[int], why_of: Callable[[int, int], Why], count: int) -> list[Step]:
    """The steps between the writes of a circle: the reason of one through knots is that of its last edge with one."""
    steps: list[Step] = []
    first, why = path[0], TIE
    for before, after in pairwise(path):
        edge = why_of(before, after)
        why = edge if edge is not TIE else why
        if after < count:
            steps.append(Step(first, after, why))
            first, why = after, TIE
    return steps


def _path(start: int, node: int, came: dict[int, int]) -> list[int]:
    """From `start` to `node` as the search came, and back to `start`."""
    back = [start, node]
    while back[-1] != start:
        back.append(came[back[-1]])
    return back[::-1]


class Ties:
    """A growing list of writes of which any stretch can be tied to one knot or few."""

    def __init__(self, order: Order) -> None:
        self.items: list[int] = []
        self._order = order
        self._blocks: dict[tuple[int, int], int] = {}

    def stretch(self, start: int, stop: int) -> Iterator[int]:
        """Writes and knots that stand for items[start:stop]."""
        while start < stop:
            size = (start & -start).bit_length() - 1 if start else (stop - start).bit_length() - 1
            while start + (1 << size) > stop:
                size -= 1
            yield self._block(size, start >> size)
            start += 1 << size

    def _block(self, size: int, number: int) -> int:
        if not size:
            return self.items[number]
        found = self._blocks.get((size, number))
        if found is None:
            found = self._blocks[size, number] = self._order.knot()
            for half in (2 * number, 2 * number + 1):
                self._order.add(self._block(size - 1, half), found, TIE)
        return found
