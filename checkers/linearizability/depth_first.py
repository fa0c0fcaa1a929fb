"""Depth-first search for a legal order: quick to say yes.

After Wing and Gong (1993), with Lowe's memory of what was tried (2017). A step may come next if it was invoked before
the earliest response among the definite steps that are not placed yet (the limit). What keeps it short:

- an observer that is right now is placed at once: it can never change anything, so that can never be wrong;
- of open steps of one action, only the one with the earliest response is tried;
- steps that perhaps never happened come last, in one fixed order, and only if they change the state;
- what led nowhere is remembered as (limit, which open steps are placed, state, how many doubtful ones are used), which
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
from typing import Final

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


Entry = tuple[int, int, int, int, bool]
"""(response, bit in the mask, action, step, whether it is an observer)."""
Option = tuple[int, int, int, int]
"""(step, state, mask, used) after a step that may come next."""


class _Window:
    """The definite steps that are open at a limit; it moves to the next limit, and back.

    Attributes:
        ends: of each limit, the entry of the step that ends there. entries: all, by invocation.
        arrived: of each limit, how many entries were invoked before the limit ahead of it; and of the end.
        observers: action → bits of its open steps. movers: the open others, by response.
    """

    def __init__(self, steps: Steps) -> None:
        response, action, observes = steps.response, steps.action, steps.observes
        definite = [step for step, end in enumerate(response) if end != NEVER]
        by_end = sorted(range(len(definite)), key=[response[step] for step in definite].__getitem__)
        self.limits = [response[definite[place]] for place in by_end]
        self.entries: list[Entry] = []
        self.arrived = [0]
        free: list[int] = []
        self.width, place, invoke = 0, 0, steps.invoke
        for limit, ending in zip(self.limits, by_end, strict=True):
            while place < len(definite) and invoke[definite[place]] < limit:
                if not free:
                    free.append(1 << self.width)
                    self.width += 1
                step = definite[place]
                self.entries.append((response[step], free.pop(), action[step], step, observes[action[step]]))
                place += 1
            self.arrived.append(place)
            free.append(self.entries[ending][1])
        self.ends = [self.entries[place] for place in by_end]
        self.observers: dict[int, int] = {}
        self.movers: list[Entry] = []
        self.number = 0
        for entry in self.entries[: self.arrived[1] if self.limits else 0]:
            self._open(entry)

    def _open(self, entry: Entry) -> None:
        if entry[4]:
            self.observers[entry[2]] = self.observers.get(entry[2], 0) | entry[1]
        else:
            insort(self.movers, entry)

    def back_to(self, number: int) -> None:
        """Go back to an earlier limit."""
        entries, arrived, observers = self.entries, self.arrived, self.observers
        while self.number > number:
            for entry in entries[arrived[self.number] : arrived[self.number + 1]]:
                if entry[4]:
                    _drop(observers, entry)
                else:
                    self.movers.remove(entry)
            self.number -= 1
            self._open(self.ends[self.number])

    def pass_placed(self, row: Row, mask: int) -> int:
        """Move on past all limits whose step is placed, placing observers that arrive and are right; the mask then."""
        ends, entries, arrived = self.ends, self.entries, self.arrived
        observers, movers, number, last = self.observers, self.movers, self.number, len(self.ends)
        while True:
            entry = ends[number]
            bit = entry[1]
            if not mask & bit:
                break
            mask ^= bit
            if entry[4]:
                _drop(observers, entry)
            else:
                del movers[0]  # nothing open responds earlier
            number += 1
            if number == last:
                break
            for entry in entries[arrived[number] : arrived[number + 1]]:
                if entry[4]:
                    action, bit = entry[2], entry[1]
                    observers[action] = observers.get(action, 0) | bit
                    if row[action] != NOWHERE:
                        mask |= bit
                else:
                    insort(movers, entry)
        self.number = number
        return mask


def _drop(observers: dict[int, int], entry: Entry) -> None:
    rest = observers[entry[2]] ^ entry[1]
    if rest:
        observers[entry[2]] = rest
    else:
        del observers[entry[2]]


@dataclass(slots=True)
class _Choice:
    """A configuration that was left by one of its options, and those that were not tried yet."""

    length: int
    number: int
    options: list[Option]
    state: int
    mask: int
    used: int
    doubted: bool


class _Search:
    """One search. `mask` has the placed steps among those open at the window's limit."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.window = _Window(steps)
        self.doubtful = Doubtful(steps)
        self.placed: list[tuple[int, int]] = []
        self.furthest = 0
        self.dead: set[int] = set()
        self.uses = {0: 0}
        self.choices: list[_Choice] = []

    def run(self) -> Generator[int, None, bool | None]:
        """True: an order was found. False: there is none. None: gave up."""
        window, placed, rows, limits = self.window, self.placed, self.steps.rows, self.window.limits
        placements, end, certain = 0, len(limits), not self.doubtful.actions
        state, mask, used = self.steps.initial, 0, 0
        while window.number < end:
            row = rows[state]
            for action, bits in window.observers.items():
                if row[action] != NOWHERE:
                    mask |= bits
            mask = window.pass_placed(row, mask)
            if window.number == end:
                return True
            options = self._options(row, mask, used)
            if len(options) > 1 or not certain:
                number = window.number
                if number <= self.furthest and self._key(number, state, mask, used) in self.dead:
                    options = []
                else:
                    self.choices.append(_Choice(len(placed), number, options, state, mask, used, certain))
            if not options:
                options = self._retreat()
                if not options:
                    return False
            step, state, mask, used = options.pop()
            placed.append((step, limits[window.number]))
            placements += 1
            if placements % PAUSE == 0:
                if len(self.dead) > MEMORY:
                    return None
                yield limits[max(self.furthest, window.number)]
        return True

    def _options(self, row: Row, mask: int, used: int) -> list[Option]:
        """The definite steps that may come next, the one that responds first last."""
        found: list[Option] = []
        tried: list[int] = []
        for entry in self.window.movers:
            bit, action = entry[1], entry[2]
            if not mask & bit and action not in tried:
                tried.append(action)
                after = row[action]
                if after != NOWHERE:
                    found.append((entry[3], after, mask | bit, used))
        if len(found) > 1:
            found.reverse()
        return found

    def _retreat(self) -> list[Option]:
        """Go back to the last configuration that has something left to try; what that is, or nothing anywhere."""
        window = self.window
        self.furthest = max(self.furthest, window.number)
        while self.choices:
            choice = self.choices[-1]
            if not choice.options and not choice.doubted:
                choice.doubted = True
                limit, row = window.limits[choice.number], self.steps.rows[choice.state]
                doubtful = self.doubtful.next_steps(choice.state, row, choice.used, limit, self.steps.invoke)
                choice.options += [(step, after, choice.mask, used) for step, after, used in reversed(doubtful)]
            if choice.options:
                del self.placed[choice.length :]
                window.back_to(choice.number)
                return choice.options
            self.choices.pop()
            self.dead.add(self._key(choice.number, choice.state, choice.mask, choice.used))
        return []

    def _key(self, number: int, state: int, mask: int, used: int) -> int:
        """A configuration in one number."""
        use = self.uses.setdefault(used, len(self.uses))
        return ((use << 32 | number) << 32 | state) << self.window.width | mask


def depth_first(steps: Steps) -> Generator[int, None, list[int] | Dead | None]:
    """See the module docstring."""
    search = _Search(steps)
    found = yield from search.run()
    if found:
        return order_of(steps, search.placed)
    return None if found is None else Dead(search.window.ends[search.furthest][3])
