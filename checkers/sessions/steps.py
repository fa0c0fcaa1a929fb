"""Operations as sequential consistency looks at them: what each needs to find, and what it leaves.

    read → 5              finds 5
    write 5               leaves 5
    cas [5, 6]            finds 5, leaves 6
    cas, failed, told 7   finds 7, where the history says that failures tell what they met

An operation in doubt is left out unless somebody saw what only it can have left. Other names are not registers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.tokens import Token, token_of
from harness.history import History
from harness.history.operations import FAIL, INFO, NEVER, OK

NOTHING: Final = ("nothing",)
"""Stands for "it does not matter" and for "it leaves things as they are"; no value has this token."""


@dataclass(frozen=True, slots=True)
class Move:
    """One operation: `finds` and `leaves` are tokens or NOTHING; `response` is NEVER in doubt."""

    row: int
    invoke: int
    response: int
    session: int
    process: int
    key: int
    finds: Token
    leaves: Token


@dataclass
class Moves:
    """All of a history, in order of invocation.

    Attributes:
        moves: what happened or may have; optional: whether each may be left out.
        writers: per key and value whatever leaves it; unique: whether that is one at most, and never the initial value.
        lanes: what each process did one after another, split where something in doubt is not over.
        told: how many operations say anything, also those in doubt that nobody saw.
        silent: refused compare-and-sets that say no more than "it was something else"; they are left out.
    """

    history: History
    initial: Token
    moves: list[Move]
    optional: list[bool]
    writers: dict[tuple[int, Token], list[int]]
    unique: bool
    lanes: list[list[int]] = field(default_factory=list)
    lane: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    lanes_of: dict[int, list[int]] = field(default_factory=dict)
    silent: int = 0
    told: int = 0

    @classmethod
    def of(cls, history: History) -> Moves:
        """Read a history."""
        initial = token_of(history.header.initial)
        every = list(_moves(history))
        some = [move for move in every if move is not None]
        writers = _writers(some)
        unique = all(len(found) == 1 and value != initial for (_, value), found in writers.items())
        seen = _seen(some, writers)
        kept = [move for place, move in enumerate(some) if not unique or move.response != NEVER or place in seen]
        optional = [move.response == NEVER and not unique for move in kept]
        moves = cls(
            history, initial, kept, optional, _writers(kept), unique, silent=len(every) - len(some), told=len(some)
        )
        moves._make_lanes()
        return moves

    def _make_lanes(self) -> None:
        open_lanes: dict[tuple[int, int], int] = {}
        for number, move in enumerate(self.moves):
            name = (move.session, move.process)
            lane = open_lanes.get(name)
            if lane is None or self.moves[self.lanes[lane][-1]].response > move.invoke:
                lane = open_lanes[name] = len(self.lanes)
                self.lanes.append([])
                self.lanes_of.setdefault(move.session, []).append(lane)
            self.lane.append(lane)
            self.place.append(len(self.lanes[lane]))
            self.lanes[lane].append(number)

    def before(self, number: int) -> Iterator[int]:
        """The last of each lane of its session that was over when a move began."""
        move = self.moves[number]
        for lane in self.lanes_of[move.session]:
            mine = self.lanes[lane]
            if lane == self.lane[number]:
                done = self.place[number]
            else:
                done = sum(self.moves[other].response < move.invoke for other in mine)
            if done:
                yield mine[done - 1]


def _moves(history: History) -> Iterator[Move | None]:
    """Every operation on a register that says something; None for one that says what this checker does not use."""
    o = history.operations
    values = list(o.values)
    columns = (o.f, o.status, o.argument, o.result, o.invoke, o.response, o.session, o.process, o.key)
    for row, (f, status, argument, result, invoke, response, session, process, key) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        told = _says(o.fs[f], status, values[argument], values[result], history.header.fail_cas)
        if told is not None:
            over = NEVER if status == INFO else o.completion[row] if status == FAIL else response
            yield Move(row, invoke, int(over), session, process, key, *told)
        elif o.fs[f] == "cas" and status == FAIL and history.header.fail_cas != "drop":
            yield None


def _says(f: str, status: int, argument: Any, result: Any, fail_cas: str) -> tuple[Token, Token] | None:
    """What an operation finds and leaves; None when it says nothing."""
    if f == "read":
        return (token_of(result), NOTHING) if status == OK else None
    if f == "write":
        return None if status == FAIL else (NOTHING, token_of(argument))
    if f != "cas" or not isinstance(argument, list) or len(argument) != 2:
        return None
    if status != FAIL:
        return token_of(argument[0]), token_of(argument[1])
    if fail_cas == "returned" and isinstance(result, list) and len(result) == 3:
        return token_of(result[2]), NOTHING
    return None


def _writers(moves: Sequence[Move]) -> dict[tuple[int, Token], list[int]]:
    found: dict[tuple[int, Token], list[int]] = {}
    for number, move in enumerate(moves):
        if move.leaves is not NOTHING:
            found.setdefault((move.key, move.leaves), []).append(number)
    return found


def _seen(moves: Sequence[Move], writers: dict[tuple[int, Token], list[int]]) -> set[int]:
    """What is in doubt and yet happened, because its value was found by what happened."""
    todo = [move for move in moves if move.response != NEVER]
    seen: set[int] = set()
    while todo:
        move = todo.pop()
        for writer in writers.get((move.key, move.finds), ()) if move.finds is not NOTHING else ():
            if moves[writer].response == NEVER and writer not in seen:
                seen.add(writer)
                todo.append(moves[writer])
    return seen
