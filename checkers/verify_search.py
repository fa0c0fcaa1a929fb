"""Re-checks the rule "search": between two events, some operations have no order, whatever else happened.

Only the listed operations are taken to have happened. Every other write or change of the key is given away: it may
have happened while it was open, or not; first even any number of times, which is quick and usually enough, then at most
once. Before the window the state may have been any value whose last write was not certainly replaced by then. So no
listed operation can be shown impossible that was not.

It keeps every state, with what is done of the open listed operations, from event to event.

Limits: at most CONFIGURATIONS of them, then it does not confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from checkers.verify_events import Fact, Facts

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
    begun = [fact for fact in facts.by_index.values() if fact.writes is not None and fact.start < moment]
    over = sorted((fact for fact in begun if fact.end < moment), key=lambda fact: fact.start)
    newest = over[-1] if over else None
    of_another = next((fact for fact in reversed(over) if newest and fact.writes != newest.writes), None)
    states = set()
    for value, end in [(facts.initial, -1), *((fact.writes, fact.end) for fact in begun)]:
        replaced = newest if newest is not None and newest.writes != value else of_another
        if value is not None and (replaced is None or end >= replaced.start):
            states.add(value)
    return states


def _survives(facts: Facts, ops: Sequence[Fact], since: int, until: int, once: bool) -> bool | None:
    """Whether any configuration gets to the end of the window; None when there are too many."""
    listed = {fact.start for fact in ops}
    relevant = [
        fact
        for fact in facts.by_index.values()
        if fact.start in listed or (fact.writes is not None and fact.start < until and fact.end > since)
    ]
    events = [(fact.start, fact) for fact in relevant] + [(fact.end, fact) for fact in relevant if fact.end <= until]
    configurations: set[Configuration] = {(state, frozenset()) for state in states_before(facts, since)}
    open_now: dict[int, Fact] = {}
    for moment, fact in sorted(events, key=lambda event: event[0]):
        if moment == fact.start:
            open_now[fact.start] = fact
            continue
        reached = _closure(configurations, open_now, listed, once)
        if reached is None:
            return None
        if fact.start in listed:
            reached = {item for item in reached if fact.start in item[1]}
        configurations = {(state, done - {fact.start}) for state, done in reached}
        del open_now[fact.start]
        if not configurations:
            return False
    return True


def _closure(
    configurations: set[Configuration], open_now: dict[int, Fact], listed: set[int], once: bool
) -> set[Configuration] | None:
    """What can be reached by doing open operations; None when that is too much."""
    reached, todo = set(configurations), list(configurations)
    while todo:
        state, done = todo.pop()
        for start, fact in open_now.items():
            if start in done or not fact.allowed(state):
                continue
            then = (state if fact.writes is None else fact.writes, done | {start} if once or start in listed else done)
            if then not in reached:
                reached.add(then)
                todo.append(then)
        if len(reached) > CONFIGURATIONS:
            return None
    return reached
