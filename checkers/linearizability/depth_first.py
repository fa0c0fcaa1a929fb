"""Depth-first search for a legal order: quick to say yes.

After Wing and Gong (1993), with Lowe's memory of what was tried (2017). A step may come next if it was invoked before
the earliest response among the definite steps that are not placed yet (the limit). What keeps it short:

- a READ or NOT that is right now is placed at once: it changes nothing, so that can never be wrong;
- of open steps that do the same, only the one with the earliest response is tried;
- steps that perhaps never happened come last, in one fixed order, and only if they change the state;
- what was tried is remembered as (limit, which open steps are placed, state, how many doubtful ones are used), which
  says as much as the set of all placed steps and stays small.

    search = depth_first(register)      a generator that pauses after every PAUSE placements
    result = its return value           list[int], a legal order; Dead: none gets past this response; None: gave up

Limits: at most MEMORY remembered configurations, then it gives up.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from checkers.linearizability.register import NEVER, NO_VALUE, NOT, READ, Register, after

PAUSE: Final = 2_000
MEMORY: Final = 2_000_000


@dataclass(frozen=True)
class Dead:
    """There is no legal order, already at the response of `step`."""

    step: int


class Doubtful:
    """Steps that perhaps never happened, in classes of equal effect, each class ordered by invocation.

    How many of each class are used is one number, with WIDTH bits for each class.
    """

    WIDTH: Final = 24

    def __init__(self, register: Register) -> None:
        classes: dict[tuple[int, int, int], list[int]] = {}
        for step, end in enumerate(register.response):
            if end == NEVER:
                effect = (register.kind[step], register.expected[step], register.produced[step])
                classes.setdefault(effect, []).append(step)
        self.classes = [(number * self.WIDTH, *effect, steps) for number, (effect, steps) in enumerate(classes.items())]

    def next_steps(self, state: int, used: int, limit: int, invoke: list[int]) -> list[tuple[int, int, int]]:
        """(step, state after it, used after it) of every class that has a step invoked before the limit."""
        found = []
        for shift, kind, expected, produced, steps in self.classes:
            count = used >> shift & ((1 << self.WIDTH) - 1)
            if count < len(steps) and produced != state and invoke[steps[count]] < limit:
                state_after = after(state, kind, expected, produced)
                if state_after != NO_VALUE:
                    found.append((steps[count], state_after, used + (1 << shift)))
        return found


class _Windows:
    """For every limit, in order, the definite steps open at it, by response; made as the search gets there."""

    def __init__(self, register: Register) -> None:
        response = register.response
        self.register = register
        definite = [step for step, end in enumerate(response) if end != NEVER]
        self.ending = sorted(definite, key=response.__getitem__)
        self.slot = [0] * len(response)  # places in a bit mask, reused once a step has ended
        self.observers: list[tuple[int, ...]] = []
        self.mutators: list[tuple[int, ...]] = []
        self._arriving = iter(definite)
        self._waiting = next(self._arriving, None)
        self._free: list[int] = []
        self._slots = 0
        self._observing: list[tuple[int, int]] = []
        self._mutating: list[tuple[int, int]] = []

    def reach(self, number: int) -> None:
        """Make the windows up to the limit of this number."""
        while len(self.observers) <= number:
            self._close(len(self.observers))

    def _close(self, number: int) -> None:
        register = self.register
        if number:
            ended = self.ending[number - 1]
            side = self._observing if register.kind[ended] in (READ, NOT) else self._mutating
            side.remove((register.response[ended], ended))
            self._free.append(self.slot[ended])
        limit = register.response[self.ending[number]]
        while self._waiting is not None and register.invoke[self._waiting] < limit:
            self._open(self._waiting)
            self._waiting = next(self._arriving, None)
        self.observers.append(tuple(step for _, step in self._observing))
        self.mutators.append(tuple(step for _, step in self._mutating))

    def _open(self, step: int) -> None:
        if not self._free:
            self._free.append(self._slots)
            self._slots += 1
        self.slot[step] = self._free.pop()
        side = self._observing if self.register.kind[step] in (READ, NOT) else self._mutating
        insort(side, (self.register.response[step], step))


class _Search:
    """One search. `number` is the limit's number, `mask` the placed steps among those open at it."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.windows = _Windows(register)
        self.doubtful = Doubtful(register)
        self.order: list[int] = []
        self.state, self.number, self.mask, self.used = register.initial, 0, 0, 0

    def advance(self) -> None:
        """Place every observer that is right now, and move the limit past what is placed."""
        windows, kind, expected, slot = self.windows, self.register.kind, self.register.expected, self.windows.slot
        state, number, mask = self.state, self.number, self.mask
        looked = -1
        while number < len(windows.ending):
            if looked != number:
                windows.reach(number)
                for step in windows.observers[number]:
                    right = (expected[step] == state) == (kind[step] == READ)
                    if right and not mask >> slot[step] & 1:
                        mask |= 1 << slot[step]
                        self.order.append(step)
                looked = number
            bit = 1 << slot[windows.ending[number]]
            if not mask & bit:
                break
            mask ^= bit
            number += 1
        self.number, self.mask = number, mask

    def candidates(self) -> list[tuple[int, int, int, int]]:
        """(step, state, mask, used) of what may come next, the most promising last."""
        register, slot, state, mask = self.register, self.windows.slot, self.state, self.mask
        limit = register.response[self.windows.ending[self.number]]
        found, tried = [], set()
        for step in self.windows.mutators[self.number]:
            if mask >> slot[step] & 1:
                continue
            effect = (register.expected[step], register.produced[step])
            state_after = after(state, register.kind[step], *effect)
            if state_after != NO_VALUE and effect not in tried:
                tried.add(effect)
                found.append((step, state_after, mask | 1 << slot[step], self.used))
        for step, state_after, used in self.doubtful.next_steps(state, self.used, limit, register.invoke):
            found.append((step, state_after, mask, used))
        found.reverse()
        return found


def depth_first(register: Register) -> Generator[None, None, list[int] | Dead | None]:
    """See the module docstring."""
    search = _Search(register)
    limits = search.windows.ending
    search.advance()
    seen: set[tuple[int, int, int, int]] = set()
    furthest, placements = search.number, 0
    stack = [(len(search.order), search.number, search.candidates())] if search.number < len(limits) else []
    while stack and search.number < len(limits):
        length, number, options = stack[-1]
        del search.order[length:]
        if not options:
            stack.pop()
            continue
        step, search.state, search.mask, search.used = options.pop()
        search.number = number
        search.order.append(step)
        search.advance()
        furthest = max(furthest, search.number)
        configuration = (search.number, search.mask, search.state, search.used)
        if search.number < len(limits) and configuration not in seen:
            seen.add(configuration)
            stack.append((len(search.order), search.number, search.candidates()))
        placements += 1
        if placements % PAUSE == 0:
            if len(seen) > MEMORY:
                return None
            yield
    return search.order if search.number == len(limits) else Dead(limits[furthest])
