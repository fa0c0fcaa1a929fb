"""Stacks, exactly, where every value is pushed once: push, pop, pops that found nothing.

A value whose push and pop can both be at moments at which nothing is certainly inside can be the outermost of what is
left: take it away, and there are more such moments. If all values go, there is an order, built from the outside in
(`nesting`); else those that remain have none, and a few of them show it, usually two or three:

    push 1 → ok, push 2 → ok, pop → 1, pop → 2          1 was taken from under 2

Leaving out values makes nothing wrong, so those few are found by halving. O(n sqrt n), see `layers`. After Abdulla and
others (PLDI 2025) and Lee and Mathur (OOPSLA 2025).

Limits: pops in doubt are for the general engine, unless they are not needed, or the values that were popped show a
violation by themselves. See also `pool`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.objects.calls import Call, text
from checkers.structures.decision import Decision, Order, Violation
from checkers.structures.layers import Layers
from checkers.structures.nesting import Nesting
from checkers.structures.pool import Pool, empty_moments, pool_of
from harness.history.operations import NEVER

SHOWN_MAX: Final = 40
"""So many values are looked for one by one; what is needed beyond them is shown without being the fewest."""


def decide(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Judge one stack."""
    pool = None if initial else pool_of(calls, "stack", "push", "pop")
    if not isinstance(pool, Pool):
        return pool
    moments = empty_moments(pool)
    if isinstance(moments, Violation):
        return moments
    values = range(len(pool))
    brief = [value for value in values if pool.take_from[value] <= pool.put_until[value]]
    inside = pool.without(frozenset(brief)) if brief else pool
    if moments is not None:
        line = _Line.of(inside)
        removed = _removed(line)
        if len(removed) == len(inside):
            return _order(pool, brief, _nested(inside, line, removed, moments))
    kept = frozenset(inside.kept()) if pool.wildcards else frozenset()
    stuck = inside.without(kept)
    removed = _removed(_Line.of(stuck))
    if len(removed) == len(stuck):
        return None
    return _violation(stuck.without(frozenset(value for value, _, _ in removed)))


@dataclass(frozen=True)
class _Line:
    """A pool on the line of its own events: positions 0 up to `length`; values that stay are popped at `length`.

    Attributes:
        events: of the pool, ascending.
        put_from, put_until, take_from, take_until: as in the pool, as positions.
    """

    events: NDArray[np.int64]
    put_from: list[int]
    put_until: list[int]
    take_from: list[int]
    take_until: list[int]

    @classmethod
    def of(cls, pool: Pool) -> _Line:
        """Number the events."""
        columns = [
            np.array(column, dtype=np.int64)
            for column in (pool.put_from, pool.put_until, pool.take_from, pool.take_until)
        ]
        events = np.sort(np.concatenate([*columns, np.array([call.invoke for call in pool.empties], np.int64)]))
        events = events[(np.diff(events, prepend=-1) > 0) & (events < NEVER)]
        return cls(events, *(np.searchsorted(events, column).tolist() for column in columns))

    @property
    def length(self) -> int:
        """See the class."""
        return len(self.events)

    def positions(self, moments: Sequence[int]) -> list[int]:
        """Moments of the history as positions."""
        found: list[int] = np.searchsorted(self.events, np.array(moments, dtype=np.int64)).tolist()
        return found


def _removed(line: _Line) -> list[tuple[int, int, int]]:
    """(value, moment of its push, moment of its pop) from the outermost in; those that are stuck are not there."""
    spans = [
        (until + 1, begun) for until, begun in zip(line.put_until, line.take_from, strict=True) if until + 1 < begun
    ]
    layers = Layers(line.length + 1, spans)
    touching = _Touching(line)
    removed: list[tuple[int, int, int]] = []
    first: dict[int, int] = {}
    free = bytearray(line.length + 2)
    todo = layers.free().tolist()[::-1]
    for position in todo:
        free[position] = 1
    while todo:
        position = todo.pop()
        for end in touching.at(position, not free[position - 1]):
            value = end >> 1
            if value not in first:
                first[value] = position
                continue
            other = first.pop(value)
            removed.append((value, other, position) if end & 1 else (value, position, other))
            after, before = line.put_until[value] + 1, line.take_from[value]
            if after < before:
                freed = layers.lift(after, before)
                for newly in freed:
                    free[newly] = 1
                todo += freed[::-1]
    return removed


class _Touching:
    """Finds the pushes (2 v) and pops (2 v + 1) whose time contains a position; each is told once.

    By begin, and by cells as wide as they are long, so that each lies in at most two cells of one level.
    """

    def __init__(self, line: _Line) -> None:
        self._begins: dict[int, list[int]] = {}
        self._levels: dict[int, dict[int, list[int]]] = {}
        self._told = bytearray(2 * len(line.put_from))
        self._intervals = (line.put_from, line.put_until), (line.take_from, line.take_until)
        for odd, (begins, ends) in enumerate(self._intervals):
            for value, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                name = 2 * value + odd
                self._begins.setdefault(begin, []).append(name)
                level = (end - begin).bit_length()
                cells = self._levels.setdefault(level, {})
                cells.setdefault(begin >> level, []).append(name)
                if end >> level != begin >> level:
                    cells.setdefault(end >> level, []).append(name)

    def at(self, position: int, alone: bool) -> list[int]:
        """Those that contain the position; unless `alone`, the one before it was asked for, so only new ones begin."""
        told = self._told
        found = [name for name in self._begins.get(position, ()) if not told[name]]
        for name in found:
            told[name] = 1
        if alone:
            for level, cells in self._levels.items():
                names = cells.get(position >> level)
                if names:
                    found += self._in_cell(names, position)
        return found

    def _in_cell(self, names: list[int], position: int) -> list[int]:
        found, left = [], []
        for name in names:
            begins, ends = self._intervals[name & 1]
            if self._told[name]:
                continue
            if begins[name >> 1] <= position <= ends[name >> 1]:
                self._told[name] = 1
                found.append(name)
            else:
                left.append(name)
        names[:] = left
        return found


def _order(pool: Pool, brief: Sequence[int], nested: list[tuple[int, int]]) -> Order:
    """All calls, in order, with the values that may come and go at one moment."""
    found = nested
    for value in brief:
        moment, take = pool.take_from[value], pool.takes[value]
        found.append((moment, pool.puts[value].invoke))
        if take is not None:
            found.append((moment, take.invoke))
    found.sort(key=itemgetter(0))
    return [invoke for _, invoke in found]


def _nested(
    pool: Pool, line: _Line, removed: Sequence[tuple[int, int, int]], moments: Sequence[tuple[int, Call]]
) -> list[tuple[int, int]]:
    """(moment, call) of values, nested, the stack being empty at the moments of those that found nothing."""
    nesting = Nesting(line.length + 1, line.positions([moment for moment, _ in moments]))
    for value, push, pop in removed:
        nesting.put(value, push, pop, line.take_from[value])
    found, events = [], [*line.events.tolist(), NEVER]
    for name, position in nesting.sequence():
        call = moments[-1 - name][1] if name < 0 else (pool.takes if name & 1 else pool.puts)[name >> 1]
        if call is not None:
            found.append((events[position], call.invoke))
    return found


# ── a violation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _violation(stuck: Pool) -> Violation:
    """Of values that have no order together, few that have none."""

    def wrong(values: Sequence[int]) -> bool:
        return len(_removed(_Line.of(stuck.only(values)))) < len(values)

    values = sorted(_fewest(range(len(stuck)), wrong))
    takes = [take for value in values if (take := stuck.takes[value]) is not None]
    culprit = max(takes, key=lambda call: call.response)
    return stuck.broken("lifo-violation", values, culprit, _sentence(stuck, values))


def _fewest(values: Sequence[int], wrong: Callable[[Sequence[int]], bool]) -> list[int]:
    """A smallest wrong part of what is wrong; more of it is never right."""
    needed: list[int] = []
    left = list(values)
    while not (needed and wrong(needed)):
        if len(needed) == SHOWN_MAX:
            return needed + left
        size = 1
        while size < len(left) and not wrong([*needed, *left[:size]]):
            size *= 2
        low, high = size // 2, min(size, len(left))  # low is right, high is wrong
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if wrong([*needed, *left[:middle]]) else (middle, high)
        needed.append(left[high - 1])
        left = left[: high - 1][::-1]
    return needed


def _sentence(pool: Pool, values: Sequence[int]) -> str:
    names = [text(pool.puts[value].argument) for value in values]
    if len(values) == 2:
        for low, high in (values, values[::-1]):
            take = pool.takes[low]
            put_on = pool.put_until[low] < pool.put_from[high]
            if (
                take is not None
                and put_on
                and pool.put_until[high] < take.invoke < take.response < pool.take_from[high]
            ):
                lower, higher = names[values.index(low)], names[values.index(high)]
                return f"Process {take.process} took {lower} out of the stack while {higher} lay on it."
    said = ", ".join(names[:-1][:5]) + (f", {len(names) - 6} more" if len(names) > 6 else "")
    return f"No order of what was done with {said} and {names[-1]} is last in, first out."
