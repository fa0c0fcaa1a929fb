"""Depth-first search for a legal order: quick to say yes.

After Wing and Gong (1993), with Lowe's memory of what was tried (2017). A step may come next if it was invoked before
the earliest response among the definite steps that are not placed yet (the limit). What keeps it short:

- an observer that is right now is placed at once: it can never change anything, so that can never be wrong;
- of open steps of one action, only the one with the earliest response is tried;
- steps that perhaps never happened come last, in one fixed order, and only if they change the state;
- what was tried is remembered as (limit, which open steps are placed, state, how many doubtful ones are used), which
  says as much as the set of all placed steps and stays small; and only where there was a choice.

    search = depth_first(steps)      a generator that pauses after every PAUSE placements, and
                                     tells the event until which there is an order
    result = its return value        list[int], a legal order; Dead: none gets past this response; None: gave up

Limits: at most MEMORY remembered configurations, then it gives up.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.linearizability.steps import NOWHERE, Row, Steps, order_of
from harness.history.operations import NEVER

PAUSE: Final = 2_000
MEMORY: Final = 2_000_000


@dataclass(frozen=True)
class Dead:
    """There is no legal order, already at the response of `step`."""

    step: int


class Doubtful:
    """Steps that perhaps never happened, by action, each action's ordered by invocation.

    How many of each action are used is one number, with WIDTH bits for each action.
    """

    WIDTH: Final = 24

    def __init__(self, steps: Steps) -> None:
        found: dict[int, list[int]] = {}
        for step, end in enumerate(steps.response):
            if end == NEVER:
                found.setdefault(steps.action[step], []).append(step)
        self.actions = [(number * self.WIDTH, *item) for number, item in enumerate(found.items())]

    def next_steps(
        self, state: int, row: Row, used: int, limit: int, invoke: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """(step, state after it, used after it) of every action that has a step invoked before the limit."""
        found = []
        for shift, action, steps in self.actions:
            after = row[action]
            if after not in (NOWHERE, state):
                count = used >> shift & ((1 << self.WIDTH) - 1)
                if count < len(steps) and invoke[steps[count]] < limit:
                    found.append((steps[count], after, used + (1 << shift)))
        return found


class _Window:
    """The definite steps that are open at a limit; it moves to the next limit, and back."""

    def __init__(self, steps: Steps) -> None:
        response, invoke = steps.response, steps.invoke
        self.definite = [step for step, end in enumerate(response) if end != NEVER]
        self.ending = sorted(self.definite, key=response.__getitem__)
        self.limits = [response[step] for step in self.ending]
        self.number = 0
        self.arrived = [0]
        """Of each limit: how many definite steps were invoked before it; the last entry is for the one to come."""
        self.observers: dict[int, int] = {}  # action → bits of its open steps
        self.movers: list[tuple[int, int, int, int]] = []  # (response, bit, action, step), by response
        self.bit = [0] * len(response)
        self._action, self._observes = steps.action, steps.observes
        self._invoke, self._response = invoke, response
        self._free: list[int] = []
        self.width = 0
        if self.ending:
            self._arrive()

    def _arrive(self) -> list[tuple[int, int]]:
        """Open what was invoked before the limit; (action, bit) of the observers among it."""
        number, definite = self.number, self.definite
        if number + 1 == len(self.arrived):
            self._look_ahead(number)
        new = []
        for place in range(self.arrived[number], self.arrived[number + 1]):
            step = definite[place]
            bit, action = self.bit[step], self._action[step]
            if self._observes[action]:
                self.observers[action] = self.observers.get(action, 0) | bit
                new.append((action, bit))
            else:
                insort(self.movers, (self._response[step], bit, action, step))
        return new

    def _look_ahead(self, number: int) -> None:
        """Give bits to what arrives at a limit that is seen for the first time."""
        limit, place, definite = self.limits[number], self.arrived[-1], self.definite
        while place < len(definite) and self._invoke[definite[place]] < limit:
            if not self._free:
                self._free.append(1 << self.width)
                self.width += 1
            self.bit[definite[place]] = self._free.pop()
            place += 1
        self.arrived.append(place)
        self._free.append(self.bit[self.ending[number]])  # free for those that arrive at the next limit

    def forward(self) -> list[tuple[int, int]]:
        """Go to the next limit; (action, bit) of the observers that are new there."""
        self._close(self.ending[self.number])
        self.number += 1
        return self._arrive() if self.number < len(self.ending) else []

    def back_to(self, number: int) -> None:
        """Go back to an earlier limit."""
        while self.number > number:
            if self.number < len(self.ending):
                for place in range(self.arrived[self.number], self.arrived[self.number + 1]):
                    self._close(self.definite[place])
            self.number -= 1
            step = self.ending[self.number]
            bit, action = self.bit[step], self._action[step]
            if self._observes[action]:
                self.observers[action] = self.observers.get(action, 0) | bit
            else:
                insort(self.movers, (self._response[step], bit, action, step))

    def _close(self, step: int) -> None:
        bit, action = self.bit[step], self._action[step]
        if not self._observes[action]:
            self.movers.remove((self._response[step], bit, action, step))
        elif self.observers[action] == bit:
            del self.observers[action]
        else:
            self.observers[action] ^= bit


class _Search:
    """One search. `mask` has the placed steps among those open at the window's limit."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.window = _Window(steps)
        self.doubtful = Doubtful(steps)
        self.placed: list[tuple[int, int]] = []
        self.state, self.mask, self.used, self.furthest = steps.initial, 0, 0, 0
        self.seen: set[Any] = set()
        self.choices: list[tuple[int, int, list[tuple[int, int, int, int]]]] = []

    def run(self) -> Generator[int, None, bool | None]:
        """True: an order was found. False: there is none. None: gave up."""
        placements, end = 0, len(self.window.ending)
        while True:
            self._advance()
            if self.window.number == end:
                return True
            options = self._options()
            if len(options) > 1 and not self._is_new():
                options = []
            if len(options) > 1:
                self.choices.append((len(self.placed), self.window.number, options))
            elif not options:
                self.furthest = max(self.furthest, self.window.number)
                while self.choices and not self.choices[-1][2]:
                    self.choices.pop()
                if not self.choices:
                    return False
                length, number, options = self.choices[-1]
                del self.placed[length:]
                self.window.back_to(number)
            step, self.state, self.mask, self.used = options.pop()
            self.placed.append((step, self.window.limits[self.window.number]))
            placements += 1
            if placements % PAUSE == 0:
                if len(self.seen) > MEMORY:
                    return None
                yield self.window.limits[max(self.furthest, self.window.number)]

    def _advance(self) -> None:
        """Place every observer that is right now, and move the limit past what is placed."""
        window, mask = self.window, self.mask
        row = self.steps.rows[self.state]
        for action, bits in window.observers.items():
            if row[action] != NOWHERE:
                mask |= bits
        ending, bit_of, end = window.ending, window.bit, len(window.ending)
        while window.number < end:
            bit = bit_of[ending[window.number]]
            if not mask & bit:
                break
            mask ^= bit
            for action, bit in window.forward():
                if row[action] != NOWHERE:
                    mask |= bit
        self.mask = mask

    def _options(self) -> list[tuple[int, int, int, int]]:
        """(step, state, mask, used) of what may come next, the most promising last."""
        window, mask, used = self.window, self.mask, self.used
        row = self.steps.rows[self.state]
        found: list[tuple[int, int, int, int]] = []
        tried: list[int] = []
        for _, bit, action, step in window.movers:
            if not mask & bit and action not in tried:
                after = row[action]
                if after != NOWHERE:
                    found.append((step, after, mask | bit, used))
                tried.append(action)
        if self.doubtful.actions:
            limit = window.limits[window.number]
            for step, after, more in self.doubtful.next_steps(self.state, row, used, limit, self.steps.invoke):
                found.append((step, after, mask, more))
        found.reverse()
        return found

    def _is_new(self) -> bool:
        """Whether this configuration was not tried before; it is remembered."""
        key: Any = (self.window.number << 64 | self.state) << 256 | self.mask
        if self.used or self.state >> 64 or self.mask >> 256:
            key = (self.window.number, self.state, self.mask, self.used)
        size = len(self.seen)
        self.seen.add(key)
        return len(self.seen) > size


def depth_first(steps: Steps) -> Generator[int, None, list[int] | Dead | None]:
    """See the module docstring."""
    search = _Search(steps)
    found = yield from search.run()
    if found:
        return order_of(steps, search.placed)
    return None if found is None else Dead(search.window.ending[search.furthest])
