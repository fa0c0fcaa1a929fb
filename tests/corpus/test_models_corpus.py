"""Histories that others recorded, of strings, several registers, queues and stacks: the known verdict, confirmed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from checkers.linearizability import Linearizability
from checkers.linearizability.checker import fast_path
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history.reader import read_history

pytestmark = pytest.mark.corpus
MODELS = ("kv", "multi-register", "queue", "stack")
BUDGET_S = 240.0
LONGEST = 100
"""Events of a stack that the search can do without a rule of its own."""


def test_every_recorded_history_gets_its_known_verdict(corpus: Path) -> None:
    wrong, seen = [], 0
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] in MODELS and row["expected"]]
    for row in rows:
        if row["model"] == "stack" and int(row["events"]) > LONGEST and fast_path("stack") is None:
            continue
        expected = "valid" if row["expected"] == "True" else "invalid"
        history = read_history(corpus / row["file"])
        verdict = Linearizability().check(history, Budget(BUDGET_S))
        if verdict.answer != expected:
            wrong.append(f"{row['file']}: {verdict.answer}, {verdict.reason or verdict.summary}")
        wrong += [f"{row['file']}: {problem}" for problem in verify(history, verdict)]
        seen += 1
    assert not wrong, "\n".join(wrong)
    assert seen > 120
