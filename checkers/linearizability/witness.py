"""Makes a small proof that an object is not linearizable, once it is known at which response it fails.

A proof is a window and a few steps that certainly happened in it. Everything else is given away to the system:
observers are not looked at, other steps may have happened or not, and before the window the state may be whatever it
can have been. If there is no legal order even so, there is none. More given away can only make an order possible, so

- the window is made as short as possible by moving its start back from the failing response until the proof holds;
- then steps are let go as long as it holds; one pass leaves a set of which none can be left out.

Some proofs are long by nature: that a mutex is held is seen only by counting from the start. Then what is shown is what
was open together with the failing step, and `Proof.states` are the only states that were possible before that.

What a window can start from differs: see `Beginning`.

Limits: at most EFFORT pauses of the frontier per attempt, ATTEMPTS attempts, and windows of WIDEST steps. What is left
after that is a proof all the same, perhaps not the smallest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.frontier import Window, frontier, states_reached
from checkers.linearizability.steps import Steps
from harness.history.operations import NEVER

EFFORT: Final = 10
ATTEMPTS: Final = 2_000
WIDEST: Final = 4_000
SHOWN: Final = 12
"""Longer proofs are shown from where the failing step begins."""

Beginning = Callable[[int], tuple[int, tuple[int, ...]]]
"""Event → where a window that should start there starts (there or earlier), and the states possible at that moment.

There may be more of them than there are, but never fewer."""


@dataclass(frozen=True)
class Proof:
    """These steps have no legal order between two events, whatever else happened.

    Attributes:
        steps: that certainly happened; culprit: what gives it away.
        since: nothing before this event is looked at but the states it may have left; until: no way out any more.
        states: those possible at the start of what is shown.
        shown: which of the steps to show, where the proof is long; () for all.
    """

    steps: tuple[int, ...]
    culprit: int
    since: int
    until: int
    states: tuple[int, ...]
    shown: tuple[int, ...] = ()


def smallest_proof(steps: Steps, step: int, spent: Callable[[], bool], beginning: Beginning) -> Proof:
    """The proof that no legal order gets past the response of a step."""
    search = _Witness(steps, step, spent, beginning)
    since = search.latest_start()
    must = search.fewest(since, [], search.must(since))
    later = min(steps.invoke[kept] for kept in must)
    if later > since and search.holds(later, must):
        since = later
    if len(must) > SHOWN:
        return search.from_the_failing_step()
    since, states = beginning(since)
    return Proof(tuple(must), must[-1], since, search.until, states)


class _Witness:
    def __init__(self, steps: Steps, step: int, spent: Callable[[], bool], beginning: Beginning) -> None:
        self.steps, self.step, self.spent, self.beginning = steps, step, spent, beginning
        self.until = steps.response[step]
        self.attempts = 0
        self.end = bisect_left(steps.invoke, self.until)
        self.doubtful = [number for number in range(self.end) if steps.response[number] == NEVER]
        definite_ends = (end if end != NEVER else -1 for end in steps.response[: self.end])
        self.latest_end = list(accumulate(definite_ends, max))
        self.scope_since, self.scope, self.states = -1, list[int](), tuple[int, ...]()

    def must(self, since: int) -> list[int]:
        """The steps that certainly happened between two events, by response."""
        response = self.steps.response
        first = bisect_left(self.steps.invoke, since)
        return sorted((n for n in range(first, self.end) if response[n] <= self.until), key=response.__getitem__)

    def _look_from(self, since: int) -> None:
        """Find the steps that may matter from an event on, and the states possible before it."""
        if since == self.scope_since:
            return
        self.scope_since = since
        start, self.states = self.beginning(since)
        response = self.steps.response
        first = bisect_left(self.steps.invoke, start)
        open_before = []
        number = first - 1
        while number >= 0 and self.latest_end[number] >= start:
            if start <= response[number] < NEVER:
                open_before.append(number)
            number -= 1
        doubtful = self.doubtful[: bisect_left(self.doubtful, first)]
        self.scope = [*doubtful, *reversed(open_before), *range(first, self.end)]

    def holds(self, since: int, must: Sequence[int]) -> bool:
        """Whether these steps alone have no legal order, whatever else happened."""
        self._look_from(since)
        if len(self.scope) > WIDEST:
            return False
        self.attempts += 1
        action, observes, certain = self.steps.action, self.steps.observes, frozenset(must)
        given = [number for number in self.scope if number not in certain and not observes[action[number]]]
        steps = sorted([*must, *self.steps.rows.needed(action, given, must)])
        attempt = frontier(self.steps, Window(self.states, steps, certain, self.until))
        try:
            for _ in range(EFFORT):
                next(attempt)
        except StopIteration as stop:
            return isinstance(stop.value, Dead)
        return False

    def latest_start(self) -> int:
        """Where a short window starts in which the proof holds; 0 if none was found."""
        distance, fails = self.until - self.steps.invoke[self.step], self.until
        while distance < self.until and not self._tired():
            since = self.until - distance
            if self.holds(since, self.must(since)):
                return self._between(since, fails)
            fails, distance = since, distance * 2
        return 0

    def _between(self, holds: int, fails: int) -> int:
        """A later start than one where the proof holds, towards one where it fails."""
        close = max(1, (fails - holds) // 16)
        while fails - holds > close and not self._tired():
            middle = (holds + fails) // 2
            if self.holds(middle, self.must(middle)):
                holds = middle
            else:
                fails = middle
        return holds

    def fewest(self, since: int, fixed: list[int], must: list[int]) -> list[int]:
        """Let go of steps, in halves, quarters and so on, as long as the proof holds; the fixed ones stay."""
        size = len(must) // 2
        while size and not self._tired():
            place = 0
            while place < len(must) and not self._tired():
                fewer = must[:place] + must[place + size :]
                if fewer and self.holds(since, fixed + fewer):
                    must = fewer
                else:
                    place += size
            size //= 2
        return must

    def from_the_failing_step(self) -> Proof:
        """A long proof, of which only what was open together with the failing step is shown."""
        steps, step = self.steps, self.step
        began = steps.invoke[step]
        everything = self.must(0)
        before = [number for number in everything if steps.response[number] < began]
        beside = self.fewest(0, before, [number for number in everything if steps.response[number] > began])
        shown = tuple(sorted({*beside, step}))
        proof = tuple(sorted({*before, *shown}))
        return Proof(proof, step, 0, self.until, self._states_before(steps.invoke[shown[0]]), shown)

    def _states_before(self, moment: int) -> tuple[int, ...]:
        """All that is possible just before an event, by everything that happened until then."""
        certain = frozenset(number for number in range(self.end) if self.steps.response[number] < moment)
        return states_reached(self.steps, Window((self.steps.initial,), range(self.end), certain, moment - 1))

    def _tired(self) -> bool:
        return self.attempts >= ATTEMPTS or self.spent()
