"""Planted violations of queues, stacks, sets, locks and counters: found, told in a sentence, and confirmed.

A story is a list of (process, f, argument, answer), each over before the next; ("begin", ...) and ("end", ...) are the
two halves of one that overlaps others.
"""

from random import Random

import msgspec
import pytest

from checkers.protocol import Budget
from checkers.structures import FAST_PATHS, Structure
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op


def told(story, initial=None):
    """The answer is a value, "info", or ("fail", error)."""
    events = []

    def emit(process, type_, f, value, error=None):
        events.append(Op(len(events), None, process, type_, f, "k", value, error=error))

    for part in story:
        half = part[0] if part[0] in ("begin", "end") else ""
        process, f, argument, *answer = part[1:] if half else part
        if half != "end":
            emit(process, "invoke", f, argument)
        if half != "begin":
            [answer] = answer
            if answer == "info":
                emit(process, "info", f, argument, "timeout")
            elif isinstance(answer, tuple):
                emit(process, "fail", f, argument, answer[1])
            else:
                emit(process, "ok", f, answer)
    return History(Header(initial=initial), events)


def judged(model, story, initial=None):
    history = told(story, initial)
    verdict = Structure(model).check(history, Budget(10))
    assert verify(history, verdict) == []
    return verdict


def enq(process, value, answer=None):
    return (process, "enqueue", value, value if answer is None else answer)


def deq(process, answer):
    return (process, "dequeue", None, answer)


def push(process, value, answer=None):
    return (process, "push", value, value if answer is None else answer)


def pop(process, answer):
    return (process, "pop", None, answer)


LOST = {
    "overtaken": (
        "queue",
        [enq(0, 1), enq(0, 2), deq(1, 2), deq(1, 1)],
        "fifo-inversion",
        4,
        "1 was in the queue before process 0 began to put in 2, yet process 1 took the latter before anybody began to "
        "take the former.",
    ),
    "left behind": (
        "queue",
        [enq(0, 1), enq(0, 2), deq(1, 2)],
        "fifo-inversion",
        3,
        "1 was in the queue before process 0 began to put in 2, yet process 1 took the latter and nobody ever took the "
        "former.",
    ),
    "more left behind than dequeues in doubt": (
        "queue",
        [enq(0, 1), enq(0, 2), enq(0, 3), deq(1, "info"), deq(2, 3)],
        "fifo-inversion",
        5,
        "2 was in the queue before process 0 began to put in 3, yet process 2 took the latter and nobody is known to "
        "have taken the former; 1 in doubt cannot have taken it and all others that were overtaken.",
    ),
    "never empty": (
        "queue",
        [enq(0, 1), ("begin", 9, "dequeue", None), enq(0, 2), deq(1, 1), ("end", 9, "dequeue", None, None), deq(1, 2)],
        "false-empty",
        5,
        "Process 9 found the queue empty, but all the while 1, then 2 was inside.",
    ),
    "refused as empty": (
        "queue",
        [enq(0, 1), deq(1, ("fail", "empty")), deq(1, 1)],
        "false-empty",
        3,
        "Process 1 found the queue empty, but all the while 1 was inside.",
    ),
    "from nowhere": (
        "queue",
        [deq(0, 7)],
        "invented-element",
        1,
        "Process 0 took 7 out of the queue, which nobody put in.",
    ),
    "though it failed": (
        "queue",
        [enq(0, 7, ("fail", "full")), deq(1, 7)],
        "aborted-element",
        2,
        "Process 1 took 7 out of the queue, though process 0 was told that putting it in had failed.",
    ),
    "taken twice": (
        "queue",
        [enq(0, 1), deq(1, 1), deq(2, 1)],
        "duplicate-element",
        3,
        "Processes 1 and 2 both took 1 out of the queue, into which it was put once.",
    ),
    "too early": (
        "queue",
        [deq(1, 1), enq(0, 1)],
        "element-from-the-future",
        2,
        "Process 1 took 1 out of the queue before process 0 began to put it in.",
    ),
    "from under another": (
        "stack",
        [push(0, 1), push(0, 2), pop(1, 1), pop(1, 2)],
        "lifo-violation",
        4,
        "Process 1 took 1 out of the stack while 2 lay on it.",
    ),
    "three in a tangle": (
        "stack",
        [
            ("begin", 0, "push", 1),
            push(1, 2),
            ("end", 0, "push", 1, 1),
            push(1, 3),
            ("begin", 0, "pop", None),
            pop(1, 2),
            ("end", 0, "pop", None, 1),
            pop(1, 3),
        ],
        "lifo-violation",
        4,
        "Process 1 took 2 out of the stack while 3 lay on it.",
    ),
    "element lost": (
        "set",
        [(0, "add", 1, 1), (1, "contains", 1, False)],
        "lost-element",
        2,
        "Process 1 did not find 1 in the set after its add was acknowledged, and nobody removed it.",
    ),
    "element back": (
        "set",
        [(0, "add", 1, 1), (0, "remove", 1, 1), (1, "contains", 1, True)],
        "phantom-element",
        3,
        "Process 1 found 1 in the set after it had been removed.",
    ),
    "two holders": (
        "mutex",
        [(0, "acquire", None, None), (1, "acquire", None, None), (0, "release", None, None)],
        "two-holders",
        2,
        "Processes 0 and 1 both acquired the lock, and nobody can have released it in between.",
    ),
    "released unheld": (
        "mutex",
        [(0, "release", None, None)],
        "released-unheld",
        1,
        "From the beginning on the lock was released once, but can have been acquired 0 times at most.",
    ),
    "refused a free lock": (
        "mutex",
        [(0, "acquire", None, None), (0, "release", None, None), (1, "acquire", None, ("fail", "held"))],
        "refused-a-free-lock",
        3,
        "Process 1 was told that the lock is held, when nobody can have held it.",
    ),
    "an add lost": (
        "counter",
        [(0, "add", 1, 1), (1, "read", None, 0)],
        "stale-read",
        2,
        "Process 1 read 0 of the counter, and after an add of 1 since the beginning it was 1 at least.",
    ),
    "counted twice": (
        "counter",
        [(0, "add", 2, 2), (1, "read", None, 4)],
        "counted-twice",
        2,
        "Process 1 read 4 of the counter, but from the beginning on there can have been one add of 2 at most.",
    ),
    "in between": (
        "counter",
        [(0, "add", 2, 2), (1, "read", None, 1)],
        "impossible-number",
        1,
        "Process 1 read 1 of the counter, which starts at 0 and is only ever changed by 2.",
    ),
    "out of bounds": (
        "counter",
        [(0, "add", 2, 2), (1, "add", 3, "info"), (2, "read", None, 6)],
        "out-of-bounds",
        1,
        "Process 2 read 6 of the counter, which by then was at least 2 and at most 5.",
    ),
}


@pytest.mark.parametrize(("model", "story", "name", "ops", "sentence"), LOST.values(), ids=LOST)
def test_a_violation_is_shown_by_few_operations_and_told(model, story, name, ops, sentence):
    verdict = judged(model, story)
    assert verdict.answer == "invalid"
    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.sentence, len(anomaly.ops)) == (name, sentence, ops)


RIGHT = {
    "order unknown": (
        "queue",
        [("begin", 0, "enqueue", 1), enq(1, 2), ("end", 0, "enqueue", 1, 1), deq(2, 2), deq(2, 1)],
    ),
    "a dequeue in doubt took it": ("queue", [enq(0, 1), enq(0, 2), deq(1, "info"), deq(2, 2)]),
    "an enqueue in doubt came late": ("queue", [enq(0, 1, "info"), enq(1, 2), deq(2, 2), deq(2, 1)]),
    "empty in between": (
        "queue",
        [enq(0, 1), ("begin", 9, "dequeue", None), deq(1, 1), ("end", 9, "dequeue", None, None)],
    ),
    "in and out at once": (
        "stack",
        [
            push(0, 1),
            ("begin", 1, "push", 2),
            ("begin", 2, "pop", None),
            pop(0, 1),
            ("end", 2, "pop", None, 2),
            ("end", 1, "push", 2, 2),
        ],
    ),
    "in doubt": ("set", [(0, "add", 1, "info"), (1, "contains", 1, False), (1, "contains", 1, True)]),
    "removed in doubt": ("set", [(0, "add", 1, 1), (0, "remove", 1, "info"), (1, "contains", 1, False)]),
    "added again": ("set", [(0, "add", 1, 1), (1, "add", 1, False), (1, "remove", 2, False)]),
    "released by another": (
        "mutex",
        [(0, "acquire", None, None), (1, "release", None, None), (2, "acquire", None, None)],
    ),
    "held in doubt": ("mutex", [(0, "acquire", None, "info"), (1, "acquire", None, ("fail", "held"))]),
    "counted early": (
        "counter",
        [("begin", 0, "add", 1), (1, "read", None, 1), ("end", 0, "add", 1, 1), (1, "read", None, 1)],
    ),
}


@pytest.mark.parametrize(("model", "story"), RIGHT.values(), ids=RIGHT)
def test_what_can_be_explained_is_valid(model, story):
    assert judged(model, story).answer == "valid"


HANDED_OVER = {
    "a value twice": ("queue", [enq(0, 1), enq(0, 1), deq(1, 1)]),
    "a value called null": ("stack", [(0, "push", None, None)]),
    "doubt and nothing": ("queue", [enq(0, 1), deq(1, "info"), deq(2, None)]),
    "another operation": ("queue", [(0, "peek", None, 1)]),
    "an element added twice": ("set", [(0, "add", 1, 1), (0, "add", 1, 1)]),
    "amounts that differ": ("counter", [(0, "add", 1, 1), (0, "add", 2, 2), (0, "read", None, 3)]),
}


@pytest.mark.parametrize(("model", "story"), HANDED_OVER.values(), ids=HANDED_OVER)
def test_what_takes_a_search_is_handed_over(model, story):
    verdict = judged(model, story)
    assert (verdict.answer, bool(verdict.reason)) == ("unknown", True)


@pytest.mark.parametrize("model", FAST_PATHS)
def test_nothing_is_in_order(model):
    assert FAST_PATHS[model]([], None) == []


def test_a_lock_that_is_held_at_first_must_be_released_first():
    assert judged("mutex", [(0, "release", None, None)], True).answer == "valid"
    assert judged("mutex", [(0, "acquire", None, None)], True).answer == "invalid"


def test_the_last_operation_may_be_missing_from_no_order():
    history = told([enq(0, 1), deq(1, 1)])
    verdict = Structure("queue").check(history, Budget(10))
    for order in ([0], [2, 0], [0, 0, 2], [0, 2, 4], [0, 1]):
        forged = msgspec.structs.replace(
            verdict, certificate={"model": "queue", "keys": [{"key": "k", "order": order}]}
        )
        assert verify(history, forged), order


def long_story(model, random, length):
    """Eight clients at an object that works; each answer is decided when it comes."""
    put, take = ("enqueue", "dequeue") if model == "queue" else ("push", "pop")
    inside, running, story, number = [], {}, [], 0
    while len(story) < length:
        process = random.randrange(8)
        if process not in running:
            number += 1
            running[process] = (put, number) if random.random() < 0.55 else (take, None)
            story.append(("begin", process, *running[process]))
            continue
        f, argument = running.pop(process)
        if f == put:
            inside.append(argument)
            answer = argument
        else:
            answer = inside.pop(0 if model == "queue" else -1) if inside else None
        story.append(("end", process, f, argument, answer))
    return story


@pytest.mark.parametrize("model", ["queue", "stack"])
def test_long_histories_are_judged_and_confirmed(model):
    random = Random(5)
    story = long_story(model, random, 6_000)
    assert judged(model, story).answer == "valid"
    taken = [place for place, part in enumerate(story) if part[0] == "end" and part[3] is None and part[4] is not None]
    one, other = taken[len(taken) // 2], taken[len(taken) // 2 + 300]
    story[one], story[other] = (*story[one][:4], story[other][4]), (*story[other][:4], story[one][4])
    verdict = judged(model, story)
    assert verdict.answer == "invalid"
    assert len(verdict.anomalies[0].ops) <= 6
