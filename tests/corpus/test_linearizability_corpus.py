"""Histories that others recorded, of registers and mutexes: the verdict is the known one, and its certificate holds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from checkers.linearizability import Linearizability
from checkers.linearizability.register import MODELS
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history.reader import read_history

pytestmark = pytest.mark.corpus
BUDGET_S = 20.0


def known(corpus: Path) -> list[tuple[Path, bool]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] in MODELS and row["expected"]]
    return [(corpus / row["file"], row["expected"] == "True") for row in rows]


def test_every_recorded_history_gets_its_known_verdict(corpus: Path) -> None:
    wrong = []
    for path, expected in known(corpus):
        history = read_history(path)
        verdict = Linearizability().check(history, Budget(BUDGET_S))
        if verdict.answer != ("valid" if expected else "invalid"):
            wrong.append(f"{path.name}: {verdict.answer}, {verdict.reason or verdict.summary}")
        wrong += [f"{path.name}: {problem}" for problem in verify(history, verdict)]
    assert not wrong, "\n".join(wrong)


def test_proofs_of_recorded_violations_are_short(corpus: Path) -> None:
    longest = 0
    for path, expected in known(corpus):
        if not expected:
            [anomaly] = Linearizability().check(read_history(path), Budget(BUDGET_S)).anomalies
            longest = max(longest, len(anomaly.ops))
    assert longest <= 12


def test_the_recorded_histories_are_of_both_kinds(corpus: Path) -> None:
    verdicts = [expected for _, expected in known(corpus)]
    assert verdicts.count(True) >= 67
    assert verdicts.count(False) >= 49
