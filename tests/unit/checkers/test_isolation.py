"""A checker in a process of its own: its verdict comes back, and one that overruns is ended."""

import os
import time
from dataclasses import dataclass

import numpy as np

from checkers.isolation import check_isolated
from checkers.protocol import Budget
from harness.history import Header, History
from harness.op import Op
from harness.verdict import Anomaly, Verdict

HISTORY = History(Header(model="register"), (Op(0, None, 0, "invoke", "read"),))


def load():
    return HISTORY


@dataclass(frozen=True)
class Behaves:
    """Does as it is told, so that one class stands for every fate of a checker."""

    how: str
    name: str = "fake"

    def check(self, history, budget):
        budget.report("1 of 2 keys decided")
        if self.how == "sleep":
            time.sleep(60)
        if self.how == "die":
            os._exit(9)
        if self.how == "raise":
            raise ValueError("a bug")
        if self.how == "grow":
            np.ones(2_000_000_000, dtype=np.int8)
        anomaly = Anomaly("lost", "durability", "one was lost", ops=(0,), culprit=0)
        return Verdict(self.name, "invalid", f"{len(history.events)} events", (anomaly,))


def isolated(how, seconds=30.0, mebibytes=0, listener=None):
    return check_isolated(load, Behaves(how), Budget(seconds, mebibytes=mebibytes, listener=listener))


def test_the_verdict_comes_back_as_the_checker_gave_it():
    assert isolated("answer") == Behaves("answer").check(HISTORY, Budget())


def test_progress_is_passed_on():
    told = []
    isolated("answer", listener=told.append)
    assert told == ["1 of 2 keys decided"]


def test_a_checker_that_does_not_end_is_ended_and_says_how_far_it_was(monkeypatch):
    monkeypatch.setattr("checkers.isolation.GRACE_S", 2.0)
    verdict = isolated("sleep", seconds=0.5)
    assert verdict.answer == "unknown"
    assert verdict.reason == "it did not end within its budget of 0.5 s and was ended; 1 of 2 keys decided."


def test_a_checker_that_needs_too_much_memory_is_unknown():
    verdict = isolated("grow", mebibytes=200)
    assert verdict.answer == "unknown"
    assert verdict.reason == "it needed more than its 200 MiB; 1 of 2 keys decided."


def test_a_checker_whose_process_dies_is_unknown():
    verdict = isolated("die")
    assert verdict.reason == "its process ended with status 9 before it had a verdict; 1 of 2 keys decided."


def test_a_checker_that_raises_is_unknown_with_its_error():
    assert isolated("raise").reason == "the checker failed with ValueError: a bug."
