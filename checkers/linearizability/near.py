"""How actions lead to where another can be taken, for objects of few states: sets of states are bits of a number.

    near = Near(rows, states, actions)
    near.find(state, actions, due)      whether they lead there, and those that can be taken now, shortest way first

The same as `depth_first` finds for any object, and many times as quick: a search asks for it at most of its steps. What
a set of actions does to all states is one number, a square of bits; that of a set is looked up PART actions at a time.
"""

from __future__ import annotations

from typing import Final

from checkers.linearizability.steps import NOWHERE, Rows

FEW: Final = 64
"""So many states at most."""
PART: Final = 8
"""How many actions are looked up at once: 2 ** PART numbers at most are kept for each such part."""

Ways = tuple[bool, tuple[int, ...]]
"""(whether there is a way, actions as bits: those of the shortest way first, those that are none last)."""


class Near:
    """What leads where; states and actions are the numbers below `states` and `actions`."""

    def __init__(self, rows: Rows, states: int, actions: int) -> None:
        self.states = states
        self._open = [0] * actions  # action → states in which it can be taken
        self._to: list[list[tuple[int, int]]] = []  # state → (state after it, actions that lead there)
        squares = [0] * actions  # bit `to * states + state` where the action leads from a state to another
        for state in range(states):
            found: dict[int, int] = {}
            for action in range(actions):
                to = rows[state][action]
                if to != NOWHERE:
                    self._open[action] |= 1 << state
                    squares[action] |= 1 << to * states + state
                    found[to] = found.get(to, 0) | 1 << action
            self._to.append([(1 << to, leading) for to, leading in found.items()])
        self._parts = [(first, squares[first : first + PART], {0: 0}) for first in range(0, actions, PART)]

    def find(self, state: int, actions: int, due: int) -> Ways:
        """Whether actions, as bits, lead to where one that is due can be taken, however often they are taken."""
        states, square = self.states, 0
        for first, squares, known in self._parts:
            chosen = actions >> first & (1 << PART) - 1
            if chosen not in known:
                known[chosen] = _joined(squares, chosen)
            square |= known[chosen]
        near = fresh = self._open[due]
        now = [(to, leading & actions) for to, leading in self._to[state] if leading & actions]
        ways, full = [], (1 << states) - 1
        while fresh:
            way = 0
            for to, leading in now:
                if fresh & to:
                    way |= leading
            if way:
                ways.append(way)
            further = 0
            while fresh:
                one = fresh & -fresh
                fresh ^= one
                further |= square >> (one.bit_length() - 1) * states & full
            fresh = further & ~near
            near |= fresh
        if last := sum([leading for to, leading in now if not near & to]):
            ways.append(last)
        return bool(near >> state & 1), tuple(ways)


def _joined(squares: list[int], chosen: int) -> int:
    """What the chosen ones do together."""
    square = 0
    for place, one in enumerate(squares):
        if chosen >> place & 1:
            square |= one
    return square
