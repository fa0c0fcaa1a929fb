"""Histories of registers and mutexes that others recorded: what is shown of a violation is short."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from checkers.linearizability import Linearizability
from checkers.linearizability.register import MODELS
from checkers.protocol import Budget
from harness.history.reader import read_history

pytestmark = pytest.mark.corpus
BUDGET_S = 20.0


def known(corpus: Path) -> list[tuple[Path, bool]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] in MODELS and row["expected"]]
    return [(corpus / row["file"], row["expected"] == "True") for row in rows]


def test_proofs_of_recorded_violations_are_short(corpus: Path) -> None:
    longest = 0
    for path, expected in known(corpus):
        if not expected:
            [anomaly] = Linearizability().check(read_history(path), Budget(BUDGET_S)).anomalies
            longest = max(longest, len(anomaly.ops))
    assert longest <= 12
