"""A line leaves open in which order things were put in at a time, forgets what nobody can tell, and finds an order."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.linearizability.by_model import ModelObject
from checkers.linearizability.search import search
from checkers.linearizability.steps import ALTERED, NOWHERE, Steps
from checkers.models import UNKNOWN, model
from checkers.objects.calls import Call
from harness.history.operations import INFO, NEVER, OK

PUT = {"queue": "enqueue", "stack": "push"}
TAKE = {"queue": "dequeue", "stack": "pop"}


def put(name: str, value: Any, begin: int, end: int = NEVER) -> Call:
    status, result = (INFO, UNKNOWN) if end == NEVER else (OK, value)
    return Call(begin, end, status, PUT[name], None, value, result, "", begin)


def take(name: str, value: Any, begin: int, end: int = NEVER) -> Call:
    status, result = (INFO, UNKNOWN) if end == NEVER else (OK, value)
    return Call(begin, end, status, TAKE[name], None, None, result, "", begin)


def reduced(name: str, *calls: Call, initial: tuple[Any, ...] = ()) -> Steps:
    return ModelObject(model(name), None, initial, sorted(calls, key=lambda call: call.invoke)).reduced


def after(steps: Steps, *taken: int) -> int:
    state = steps.initial
    for step in taken:
        state = steps.rows[state][steps.action[step]]
    return state


@pytest.mark.parametrize("name", ["queue", "stack"])
def test_what_is_put_in_at_a_time_has_no_order_until_it_comes_out(name: str) -> None:
    steps = reduced(name, put(name, 1, 0, 10), put(name, 2, 1, 11), take(name, 1, 2, 12), take(name, 2, 3, 13))
    assert after(steps, 0, 1) == after(steps, 1, 0)
    assert after(steps, 0, 1, 2) != NOWHERE != after(steps, 0, 1, 3)
    assert steps.rows.state(after(steps, 0, 1)) is ALTERED
    assert after(steps, 0, 1, 2, 3) == steps.initial


def test_what_is_put_in_later_comes_out_in_its_turn() -> None:
    for name, first in (("queue", 1), ("stack", 2)):
        steps = reduced(name, put(name, 1, 0, 1), put(name, 2, 2, 3), take(name, 1, 4, 9), take(name, 2, 5, 10))
        state = steps.rows[steps.rows.closed(after(steps, 0))][steps.action[1]]
        allowed = [value for value, step in ((1, 2), (2, 3)) if steps.rows[state][steps.action[step]] != NOWHERE]
        assert allowed == [first]
        assert steps.rows.state(state) == (1, 2)


@pytest.mark.parametrize("name", ["queue", "stack"])
def test_a_take_in_doubt_gets_what_nobody_else_got(name: str) -> None:
    steps = reduced(name, put(name, 1, 0, 10), put(name, 2, 1, 11), take(name, None, 2), take(name, 1, 3, 12))
    assert after(steps, 0, 1, 2, 3) == steps.initial
    assert after(steps, 0, 2, 3) == NOWHERE


def test_what_lies_behind_something_that_nobody_takes_is_forgotten() -> None:
    steps = reduced("queue", put("queue", 9, 0, 1), put("queue", 1, 2, 8), take("queue", 1, 4, 9))
    alone = steps.rows.closed(after(steps, 0))
    assert steps.rows.closed(steps.rows[alone][steps.action[1]]) == alone
    assert steps.rows[alone][steps.action[2]] == NOWHERE


@pytest.mark.parametrize(("name", "order"), [("queue", [1, 0, 2, 3]), ("stack", [0, 1, 2, 3])])
def test_an_order_has_what_was_put_in_at_a_time_where_it_came_out(name: str, order: list[int]) -> None:
    steps = reduced(name, put(name, 1, 0, 2), put(name, 2, 1, 3), take(name, 2, 4, 5), take(name, 1, 6, 7))
    assert search(steps, lambda: False) == order


def test_values_that_were_there_at_first_come_out_first() -> None:
    steps = reduced("queue", take("queue", 7, 0, 1), take("queue", 8, 2, 3), initial=(7, 8))
    assert search(steps, lambda: False) == [0, 1]


@pytest.mark.parametrize(
    ("name", "f", "states", "same"),
    [
        ("log", "read", [(1,), (1, 2), (2,), (3, 1), (1, 2, 3)], [(2,), (3, 1), (1, 2, 3)]),
        ("grow-set", "read", [frozenset({1}), frozenset({3}), frozenset({1, 3})], [frozenset({3}), frozenset({1, 3})]),
    ],
)
def test_states_that_no_read_can_tell_apart_are_one(name: str, f: str, states: list[Any], same: list[Any]) -> None:
    tells = model(name).tells
    assert tells is not None
    seen = tells([Call(0, 1, OK, f, None, None, (1, 2), "", 0)])
    assert len({seen(state) for state in same}) == 1
    assert all(seen(state) == state for state in states if state not in same)


def test_strings_that_no_answer_begins_with_are_one() -> None:
    tells = model("kv").tells
    assert tells is not None
    seen = tells([Call(0, 1, OK, "get", None, None, "ab", "", 0)])
    assert [seen(text) for text in ("", "a", "ab")] == ["", "a", "ab"]
    lost = seen("b")
    assert lost == seen("abc") == seen(lost + "a") == seen("ba")
