"""Re-checks the rule "search": between two events, some operations have no order, whatever else happened.

Only the listed operations are taken to have happened. Every other write or change of the key is given away: it may
have happened while it was open, or not; first even any number of times, which is quick and usually enough, then at most
once. Before the window the state may have been any value whose last write was not certainly replaced by then. So no
listed operation can be shown impossible that was not.

It keeps every state, with what is done of the open listed operations, from event to event.

Limits: at most CONFIGURATIONS of them, then it does not confirm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.verifiers.events import Fact, Facts

CONFIGURATIONS: Final = 300_000

Configuration = tuple[bytes, frozenset[int]]
"""(state, starts of the open operations that are done)."""


def no_order(facts: Facts, ops: Sequence[Fact], since: int, until: int) -> str:
    """ "" when the operations have no order between the events `since` and `until`; else what is in the way."""
    if any(fact.start < since or fact.end > until for fact in ops):
        return "an operation that it lists does not lie in the window."
    for once in (False, True):
        outcome = _survives(facts, ops, since, until, once)
        if outcome is False:
            return ""
    return "the operations have an order." if outcome else f"more than {CONFIGURATIONS} configurations to look at."


def states_before(facts: Facts, moment: int) -> set[bytes]:
    """Every state that the key may be in just before an event."""
    newest = facts.newest_writes(moment)
    since = min(fact.start for fact in newest) if len(newest) == 2 else -1
    candidates = [(fact.writes, fact.end) for fact in facts.writes(since - 1, moment)]
    states = set()
    for value, end in [(facts.initial, -1), *candidates]:
        replaced = next((fact for fact in newest if fact.writes != value), None)
        if value is not None and (replaced is None or end >= replaced.start):
            states.add(value)
    return states


@dataclass
class _Open:
    """What is open at a moment: the listed operations, and what is given away.

    Given away any number of times, operations that do the same are one.
    """

    listed: dict[int, Fact] = field(default_factory=dict)
    given: dict[Any, list[Fact]] = field(default_factory=dict)

    def begin(self, fact: Fact, listed: bool, once: bool) -> None:
        """An operation was invoked."""
        if listed:
            self.listed[fact.start] = fact
        else:
            self.given.setdefault(self._doing(fact, once), []).append(fact)

    def end(self, fact: Fact, listed: bool, once: bool) -> None:
        """An operation was answered."""
        if listed:
            del self.listed[fact.start]
            return
        same = self.given[self._doing(fact, once)]
        same.remove(fact)
        if not same:
            del self.given[self._doing(fact, once)]

    def candidates(self) -> Iterator[Fact]:
        """What may be done next."""
        yield from self.listed.values()
        yield from (same[0] for same in self.given.values())

    def _doing(self, fact: Fact, once: bool) -> Any:
        return fact.start if once else (fact.sees, fact.refuses, fact.writes)


def _survives(facts: Facts, ops: Sequence[Fact], since: int, until: int, once: bool) -> bool | None:
    """Whether any configuration gets to the end of the window; None when there are too many."""
    listed = {fact.start for fact in ops}
    relevant = [*ops, *(fact for fact in facts.writes(since, until) if fact.start not in listed)]
    events = [(fact.start, fact) for fact in relevant] + [(fact.end, fact) for fact in relevant if fact.end <= until]
    configurations: set[Configuration] = {(state, frozenset()) for state in states_before(facts, since)}
    now = _Open()
    for moment, fact in sorted(events, key=lambda event: event[0]):
        if moment == fact.start:
            now.begin(fact, fact.start in listed, once)
            continue
        reached = _closure(configurations, list(now.candidates()), listed, once)
        if reached is None:
            return None
        if fact.start in listed:
            reached = {item for item in reached if fact.start in item[1]}
        configurations = {(state, done - {fact.start}) for state, done in reached}
        now.end(fact, fact.start in listed, once)
        if not configurations:
            return False
    return True


def _closure(
    configurations: set[Configuration], open_now: Sequence[Fact], listed: set[int], once: bool
) -> set[Configuration] | None:
    """What can be reached by doing open operations; None when that is too much."""
    reached, todo = set(configurations), list(configurations)
    while todo:
        state, done = todo.pop()
        for fact in open_now:
            start = fact.start
            if start in done or not fact.allowed(state):
                continue
            then = (state if fact.writes is None else fact.writes, done | {start} if once or start in listed else done)
            if then not in reached:
                reached.add(then)
                todo.append(then)
        if len(reached) > CONFIGURATIONS:
            return None
    return reached
