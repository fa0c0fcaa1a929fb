"""Histories that others recorded for simple invariants, by the checkers that `splitbrain check` does not take first.

What we say of each, and why, is in docs/corpus-differences.md. In elle-cli-comments process 0 runs two operations at a
time, which the reader takes apart; here the read gets a process of its own by hand.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from checkers.invariants import Bank, Comments, CounterBounds
from checkers.objects import SetFull
from checkers.protocol import Budget, Checker
from checkers.verify import verify
from harness.history import Header, History
from harness.history.reader import read_history
from harness.op import Op
from harness.verdict import Verdict

pytestmark = pytest.mark.corpus

SAID = {
    "set-full": (SetFull(), "elle-cli-set", "valid"),
    "counter-bounds": (CounterBounds(), "elle-cli-counter", "valid"),
}


def judged(checker: Checker, history: History) -> Verdict:
    verdict = checker.check(history, Budget(60))
    assert verify(history, verdict) == []
    return verdict


@pytest.mark.parametrize(("checker", "file", "answer"), SAID.values(), ids=SAID)
def test_it_is_as_we_say(corpus: Path, checker: Checker, file: str, answer: str) -> None:
    assert judged(checker, read_history(corpus / f"{file}.jsonl")).answer == answer


def test_the_bank_gains_and_loses_money(corpus: Path) -> None:
    history = read_history(corpus / "elle-cli-bank-tidb.jsonl")
    totals = {sum(op.value.values()) for op in history.events if op.type == "ok" and op.f == "read"}
    assert (min(totals), max(totals)) == (97, 267)
    verdict = judged(Bank(), history)
    assert verdict.counts["anomalies"] == 1731
    assert {anomaly.name for anomaly in verdict.anomalies} == {"wrong-total"}


def test_a_counter_that_nobody_read_is_called_so(corpus: Path) -> None:
    verdict = judged(CounterBounds(), read_history(corpus / "elle-cli-counter.jsonl"))
    assert "Nobody read" in verdict.summary


def test_a_reply_is_shown_without_its_comment(corpus: Path) -> None:
    lines = (corpus / "elle-cli-comments.jsonl").read_bytes().splitlines()[1:]
    events = [msgspec.json.decode(line, type=Op) for line in lines]
    apart = [msgspec.structs.replace(op, process=1) if op.f == "read" else op for op in events]
    verdict = judged(Comments(), History(Header(), apart))
    [anomaly] = verdict.anomalies
    assert anomaly.sentence == "Process 1 saw 430 without 425, which was acknowledged before 430 was begun."
