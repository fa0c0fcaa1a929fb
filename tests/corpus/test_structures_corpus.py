"""Queues and stacks that others recorded: the fast paths give the known verdict, or hand the history over."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from checkers.protocol import Budget
from checkers.structures import FAST_PATHS, Structure
from checkers.verify import verify
from harness.history.reader import read_history
from harness.verdict import Verdict

pytestmark = pytest.mark.corpus


def known(corpus: Path) -> list[tuple[Path, str, bool]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] in FAST_PATHS and row["expected"]]
    return [(corpus / row["file"], row["model"], row["expected"] == "True") for row in rows]


def judged(corpus: Path) -> list[tuple[Path, str, bool, Verdict]]:
    found = []
    for path, model, expected in known(corpus):
        history = read_history(path)
        verdict = Structure(model).check(history, Budget(60))
        assert verify(history, verdict) == [], path.name
        found.append((path, model, expected, verdict))
    return found


def test_every_queue_stack_and_mutex_gets_its_known_verdict(corpus: Path) -> None:
    verdicts = judged(corpus)
    wrong = [
        f"{path.name}: {verdict.answer}, {verdict.reason}"
        for path, _, expected, verdict in verdicts
        if verdict.answer not in ("unknown", "valid" if expected else "invalid")
    ]
    assert not wrong, "\n".join(wrong)


def test_only_stacks_of_nulls_are_handed_over(corpus: Path) -> None:
    """In three files every value is null, which when popped cannot be told from "empty"."""
    undecided = [path for path, _, _, verdict in judged(corpus) if verdict.answer == "unknown"]
    assert len(undecided) == 3
    assert all(op.value is None for path in undecided for op in read_history(path).events)


def test_violations_are_shown_by_few_operations(corpus: Path) -> None:
    sizes = {
        path.name: len(verdict.anomalies[0].ops) for path, model, _, verdict in judged(corpus) if verdict.anomalies
    }
    assert max(sizes.values()) <= 12, sizes


def test_there_are_histories_of_both_kinds(corpus: Path) -> None:
    counts = {(model, expected) for _, model, expected in known(corpus)}
    assert {("queue", True), ("queue", False), ("stack", True), ("stack", False), ("mutex", False)} <= counts
