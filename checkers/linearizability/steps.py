"""What the searches see of an object: numbered steps, and what each kind of step does to each state.

The searches know nothing of registers or queues. An object hands them `Steps`: when each step was asked for and
answered, and which action it is; and `rows`, which tell where an action leads from a state. Steps of one action do the
same, so one of them can stand for another.

    after = steps.rows[state][action]      the state after it; NOWHERE when it cannot be taken in this state

States and actions are small numbers. Rows are filled in as the search gets there, so an object may have endless states.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.history.operations import NEVER

NOWHERE: Final = -1
"""Where an action leads that cannot be taken."""
ALTERED: Final = object()
"""A state that stands for others, or for several."""
ENTRIES_KEPT: Final = 1_000_000
"""Transitions that are remembered; more are worked out each time."""


@dataclass(frozen=True)
class Undecided:
    """Neither an order nor a refutation was found; what happened before event `until` has an order."""

    until: int


class TooManyStatesError(Exception):
    """The states that came up in a search outgrew its memory."""


Path = Any
"""(path before, step, event at which it was placed), or None."""


class Rows(dict[int, "Row"], ABC):
    """State → its row."""

    kept = 0
    lazy = False
    """Whether states leave the order within a stretch open, see `lines`."""

    @abstractmethod
    def leads(self, state: int, action: int) -> int:
        """The state after an action, or NOWHERE."""

    def state(self, number: int) -> Any:
        """The state with a number, as the object knows it, or ALTERED."""
        return number

    def closed(self, state: int) -> int:
        """The same state in the next stretch."""
        return state

    def needed(self, actions: Sequence[int], given: Sequence[int], must: Iterable[int]) -> list[int]:
        """Of steps that need not have happened, those that can matter to what those do that must have."""
        return list(given)

    def excess(self, steps: Steps) -> int | None:
        """A step whose response no order gets past, where counting shows that."""
        return None

    def arranged(self, order: Sequence[int], action: Sequence[int], stretches: Sequence[int]) -> list[int]:
        """An order that is right, from one that is right but for the order within stretches."""
        return list(order)

    def __missing__(self, state: int) -> Row:
        row = Row(self, state)
        if self.kept < ENTRIES_KEPT:
            self[state] = row
            self.kept += 1
        return row


class Row(dict[int, int]):
    """Action → the state after it, from one state."""

    __slots__ = ("rows", "state")

    def __init__(self, rows: Rows, state: int) -> None:
        super().__init__()
        self.rows, self.state = rows, state

    def __missing__(self, action: int) -> int:
        after = self.rows.leads(self.state, action)
        if self.rows.kept < ENTRIES_KEPT:
            self[action] = after
            self.rows.kept += 1
        return after


@dataclass(frozen=True)
class Steps:
    """Steps on one object, ordered by invocation.

    Attributes:
        action: what each step does; invoke, response: indices of events, NEVER for what may never have happened.
        observes: of each action, whether it can never change a state.
        initial: state before the first step.
        rows: where each action leads.
        moves: of each action, the only state in which it can be taken (-1: any) and the one that it leaves behind; -1
            for that of an observer that excludes a state. None where it is not so simple.
    """

    action: Sequence[int]
    invoke: Sequence[int]
    response: Sequence[int]
    observes: Sequence[bool]
    initial: int
    rows: Rows
    moves: Sequence[tuple[int, int]] | None = None

    def __len__(self) -> int:
        return len(self.action)

    def stretch(self, moment: int) -> int:
        """The number of the stretch that a limit belongs to: nothing was invoked between two limits of one stretch."""
        return bisect_left(self.invoke, moment)

    def alike(self) -> Sequence[int]:
        """Of each action, one that can be taken in the same states."""
        if self.moves is None:
            return range(len(self.observes))
        first: dict[int, int] = {}
        needs = [needed for needed, _ in self.moves]
        return [action if need < 0 else first.setdefault(need, action) for action, need in enumerate(needs)]


def order_of(steps: Steps, placed: Sequence[tuple[int, int]]) -> list[int]:
    """A whole order: movers as (step, event before which it was placed), and each observer where it is right.

    An observer goes into the first state, of those that were there while it was open, in which it can be taken.
    """
    action, invoke, rows = steps.action, steps.invoke, steps.rows
    states, begins = [steps.initial], [-1]
    for step, moment in placed:
        state = states[-1]
        if rows.lazy and steps.stretch(moment) != steps.stretch(begins[-1]):
            state = rows.closed(state)
        states.append(rows[state][action[step]])
        begins.append(moment)
    ends = [*begins[1:], NEVER]
    beside: list[list[tuple[int, int]]] = [[] for _ in states]
    for step, kind in enumerate(action):
        if steps.observes[kind] and steps.response[step] != NEVER:
            number = bisect_right(ends, invoke[step])
            while rows[states[number]][kind] == NOWHERE:
                number += 1
            beside[number].append((max(invoke[step] + 1, begins[number]), step))
    order: list[int] = []
    for number, observers in enumerate(beside):
        if number:
            order.append(placed[number - 1][0])
        observers.sort()
        order += [step for _, step in observers]
    return order


def until(steps: Steps, moment: int) -> Steps:
    """What was invoked before an event; what had no response by then need not have happened."""
    end = bisect_left(steps.invoke, moment)
    response = [response if response < moment else NEVER for response in steps.response[:end]]
    return replace(steps, action=steps.action[:end], invoke=steps.invoke[:end], response=response)


def stretches_of(steps: Steps, order: Sequence[int]) -> list[int]:
    """The stretch of each place in an order: of the first response among the steps that are not placed by then."""
    found, limit = [], NEVER
    for step in reversed(order):
        limit = min(limit, steps.response[step])
        found.append(steps.stretch(limit))
    return found[::-1]


def end_of(steps: Steps, order: Sequence[int]) -> int:
    """The state after an order of steps; NOWHERE if they are not legal in it."""
    state, rows, action = steps.initial, steps.rows, steps.action
    if not rows.lazy:
        for step in order:
            state = rows[state][action[step]]
            if state == NOWHERE:
                break
        return state
    last = -1
    for step, stretch in zip(order, stretches_of(steps, order), strict=True):
        if stretch != last:
            state, last = rows.closed(state), stretch
        state = rows[state][action[step]]
        if state == NOWHERE:
            return state
    return rows.closed(state)


def settled(steps: Steps, order: Sequence[int]) -> list[int]:
    """A legal order, from what a search has found."""
    if not steps.rows.lazy:
        return list(order)
    return steps.rows.arranged(order, steps.action, stretches_of(steps, order))
