"""Fast paths of objects against every order, on small random histories, every certificate re-checked; their laws."""

from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest
from oracle import made_structures as made
from oracle import structures as oracle
from torture import some_and_many

from checkers.protocol import Budget
from checkers.structures import Structure
from checkers.structures.counter_stream import CounterStream
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op

SEEDS = some_and_many(5_000)
PUTS = (0.5, 0.5, 0.65)


@dataclass(frozen=True)
class Kind:
    """How an object is made, what it does, its first state, and how often at most it takes a search, of 1,000."""

    thing: Any
    step: Any
    state: Any = ()
    searched: int = 0
    initial: Any = None


KINDS = {
    "queue": Kind(lambda seed: made.AsPool("enqueue", "dequeue", False, PUTS[seed % 3]), oracle.queue, searched=60),
    "stack": Kind(lambda seed: made.AsPool("push", "pop", True, PUTS[seed % 3]), oracle.stack, searched=60),
    "set": Kind(lambda seed: made.AsMembers(), oracle.members, frozenset()),
    "grow-set": Kind(lambda seed: made.AsGrown("add"), oracle.grown),
    "log": Kind(lambda seed: made.AsGrown("append"), oracle.grown),
    "mutex": Kind(lambda seed: made.AsMutex(tries=False), oracle.mutex, False),
    "mutex with tries": Kind(lambda seed: made.AsMutex(), oracle.mutex, False),
    "mutex held at first": Kind(lambda seed: made.AsMutex(held=True), oracle.mutex, True, initial=True),
    "fenced-lock": Kind(lambda seed: made.AsFenced(), oracle.fenced, (None, -1), searched=200),
    "counter": Kind(lambda seed: made.AsCounter((1, 1, 3, -2)[seed % 4]), oracle.counter, 0),
    "counter from seven": Kind(lambda seed: made.AsCounter(min(seed % 9, 1), 7), oracle.counter, 7, initial=7),
    "counter that tells": Kind(lambda seed: made.AsNumbered(), oracle.numbered, 0),
}


def judged(model, events, initial=None):
    history = History(Header(initial=initial), events)
    verdict = Structure(model.partition(" ")[0]).check(history, Budget(60))
    assert verify(history, verdict) == []
    return verdict


@pytest.mark.parametrize("model", KINDS)
@SEEDS
def test_a_fast_path_agrees_with_every_order(model, seeds):
    kind = KINDS[model]
    answers = {"valid": 0, "invalid": 0, "unknown": 0}
    for seed in seeds:
        events = made.made(seed, kind.thing(seed))
        verdict = judged(model, events, kind.initial)
        answers[verdict.answer] += 1
        if verdict.answer != "unknown":
            assert (verdict.answer == "valid") == oracle.holds(events, kind.step, kind.state), seed
    seeds.told(answers["invalid"])
    assert answers["invalid"] > len(seeds) * 0.04
    assert answers["valid"] > len(seeds) * 0.3
    assert answers["unknown"] <= len(seeds) * kind.searched / 1000


def numbered(events):
    """The same events, in their new order."""
    return [msgspec.structs.replace(op, index=index) for index, op in enumerate(events)]


def without_what_nobody_saw(events, random):
    """Without an operation in doubt that changes something, if it is one that nobody saw."""
    seen = {op.value for op in events if op.type == "ok" and op.f in ("dequeue", "pop")}
    for op in events:
        if op.type == "info" and op.f in ("enqueue", "push") and op.value not in seen:
            return numbered([other for other in events if other.process != op.process or other.value != op.value])
    return events


def widened(events, random):
    """An answer comes one event later."""
    events = list(events)
    places = [
        place
        for place in range(len(events) - 1)
        if events[place].type != "invoke" and events[place].process != events[place + 1].process
    ]
    if places:
        place = random.choice(places)
        events[place : place + 2] = events[place + 1], events[place]
    return numbered(events)


def renamed(events, random):
    """Every element is called otherwise; numbers of counters and tokens are no names."""

    def rename(value):
        return value if value is None or isinstance(value, bool) else f"element {value}"

    if not any(op.f in ("enqueue", "push", "contains") for op in events):
        return events
    return [msgspec.structs.replace(op, value=rename(op.value)) for op in events]


def cut(events, random):
    """Only what there was up to some event."""
    return events[: random.randrange(len(events)) + 1]


@pytest.mark.parametrize("law", [without_what_nobody_saw, widened, renamed, cut])
@pytest.mark.parametrize("model", KINDS)
def test_what_is_valid_stays_valid(model, law):
    kind, random, changed = KINDS[model], Random(7), 0
    for seed in range(300):
        events = made.made(seed, kind.thing(seed))
        if judged(model, events, kind.initial).answer == "valid":
            after = law(events, random)
            changed += after != events
            assert judged(model, after, kind.initial).answer != "invalid", seed
    assert changed or law in (renamed, without_what_nobody_saw)
    assert changed or model not in ("queue", "stack")


@pytest.mark.parametrize("model", ["queue", "stack"])
def test_a_wrong_order_and_a_wrong_witness_are_not_confirmed(model):
    refused = {"valid": 0, "invalid": 0}
    for seed in range(400):
        events = made.made(seed, KINDS[model].thing(seed))
        history = History(Header(), events)
        verdict = judged(model, events)
        if verdict.answer == "valid" and len(order := verdict.certificate["keys"][0]["order"]) > 3:
            forged = msgspec.structs.replace(
                verdict, certificate={"model": model, "keys": [{"key": None, "order": order[::-1]}]}
            )
            refused["valid"] += bool(verify(history, forged))
            assert verify(history, forged) or oracle.holds(events, KINDS[model].step, ())
        if verdict.answer == "invalid":
            [anomaly] = verdict.anomalies
            for value in range(1, 4):
                certificate = {"values": [value], "observers": [], "observer": anomaly.culprit}
                forged = msgspec.structs.replace(
                    verdict, anomalies=(msgspec.structs.replace(anomaly, certificate=certificate),)
                )
                refused["invalid"] += bool(verify(history, forged))
    assert min(refused.values()) > 20


class AsRefusing(made.AsCounter):
    """A counter that refuses some adds, though it may have shown them."""

    def answer(self, random, f, argument, slips):
        if f == "add" and random.random() < 0.25:
            self.number += argument * slips
            return "fail", f, argument, "full"
        return super().answer(random, f, argument, slips)


@SEEDS
def test_a_counter_is_judged_alike_while_the_test_runs(seeds):
    answers = {"valid": 0, "invalid": 0}
    for seed in seeds:
        start, amount = ((0, 1), (7, 1), (0, -2))[seed % 3]
        events = made.made(seed, AsRefusing(amount, start))
        stream, first = CounterStream(start, amount), None
        for op in events:
            if stream.feed(op) and first is None:
                first = op.index
        verdict = judged("counter", events, start)
        assert (verdict.answer == "invalid") == bool(stream.sentence), seed
        answers[verdict.answer] += 1
        if first is not None:
            assert judged("counter", events[: first + 1], start).answer == "invalid", seed
            assert judged("counter", events[:first], start).answer == "valid", seed
    assert min(answers.values()) > len(seeds) * 0.1


def test_a_counter_is_judged_in_little_memory():
    random, stream, number, most = Random(1), CounterStream(), 0, 0
    running = {}
    for index in range(40_000):
        process = random.randrange(6)
        if process not in running:
            running[process] = f = random.choice(("add", "read"))
            op = Op(index, None, process, "invoke", f, None, 1 if f == "add" else None)
        else:
            f = running.pop(process)
            number += f == "add"
            op = Op(index, None, process, "ok", f, None, 1 if f == "add" else number)
        assert stream.feed(op) == ""
        most = max(most, stream.kept)
    assert most <= 20
