"""A search piece by piece agrees with brute force, finds the same earliest violation, and goes back where it must."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
import pytest
from oracle.sequential import OBJECTS, random_history, right
from torture import Seeds, some_and_many

from checkers.linearizability import Linearizability, segments
from checkers.linearizability.by_model import objects
from checkers.linearizability.depth_first import Dead
from checkers.linearizability.frontier import frontier
from checkers.linearizability.search import canonical, search
from checkers.linearizability.segments import blocks_of
from checkers.models import model
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.history.operations import NEVER
from harness.op import Op
from harness.streams import Random

CALLS = 16


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pieces are as short as may be; how many ways out of them there were, each time that this was asked."""
    ways: list[int] = []
    own = segments.exits

    def exits(steps: Any) -> Generator[int, None, Any]:
        found = yield from own(steps)
        ways.append(len(found))
        return found

    monkeypatch.setattr(segments, "exits", exits)
    monkeypatch.setattr(segments, "BLOCK", 1)
    return ways


def history_of(name: str, seed: int) -> History:
    of = OBJECTS[name]
    events = random_history(Random(seed), of, CALLS)
    return History(of.header(name), [msgspec.structs.replace(op, index=place) for place, op in enumerate(events)])


def ending(turns: Generator[int, None, Any]) -> Any:
    while True:
        try:
            next(turns)
        except StopIteration as stop:
            return stop.value


@pytest.mark.parametrize("ways", [0, 100])
@some_and_many(80)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_pieces_agree_with_brute_force(
    name: str, seeds: Seeds, ways: int, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "WAYS", ways)
    broken = several = 0
    for seed in seeds:
        history = history_of(name, seed)
        expected = right(list(history.events), OBJECTS[name])
        verdict = Linearizability(model(name)).check(history, Budget())
        assert verdict.answer == ("valid" if expected else "invalid"), seed
        assert verify(history, verdict, model(name)) == [], seed
        broken += not expected
        for one in objects(history, model(name)):
            several += len(blocks_of(one.steps)) > 1
            for steps in (one.steps, one.reduced):
                result, whole = search(steps, lambda: False), ending(frontier(steps))
                assert isinstance(result, Dead) == isinstance(whole, Dead), seed
                if isinstance(result, Dead):
                    assert result == whole, seed
    seeds.told(broken)
    assert broken > len(seeds) / 20
    assert several > len(seeds) / 4
    assert asked


@some_and_many(400)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_an_order_that_is_at_hand_is_right(name: str, seeds: Seeds) -> None:
    by = {"invocation": 0, "middle": 0, "response": 0}
    for seed in seeds:
        of = OBJECTS[name]
        events = [msgspec.structs.replace(op, index=place) for place, op in enumerate(random_history(Random(seed), of))]
        found = [(one, canonical(one.steps)) for one in objects(History(of.header(name), events), model(name))]
        assert right(events, of) or any(order is None for _, order in found), seed
        for one, order in found:
            if order is None:
                continue
            steps = [one.calls[step] for step in order]
            assert sorted(order) == [step for step, call in enumerate(one.calls) if call.response != NEVER]
            assert all(not later.response < call.invoke for place, call in enumerate(steps) for later in steps[place:])
            by["invocation"] += order == sorted(order)
            by["middle"] += order != sorted(order) and steps == sorted(steps, key=lambda c: c.invoke + c.response)
            by["response"] += order != sorted(order) and steps == sorted(steps, key=lambda c: c.response)
    assert all(by.values()), by


def calls(*said: tuple[int, str, str, Any]) -> History:
    events = [Op(place, None, process, kind, f, None, value) for place, (process, kind, f, value) in enumerate(said)]  # type: ignore[arg-type]  # the kind is one of the three
    return History(Header(1, model="stack"), events)


def test_a_piece_that_ended_in_the_wrong_state_is_asked_for_another(asked: list[int]) -> None:
    history = calls(
        (0, "invoke", "push", 1),
        (1, "invoke", "push", 2),
        (0, "ok", "push", 1),
        (1, "ok", "push", 2),
        (0, "invoke", "pop", None),
        (0, "ok", "pop", 1),
        (0, "invoke", "pop", None),
        (0, "ok", "pop", 2),
    )
    [one] = objects(history, model("stack"))
    assert blocks_of(one.steps) == [(0, 2), (2, 3), (3, 4)]
    assert search(one.steps, lambda: False) == [1, 0, 2, 3]
    assert asked == [2]


def test_what_follows_a_doubt_is_one_piece(asked: list[int]) -> None:
    history = calls(
        (0, "invoke", "push", 1),
        (0, "ok", "push", 1),
        (1, "invoke", "push", 2),
        (1, "info", "push", 2),
        (0, "invoke", "pop", None),
        (0, "ok", "pop", 1),
    )
    [one] = objects(history, model("stack"))
    assert blocks_of(one.steps) == [(0, 1), (1, 3)]
