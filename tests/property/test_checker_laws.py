"""What may be done to a history that is right without making it wrong, for sessions, objects, invariants, transactions.

The laws of linearizability are in `test_model_laws` and `test_structures`.

A law is left out where it is none: `why_not` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from oracle import made_structures as made
from oracle.made_invariants import KINDS
from oracle.made_objects import CASES, Maker
from oracle.made_transactions import made as made_transactions
from oracle.replicas import Sessions as Replicas
from oracle.transactions import JUDGES

from checkers.protocol import Budget
from checkers.sessions import (
    Causal,
    CausalConvergent,
    MonotonicReads,
    MonotonicWrites,
    Pram,
    ReadYourWrites,
    Sequential,
    WritesFollowReads,
)
from checkers.staleness import Staleness
from checkers.transactions import Transactions
from harness.history import Header, History
from harness.op import Op

SEEDS = range(90_000, 90_060)
Law = Callable[[Random, list[Op]], Sequence[Op]]


def numbered(events: Sequence[Op]) -> list[Op]:
    return [msgspec.structs.replace(op, index=index) for index, op in enumerate(events)]


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def written(op: Op) -> list[tuple[Any, Any]]:
    """(key, value) of everything that an operation changes."""
    if op.f in ("txn", "write") and isinstance(op.value, list):
        return [(step[1], step[2]) for step in op.value if step[0] != "r"]
    return [(op.key, op.value)] if op.f in ("write", "append", "add", "enqueue") else []


def without_the_unseen(random: Random, events: list[Op]) -> Sequence[Op]:
    """Without a change in doubt of which nothing was ever seen."""
    told = msgspec.json.encode([op.value for op in events if op.type == "ok"]).decode()
    doubtful = [op for op in events if op.type == "info" and written(op)]
    unseen = [op for op in doubtful if not any(str(value) in told for _, value in written(op))]
    if not unseen:
        return events
    process = random.choice(unseen).process
    last = max(op.index for op in events if op.process == process)
    begun = max(op.index for op in events if op.process == process and op.index < last)
    return [op for op in events if op.index not in (begun, last)]


def widened(random: Random, events: list[Op]) -> Sequence[Op]:
    """With an answer and the question after it the other way round, a few times."""
    events = list(events)
    for _ in range(3):
        places = [
            place
            for place, (one, two) in enumerate(pairwise(events))
            if one.type != "invoke" and two.type == "invoke" and one.process != two.process
        ]
        if places:
            place = random.choice(places)
            events[place : place + 2] = events[place + 1], events[place]
    return events


def cut(random: Random, events: list[Op]) -> Sequence[Op]:
    """Up to a response."""
    ends = [op.index for op in events if op.type != "invoke"]
    return events[: random.choice(ends) + 1] if ends else events


def other_values(value: Any) -> Any:
    """Other values for the same, in the same order; what is no number, or tells a function, stays."""
    if isinstance(value, list):
        if value[:1] and value[0] in ("r", "w", "append"):
            return [value[0], value[1], other_values(value[2])]
        return [other_values(part) for part in value]
    if isinstance(value, dict) or value is None or isinstance(value, bool):
        return value
    return value * 7 + 3 if isinstance(value, int) else f"another {value}"


def renamed(_: Random, events: list[Op]) -> Sequence[Op]:
    return [msgspec.structs.replace(op, value=other_values(op.value)) for op in events]


def other_keys(random: Random, events: list[Op]) -> Sequence[Op]:
    """With the keys exchanged."""
    of_steps = {step[1] for op in events if op.f == "txn" for step in op.value}
    keys = sorted({op.key for op in events if op.key is not None} | of_steps)
    names = dict(zip(keys, random.sample(keys, len(keys)), strict=True))

    def value(op: Op) -> Any:
        return [[f, names[key], told] for f, key, told in op.value] if op.f == "txn" else op.value

    return [msgspec.structs.replace(op, key=names.get(op.key), value=value(op)) for op in events]


LAWS: tuple[Law, ...] = (without_the_unseen, widened, cut)
EQUAL: tuple[Law, ...] = (renamed, other_keys)
"""What these do makes no difference at all."""


# ── whom they apply to ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Case:
    """A checker, how histories for it are made, and laws that are none for it, with the reason."""

    checker: Any
    make: Callable[[int], list[Op]]
    why_not: dict[str, str] = field(default_factory=dict)
    model: str = "register"


def sessions(seed: int) -> list[Op]:
    return Replicas(seed).history(8, 2, ("none", "global", "none", "key")[seed % 4])


def transactions(seed: int) -> list[Op]:
    return made_transactions(seed)[0]


def objects(thing: Any, length: int) -> Callable[[int], list[Op]]:
    def make(seed: int) -> list[Op]:
        maker = Maker(seed)
        for maker.key in range(3):
            maker.part(thing(), 2 + maker.below(length - 1))
        return maker.events

    return make


NO_NAMES = {"renamed": "its numbers are amounts"}
NOT_YET = {"cut": "what comes out later is missing before"}
OBJECTS = {"counter": NO_NAMES, "queue": NOT_YET, "lock": {}, "list": {}, "set": {}}
INVARIANTS = {
    "set-final": {"cut": "another read is the last one", "widened": "another read is the last one"},
    "counter-bounds": NO_NAMES | {"without_the_unseen": "a number may show it"},
    "bank": NO_NAMES,
    "long-fork": {"renamed": "its values are all the same"},
}
SESSIONS = (
    ReadYourWrites(),
    MonotonicReads(),
    MonotonicWrites(),
    WritesFollowReads(),
    Pram(),
    Causal(),
    CausalConvergent(),
    Sequential(),
    Staleness(k_max=1),
)

ALL = {
    **{checker.name: Case(checker, sessions) for checker in SESSIONS},
    **{
        CASES[name][0].name: Case(CASES[name][0], objects(CASES[name][1], CASES[name][3]), why_not)
        for name, why_not in OBJECTS.items()
    },
    **{
        kind.checker.name: Case(kind.checker, lambda seed, kind=kind: made.made(seed, kind.thing()), why_not)
        for name, kind in KINDS.items()
        for why_not in [INVARIANTS.get(name, {})]
    },
    **{
        level: Case(Transactions(level), lambda seed: made_transactions(seed)[0], {}, "transactions")
        for level in JUDGES
    },
}


def answer(case: Case, events: Sequence[Op]) -> str:
    history = History(Header(1, model=case.model), numbered(events))
    return str(case.checker.check(history, Budget(60)).answer)


@pytest.mark.parametrize("name", ALL)
def test_what_is_right_is_not_made_wrong(name: str) -> None:
    case = ALL[name]
    changed = dict.fromkeys((law.__name__ for law in LAWS), 0)
    for seed in SEEDS:
        events = numbered(case.make(seed))
        if answer(case, events) != "valid":
            continue
        for law in LAWS:
            if law.__name__ not in case.why_not:
                other = list(law(Random(seed), events))
                changed[law.__name__] += other != events
                assert answer(case, other) != "invalid", (seed, law.__name__)
    assert all(changed[law] > 5 for law in ("widened", "cut") if law not in case.why_not), changed


@pytest.mark.parametrize("name", ALL)
def test_names_make_no_difference(name: str) -> None:
    case, changed = ALL[name], 0
    for seed in SEEDS:
        events = numbered(case.make(seed))
        for law in EQUAL:
            if law.__name__ not in case.why_not:
                other = list(law(Random(seed), events))
                changed += other != events
                assert answer(case, other) == answer(case, events), (seed, law.__name__)
    assert changed > 5 or case.why_not


def test_each_law_that_drops_something_finds_something_to_drop() -> None:
    dropped = {}
    for name, case in ALL.items():
        made_events = [numbered(case.make(seed)) for seed in SEEDS]
        dropped[name] = sum(len(without_the_unseen(Random(1), events)) < len(events) for events in made_events)
    assert sum(count > 3 for count in dropped.values()) > len(ALL) // 2, dropped
