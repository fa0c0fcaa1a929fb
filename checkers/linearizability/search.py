"""Decides what no quicker rule does, for any object: two searches side by side.

An order of attack, each step sound by itself:

1. the orders that most right histories have: by invocation, and by response;
2. depth-first search, hasty with what is in doubt: quick to say yes;
3. after a while, in turns with it, depth-first search that tries everything, and the frontier: first with few counts of
   doubtful steps per configuration (yes only), then with all that matter (yes and no). Where nothing is in doubt the
   first frontier is already exact.

Both searches are exponential in the number of operations open at a time, at worst; deciding this is NP-complete
(Gibbons and Korach, 1997). The budget bounds them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from checkers.linearizability.depth_first import PAUSE, Dead, depth_first
from checkers.linearizability.frontier import frontier
from checkers.linearizability.steps import NOWHERE, Steps, TooManyStatesError
from harness.history.operations import NEVER

Result = list[int] | Dead | None
Turns = Generator[int, None, Result]


@dataclass(frozen=True)
class Undecided:
    """Neither an order nor a refutation was found; what happened before event `until` has an order."""

    until: int


def search(steps: Steps, spent: Callable[[], bool]) -> list[int] | Dead | Undecided:
    """A legal order, the response that none gets past, or how far there is one when time or memory did not suffice."""
    try:
        order = canonical(steps)
    except TooManyStatesError:
        return Undecided(0)
    return _attack(steps, spent) if order is None else order


def canonical(steps: Steps) -> list[int] | None:
    """The definite steps by invocation, or by response, if that is a legal order; both agree with real time."""
    by_invocation = [step for step, end in enumerate(steps.response) if end != NEVER]
    for order in (by_invocation, sorted(by_invocation, key=steps.response.__getitem__)):
        state = steps.initial
        for step in order:
            state = steps.rows[state][steps.action[step]]
            if state == NOWHERE:
                break
        else:
            return order
    return None


def _attack(steps: Steps, spent: Callable[[], bool]) -> list[int] | Dead | Undecided:
    """Depth first; then, when that takes long, every second turn is for the others, until one of them knows."""
    head_start = (100_000 + 60 * len(steps)) // PAUSE
    lanes: list[Turns] = [depth_first(steps, hasty=True), _frontiers(steps)]
    if NEVER in steps.response:
        lanes.insert(1, depth_first(steps))
    turn = until = 0
    while lanes and not spent():
        others = lanes[1:] if turn >= head_start and turn % 2 else []
        lane = others[turn // 2 % len(others)] if others else lanes[0]
        turn += 1
        try:
            until = max(until, next(lane))
        except TooManyStatesError:
            lanes.remove(lane)
        except StopIteration as stop:
            if stop.value is not None:
                result: list[int] | Dead = stop.value
                return result
            lanes.remove(lane)
    return Undecided(until)


def _frontiers(steps: Steps) -> Turns:
    """The frontier with few counts, with more, with all."""
    beams = (1, 2, 4, 0) if NEVER in steps.response else (0,)
    for beam in beams:
        result = yield from frontier(steps, beam=beam)
        if result is not None:
            return result
    return None
