"""How actions lead to where another can be taken, for objects of few states: sets of states are bits of a number.

    near = Near(rows, states)
    near.find(state, actions, due)      whether they lead there, and those that can be taken now, shortest way first

The same as `depth_first` finds for any object, and several times as quick: a search asks for it at most of its steps.
"""

from __future__ import annotations

from typing import Final

from checkers.linearizability.steps import NOWHERE, Rows

FEW: Final = 64
"""So many states at most."""

Ways = tuple[bool, tuple[int, ...]]
"""(whether there is a way, actions as bits: those of the shortest way first, those that are none last)."""


class Near:
    """What leads where, looked up once for each action; states are the numbers below `states`."""

    def __init__(self, rows: Rows, states: int) -> None:
        self.rows, self.states = rows, states
        self._into: dict[int, list[tuple[int, int]]] = {}
        self._open: dict[int, int] = {}

    def find(self, state: int, actions: int, due: int) -> Ways:
        """Whether actions, as bits, lead to where one that is due can be taken, however often they are taken."""
        row, sources, now = self.rows[state], [0] * self.states, list[tuple[int, int]]()
        while actions:
            bit = actions & -actions
            actions ^= bit
            action = bit.bit_length() - 1
            for to, states in self._into.get(action) or self._told(action):
                sources[to] |= states
            if (to := row[action]) != NOWHERE:
                now.append((1 << to, bit))
        near = fresh = self._where(due)
        ways = []
        while fresh:
            ways.append(sum([bit for to, bit in now if near & to]))
            now = [entry for entry in now if not near & entry[0]]
            further = 0
            while fresh:
                one = fresh & -fresh
                fresh ^= one
                further |= sources[one.bit_length() - 1]
            fresh = further & ~near
            near |= fresh
        ways.append(sum([bit for _, bit in now]))
        return bool(near >> state & 1), tuple(filter(None, ways))

    def _told(self, action: int) -> list[tuple[int, int]]:
        """Where an action leads, and from which states."""
        found: dict[int, int] = {}
        for state in range(self.states):
            to = self.rows[state][action]
            if to != NOWHERE:
                found[to] = found.get(to, 0) | 1 << state
        told = self._into[action] = list(found.items())
        return told

    def _where(self, due: int) -> int:
        """The states in which an action can be taken."""
        if due not in self._open:
            self._open[due] = sum(1 << state for state in range(self.states) if self.rows[state][due] != NOWHERE)
        return self._open[due]
