"""Whatever a history holds, no checker of objects raises, and whatever it claims is confirmed."""

from random import Random

import pytest

from checkers.invariants import Availability, Bank, Comments, CounterBounds, FinalSet, LogPattern, LongFork, UniqueIds
from checkers.objects import AppendOnly, Counter, FencedLock, SetFull, TotalQueue
from checkers.protocol import Budget
from checkers.structures import FAST_PATHS, Structure
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op

VALUES = (None, 1, 2, "a", [1], [1, 1], {"a": 1}, {"a": None}, True, False, -1, 1.5, "", [None], [[1]])
VALUES += ([["r", 1, None], ["w", 2, 1]], [["r", "x", 1]])
ERRORS = (None, "held", "empty", "not-holder")
FS = [
    "enqueue",
    "dequeue",
    "push",
    "pop",
    "add",
    "remove",
    "contains",
    "read",
    "append",
    "acquire",
    "release",
    "increment",
    "generate",
    "write",
    "txn",
]
CHECKERS = [
    *(Structure(model) for model in FAST_PATHS),
    *(FinalSet(), UniqueIds(), CounterBounds(), Bank(), LongFork(), Comments(), Availability(), LogPattern()),
    *(TotalQueue(), SetFull(), AppendOnly(), FencedLock(), Counter()),
]


def garbage(random):
    fs, running, events = random.sample(FS, random.choice((1, 2, 2, 3))), {}, []
    for index in range(random.randint(1, 16)):
        process = random.randrange(3)
        if process in running:
            kind, f = random.choice(("ok", "ok", "ok", "fail", "info")), running.pop(process)
            error = None if kind == "ok" else random.choice(ERRORS)
        else:
            kind, error, f = "invoke", None, random.choice(fs)
            running[process] = f
        events.append(Op(index, None, process, kind, f, None, random.choice(VALUES), error=error))
    return History(Header(initial=random.choice((None, None, 0, True, [], {}, "x"))), events)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
def test_garbage_is_judged_without_a_crash(checker):
    random = Random(11)
    for _ in range(800):
        history = garbage(random)
        assert verify(history, checker.check(history, Budget(60))) == [], history.events
