"""Values that Python takes for one, and JSON does not, are as good as any others: renaming them changes no verdict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from oracle.sequential import OBJECTS, random_history, right
from torture import Seeds, some_and_many

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.tokens import frozen, thawed, token_of
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op, canonical
from harness.streams import Random

ALIKE: tuple[Any, ...] = (1, 1.0, True, 0, 0.0, False, {"a": 1}, {"a": True}, {"a": 1.0}, [["a", 1]], [1], [True], "1")
NAMED = ("register", "cas-register", "multi-register", "set", "grow-set", "log", "queue", "stack")


def renamed(value: Any, names: dict[Any, Any]) -> Any:
    """Every number in a value by its name."""
    if isinstance(value, list | tuple):
        return [renamed(item, names) for item in value]
    return names[value] if type(value) is int else value


@some_and_many(2_000, least=60)
@pytest.mark.parametrize("name", NAMED)
def test_values_that_look_alike_are_told_apart(name: str, seeds: Seeds) -> None:
    broken = 0
    for seed in seeds:
        random, of = Random(seed), OBJECTS[name]
        events = random_history(random, of)
        sound = right(events, of)
        broken += not sound
        shuffled = random.sample(ALIKE, len(ALIKE))
        numbers = [*range(3), *range(10, 10 + len(ALIKE) - 3)]
        names = {number: shuffled[place] for place, number in enumerate(numbers)} | {n: n for n in range(20, 40)}
        answers = ("contains", "remove") if name == "set" else ()
        events = [
            msgspec.structs.replace(op, index=index, value=renamed(op.value, names))
            if not (op.type == "ok" and isinstance(op.value, bool) and (op.f in answers or op.f == "add"))
            else msgspec.structs.replace(op, index=index)
            for index, op in enumerate(events)
        ]
        initial = of.header(name).initial
        if isinstance(initial, dict):
            initial = {register: names[value] for register, value in initial.items()}
        header = Header(1, model=name, initial=names[initial] if type(initial) is int else initial)
        history = History(header, events)
        verdict = Linearizability(name).check(history, Budget())
        assert verdict.answer == ("valid" if sound else "invalid"), seed
        assert verify(history, msgspec.json.decode(msgspec.json.encode(verdict), type=type(verdict))) == [], seed
    assert 0 < broken < len(seeds)


def test_strings_by_key_are_told_from_numbers_and_keys_from_each_other() -> None:
    def answer(put: Any, got: Any, one: Any = "k", other: Any = "k") -> str:
        lines = [(one, "put", "invoke", put), (one, "put", "ok", put), (other, "get", "invoke", None)]
        lines.append((other, "get", "ok", got))
        events = [Op(i, None, 0, t, f, key, value) for i, (key, f, t, value) in enumerate(lines)]  # type: ignore[arg-type]  # they are types
        history = History(Header(1, model="kv"), events)
        verdict = Linearizability("kv").check(history, Budget())
        assert verify(history, verdict) == []
        return verdict.answer

    for put in ALIKE:
        for got in ALIKE:
            assert answer(put, got) == ("valid" if canonical(put) == canonical(got) else "invalid"), (put, got)
            same = canonical(put) == canonical(got)
            assert answer("x", "x", put, got) == ("valid" if same else "invalid"), ("keys", put, got)


def test_nothing_can_be_added_to_a_number() -> None:
    for put, answer in (("1", "valid"), (1, "invalid")):
        lines: list[tuple[str, Any, Any]] = [("put", put, put), ("append", "x", "x"), ("get", None, "1x")]
        events = [
            Op(2 * place + end, None, 0, "ok" if end else "invoke", f, "k", values[end])
            for place, (f, *values) in enumerate(lines)
            for end in (0, 1)
        ]
        verdict = Linearizability("kv").check(history := History(Header(1, model="kv"), events), Budget())
        assert verdict.answer == answer
        assert verify(history, verdict) == []


def test_frozen_values_are_equal_exactly_where_their_json_is() -> None:
    for one in ALIKE:
        assert canonical(thawed(frozen(one))) == canonical(one)
        assert token_of(frozen(one)) == token_of(one)
        for other in ALIKE:
            same = canonical(one) == canonical(other)
            assert (frozen(one) == frozen(other)) is same
            assert (frozen(one) != frozen(other)) is not same
            assert (len({frozen(one), frozen(other)}) == 1) is same
    assert frozen(frozen([{"a": True}])) == frozen([{"a": True}])
