"""Histories in which nearly all calls are open at once are decided, as brute force says, and shown to be so."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
import pytest
from oracle.sequential import OBJECTS, crowded_history, right
from torture import Seeds, some_and_many

import checkers.linearizability.checker as checker
from checkers.linearizability import Linearizability
from checkers.linearizability.by_model import objects
from checkers.linearizability.depth_first import Dead, depth_first
from checkers.linearizability.frontier import frontier
from checkers.models import model
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import History
from harness.streams import Random
from harness.verdict import Anomaly, Verdict

FEW = (4, 9)
MANY = (10, 20)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule is asked first."""
    monkeypatch.setattr(checker, "fast_path", lambda name: None)


def crowd(name: str, seed: int, calls: tuple[int, int]) -> History:
    of = OBJECTS[name]
    events = crowded_history(Random(seed), of, *calls)
    return History(of.header(name), [msgspec.structs.replace(op, index=place) for place, op in enumerate(events)])


@pytest.mark.usefixtures("searched")
@some_and_many(300)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_a_small_crowd_is_judged_as_brute_force_does(name: str, seeds: Seeds) -> None:
    broken = 0
    for seed in seeds:
        history = crowd(name, seed, FEW)
        expected = right(list(history.events), OBJECTS[name])
        verdict = Linearizability(model(name)).check(history, Budget())
        assert verdict.answer == ("valid" if expected else "invalid"), seed
        assert verify(history, verdict, model(name)) == [], seed
        broken += not expected
    seeds.told(broken)
    assert broken


@some_and_many(40)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_a_crowd_of_twenty_is_decided(name: str, seeds: Seeds) -> None:
    for seed in seeds:
        history = crowd(name, seed, MANY)
        verdict = Linearizability(model(name)).check(history, Budget())
        assert verdict.answer != "unknown", (seed, verdict.reason)
        assert verify(history, verdict, model(name)) == [], seed


@some_and_many(100)
@pytest.mark.parametrize("name", ["queue", "stack", "log", "grow-set", "kv", "multi-register"])
def test_fewer_states_fail_where_all_states_do(name: str, seeds: Seeds) -> None:
    dead = 0
    for seed in seeds:
        for one in objects(crowd(name, seed, (4, 8)), model(name)):
            expected, *found = map(ending, (frontier(one.steps), frontier(one.reduced), depth_first(one.reduced)))
            assert all(isinstance(result, Dead) == isinstance(expected, Dead) for result in found), seed
            if isinstance(expected, Dead):
                assert found == [expected, expected], seed
                dead += 1
    assert dead


def ending(turns: Generator[int, None, Any]) -> Any:
    while True:
        try:
            next(turns)
        except StopIteration as stop:
            return stop.value


@some_and_many(200)
@pytest.mark.parametrize("name", ["queue", "stack", "log", "grow-set", "kv", "multi-register"])
def test_a_proof_against_a_right_history_is_refused(name: str, seeds: Seeds) -> None:
    refused = 0
    for seed in seeds:
        history, random = crowd(name, seed, FEW), Random(seed)
        ends = {op.process: op.index for op in history.events if op.type == "ok"}
        begun = [op.index for op in history.events if op.type == "invoke" and op.process in ends]
        if not begun or not right(list(history.events), OBJECTS[name]):
            continue
        ops = sorted(random.sample(begun, random.randint(1, len(begun))))
        until = max(ends[history.events[index].process] for index in ops)
        certificate = {"model": name, "ops": ops, "since": 0, "until": until}
        proof = Anomaly(
            "x", "linearizability", "x", None, tuple(ops), ops[-1], rule="no-order", certificate=certificate
        )
        told = verify(history, Verdict("linearizability", "invalid", "x", (proof,)), model(name))
        assert ["the operations have an order." in sentence for sentence in told] == [True], (seed, told)
        refused += 1
    assert refused
