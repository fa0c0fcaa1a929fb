"""Markdown for step summaries: complete, small, and no value can act in it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from made import FAULTS, Anomaly, Verdict, result_of, stale_anomaly, stale_history

from reports.markdown import escaped, render_markdown

LARGEST = 200_000  # GitHub drops a summary above 1 MiB; a job may have several


def test_a_violation_says_what_broke_and_how_to_repeat_it() -> None:
    history = stale_history()
    text = render_markdown(result_of(history, [stale_anomaly(history)]))
    lines = text.splitlines()
    assert lines[0] == "## ✗ VIOLATION · leader-follower / register on sim"
    assert "1. **linearizability** key k17: p2 read 3 after p7 had read 5" in text
    assert "| ✗ invalid | linearizability | 1 of 50 keys admit no order. |" in text
    assert "```sh\nsplitbrain run --nemesis partition,kill,pause --replication async --seed 8842\n```" in text
    assert "| UNPROVEN |" in text
    assert '"seed":8842' in text


def test_with_the_history_the_operations_are_drawn() -> None:
    history = stale_history()
    result = result_of(history, [stale_anomaly(history)])
    assert re.search(r"```text\n.*← culprit.*```", render_markdown(result, history), re.DOTALL)
    assert "```text" not in render_markdown(result)


def test_an_outcome_that_is_no_verdict_says_why() -> None:
    result = result_of(stale_history(), outcome="vacuous", headline="Nothing was really tested.", reason="No write ok.")
    text = render_markdown(result)
    assert text.startswith("## ? VACUOUS")
    assert "> **Why:** No write ok." in text
    assert "What broke" not in text


def test_the_worst_run_stays_small() -> None:
    many = tuple(Anomaly("n", "g", "<" * 5000) for _ in range(100))
    verdicts = tuple(Verdict(f"c{at}", "invalid", "|" * 5000, many, {"anomalies": 9999}) for at in range(9))
    given = {"reason": "[" * 99_999, "headline": "*" * 99_999, "repeat": "`" * 99_999, "plan": {"x": "y" * 999_999}}
    result = result_of(stale_history(), outcome="violation", verdicts=verdicts, faults=FAULTS * 200, **given)
    text = render_markdown(result)
    assert len(text.encode()) < LARGEST
    assert "and 89,981 more anomalies" in text
    assert "and 550 more faults" in text


@given(st.text(st.characters(categories=("L", "P", "S", "N")), max_size=40))
def test_an_escaped_text_has_nothing_that_acts(text: str) -> None:
    safe = escaped(text)
    bare = re.sub(r"&#\d+;", "", safe)
    assert not re.search(r"[\\`*_{}\[\]#+!|~@&<>$\"]", bare)
    assert re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), safe) == text


def test_tables_keep_their_columns_whatever_stands_in_them() -> None:
    verdicts = (Verdict("a|b", "valid", "c | d \n e"),)
    text = render_markdown(result_of(stale_history(), verdicts=verdicts))
    rows = [line for line in text.splitlines() if "a&#" in line]
    assert [row.count("|") for row in rows] == [4]


def test_a_fence_cannot_be_closed_from_inside() -> None:
    text = render_markdown(result_of(stale_history(), repeat="splitbrain ```\n# heading"))
    assert "````sh\nsplitbrain ```\\x0a# heading\n````" in text
