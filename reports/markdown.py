"""Markdown for GitHub's step summary and for issues: verdict, proof, checkers, faults, and how to repeat it.

    splitbrain report store/latest --format markdown >> "$GITHUB_STEP_SUMMARY"

Values of the system under test stand in running text, so every character that Markdown, HTML or GitHub (`@name`) would
act on is escaped. GitHub drops a summary above 1 MiB; ten anomalies and fifty faults stay far below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from harness.history import History
from harness.history.circumstances import PHASES
from harness.result import FaultProof, Result
from reports.coverage import FIGURES, circumstance_of, coverage_lines, coverage_rows, coverage_summary, figures_of
from reports.summary import (
    ANSWER_GLYPHS,
    GLYPHS,
    anomaly_count,
    facts,
    fault_name,
    fault_summary,
    findings,
    outcomes,
    summary_of,
    word,
    worst_first,
)
from reports.terminal import proof_text
from reports.text import counted, duration_text, inert, json_text, name_text

_ANOMALIES_MAX: Final = 10
_FAULTS_MAX: Final = 50
_ACTS: Final = re.compile(r"""[\\`*_{}\[\]#+!|~@&<>"$]|:(?=\S)|^[-=]""")


def escaped(text: str) -> str:
    """The text as characters that stand for themselves, in Markdown and in HTML, also inside a table."""
    return _ACTS.sub(lambda match: f"&#{ord(match.group())};", text)


def render_markdown(result: Result, history: History | None = None) -> str:
    """The whole summary. With the history, the operations of the worst anomaly are drawn as lanes."""
    parts = [
        f"## {GLYPHS[result.outcome][0]} {word(result)} · {escaped(inert(result.title, 120))}",
        escaped(inert(result.headline, 600)),
        escaped(" · ".join([*facts(result), outcomes(result), fault_summary(result)])),
        *(f"> **Why:** {escaped(inert(text, 2000))}" for text in (result.reason,) if text),
        *(f"> **Note:** {escaped(inert(text, 600))}" for text in (result.truncated,) if text),
        *_anomalies(result, history),
        _checkers(result),
        *([_faults(result.faults)] if result.faults else []),
        *([_coverage(result)] if result.coverage else []),
        *([_repeat(result)] if result.repeat else []),
        *([_details("Plan", _fenced(inert(json_text(result.plan), 20_000), "json"))] if result.plan else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _anomalies(result: Result, history: History | None) -> Iterable[str]:
    found = findings(result)
    if not found:
        return
    yield "### What broke"
    if history is not None:
        yield _fenced(proof_text(found[0], result, history), "text")
    lines: list[str] = []
    for finding in found[:_ANOMALIES_MAX]:
        anomaly = finding.anomaly
        key = f" key {escaped(name_text(anomaly.key))}:" if anomaly.key is not None else ""
        guarantee = escaped(inert(anomaly.guarantee or finding.verdict.checker, 40))
        lines.append(f"{len(lines) + 1}. **{guarantee}**{key} {escaped(inert(anomaly.sentence, 2000))}")
    yield "\n".join(lines)
    rest = sum(anomaly_count(verdict) for verdict in result.verdicts) - len(lines)
    if rest > 0:
        yield f"and {counted(rest, 'more anomaly', 'more anomalies')}"


def _checkers(result: Result) -> str:
    rows = [
        (f"{ANSWER_GLYPHS[verdict.answer][0]} {verdict.answer}", inert(verdict.checker, 40), summary_of(verdict))
        for verdict in worst_first(result.verdicts)
    ]
    return _table(("", "checker", "what it says"), rows) if rows else ""


def _faults(faults: Sequence[FaultProof]) -> str:
    rows = [
        (
            inert(fault.fault, 40),
            fault_name(fault),
            f"{fault.start_ns / 1e9:.2f} s",
            "never" if fault.stop_ns is None else duration_text(fault.stop_ns - fault.start_ns),
            "proven" if fault.proven else "UNPROVEN",
            circumstance_of(fault),
            *figures_of(fault),
        )
        for fault in faults[:_FAULTS_MAX]
    ]
    table = _table(("fault", "what", "from", "lifted after", "evidence", "hit", *FIGURES), rows)
    rest = f"\n\nand {counted(len(faults) - _FAULTS_MAX, 'more fault')}" if len(faults) > _FAULTS_MAX else ""
    return _details(counted(len(faults), "fault"), table + rest)


def _coverage(result: Result) -> str:
    """The table, and under it the gaps in words."""
    table = _table(("fault", "role", *PHASES), [(row.kind, row.role, *row.cells) for row in coverage_rows(result)])
    gaps = [f"- {escaped(line.kind)} never: {escaped(line.never)}" for line in coverage_lines(result) if line.never]
    return _details(f"Coverage: {coverage_summary(result)}", "\n\n".join(filter(None, (table, "\n".join(gaps)))))


def _repeat(result: Result) -> str:
    return "### Repeat it\n\n" + _fenced(inert(result.repeat, 4000), "sh")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escaped(cell) or " " for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
