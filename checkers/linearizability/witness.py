"""Makes the smallest proof that a register is not linearizable, once it is known at which response it fails.

A proof is a window and a few steps that certainly happened in it. Everything else is given away to the system: reads
are not looked at, writes may have happened or not, and before the window the state may be whatever the real-time order
allows. If there is no legal order even so, there is none. More given away can only make an order possible, so

- the window is made as short as possible by moving its start back from the failing response until the proof holds;
- then steps are let go as long as it holds; one pass leaves a set of which none can be left out.

Limits: a proof is sought with at most EFFORT configurations per attempt and ATTEMPTS attempts; what is left after that
is a proof all the same, perhaps not the smallest (`Refutation.exact`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.frontier import Window, frontier
from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import NOT, READ, Register
from checkers.linearizability.stale import Stale, possible_states

EFFORT: Final = 10
"""Pauses of the frontier in one attempt; each is 2,000 configurations."""
ATTEMPTS: Final = 400
WIDEST: Final = 4_000
"""Steps in the widest window that is tried."""


def stale_witness(register: Register, stale: Stale) -> Refutation:
    """The proof for what the real-time order refutes: the step, and the write that came between."""
    step = stale.step
    if stale.overwrite is None:
        written = register.expected[step] in register.produced
        return Refutation(
            "search" if written else "unwritten-value", (step,), step, register, states=(register.initial,)
        )
    since = register.invoke[stale.overwrite]
    steps = (stale.overwrite, step)
    until = register.response[step]
    return Refutation("search", steps, step, register, since, until, possible_states(register, since))


def smallest_witness(register: Register, step: int, spent: Callable[[], bool]) -> Refutation:
    """The proof that no legal order gets past the response of a step."""
    search = _Witness(register, step, spent)
    since = search.latest_start()
    must = search.fewest(since, search.must(since))
    later = min(register.invoke[kept] for kept in must)
    if later > since and search.holds(later, must):
        since = later
    steps = tuple(sorted(must))
    culprit = max(steps, key=register.response.__getitem__)
    states = possible_states(register, since)
    return Refutation("search", steps, culprit, register, since, search.until, states, not search.tired())


class _Witness:
    def __init__(self, register: Register, step: int, spent: Callable[[], bool]) -> None:
        self.register, self.step, self.spent = register, step, spent
        self.until = register.response[step]
        self.attempts = 0

    def tired(self) -> bool:
        return self.attempts >= ATTEMPTS or self.spent()

    def must(self, since: int) -> list[int]:
        """The steps that certainly happened between two events."""
        register = self.register
        return [
            step
            for step, start in enumerate(register.invoke)
            if start >= since and register.response[step] <= self.until
        ]

    def holds(self, since: int, must: list[int]) -> bool:
        """Whether these steps alone have no legal order, whatever else happened."""
        self.attempts += 1
        register, until, certain = self.register, self.until, frozenset(must)
        steps = [
            step
            for step, kind in enumerate(register.kind)
            if (step in certain if kind in (READ, NOT) else register.invoke[step] < until)
            and register.response[step] >= since
        ]
        if len(steps) > WIDEST:
            return False
        attempt = frontier(register, Window(possible_states(register, since), steps, certain, until))
        try:
            for _ in range(EFFORT):
                next(attempt)
        except StopIteration as stop:
            return isinstance(stop.value, Dead)
        return False

    def latest_start(self) -> int:
        """Where the shortest window starts in which the proof holds; 0 if none was found."""
        distance = self.until - self.register.invoke[self.step]
        fails = self.until
        while not self.tired():
            since = max(0, self.until - distance)
            if self.holds(since, self.must(since)):
                return self._between(since, fails)
            if since == 0:
                break
            fails, distance = since, distance * 2
        return 0

    def _between(self, holds: int, fails: int) -> int:
        """The latest start between one where the proof holds and one where it fails."""
        while fails - holds > 1 and not self.tired():
            middle = (holds + fails) // 2
            if self.holds(middle, self.must(middle)):
                holds = middle
            else:
                fails = middle
        return holds

    def fewest(self, since: int, must: list[int]) -> list[int]:
        """Let go of steps, in halves, quarters and so on, as long as the proof holds."""
        size = len(must) // 2
        while size and not self.tired():
            place = 0
            while place < len(must) and not self.tired():
                fewer = must[:place] + must[place + size :]
                if fewer and self.holds(since, fewer):
                    must = fewer
                else:
                    place += size
            size //= 2
        return must
