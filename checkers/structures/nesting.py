"""An order of pushes and pops that grows from the outside in: the last part of `stack`.

Every value gets a moment for its push and one for its pop. A value that comes later lies between two moments that are
there already, or between the same moment of two of them, and never across one; so whatever is put between two
neighbours stays properly nested. A moment is found by its predecessor in a set of bits of two levels.

    >>> order = Nesting(10, [])
    >>> order.put(0, 1, 9, 9); order.put(1, 3, 5, 4)
    >>> order.sequence()
    [(0, 1), (2, 3), (3, 5), (1, 9)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BITS: Final = 10
_WORD: Final = 1 << _BITS


class Nesting:
    """Moments are 0 up to `length`; `fixed` are moments, ascending, at which the stack is empty.

    What is in the sequence: 2 v for the push of value v, 2 v + 1 for its pop, -1 - i for the fixed moment number i.
    """

    def __init__(self, length: int, fixed: Sequence[int]) -> None:
        self._words = [0] * ((length >> _BITS) + 1)
        self._summary = 0
        self._last: dict[int, int] = {}
        self._names, self._moments, self._next = [0], [-1], [-1]
        self._end = length
        after = 0
        for number, moment in enumerate(fixed):
            after = self._insert(after, -1 - number, moment)
            self._name_last(moment, after)

    def put(self, value: int, push: int, pop: int, pop_from: int) -> None:
        """Insert a value that may be pushed and popped at these moments, its pop beginning at `pop_from`."""
        before = self._before(pop_from)
        place = self._last[before] if before >= 0 else 0
        following = self._next[place]
        limit = self._moments[following] if following >= 0 else self._end
        pop = min(max(pop, before), limit)
        push = min(max(push, before), limit, pop)
        place = self._insert(place, 2 * value, push)
        if push == before or push not in self._last:
            self._name_last(push, place)
        inside, place = place, self._insert(place, 2 * value + 1, pop)
        if pop == before or self._last.get(pop, inside) == inside:
            self._name_last(pop, place)

    def sequence(self) -> list[tuple[int, int]]:
        """Everything in order, with its moment."""
        found, place = [], self._next[0]
        while place >= 0:
            found.append((self._names[place], self._moments[place]))
            place = self._next[place]
        return found

    def _insert(self, after: int, name: int, moment: int) -> int:
        place = len(self._names)
        self._names.append(name)
        self._moments.append(moment)
        self._next.append(self._next[after])
        self._next[after] = place
        return place

    def _name_last(self, moment: int, place: int) -> None:
        """What comes to this moment later stands behind this; not so where it only touches the moment from before."""
        self._last[moment] = place
        self._set(moment)

    def _set(self, moment: int) -> None:
        word = moment >> _BITS
        self._words[word] |= 1 << (moment & (_WORD - 1))
        self._summary |= 1 << word

    def _before(self, moment: int) -> int:
        """The greatest moment in use below this one, or -1."""
        if moment <= 0:
            return -1
        moment -= 1
        word = moment >> _BITS
        low = self._words[word] & ((2 << (moment & (_WORD - 1))) - 1)
        if not low:
            lower = self._summary & ((1 << word) - 1)
            if not lower:
                return -1
            word = lower.bit_length() - 1
            low = self._words[word]
        return (word << _BITS) + low.bit_length() - 1
