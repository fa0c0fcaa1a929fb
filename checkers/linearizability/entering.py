"""What an object can have been like when the picture of a violation begins: the set of possible states, exactly.

    Entering().of(one, ops)                     "[1] or [1,2]": before the first of these invocations; "" for nothing
    entered(anomalies, keys, "queue", header)   the same anomalies, each with that

A state is possible if some order of what was asked for before that event ends in it: one that has all that was answered
by then, agrees with real time and with every answer, and may have some of what was still open or in doubt. Where there
is no such order, the history was broken before, and nothing is said.

It is worked out by the frontier, from the beginning or, where nothing is in doubt, from a moment at which nothing was
open; so it is as exact as the search, and has its costs. They are paid for histories that are invalid, and bounded.

Limits: a checker looks at CALLS operations and WORK configurations in all, and goes through LOOKED to find them; what
takes more is not said. A long queue or stack can be in very many states, for what was put in at a time can be in any
order; of these it is said that none of the values that the witness is about was in yet, where the witness begins with
them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

import msgspec

from checkers.linearizability.by_model import ModelObject, states_text
from checkers.linearizability.frontier import Window, reached
from checkers.linearizability.steps import TooManyStatesError
from checkers.models import IMPOSSIBLE, Call, Model, model, shown
from checkers.models.collections import GROW_SET, SET
from checkers.models.registers import MUTEX
from checkers.tokens import Truth, token_of
from harness.history.header import Header
from harness.history.operations import FAIL
from harness.verdict import Anomaly

CALLS: Final = 20_000
WORK: Final = 10_000
LOOKED: Final = 500_000
PUTS: Final = frozenset({"enqueue", "push"})


@dataclass
class Entering:
    """What is left of the bounds; one for each verdict."""

    calls: int = CALLS
    work: int = WORK
    looked: int = LOOKED

    def of(self, one: ModelObject, ops: Collection[int], since: int = 0, before: Sequence[Any] = ()) -> str:
        """The states before the first of these invocations, in words; see `states`."""
        states = self.states(one, min(ops), since, before)
        if states is None:
            return "" if one.initial else self.without(one.calls, ops)
        return states_text(list(map(one.model.show, states)))

    def states(self, one: ModelObject, moment: int, since: int = 0, before: Sequence[Any] = ()) -> list[Any] | None:
        """The possible states just before an event; None where they are not known.

        Args:
            since: an event before which all calls were over, if there is one.
            before: the states that are possible then.
        """
        first, end = (bisect_left(one.calls, event, key=attrgetter("invoke")) for event in (since, moment))
        if any(call.response >= since for call in one.calls[:first]):
            first, before = 0, ()
        if end - first > self.calls or self.work <= 0:
            return None
        self.calls -= end - first
        part = ModelObject(one.model, one.key, one.initial, one.calls[first:end])
        certain = {step for step, call in enumerate(part.calls) if call.response < moment}
        try:
            starts = [part.number(state) for state in before or [one.initial]]
            found, work = reached(part.steps, Window(starts, range(len(part)), certain, moment - 1), self.work)
        except (TooManyStatesError, TypeError, ValueError, LookupError):  # or values that the model cannot compare
            return None
        self.work -= work
        return None if found is None else [part.state(number) for number in found]

    def look(self, calls: Sequence[Call], moment: int) -> Sequence[Call] | None:
        """The calls that began before an event; None where too many were gone through already."""
        place = bisect_left(calls, moment, key=attrgetter("invoke"))
        self.looked -= place
        return calls[:place] if self.looked >= 0 else None

    def without(self, calls: Sequence[Call], ops: Collection[int]) -> str:
        """That nothing of what the operations put in was put in before, unless it was; nothing was there at first."""
        named = [calls[bisect_left(calls, op, key=attrgetter("invoke"))] for op in sorted(ops)]
        puts = [call for call in named if call.f in PUTS]
        before = self.look(calls, puts[0].invoke) if puts else None
        values = [call.argument for call in puts]
        if before is None or any(call.f in PUTS and call.argument in values for call in before):
            return ""
        return f"{'any' if len(values) == 1 else 'those'} without {states_text(list(map(shown, values)))}"


def entered(
    anomalies: Iterable[Anomaly], keys: Iterable[Sequence[Call]], name: str, header: Header
) -> tuple[Anomaly, ...]:
    """Each anomaly with the states that its object may have been in before the first of its operations.

    Args:
        keys: the calls of each object, failed ones too; name: what the objects are.
    """
    calls = {token_of(own[0].key): own for own in keys}
    declared: dict[Any, Model] = {}
    entering, found = Entering(), list[Anomaly]()
    for anomaly in anomalies:
        key = token_of(anomaly.key)
        if key not in declared:
            declared[key] = _declared(name, calls[key])
        found.append(_entered(anomaly, calls[key], declared[key], header, entering))
    return tuple(found)


def _entered(anomaly: Anomaly, calls: Sequence[Call], declared: Model, header: Header, entering: Entering) -> Anomaly:
    moment, states, element = min(anomaly.ops), None, ""
    before = entering.look(calls, moment)
    if before is None:
        return anomaly
    if declared.name == SET.name:  # is judged element by element
        element = shown(calls[bisect_left(calls, anomaly.culprit or 0, key=attrgetter("invoke"))].argument)
        before = [call for call in before if shown(call.argument) == element]
    if len(before) <= entering.calls:
        try:
            one = ModelObject(declared, anomaly.key, declared.start(header))
            one.calls.extend(said for call in before if (said := declared.understood(call, header)) is not None)
            states = entering.states(one, moment)
        except (TypeError, ValueError, LookupError):  # what a rule can do with, and the model cannot
            return anomaly
    if states is None:
        words = "" if header.initial else entering.without(calls, anomaly.ops)
    else:
        words = states_text([f"{element} {declared.show(state)}".lstrip() for state in states])
    return msgspec.structs.replace(anomaly, before=words)


def _declared(name: str, calls: Sequence[Call]) -> Model:
    """The model of an object that a rule has judged."""
    if name == MUTEX.name:
        return _MUTEX
    whole = name == SET.name and any(call.f == "read" for call in calls)
    return GROW_SET if whole else model(name)


def _lock(held: bool, call: Call) -> Any:
    if call.status == FAIL:
        return held if held else IMPOSSIBLE
    return MUTEX.step(held, call)


_MUTEX: Final = replace(
    MUTEX,
    step=_lock,
    initial=lambda value: value in (Truth(True), "held"),
    observes=lambda call: call.status == FAIL,
    meaning=lambda call, _: call if call.status != FAIL or (call.f == "acquire" and call.error == "held") else None,
)
"""A mutex that may be held at first, and whose refusals are observations."""
