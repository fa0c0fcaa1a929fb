"""Decides what no quicker rule does, for any object: two searches side by side.

An order of attack, each step sound by itself:

1. the orders that many short right histories have: by invocation, by the middle of each step, and by response;
   where counting shows a step that none gets past (`Rows.excess`), what comes before that step is searched alone;
2. depth-first search, hasty with what is in doubt: quick to say yes;
3. after a while, in turns with it, depth-first search that tries everything, and the frontier: first with few counts of
   doubtful steps per configuration (yes only), then with all that matter (yes and no). Where nothing is in doubt the
   first frontier is already exact.

What keeps them short, by the names that the modules use:

    R1  eager observers: what cannot change the state and is right now is placed at once
    R2  earliest deadline first: of open steps that do the same, only the one with the earliest response
    R3  doubt last: steps that perhaps never happened come after the others, in one order, if they change the state
    R4  dominance: a configuration that used fewer of the doubtful steps makes those that used more superfluous
    R5  parts: every object is judged by itself, before any search (`checker`)
    R6  cuts: where nothing is open, only the possible states matter; objects of a model are searched piece by piece
        between them (`segments`), and proofs of violations begin there (`frontier.Cuts`)

Queues and stacks come with the order of what was put in at a time left open (`lines`), other objects with states that
their observers cannot tell apart as one (`Model.tells`).

Not here: to forget all of the real-time order but a few bounds, which can only refute (Bouajjani and others, POPL
2015). Where collections are counted that is cheap; to a search, what is not ordered is open together. Thirty operations
of a priority queue by eight clients take it 5 ms as they are, and mostly more than a second with the last three bounds.

Both searches are exponential in the number of operations open at a time, at worst; deciding this is NP-complete
(Gibbons and Korach, 1997). The budget bounds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from checkers.linearizability.depth_first import PAUSE, Dead, depth_first
from checkers.linearizability.frontier import frontier
from checkers.linearizability.segments import Result, Segments, Turns, blocks_of
from checkers.linearizability.steps import NOWHERE, Steps, TooManyStatesError, Undecided, end_of, settled, until
from harness.history.operations import NEVER

WHOLE: Final = 4
"""Of so many turns, all but one are for the search of the whole, where there is one beside that of its pieces."""


def search(steps: Steps, spent: Callable[[], bool]) -> list[int] | Dead | Undecided:
    """A legal order, the response that none gets past, or how far there is one when time or memory did not suffice."""
    try:
        order = canonical(steps)
    except TooManyStatesError:
        return Undecided(0)
    if order is not None:
        return settled(steps, order)
    excess = steps.rows.excess(steps)
    if excess is not None:
        found = search(until(steps, steps.response[excess]), spent)
        return Dead(excess) if isinstance(found, list) else found
    turns, furthest = _in_pieces(steps), 0
    while not spent():
        try:
            furthest = max(furthest, next(turns))
        except StopIteration as stop:
            result: Result = stop.value
            if isinstance(result, list):
                return settled(steps, result)
            return Undecided(furthest) if result is None else result
    return Undecided(furthest)


def _in_pieces(steps: Steps) -> Turns:
    """Piece by piece, where an object has pieces; in turns with the whole, where pieces can end in many ways."""
    blocks = blocks_of(steps) if steps.moves is None else []
    pieces = Segments(steps, blocks, _piece) if len(blocks) > 1 else None
    lanes = [_attack(steps) if pieces is None else pieces.run()]
    turn = 0
    while lanes:
        if pieces is not None and pieces.wide:
            lanes.append(_attack(steps))
            pieces = None
        lane = lanes[-1] if turn % WHOLE else lanes[0]
        turn += 1
        told = _go_on(lane, lanes)
        if isinstance(told, int):
            yield told
        elif told is not None:
            return told
        if not lanes and pieces is not None:
            lanes.append(_attack(steps))
            pieces = None
    return None


def _piece(steps: Steps) -> Turns:
    order = canonical(steps)
    return order if order is not None else (yield from _attack(steps))


def canonical(steps: Steps) -> list[int] | None:
    """The definite steps by invocation, by middle, or by response, if that is legal; each agrees with real time."""
    invoke, response = steps.invoke, steps.response
    by_invocation = [step for step, end in enumerate(response) if end != NEVER]
    if _legal(steps, by_invocation):
        return by_invocation
    for order in (
        sorted(by_invocation, key=lambda step: invoke[step] + response[step]),
        sorted(by_invocation, key=response.__getitem__),
    ):
        if _legal(steps, order):
            return order
    return None


def _legal(steps: Steps, order: list[int]) -> bool:
    return end_of(steps, order) != NOWHERE


def _go_on(lane: Turns, lanes: list[Turns]) -> int | Result:
    """How far a lane is after its turn, or what it found; one that gave up is taken away, and says nothing."""
    try:
        return next(lane)
    except StopIteration as stop:
        found: Result = stop.value
    except TooManyStatesError:
        found = None
    if found is None:
        lanes.remove(lane)
    return found


def _attack(steps: Steps) -> Turns:
    """Depth first; then, when that takes long, every second turn is for the others, until one of them knows."""
    head_start = (100_000 + 60 * len(steps)) // PAUSE
    lanes: list[Turns] = [depth_first(steps, hasty=True), _frontiers(steps)]
    if NEVER in steps.response:
        lanes.insert(1, depth_first(steps))
    turn = 0
    while lanes:
        others = lanes[1:] if turn >= head_start and turn % 2 else []
        lane = others[turn // 2 % len(others)] if others else lanes[0]
        turn += 1
        told = _go_on(lane, lanes)
        if isinstance(told, int):
            yield told
        elif told is not None:
            return told
    return None


def _frontiers(steps: Steps) -> Turns:
    """The frontier with few counts, with more, with all."""
    beams = (1, 2, 4, 0) if NEVER in steps.response else (0,)
    for beam in beams:
        result = yield from frontier(steps, beam=beam)
        if result is not None:
            return result
    return None
