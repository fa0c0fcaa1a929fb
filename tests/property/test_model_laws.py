"""What may be done to a history that has an order without taking its order away: of every model, and of registers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from oracle.sequential import OBJECTS, as_keys, random_history

from checkers.linearizability import Linearizability
from checkers.models import model
from checkers.protocol import Budget
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random
from harness.verdict import Verdict

SEEDS = range(70_000, 70_150)
Change = Callable[[Random, list[Op], Verdict], list[Op]]


def numbered(events: list[Op]) -> list[Op]:
    return [msgspec.structs.replace(op, index=index) for index, op in enumerate(events)]


def judged(name: str, events: list[Op], general: bool = True) -> Verdict:
    initial = OBJECTS[name].initial
    header = Header(
        1, model=name, initial=dict(initial) if name == "multi-register" else initial if initial in (0, "") else None
    )
    return Linearizability(model(name) if general else name).check(History(header, numbered(events)), Budget())


def without_the_unseen(random: Random, events: list[Op], verdict: Verdict) -> list[Op]:
    """Without an operation in doubt that the order does not need."""
    needed = {index for entry in verdict.certificate["keys"] for index in entry["order"]}
    running: dict[Any, int] = {}
    unseen: list[tuple[int, int]] = []
    for place, op in enumerate(events):
        if op.type == "invoke":
            running[op.process] = place
        elif op.type == "info" and running[op.process] not in needed:
            unseen.append((running[op.process], place))
    gone = random.choice(unseen) if unseen else ()
    return [op for place, op in enumerate(events) if place not in gone]


def widened(random: Random, events: list[Op], _: Verdict) -> list[Op]:
    """With an answer and the question after it the other way round."""
    places = [
        place
        for place, (one, two) in enumerate(pairwise(events))
        if one.type != "invoke" and two.type == "invoke" and one.process != two.process
    ]
    if not places:
        return events
    place = random.choice(places)
    return [*events[:place], events[place + 1], events[place], *events[place + 2 :]]


def cut(random: Random, events: list[Op], _: Verdict) -> list[Op]:
    return events[: random.randint(0, len(events))]


def renamed(random: Random, events: list[Op], _: Verdict) -> list[Op]:
    """With the processes under other names."""
    shift = random.randint(1, 1000)
    return [msgspec.structs.replace(op, process=int(op.process) + shift) for op in events]


@pytest.mark.parametrize("change", [without_the_unseen, widened, cut, renamed])
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_what_has_an_order_keeps_one(name: str, change: Change) -> None:
    changed = 0
    for seed in SEEDS:
        random = Random(seed)
        events = random_history(random, OBJECTS[name])
        verdict = judged(name, events)
        if verdict.answer == "valid":
            other = change(random, events, verdict)
            changed += other != events
            assert judged(name, other).answer == "valid", f"seed {seed}"
    assert changed > 3


@pytest.mark.parametrize("general", [True, False])
def test_other_values_for_the_same_make_no_difference(general: bool) -> None:
    def other(value: Any) -> Any:
        return [other(item) for item in value] if isinstance(value, list) else value if value is None else value * 7 + 3

    for seed in SEEDS:
        events = random_history(Random(seed), OBJECTS["register"])
        renamed_values = [msgspec.structs.replace(op, value=other(op.value)) for op in events]
        header = Header(1, model="register", initial=3)
        after = Linearizability(model("register") if general else "register").check(
            History(header, numbered(renamed_values)), Budget()
        )
        assert after.answer == judged("register", events, general).answer, f"seed {seed}"


def test_keys_in_another_order_get_the_same_verdicts() -> None:
    for seed in SEEDS[:20]:
        random = Random(seed)
        parts = [random_history(random, OBJECTS["cas-register"]) for _ in range(12)]
        events = as_keys(random, parts)
        swapped = [msgspec.structs.replace(op, key=(int(op.key) * 5 + 2) % 12) for op in events]
        for general in (True, False):
            before, after = judged("cas-register", events, general), judged("cas-register", swapped, general)
            broken = {(int(anomaly.key) * 5 + 2) % 12 for anomaly in before.anomalies}
            assert broken == {anomaly.key for anomaly in after.anomalies}
