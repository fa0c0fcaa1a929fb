"""Every history that others recorded, judged as `splitbrain check FILE` does: verdict, exit code, certificates.

Where we differ from what is known, or nobody knows, docs/corpus-differences.md says what we think and why; it names
those files and no others.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from checkers import verify as verifier
from harness.cli.check import main
from harness.history import History
from harness.verdict import Verdict

pytestmark = pytest.mark.corpus
DIFFERENCES = Path(__file__).resolve().parents[2] / "docs" / "corpus-differences.md"
KNOWN = {"True": "valid", "False": "violation", "": "nobody knows"}
EXIT_CODES = {"valid": 0, "violation": 1}
SAID = {"valid": "valid", "invalid": "violation"}


def argued() -> dict[str, tuple[str, str]]:
    """Files of the page: what is known of each, and what we say, in the words of an outcome."""
    rows = re.findall(r"^\| `([^`]+\.jsonl)` \| ([^|]+) \| (\w+)[^|]* \| ([^|]+) \|$", DIFFERENCES.read_text(), re.M)
    assert all(len(why) > 40 for *_, why in rows), "each has its argument"
    return {file: (SAID.get(re.split(r"\W", known)[0], "nobody knows"), SAID[ours]) for file, known, ours, _ in rows}


def test_every_recorded_history_gets_its_known_verdict_or_an_argument(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, confirmed = [], 0
    verify = verifier.verify

    def watched(history: History, verdict: Verdict) -> list[str]:
        nonlocal confirmed
        problems = verify(history, verdict)
        refused.extend(f"{verdict.checker}: {problem}" for problem in problems)
        confirmed += 1
        return problems

    monkeypatch.setattr(verifier, "verify", watched)
    differing, outcomes = {}, []
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        code = main([str(corpus / row["file"]), "--json"])
        outcome = json.loads(capsys.readouterr().out)["outcome"]
        assert code == EXIT_CODES.get(outcome), f"{row['file']}: {outcome}, exit code {code}"
        known = KNOWN[row["expected"]]
        if outcome != known:
            differing[row["file"]] = (known, outcome)
        outcomes.append(outcome)
    assert differing == argued()
    assert refused == []
    assert len(outcomes) == 308 and confirmed >= 2 * 308, "each by its checker and for its statistics"
    assert min(map(outcomes.count, EXIT_CODES)) > 90
