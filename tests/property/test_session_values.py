"""Without versions: columns say what the pass over single accesses says, and confirm no order that events doubt.

Whole verdicts are compared; only which of several orders is shown, and what a guess counted, may differ.
"""

from collections import Counter
from random import Random

import msgspec
import pytest
from oracle.guarantees import SUBSETS
from oracle.replicas import Sessions as Replicas
from property.test_session_suspects import Story
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions import Causal, CausalConvergent, Pram, Semantics, Sessions, causal, checker
from checkers.verifiers.sessions import served, verify_sessions
from checkers.verifiers.visible import doubts, traced_of
from harness.history import Header, History
from harness.op import Op

ERRORS = (KeyError, IndexError, TypeError, ValueError)


def made(seed, most=60):
    """A history without versions; in some, reads show what they should not."""
    random = Random(seed)
    if random.random() < 0.3:
        events = Replicas(seed).history(random.choice((5, 8, 14, 30)), random.choice((1, 2, 3)), "none")
    else:
        story = Story(random)
        story.misplaced *= random.choice((0, 1))
        events = story.told(random.choice((6, 12, 30, most)), random.choice((1, 2, 3, 5, 12)))
        events = [msgspec.structs.replace(op, version=None) for op in events]
        shown = [place for place, op in enumerate(events) if (op.f, op.type) == ("read", "ok")]
        for _ in range(random.choice((0, 0, 1, 2, 4)) if shown else 0):
            place, other = random.choice(shown), random.choice(events)
            if other.f == "write" and (other.key == events[place].key or random.random() < 0.5):
                events[place] = msgspec.structs.replace(events[place], value=other.value)
    return History(Header(1, "register", initial=random.choice((None, None, None, 0))), events)


def checker_of(random):
    if random.random() < 0.4:
        return random.choice((Causal(), Causal(), CausalConvergent(), Pram()))
    semantics = Semantics()
    if random.random() < 0.2:
        semantics = Semantics(random.random() < 0.7, random.random() < 0.3, random.choice(("any", "linearizable")))
    own = (("read-your-writes",), ("monotonic-reads",), ("read-your-writes", "monotonic-reads"))
    return Sessions(tuple(random.choice(own if random.random() < 0.3 else SUBSETS)), semantics)


def plain(verdict):
    """Without what may differ."""
    if verdict.answer != "valid":
        return verdict
    counts = {name: count for name, count in verdict.counts.items() if name not in ("obliged_reads", "ordered_writes")}
    return msgspec.structs.replace(verdict, counts=counts, certificate={}, summary="")


def judged(judge, history, monkeypatch, way):
    """By columns, without guessing, or by the pass over single accesses."""
    for module in (checker, causal):
        if way != "guess":
            monkeypatch.setattr(module, "confirmed_by_guess", lambda *_: None)
        if way == "pass":
            monkeypatch.setattr(module, "read_values", lambda _: None)
    verdict = judge.check(history, Budget(600))
    monkeypatch.undo()
    return verdict


@some_and_many(1200)
def test_columns_of_values_say_what_the_pass_says(monkeypatch, seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        history, judge = made(seed), checker_of(random)
        verdict = judged(judge, history, monkeypatch, random.choice(("guess", "columns")))
        wanted = judged(judge, history, monkeypatch, "pass")
        assert plain(verdict) == plain(wanted), (seed, judge)
        assert verdict.answer == "unknown" or verify_sessions(history, verdict) == [], (seed, judge)
        found[verdict.answer] += 1
        found.update({anomaly.rule for anomaly in verdict.anomalies})
    seeds.told(found["invalid"], len(seeds))
    assert min(found["valid"], found["invalid"]) > len(seeds) / 10
    rules = ("initial-value", "value-cycle", "overwritten", "future-read", "garbage-read")
    assert min(found[rule] for rule in rules) > len(seeds) / 400, found


@some_and_many(8)
def test_columns_of_values_say_what_the_pass_says_of_long_histories(monkeypatch, seeds):
    for seed in seeds:
        random = Random(seed)
        history, judge = made(seed, random.choice((100, 300))), checker_of(random)
        verdict = judged(judge, history, monkeypatch, "columns")
        assert plain(verdict) == plain(judged(judge, history, monkeypatch, "pass")), (seed, judge)
        assert verdict.answer == "unknown" or verify_sessions(history, verdict) == [], (seed, judge)
    seeds.told(len(seeds))


@some_and_many(1200)
def test_columns_confirm_no_order_that_events_doubt(seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        history = made(seed, 20)
        certificate = certificate_of(random, history)
        try:
            quick = served(history, certificate)
        except ERRORS:
            quick = False
        plainly = _stands(history, certificate)
        assert plainly or not quick, (seed, certificate)
        found[quick, plainly] += 1
    seeds.told(found[False, False], len(seeds))
    assert min(found[True, True], found[False, False]) > len(seeds) / 10
    assert found[False, True] < found[True, True]


def certificate_of(random, history):
    """A right one, or one of which something was changed."""
    writes = [op.index for op in history.events if op.type == "invoke" and op.f == "write"]
    judge = Sessions(tuple(random.choice(SUBSETS)))
    order = list(judge.check(history, Budget(60)).certificate.get("order", writes))
    if len(order) > 1 and random.random() < 0.5:
        one, other = random.randrange(len(order)), random.randrange(len(order))
        order[one], order[other] = order[other], order[one]
    if order and random.random() < 0.1:
        order[random.randrange(len(order))] = random.choice((0, 1, 2, -1, 10**6, "a", order[0]))
    if order and random.random() < 0.1:
        order.pop(random.randrange(len(order)))
    asked = {
        "guarantees": sorted(judge.guarantees),
        "per_key": random.random() < 0.2,
        "convergent": random.random() < 0.8,
        "linearizable_writes": random.random() < 0.1,
    }
    return {"asked": asked, "by": "order", "order": order}


def _stands(history, certificate):
    try:
        return not any(doubts(traced_of(history), certificate))
    except ERRORS:
        return False


def test_a_guess_that_is_wrong_is_put_right():
    """Two writes at a time, which a third session saw in the order in which they were not over."""
    told = [
        *((1, "invoke", "write", 1), (2, "invoke", "write", 2), (1, "ok", "write", 1), (2, "ok", "write", 2)),
        *((3, "invoke", "read", None), (3, "ok", "read", 2), (3, "invoke", "read", None), (3, "ok", "read", 1)),
    ]
    events = [Op(index, None, process, kind, f, "k", value) for index, (process, kind, f, value) in enumerate(told)]
    for judge in (Pram(), CausalConvergent(), Causal()):
        verdict = judge.check(History(Header(1), events), Budget(60))
        assert verdict.certificate["order"] == [1, 0]


@pytest.mark.parametrize("judge", [Pram(), Causal(), CausalConvergent()], ids=lambda judge: judge.name)
def test_columns_keep_to_the_budget(judge):
    told = [(1, "invoke", "write", 1), (1, "ok", "write", 1), (1, "invoke", "read", None), (1, "ok", "read", None)]
    events = [Op(index, None, process, kind, f, "k", value) for index, (process, kind, f, value) in enumerate(told)]
    late = Budget(1.0, now_ns=lambda: 2_000_000_000, started_ns=0)
    verdict = judge.check(History(Header(1), events), late)
    assert (verdict.answer, verdict.reason) == ("unknown", "the time was over after 0 of 2 steps.")
