"""Planted mistakes of counters, queues, locks, lists and sets: found, told, confirmed; their twins pass.

A story is a list of operations. One of two parts of one operation is ("begin", ...) or ("end", ...); whatever is not,
begins and ends at once. The twin of a story differs from it in one answer, and is right.
"""

import msgspec
import pytest

from checkers.objects import AppendOnly, Counter, FencedLock, SetFull, TotalQueue
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op
from harness.verdict import Anomaly, Verdict

LATER = "info"


def told(story, initial=None):
    """(process, f, argument, answer[, version]); the answer is a value, "info", or ("fail", error)."""
    events = []

    def emit(process, type_, f, value, error=None, version=None):
        events.append(Op(len(events), None, process, type_, f, "k", value, error=error, version=version))

    for part in story:
        if part[0] != "end":
            process, f, argument = part[1:4] if part[0] == "begin" else part[:3]
            emit(process, "invoke", f, argument)
        if part[0] != "begin":
            process, f, argument, answer, *version = part[1:] if part[0] == "end" else part
            if answer == LATER:
                emit(process, "info", f, argument, "timeout")
            elif isinstance(answer, tuple):
                emit(process, "fail", f, argument, answer[1])
            else:
                emit(process, "ok", f, answer, None, *version)
    return History(Header(1, "", initial), events)


def judged(checker, history):
    verdict = checker.check(history, Budget(10))
    assert verify(history, verdict) == []
    return verdict


def inc(process, answer, by=1):
    return (process, "increment", by, answer)


def read(process, answer):
    return (process, "read", None, answer)


def enq(process, element, answer=None):
    return (process, "enqueue", element, element if answer is None else answer)


def deq(process, answer):
    return (process, "dequeue", None, answer)


def acq(process, answer):
    return (process, "acquire", str(process), answer)


def rel(process, token, answer=None):
    return (process, "release", token, token if answer is None else answer)


def app(process, element, answer=None):
    return (process, "append", element, element if answer is None else answer)


def add(process, element, answer=None):
    return (process, "add", element, element if answer is None else answer)


EMPTY, HELD, NOT_HOLDER, NO_LEADER = (("fail", word) for word in ("empty", "held", "not-holder", "no-leader"))

# name: checker, story, number of the part that the twin has otherwise, that part, anomaly, operations shown, words
PLANTED = {
    "two increments to one": (Counter(), [inc(0, 1), inc(1, 1)], 1, inc(1, 2), "lost-increment", 2, "both told"),
    "counter read stale": (Counter(), [inc(0, 1), inc(1, 2), read(0, 1)], 2, read(0, 2), "stale-read", 2, "went back"),
    "counter never seen": (Counter(), [inc(0, 1), read(1, None)], 1, read(1, 1), "stale-read", 2, "read 0"),
    "counted twice": (Counter(), [inc(0, "info"), inc(1, 3)], 1, inc(1, 2), "counted-twice", 1, "counted twice"),
    "counted before it began": (
        Counter(),
        [inc(0, 2), inc(1, "info")],
        0,
        inc(0, 1),
        "counted-twice",
        1,
        "told 2",
    ),
    "element lost": (TotalQueue(), [enq(0, 5), deq(1, EMPTY)], 1, deq(1, 5), "lost-element", 2, "nobody got it"),
    "one of two lost": (
        TotalQueue(),
        [enq(0, 5), enq(0, 6), deq(1, "info"), deq(2, EMPTY)],
        1,
        enq(0, 6, NO_LEADER),
        "lost-element",
        3,
        "1 dequeues in doubt",
    ),
    "element twice": (
        TotalQueue(),
        [enq(0, 5), deq(1, 5), deq(2, 5)],
        2,
        deq(2, EMPTY),
        "duplicate-element",
        3,
        "once",
    ),
    "element invented": (TotalQueue(), [deq(1, 5)], 0, deq(1, EMPTY), "invented-element", 1, "nobody put it in"),
    "failed element": (
        TotalQueue(),
        [enq(0, 5, NO_LEADER), deq(1, 5)],
        0,
        enq(0, 5),
        "invented-element",
        1,
        "nobody put it in",
    ),
    "token again": (
        FencedLock(),
        [acq(0, 3), rel(0, 3), acq(1, 3), rel(1, 4, "info")],
        2,
        acq(1, 4),
        "token-repeated",
        2,
        "both given token 3",
    ),
    "token went back": (
        FencedLock(),
        [acq(0, 9), rel(0, 9), acq(1, 4)],
        2,
        acq(1, 10),
        "token-went-back",
        2,
        "a token went back",
    ),
    "released before acquired": (
        FencedLock(),
        [rel(1, 3), acq(0, 3)],
        0,
        rel(1, 3, NOT_HOLDER),
        "token-went-back",
        2,
        "no greater",
    ),
    "never released": (FencedLock(), [acq(0, 3), acq(1, 4)], 1, acq(1, HELD), "two-holders", 2, "nobody ever released"),
    "released too late": (
        FencedLock(),
        [acq(0, 3), acq(1, 4), rel(0, 3)],
        1,
        acq(1, HELD),
        "two-holders",
        2,
        "before anybody began to release token 3",
    ),
    "released twice": (
        FencedLock(),
        [acq(0, 3), rel(0, 3), acq(1, 4), rel(0, 3)],
        3,
        rel(0, 3, NOT_HOLDER),
        "released-twice",
        2,
        "no longer the holder's",
    ),
    "released by a stranger": (
        FencedLock(),
        [acq(0, 3), rel(1, 2)],
        1,
        rel(1, 2, NOT_HOLDER),
        "released-by-stranger",
        1,
        "nobody was given",
    ),
    "free but refused": (FencedLock(), [acq(0, HELD)], 0, acq(0, 1), "refused-a-free-lock", 1, "nobody can have held"),
    "free between two": (
        FencedLock(),
        [acq(0, 1), rel(0, 1), acq(1, HELD), acq(2, 2)],
        2,
        acq(1, NO_LEADER),
        "refused-a-free-lock",
        3,
        "nobody can have held",
    ),
    "holder refused": (
        FencedLock(),
        [acq(0, 1), rel(0, 1, NOT_HOLDER)],
        1,
        rel(0, 1),
        "refused-its-holder",
        2,
        "then the holder's",
    ),
    "append lost": (AppendOnly(), [app(0, 1), read(1, [])], 1, read(1, [1]), "lost-element", 2, "did not find it"),
    "append read stale": (
        AppendOnly(),
        [app(0, 1), read(1, None), read(1, [1])],
        1,
        read(1, [1]),
        "stale-read",
        2,
        "later read shows it",
    ),
    "append twice": (AppendOnly(), [app(0, 1), read(1, [1, 1])], 1, read(1, [1]), "duplicate-element", 2, "twice"),
    "append invented": (AppendOnly(), [read(1, [7])], 0, read(1, []), "garbage-read", 1, "nobody put in"),
    "append aborted": (
        AppendOnly(),
        [app(0, 7, NO_LEADER), read(1, [7])],
        0,
        app(0, 7, "info"),
        "aborted-read",
        2,
        "had failed",
    ),
    "append foreseen": (AppendOnly(), [read(1, [7]), app(0, 7)], 0, read(1, []), "read-from-the-future", 2, "before"),
    "lists disagree": (
        AppendOnly(),
        [("begin", 0, "append", 1), ("begin", 1, "append", 2), read(2, [1]), read(3, [2]), LATER],
        3,
        read(3, [1]),
        "incomparable-reads",
        2,
        "neither",
    ),
    "appends swapped": (
        AppendOnly(),
        [app(0, 1), app(1, 2), read(2, [2, 1])],
        2,
        read(2, [1, 2]),
        "reordered",
        3,
        "without the first before it",
    ),
    "add lost": (SetFull(), [add(0, 1), read(1, [])], 1, read(1, [1]), "lost-element", 2, "did not find it"),
    "adds swapped": (
        SetFull(),
        [("begin", 2, "read", None), add(0, 1), add(1, 2), ("end", 2, "read", None, [2])],
        3,
        ("end", 2, "read", None, [1]),
        "reordered",
        3,
        "without the first in it",
    ),
}


def planted(name):
    checker, story, place, right, *wanted = PLANTED[name]
    story = [part for part in story if part != LATER]
    twin = [*story[:place], right, *story[place + 1 :]]
    return checker, told(story), told(twin), wanted


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_shown_by_few_operations_in_a_sentence(name):
    checker, history, _, (anomaly_name, operations, words) = planted(name)
    verdict = judged(checker, history)
    assert verdict.answer == "invalid"
    found = {anomaly.name: anomaly for anomaly in verdict.anomalies}
    anomaly = found[anomaly_name]
    assert words in anomaly.sentence
    assert len(anomaly.ops) == operations
    assert anomaly.culprit in anomaly.ops
    assert verdict.counts["anomalies"] == len(verdict.anomalies)


@pytest.mark.parametrize("name", PLANTED)
def test_the_twin_of_a_planted_mistake_is_valid(name):
    checker, _, twin, _ = planted(name)
    assert judged(checker, twin).answer == "valid"


@pytest.mark.parametrize("name", PLANTED)
def test_the_verifier_refuses_the_anomaly_on_the_twin(name):
    checker, history, twin, (anomaly_name, *_) = planted(name)
    anomalies = judged(checker, history).anomalies
    anomaly = next(anomaly for anomaly in anomalies if anomaly.name == anomaly_name)
    assert verify(twin, Verdict(checker.name, "invalid", anomalies=(anomaly,))) != []


@pytest.mark.parametrize("name", PLANTED)
def test_the_verifier_refuses_to_call_a_planted_mistake_valid(name):
    checker, history, twin, _ = planted(name)
    assert verify(history, judged(checker, twin)) != []


@pytest.mark.parametrize("checker", [Counter(), TotalQueue(), FencedLock(), AppendOnly(), SetFull()])
def test_the_verifier_refuses_what_shows_nothing_or_cannot_be_read(checker):
    history = told([inc(0, 1), enq(0, 1), acq(0, 1), app(0, 1), add(0, 1)])
    assert verify(history, Verdict(checker.name, "invalid")) != []
    for rule in ("counter-order", "queue-lost", "lock-order", "grown-missing"):
        nothing = Anomaly("x", "y", "z", "k", (0,), 0, "", rule, {"ops": [77], "pairs": [[77, 78]], "edges": [[1]]})
        assert verify(history, Verdict(checker.name, "invalid", anomalies=(nothing,))) != []
    unreadable = {"keys": [{"key": "other"}], "order": [99]}
    assert verify(history, Verdict(checker.name, "valid", certificate=unreadable)) != []
    assert verify(history, Verdict(checker.name, "valid")) != []


@pytest.mark.parametrize("name", ["counted twice", "append lost", "free between two"])
def test_the_verifier_refuses_an_order_against_real_time(name):
    checker, _, twin, _ = planted(name)
    verdict = judged(checker, twin)
    certificate = msgspec.json.decode(msgspec.json.encode(verdict.certificate))
    order = certificate["keys"][0]["order"]
    order.reverse()
    assert len(order) > 1 or name == "counted twice"
    assert verify(twin, msgspec.structs.replace(verdict, certificate=certificate)) != []


# ── what cannot be decided is said, and why ──────────────────────────────────────────────────────────────────────────

UNDECIDED = {
    "increments by two": (Counter(), [inc(0, 2, by=2)], "by more or less than one"),
    "an increment by a word": (Counter(), [inc(0, 2, by="two")], "not by a whole number"),
    "a word as a number": (Counter(), [inc(0, "one")], "not a whole number"),
    "a queue that nobody found empty": (TotalQueue(), [enq(0, 5)], "nobody found it empty"),
    "a word as a token": (FencedLock(), [acq(0, "mine")], "not a whole number"),
    "a token from an acquire in doubt": (FencedLock(), [acq(0, "info"), rel(1, 3)], "may have been given token 3"),
    "an element put in twice": (AppendOnly(), [app(0, 1), app(1, 1)], "more than once"),
    "a list that is none": (AppendOnly(), [read(0, 7)], "shows no list"),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_decided_is_unknown_with_the_reason(name):
    checker, story, why = UNDECIDED[name]
    verdict = judged(checker, told(story))
    assert verdict.answer == "unknown"
    assert why in verdict.reason


@pytest.mark.parametrize("checker", [AppendOnly(), SetFull()])
def test_lists_that_do_not_start_empty_are_not_judged(checker):
    assert judged(checker, told([read(0, [1])], initial=[1])).answer in ("unknown", "invalid")


@pytest.mark.parametrize(
    ("checker", "story"),
    [
        (Counter(), [inc(0, 1)]),
        (TotalQueue(), [enq(0, 1), deq(0, 1)]),
        (FencedLock(), [acq(0, 1)]),
        (AppendOnly(), [app(0, 1)]),
        (SetFull(), [add(0, 1)]),
    ],
)
def test_no_time_left_is_unknown(checker, story):
    ticks = iter(range(0, 100_000_000_000, 10_000_000_000))
    verdict = checker.check(told(story), Budget(1, now_ns=lambda: next(ticks)))
    assert verdict.answer == "unknown"
    assert "time was over" in verdict.reason


def test_a_counter_may_start_anywhere():
    assert judged(Counter(), told([inc(0, 8), read(1, 8)], initial=7)).answer == "valid"
    assert judged(Counter(), told([read(1, 6)], initial=7)).answer == "invalid"


def test_increments_by_other_amounts_are_held_to_their_bounds():
    story = [inc(0, 5, by=5), inc(1, "info", by=-2), read(2, 6)]
    [anomaly] = judged(Counter(), told(story)).anomalies
    assert "at least 3 and at most 5" in anomaly.sentence
