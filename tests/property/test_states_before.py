"""The states that a witness names are those that are possible before it: no more, no fewer, by every order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from oracle import made_structures as made
from oracle import structures as oracle
from oracle.sequential import OBJECTS, random_history, states_before
from torture import Seeds, some_and_many

from checkers.linearizability import Linearizability
from checkers.linearizability.by_model import STATES_NAMED, objects
from checkers.linearizability.entering import CALLS, Entering
from checkers.models import model, shown
from checkers.objects import AppendOnly, Counter, FencedLock, SetFull
from checkers.protocol import Budget, Checker
from checkers.structures import Structure
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random

HISTORIES = 400


def numbered(events: list[Op]) -> list[Op]:
    return [Op(place, None, op.process, op.type, op.f, None, op.value) for place, op in enumerate(events)]


def of_element(element: int, events: list[Op], moment: int) -> set[Any]:
    """What is possible of a set, by what is said of one element."""
    values, own = dict[Any, Any](), list[Op]()
    for op in events:
        if op.type == "invoke":
            values[op.process] = op.value
        if values[op.process] == element:
            own.append(op)
    before = sum(op.index < moment for op in own)
    return states_before(own, OBJECTS["set"], before)


def plain(name: str, state: Any) -> Any:
    """A state of a model as the oracle has it."""
    if name == "grow-set":
        return tuple(sorted(state))
    if name == "fenced-lock" and isinstance(state[0], str):
        return ("?", state[1])
    return state


MANY = 500
"""So many states may be too many to look at."""


@some_and_many(HISTORIES)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_the_states_of_a_model_are_those_that_some_order_ends_in(name: str, seeds: Seeds) -> None:
    of, several, known = OBJECTS[name], 0, 0
    header = of.header(name)
    for seed in seeds:
        random = Random(seed)
        events = numbered(random_history(random, of))
        moment = random.randrange(len(events) + 1)
        for one in objects(History(header, events), model(name)):
            if name == "set":
                expected = {one.key[1] in state for state in of_element(one.key[1], events, moment)}
            else:
                expected = states_before(events, of, moment)
            found = Entering().states(one, moment)
            if found is None and len(expected) > MANY:
                continue  # too many to look at
            assert found is not None
            assert {plain(name, state) for state in found} == expected, seed
            assert len(found) == len(set(found))
            several += len(found) > 1
            known += bool(found)
    assert known > len(seeds) / 2
    assert several > len(seeds) / 20


@some_and_many(HISTORIES)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_a_look_that_begins_where_nothing_is_open_finds_the_same(name: str, seeds: Seeds) -> None:
    of, later = OBJECTS[name], 0
    header = of.header(name)
    for seed in seeds:
        random = Random(seed)
        events = numbered(random_history(random, of))
        first, moment = sorted((random.randrange(len(events) + 1), random.randrange(len(events) + 1)))
        for one in objects(History(header, events), model(name)):
            quiet = all(call.invoke >= first or call.response < first for call in one.calls)
            before = (Entering().states(one, first) if quiet else None) or []
            if before or not quiet:
                found, whole = Entering().states(one, moment, first, before), Entering().states(one, moment)
                if found is None or whole is None:
                    continue  # too many to look at; seen with a queue and a stack, once in 20,000
                assert set(found) == set(whole), seed
                later += quiet and first > 0
    assert later > len(seeds) / 20


# ── what is said in a verdict ────────────────────────────────────────────────────────────────────────────────────────


def locked(state: Any) -> str:
    if state[0] is None:
        return "free"
    return f"held with token {state[0]}" if isinstance(state[0], int) else "held with an unknown token"


def asked(op: Op, events: list[Op]) -> Any:
    """What the call asked for that an event belongs to."""
    return next(
        other.value for other in events[op.index :: -1] if other.process == op.process and other.type == "invoke"
    )


@dataclass(frozen=True)
class Case:
    """A checker, its histories, what the object does, its first state, and a state in words."""

    checker: Checker
    thing: Any
    step: Any
    state: Any = ()
    words: Any = shown
    initial: Any = None


def line(state: Any) -> str:
    return shown(state) if state else "empty"


def braces(state: Any) -> str:
    return shown(frozenset(state))


def members_of(state: Any) -> Any:
    return state


CASES = {
    "queue": Case(Structure("queue"), lambda: made.AsPool("enqueue", "dequeue", False, 0.5), oracle.queue, (), line),
    "stack": Case(Structure("stack"), lambda: made.AsPool("push", "pop", True, 0.5), oracle.stack, (), line),
    "set": Case(Structure("set"), made.AsMembers, oracle.members, frozenset(), members_of),
    "grow-set": Case(Structure("grow-set"), lambda: made.AsGrown("add"), oracle.grown, (), braces),
    "log": Case(Structure("log"), lambda: made.AsGrown("append"), oracle.grown),
    "mutex": Case(Structure("mutex"), made.AsMutex, oracle.mutex, False, ("free", "held").__getitem__),
    "mutex held at first": Case(
        Structure("mutex"), lambda: made.AsMutex(held=True), oracle.mutex, True, ("free", "held").__getitem__, True
    ),
    "fenced-lock": Case(Structure("fenced-lock"), made.AsFenced, oracle.fenced, (None, -1), locked),
    "counter": Case(Structure("counter"), made.AsCounter, oracle.counter, 0, str),
    "counter from seven": Case(Structure("counter"), lambda: made.AsCounter(1, 7), oracle.counter, 7, str, 7),
    "counter that tells": Case(Structure("counter"), made.AsNumbered, oracle.numbered, 0, str),
    "the counter": Case(Counter(), made.AsNumbered, oracle.numbered, 0, str),
    "the fenced lock": Case(FencedLock(), made.AsFenced, oracle.fenced, (None, -1), locked),
    "the log": Case(AppendOnly(), lambda: made.AsGrown("append"), oracle.grown),
    "the set": Case(SetFull(), lambda: made.AsGrown("add"), oracle.grown, (), braces),
    "a queue as a model": Case(
        Linearizability("queue"), lambda: made.AsPool("enqueue", "dequeue", False, 0.5), oracle.queue, (), line
    ),
}


@some_and_many(1_000)
@pytest.mark.parametrize("name", CASES)
def test_a_witness_names_the_states_that_are_possible_before_it(name: str, seeds: Seeds) -> None:
    case, seen = CASES[name], set()
    for seed in seeds:
        events = made.made(seed, case.thing())
        verdict = case.checker.check(History(Header(initial=case.initial), events), Budget(60))
        for anomaly in verdict.anomalies:
            element = events[anomaly.culprit].value
            own = [op for op in events if name != "set" or asked(op, events) == element]
            right = oracle.states_before(own, case.step, case.state, min(anomaly.ops))
            if name == "set":
                words = {f"{shown(element)} {'' if element in state else 'not '}in the set" for state in right}
            else:
                words = {case.words(state) for state in right}
            named = anomaly.before.split(" or ") if anomaly.before else []
            more = int(named.pop().removesuffix(" more")) if named and named[-1].endswith(" more") else 0
            if len(words) > MANY and not anomaly.before:
                continue  # too many to look at
            seen |= {len(words)}
            assert len(named) == len(set(named)) == min(len(words), STATES_NAMED), (seed, anomaly.before, words)
            assert set(named) <= words
            assert more == len(words) - len(named)
    assert len(seen) > (name != "set")  # an element is outside before it is added


def test_what_takes_too_long_is_not_said() -> None:
    events = made.made(3, made.AsPool("enqueue", "dequeue", False, 0.5))
    [one] = objects(History(Header(1, model="queue"), events), model("queue"))
    assert Entering().states(one, len(events))
    assert Entering(calls=len(one.calls) - 1).states(one, len(events)) is None
    assert Entering(work=0).states(one, len(events)) is None
    entering = Entering()
    entering.states(one, len(events))
    assert entering.calls == CALLS - len(one.calls)
