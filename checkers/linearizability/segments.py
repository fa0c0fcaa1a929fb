"""Cuts a history where nothing is open and nothing is in doubt, and searches one piece after the other (R6).

All that a piece has to do with those before it is the state in which it begins. So it is searched by itself, from the
state in which some order of the piece before has ended. When it has no order from there, the piece before is asked for
all other states that it can end in, which the frontier tells; mostly there is none, and the question goes to the piece
before that. What was tried is remembered as (piece, state).

    |  p0 push 1  p1 push 2  |  p0 pop → 2  p1 pop → 1  |       begins with nothing, ends with [1,2] or [2,1]

A search of the whole goes back through every configuration of all pieces instead, and keeps them in memory.

    blocks = blocks_of(steps)
    search = Segments(steps, blocks, attack)
    search.run()                                 a generator as those of `search`; `attack` searches one piece

Limits: a piece has BLOCK steps or more. What follows the first step in doubt is one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Final

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.frontier import exits, order_along
from checkers.linearizability.steps import Path, Steps, end_of
from harness.history.operations import NEVER

BLOCK: Final = 100
WAYS: Final = 4

Result = list[int] | Dead | None
Turns = Generator[int, None, Result]
Block = tuple[int, int]
"""The first step of a piece, and the first that is not in it any more."""


def blocks_of(steps: Steps) -> list[Block]:
    """The pieces, in order."""
    begins, latest = [0], -1
    for step, (invoke, response) in enumerate(zip(steps.invoke, steps.response, strict=True)):
        if latest < invoke and step - begins[-1] >= BLOCK:
            begins.append(step)
        if response == NEVER:
            break
        latest = max(latest, response)
    return list(zip(begins, [*begins[1:], len(steps)], strict=True))


@dataclass
class _Piece:
    """A piece as it was begun: how it was ordered last, and how else it may end."""

    state: int
    order: list[int]
    end: int
    others: Iterator[tuple[int, Path]] | None = None


class Segments:
    """One search, piece after piece.

    Attributes:
        wide: whether some piece had more than WAYS states that it can end in. A search of the whole may then be
            quicker, as it shares between them what they have in common.
    """

    def __init__(self, steps: Steps, blocks: list[Block], attack: Callable[[Steps], Turns]) -> None:
        self.steps, self.blocks, self.attack = steps, blocks, attack
        self.wide = False
        self._done: list[_Piece] = []
        self._dead: set[tuple[int, int]] = set()

    def run(self) -> Turns:
        """See the module docstring; None where a piece was too much."""
        steps, done, dead, furthest = self.steps, self._done, self._dead, -1
        state = steps.initial
        while len(done) < len(self.blocks):
            begin, _ = self.blocks[len(done)]
            part = self._part(len(done), state)
            found = yield from self.attack(part)
            yield steps.invoke[begin]
            if found is None:
                return None
            if isinstance(found, Dead):
                furthest = max(furthest, begin + found.step, key=lambda step: -1 if step < 0 else steps.response[step])
                dead.add((len(done), state))
            else:
                done.append(_Piece(state, found, end_of(part, found)))
            if not (yield from self._go_back()):
                return None
            if not done and (0, steps.initial) in dead:
                return Dead(furthest)
            state = done[-1].end if done else steps.initial
        return [begin + step for (begin, _), piece in zip(self.blocks, done, strict=True) for step in piece.order]

    def _go_back(self) -> Generator[int, None, bool]:
        """As long as nothing leads on from where the last piece ended, let it end otherwise; False where it gave up."""
        done, dead = self._done, self._dead
        while done and (len(done), done[-1].end) in dead:
            last = done.pop()
            part = self._part(len(done), last.state)
            if last.others is None:
                ways = yield from exits(part)
                if ways is None:
                    return False
                self.wide |= len(ways) > WAYS
                last.others = iter(ways)
            other = next((way for way in last.others if (len(done) + 1, way[0]) not in dead), None)
            if other is None:
                dead.add((len(done), last.state))
            else:
                last.end, last.order = other[0], order_along(part, other[1])
                done.append(last)
        return True

    def _part(self, number: int, state: int) -> Steps:
        """A piece, begun in some state."""
        steps, (begin, end) = self.steps, self.blocks[number]
        return replace(
            steps,
            action=steps.action[begin:end],
            invoke=steps.invoke[begin:end],
            response=steps.response[begin:end],
            initial=state,
        )
