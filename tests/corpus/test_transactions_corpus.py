"""Histories of transactions that others recorded: the known verdict at the level that it speaks of; its proof holds.

Where we differ, and why, is said in docs/corpus-differences.md; those files are named here as well.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.verify import verify
from harness.history import History
from harness.history.reader import read_history
from harness.verdict import Verdict

pytestmark = pytest.mark.corpus
MODELS = ("list-append", "rw-register")
BUDGET_S = 120.0
DIFFERENT = {
    "elle-cli-rw-register.jsonl": "garbage-read",
    "elle-test-rw-register-034.jsonl": "G1c",
    "elle-test-rw-register-038.jsonl": "garbage-read",
}
"""Files that we judge otherwise, and what we see there."""
WE_SAY = {
    "G0": {"G0"},
    "G1a": {"G1a"},
    "G1c": {"G1c"},
    "G1c-realtime": {"garbage-read"},
    "G2-item": {"G2-item"},
    "G-single-item-realtime": {"G-single-realtime"},
    "G-nonadjacent-item": {"G-nonadjacent"},
    "G-nonadjacent-item-process": {"G-nonadjacent-process"},
    "cyclic-versions": {"G-single-realtime", "garbage-read"},
    "dirty-update": {"dirty-update"},
    "future-read": {"future-read"},
    "internal": {"non-repeatable-read"},
}
"""Our names for what a header says that Elle found."""


def recorded(corpus: Path) -> Iterator[tuple[Path, str]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["model"] in MODELS:
                yield corpus / row["file"], {"True": "valid", "False": "invalid"}.get(row["expected"], "")


def header(path: Path) -> dict[str, object]:
    with path.open(encoding="utf-8") as lines:
        found = json.loads(lines.readline())
    assert isinstance(found, dict)
    return found


def judged(history: History, level: str) -> Verdict:
    verdict = Transactions(level).check(history, Budget(BUDGET_S))
    assert verify(history, verdict) == []
    return verdict


def test_every_recorded_history_gets_its_known_verdict_at_every_level(corpus: Path) -> None:
    wrong, levels = [], 0
    for path, expected in recorded(corpus):
        history = read_history(path)
        levels_of, own = header(path).get("levels") or {}, header(path).get("level")
        assert isinstance(levels_of, dict)
        # "snapshot-isolation (Elle rw-register)" is Elle's word for what it did not refute.
        wanted = {name.split(" ")[0]: "valid" if holds else "invalid" for name, holds in levels_of.items()}
        for level, answer in {"": expected, **wanted}.items():
            levels += 1
            if not answer or (own == level and wanted[level] == expected) or (level == "" and path.name in DIFFERENT):
                continue
            verdict = judged(history, level)
            if verdict.answer != answer:
                wrong.append(f"{path.name}, {level or 'its own level'}: {verdict.answer}, {verdict.reason}")
    assert not wrong, "\n".join(wrong)
    assert levels >= 80


@pytest.mark.parametrize("name", DIFFERENT)
def test_where_we_differ_we_show_why(corpus: Path, name: str) -> None:
    verdict = judged(read_history(corpus / name), "")
    assert verdict.answer == "invalid"
    assert DIFFERENT[name] in {anomaly.name for anomaly in verdict.anomalies}


def test_what_elle_found_we_find_by_our_names(corpus: Path) -> None:
    missed, compared = [], 0
    for path, _ in recorded(corpus):
        anomalies = header(path).get("anomalies") or []
        assert isinstance(anomalies, list)
        if not anomalies:
            continue
        names = {anomaly.name for anomaly in judged(read_history(path), "").anomalies}
        for anomaly in anomalies:
            compared += anomaly in WE_SAY
            if not WE_SAY.get(anomaly, names) & names and names:
                missed.append(f"{path.name}: {anomaly}; we say {sorted(names)}")
    assert not missed, "\n".join(missed)
    assert compared >= 14
