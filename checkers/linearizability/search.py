"""Decides registers that the zones cannot: values that are written twice, refusals that do not tell the state.

An order of attack, each step sound by itself:

1. what the real-time order alone refutes (`stale`);
2. depth-first search, quick to say yes;
3. after a while, in turns with it, the frontier: first with few counts of doubtful steps per configuration (yes only),
   then with all that matter (yes and no). Where nothing is in doubt the first frontier is already exact.

Both searches are exponential in the number of operations open at a time, at worst; deciding this is NP-complete
(Gibbons and Korach, 1997). The budget bounds them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from checkers.linearizability.depth_first import Dead, depth_first
from checkers.linearizability.frontier import frontier
from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import NEVER, Register
from checkers.linearizability.stale import first_stale
from checkers.linearizability.witness import smallest_witness, stale_witness

Result = list[int] | Dead | None
Turns = Generator[None, None, Result]


def search(register: Register, spent: Callable[[], bool]) -> list[int] | Refutation | None:
    """A legal order, a small refutation, or None when the budget or the memory did not suffice."""
    stale = first_stale(register)
    if stale is not None:
        return stale_witness(register, stale)
    result = _attack(register, spent)
    if isinstance(result, Dead):
        return smallest_witness(register, result.step, spent)
    return result


def _attack(register: Register, spent: Callable[[], bool]) -> Result:
    """Depth first; then, when that takes long, both in turns until one of them knows."""
    head_start = 2 + len(register) // 200  # pauses; each is 2,000 placements
    lanes: list[Turns] = [depth_first(register), _frontiers(register)]
    turn = 0
    while lanes and not spent():
        lane = lanes[0] if turn < head_start else lanes[turn % len(lanes)]
        turn += 1
        try:
            next(lane)
        except StopIteration as stop:
            if stop.value is not None:
                result: Result = stop.value
                return result
            lanes.remove(lane)
    return None


def _frontiers(register: Register) -> Turns:
    """The frontier with few counts, with more, with all."""
    beams = (1, 4, 0) if NEVER in register.response else (0,)
    for beam in beams:
        result = yield from frontier(register, beam=beam)
        if result is not None:
            return result
    return None
