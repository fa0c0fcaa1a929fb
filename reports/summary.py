"""The words that every report shares, so that the terminal, the page, JUnit and Markdown say the same thing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from harness.result import FaultProof, Result
from harness.verdict import Anomaly, Answer, Outcome, Verdict
from reports.text import count_text, counted, duration_text, inert, name_text

GLYPHS: Final[dict[Outcome, tuple[str, str]]] = {
    "valid": ("✓", "[+]"),
    "violation": ("✗", "[x]"),
    "inconclusive": ("?", "[?]"),
    "vacuous": ("?", "[?]"),
    "infrastructure": ("!", "[!]"),
    "harness": ("!", "[!]"),
}
"""Beside the word, so that colour is never needed; the second is for terminals without Unicode."""

ANSWER_GLYPHS: Final[dict[Answer, tuple[str, str]]] = {
    "valid": ("✓", "+"),
    "unknown": ("?", "?"),
    "invalid": ("✗", "x"),
}

_WORST_FIRST: Final[dict[Answer, int]] = {"invalid": 0, "unknown": 1, "valid": 2}

STATUS_WORDS: Final = {
    "ok": "happened, exactly once, between its start and its end",
    "fail": "certainly did not happen, and never will",
    "info": "may or may not have happened, at any time from its start until the end of the run",
    "running": "never returned: it may or may not have happened, at any time from its start until the end of the run",
}


@dataclass(frozen=True)
class Finding:
    """An anomaly with the checker that found it; `number` counts from 1 over the whole run."""

    number: int
    verdict: Verdict
    anomaly: Anomaly


def word(result: Result) -> str:
    """The verdict in one word."""
    return result.outcome.upper()


def worst_first(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """Failing first; otherwise as the checkers were asked."""
    return sorted(verdicts, key=lambda verdict: _WORST_FIRST[verdict.answer])


def findings(result: Result) -> list[Finding]:
    """Every stored anomaly: the worst of each checker, the second of each, and so on, so that none hides another.

    A composed checker speaks through its parts.
    """
    columns = [list(_anomalies(verdict)) for verdict in worst_first(result.verdicts)]
    pairs = [pair for row in zip_longest(*columns) for pair in row if pair is not None]
    return [Finding(number, verdict, anomaly) for number, (verdict, anomaly) in enumerate(pairs, 1)]


def leading(found: Sequence[Finding]) -> list[Finding]:
    """The first finding of each checker; what several of them found alike is told once."""
    first: dict[str, Finding] = {}
    for finding in found:
        first.setdefault(finding.verdict.checker, finding)
    apart = {(one.anomaly.guarantee, one.anomaly.name, one.anomaly.ops): one for one in reversed(first.values())}
    return [finding for finding in first.values() if finding in apart.values()]


def _anomalies(verdict: Verdict) -> Iterator[tuple[Verdict, Anomaly]]:
    if verdict.anomalies or not verdict.parts:
        yield from ((verdict, anomaly) for anomaly in verdict.anomalies)
        return
    for part in worst_first(verdict.parts):
        yield from _anomalies(part)


def anomaly_count(verdict: Verdict) -> int:
    """The true number, which may exceed what is stored."""
    stored = sum(1 for _ in _anomalies(verdict))
    return max(stored, verdict.counts.get("anomalies", 0))


def facts(result: Result) -> list[str]:
    """Seed, length and number of operations, as far as they are known."""
    seed = [f"seed {name_text(result.plan['seed'], 24)}"] if "seed" in result.plan else []
    length = [duration_text(result.duration_ns)] if result.duration_ns > 0 else []
    return [*seed, *length, counted(result.counts.operations, "op")]


def outcomes(result: Result) -> str:
    """How the operations ended, with what the doubtful ones mean."""
    counts = result.counts
    parts = [f"{count_text(counts.ok)} ok", f"{count_text(counts.fail)} fail", f"{count_text(counts.info)} info"]
    return ", ".join([*parts, *([f"{count_text(counts.running)} never returned"] if counts.running else [])])


def fault_summary(result: Result) -> str:
    """ "7 faults, all proven", or which are not."""
    if not result.faults:
        return "no faults"
    unproven = [fault for fault in result.faults if not fault.proven]
    total = counted(len(result.faults), "fault")
    if not unproven:
        return f"{total}, {'proven' if len(result.faults) == 1 else 'all proven'}"
    named = ", ".join(f"{inert(fault.fault, 20)} ({inert(fault.kind, 20)})" for fault in unproven[:3])
    more = f" and {len(unproven) - 3} more" if len(unproven) > 3 else ""
    return f"{total}, {count_text(len(unproven))} unproven: {named}{more}"


def fault_name(fault: FaultProof) -> str:
    """Kind and shape, or kind and nodes: "partition {n1 n2} | {n3 n4 n5}", "kill n2"."""
    where = inert(fault.detail, 80) or " ".join(name_text(node, 20) for node in fault.nodes)
    return f"{inert(fault.kind, 24)} {where}".strip()


def summary_of(verdict: Verdict) -> str:
    """The checker's sentence; for an undecided one, why."""
    if verdict.answer == "unknown" and verdict.reason:
        return inert(verdict.reason, 600)
    return inert(verdict.summary or verdict.reason, 600)


def several(before: str) -> bool:
    """Whether an anomaly's `before` names more than one possible state."""
    return " or " in before or ", " in before


def commands(result: Result, run_path: str) -> list[tuple[str, str]]:
    """What to do next: (what it is for, what to type)."""
    rows = []
    if run_path:
        rows.append(("report", f"{run_path}/report.html"))
    if result.repeat:
        rows.append(("repeat", inert(result.repeat, 2000)))
    if run_path:
        rows.append(("re-check", f"splitbrain check {shlex.quote(run_path)}"))
    return rows
