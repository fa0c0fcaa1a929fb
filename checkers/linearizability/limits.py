"""What a depth-first search looks at: the definite steps that are open at each response, and the steps in doubt.

    at = Limits(steps)
    at.add()                  works out the next limits; a search goes back to earlier ones as often as it likes
    at.movers[0]              those open when the first response comes

Steps that need not have happened are in `Doubtful`: how many of each kind are used is one number.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import accumulate
from operator import or_
from typing import Final

from checkers.linearizability.steps import Steps
from harness.history.operations import NEVER

REMEMBERED: Final = 100_000
AT_ONCE: Final = 64
"""So many limits are worked out together."""

Option = tuple[int, int, int]
"""(step, state after it, used after it)."""
Lead = tuple[int, int, list[int], int]
"""A kind of doubtful steps, from some state: (shift of its count, action, steps, state after it)."""


class Doubtful:
    """Steps that perhaps never happened, by action, each action's ordered by invocation.

    How many of each action are used is one number, with WIDTH bits for each action; the highest of them stays clear, to
    compare all counts in one subtraction.
    """

    WIDTH: Final = 24
    ONES: Final = (1 << WIDTH) - 1

    def __init__(self, steps: Steps) -> None:
        found: dict[int, list[int]] = {}
        for step, end in enumerate(steps.response):
            if end == NEVER:
                found.setdefault(steps.action[step], []).append(step)
        self.actions = [
            (number * self.WIDTH, action, members) for number, (action, members) in enumerate(found.items())
        ]
        self.guards = sum(1 << (shift + self.WIDTH - 1) for shift, _, _ in self.actions)
        self.moments = [[steps.invoke[step] for step in members] for members in found.values()]
        self.invoke = steps.invoke
        self.told: dict[int, tuple[list[int], list[int]]] = {}

    def next_steps(self, leads: Sequence[Lead], used: int, limit: int) -> list[Option]:
        """Of the kinds that are asked for, the next step of each, if it was invoked before the limit."""
        found = []
        for shift, _, steps, after in leads:
            count = used >> shift & self.ONES
            if count < len(steps) and self.invoke[steps[count]] < limit:
                found.append((steps[count], after, used + (1 << shift)))
        return found

    def available(self, used: int, limit: int) -> int:
        """The actions, one bit for each, of which a step is left that was invoked before the limit."""
        told = self.told.get(used)
        if told is None:
            if len(self.told) > REMEMBERED:
                self.told.clear()
            told = self.told[used] = self._next_of_each(used)
        return told[1][bisect_left(told[0], limit)]

    def _next_of_each(self, used: int) -> tuple[list[int], list[int]]:
        """When the next step of each action is invoked, in order; and the actions of all before each of them."""
        moments = []
        for shift, action, steps in self.actions:
            count = used >> shift & self.ONES
            if count < len(steps):
                moments.append((self.invoke[steps[count]], 1 << action))
        moments.sort()
        return [moment for moment, _ in moments], list(accumulate((bit for _, bit in moments), or_, initial=0))


Mover = tuple[int, int, int, int]
"""(response, bit in the mask, action, step) of a definite step that may change the state."""
Observers = tuple[tuple[int, int], ...]
"""(action, bits of its open steps)."""


class Limits:
    """The definite steps that are open at each limit; worked out when the search first gets there.

    Attributes:
        limits: the responses in order; bits, actions: of the step that is due at each.
        movers: those open at each limit, by response. observers: the others. arriving: those of them that are new.
        width: bits in a mask.
    """

    def __init__(self, steps: Steps) -> None:
        response, self.action, self.observes = steps.response, steps.action, steps.observes
        self.response = response
        self.definite = [step for step, end in enumerate(response) if end != NEVER]
        self.due = sorted(self.definite, key=response.__getitem__)
        self.limits = [response[step] for step in self.due]
        self.actions = [self.action[step] for step in self.due]
        self.bits: list[int] = []
        self.arrived: list[int] = []
        self.bit: dict[int, int] = {}
        self._slots(steps.invoke)
        self.movers: list[list[Mover]] = []
        self.observers: list[Observers] = []
        self.arriving: list[Observers] = []
        self.open: dict[int, int] = {}

    def _slots(self, invoke: Sequence[int]) -> None:
        """Give each step a bit that no other has while it is open."""
        free: list[int] = []
        bit, definite, place, self.width = self.bit, self.definite, 0, 0
        for limit, step in zip(self.limits, self.due, strict=True):
            while place < len(definite) and invoke[definite[place]] < limit:
                if not free:
                    free.append(1 << self.width)
                    self.width += 1
                bit[definite[place]] = free.pop()
                place += 1
            self.arrived.append(place)
            self.bits.append(bit[step])
            free.append(bit[step])

    def add(self) -> None:
        """Work out the next limits."""
        observes, action, bit, response, opened = self.observes, self.action, self.bit, self.response, self.open
        number = len(self.movers)
        movers, observers = (self.movers[-1], self.observers[-1]) if number else ([], ())
        place = self.arrived[number - 1] if number else 0
        for number in range(number, min(number + AT_ONCE, len(self.limits))):  # noqa: B020  # its range is made first
            changed = False
            if number:
                kind = self.actions[number - 1]
                if observes[kind]:
                    changed = True
                    opened[kind] ^= self.bits[number - 1]
                    if not opened[kind]:
                        del opened[kind]
                else:
                    movers = movers[1:]  # nothing open responds earlier
            arriving = []
            for step in self.definite[place : self.arrived[number]]:
                kind = action[step]
                if observes[kind]:
                    opened[kind] = opened.get(kind, 0) | bit[step]
                    arriving.append((kind, bit[step]))
                else:
                    movers = movers.copy()
                    insort(movers, (response[step], bit[step], kind, step))
            place = self.arrived[number]
            if changed or arriving:
                observers = tuple(opened.items())
            self.movers.append(movers)
            self.arriving.append(tuple(arriving))
            self.observers.append(observers)
