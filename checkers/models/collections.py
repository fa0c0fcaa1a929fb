"""Collections and counters: what goes in, and what must come out.

An element of a set has nothing to do with another, so `set` is judged element by element. What is read as a whole
(`grow-set`, `log`) is one object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from checkers.models.model import IMPOSSIBLE, UNKNOWN, Model, observation, shown
from checkers.objects.calls import Call
from checkers.tokens import Decimal, Truth
from harness.history.header import Header
from harness.history.operations import FAIL


def _empty(call: Call, _: Header) -> Call | None:
    """A failed call says nothing, but that there was nothing to take out."""
    if call.status != FAIL:
        return call
    return observation(call, None) if call.error == "empty" else None


def _taken(call: Call, state: tuple[Any, ...], place: int) -> Any:
    """Take an element out, at one end; null always means that there was none, even where somebody put a null in."""
    if call.result is None:
        return IMPOSSIBLE if state else state
    if not state or (call.result is not UNKNOWN and call.result != state[place]):
        return IMPOSSIBLE
    return state[1:] if place == 0 else state[:-1]


def _queue(state: tuple[Any, ...], call: Call) -> Any:
    return (*state, call.argument) if call.f == "enqueue" else _taken(call, state, 0)


def _stack(state: tuple[Any, ...], call: Call) -> Any:
    return (*state, call.argument) if call.f == "push" else _taken(call, state, -1)


def _line(state: tuple[Any, ...]) -> str:
    return shown(state) if state else "empty"


QUEUE: Final = Model(
    "queue",
    ("enqueue", "dequeue"),
    _queue,
    initial=lambda value: value or (),
    observes=lambda call: call.f == "dequeue" and call.result is None,
    meaning=_empty,
    show=_line,
    takes="oldest",
    summary="first in, first out: enqueue, dequeue (null, or error empty: nothing there)",
)
STACK: Final = Model(
    "stack",
    ("push", "pop"),
    _stack,
    initial=lambda value: value or (),
    observes=lambda call: call.f == "pop" and call.result is None,
    meaning=_empty,
    show=_line,
    takes="newest",
    summary="last in, first out: push, pop (null, or error empty: nothing there)",
)


def _element(state: bool, call: Call) -> Any:
    """State: whether the element is in. An add or remove that returns true or false says whether it changed that."""
    if call.f == "contains":
        return state if call.result == state else IMPOSSIBLE
    adds = call.f == "add"
    if isinstance(call.result, Truth) and call.result != (state != adds):
        return IMPOSSIBLE
    return adds


SET: Final = Model(
    "set",
    ("add", "remove", "contains"),
    _element,
    initial=False,
    key=lambda call: (call.key, call.argument),
    observes=lambda call: call.f == "contains" or (isinstance(call.result, Truth) and not call.result),
    show=lambda state: "in the set" if state else "not in the set",
    summary="elements one by one: add, remove, contains",
)


def _grown(state: frozenset[Any], call: Call) -> Any:
    if call.f == "add":
        return state | {call.argument}
    shown = call.result or ()
    return state if len(shown) == len(state) and state == frozenset(shown) else IMPOSSIBLE


class _Lost:
    """Stands in states for what no read has seen."""

    def __repr__(self) -> str:
        return "what no read has seen"


_LOST: Final = _Lost()
READS_MAX: Final = 16
"""Where more reads than these contradict each other, states are as they are."""


def _set_seen(calls: Sequence[Call]) -> Callable[[Any], Any]:
    """Sets that are part of no read are one: whatever is added, no read sees them."""
    reads = {frozenset(call.result or ()) for call in calls if call.f == "read"}
    greatest: list[frozenset[Any]] = []
    for read in sorted(reads, key=len, reverse=True):
        if not any(read <= other for other in greatest):
            greatest.append(read)
    unseen = frozenset([_LOST])
    if len(greatest) > READS_MAX:
        return lambda state: state
    return lambda state: state if any(state <= read for read in greatest) else unseen


def _log_seen(calls: Sequence[Call]) -> Callable[[Any], Any]:
    """Logs that are the beginning of no read are one: whatever is appended, no read sees them."""
    reads = {tuple(call.result or ()) for call in calls if call.f == "read"}
    longest: list[tuple[Any, ...]] = []
    for read in sorted(reads, key=len, reverse=True):
        if not any(read == other[: len(read)] for other in longest):
            longest.append(read)
    if len(longest) > READS_MAX:
        return lambda state: state
    return lambda state: state if any(state == read[: len(state)] for read in longest) else (_LOST,)


def _log(state: tuple[Any, ...], call: Call) -> Any:
    if call.f == "append":
        return (*state, call.argument)
    return state if state == (call.result or ()) else IMPOSSIBLE


GROW_SET: Final = Model(
    "grow-set",
    ("add", "read"),
    _grown,
    initial=lambda value: frozenset(value or ()),
    observes=lambda call: call.f == "read",
    tells=_set_seen,
    summary="elements are added, the whole is read: add, read",
)
LOG: Final = Model(
    "log",
    ("append", "read"),
    _log,
    initial=lambda value: value or (),
    observes=lambda call: call.f == "read",
    tells=_log_seen,
    summary="elements are appended, the whole is read: append, read",
)


def _count(state: int, call: Call) -> Any:
    """An increment that returns a number says what it made; the result of an add says nothing."""
    if call.f == "read":
        return state if _number(call.result or 0) == state else IMPOSSIBLE
    state += call.argument or 0
    told = call.f == "increment" and call.result is not UNKNOWN and call.result is not None
    return IMPOSSIBLE if told and _number(call.result) != state else state


def _number(value: Any) -> Any:
    """As Python counts, where 1.0 is 1: sums of numbers do not remember how they were written."""
    return float(value) if isinstance(value, Decimal) else value


COUNTER: Final = Model(
    "counter",
    ("increment", "add", "read"),
    _count,
    initial=lambda value: value or 0,
    observes=lambda call: call.f == "read",
    summary="a number: increment (returns it), add any amount, read",
)
