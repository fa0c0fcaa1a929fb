"""JUnit XML for CI servers: one suite per run, one case per checker, and one for the run itself.

What a server makes of it follows from what is known:

    failure   a checker shows that a promise was broken
    error     a checker could not decide, nothing was really tested, or the run itself failed
    skipped   a checker found nothing wrong, but in a run that failed, so that it saw only a part; or one that was
              asked in addition could not decide

An undecided checker is an error and not "skipped", because servers show skipped cases as green, and a nightly job that
decides nothing must not look like one that found nothing. Values are made inert first, so the XML is well-formed.

Limits: at most ten anomalies per case are written out; `time` is the run's own time, which may be virtual.
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

from harness.history import History
from harness.result import Result
from harness.verdict import Verdict
from reports.coverage import FIGURES, circumstance_of, coverage_lines, figures_of
from reports.summary import Finding, anomaly_count, fault_summary, findings, outcomes, summary_of
from reports.terminal import proof_text
from reports.text import count_text, inert, name_text

_ANOMALIES_MAX: Final = 10
_FAULTS_MAX: Final = 50
_FAILED: Final = ("infrastructure", "harness")


def render_junit(result: Result, history: History | None = None) -> bytes:
    """The file, as UTF-8 with a declaration. With the history, the first failure shows its operations as lanes."""
    suite = ElementTree.Element("testsuite", name=inert(result.title, 200))
    _properties(suite, result)
    verdicts = _flat(result.verdicts)
    undecided = any(verdict.answer == "unknown" and not verdict.counts.get("extra") for verdict in verdicts)
    _run_case(suite, result, undecided)
    for verdict in verdicts:
        _checker_case(suite, result, verdict, history)
    _count(suite, result)
    suites = ElementTree.Element("testsuites", {**suite.attrib, "name": "splitbrain"})
    suites.append(suite)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n".encode()


def _flat(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """A composed checker speaks through its parts; by itself only where it says what none of them does."""
    found = []
    for verdict in verdicts:
        parts = _flat(verdict.parts)
        found += parts
        if verdict.answer not in [part.answer for part in parts]:
            found.append(verdict)
    return found


def _properties(suite: ElementTree.Element, result: Result) -> None:
    facts = {"outcome": result.outcome, "exit_code": str(result.exit_code), "repeat": result.repeat}
    facts |= {f"plan.{name}": name_text(value, 200) for name, value in sorted(result.plan.items()) if value != {}}
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in facts.items():
        if value:
            ElementTree.SubElement(properties, "property", name=inert(name, 60), value=inert(value, 2000))


def _case(suite: ElementTree.Element, result: Result, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=inert(result.title, 200), name=inert(name, 100), time="0"
    )


def _run_case(suite: ElementTree.Element, result: Result, undecided: bool) -> None:
    """The run itself: whether it came to its end and tested anything."""
    case = _case(suite, result, "run")
    case.set("time", _seconds(result))
    whole = result.outcome in ("valid", "violation") or (undecided and result.outcome not in _FAILED)
    if not whole:
        error = ElementTree.SubElement(case, "error", type=result.outcome, message=inert(result.headline, 300))
        error.text = inert(result.reason or result.headline, 4000)
    lines = [result.headline, f"{outcomes(result)}; {fault_summary(result)}", result.truncated]
    lines += [f"{line.kind}: {line.struck or 'never'}; never: {line.never or '-'}" for line in coverage_lines(result)]
    for fault in result.faults[:_FAULTS_MAX]:
        told = ", ".join(f"{name} {figure}" for name, figure in zip(FIGURES, figures_of(fault), strict=True))
        lines.append(f"{fault.fault}: {told}; hit: {circumstance_of(fault) or 'unknown'}")
    ElementTree.SubElement(case, "system-out").text = "\n".join(inert(line, 1000) for line in lines if line)


def _checker_case(suite: ElementTree.Element, result: Result, verdict: Verdict, history: History | None) -> None:
    case = _case(suite, result, verdict.checker)
    said = summary_of(verdict)
    if verdict.answer == "invalid":
        found = [finding for finding in findings(result) if finding.verdict is verdict]
        first = found[0].anomaly if found else None
        failure = ElementTree.SubElement(
            case,
            "failure",
            type=inert(first.name if first else "violation", 60),
            message=inert(first.sentence if first else said, 300),
        )
        lines = [_proof(finding, result, history) for finding in found[:_ANOMALIES_MAX]]
        rest = anomaly_count(verdict) - len(lines)
        failure.text = "\n".join([*lines, *([f"and {count_text(rest)} more"] if rest > 0 else [])]) or said
    elif verdict.answer == "unknown" and verdict.counts.get("extra"):
        ElementTree.SubElement(case, "skipped", message=inert(said or "undecided", 300))
    elif verdict.answer == "unknown":
        error = ElementTree.SubElement(case, "error", type="undecided", message=inert(said or "undecided", 300))
        error.text = said
    elif result.outcome in _FAILED:
        reason = "the run failed, so this checker saw only a part of it"
        ElementTree.SubElement(case, "skipped", message=reason)
    if said and verdict.answer == "valid":
        ElementTree.SubElement(case, "system-out").text = said


def _proof(finding: Finding, result: Result, history: History | None) -> str:
    """The operations of the worst anomaly, where they can be drawn; of all others the sentence."""
    anomaly = finding.anomaly
    if history is not None and finding.number == 1:
        return proof_text(finding, result, history)
    sentence = inert(anomaly.sentence, 2000)
    return f"key {name_text(anomaly.key)}: {sentence}" if anomaly.key is not None else sentence


def _count(suite: ElementTree.Element, result: Result) -> None:
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", _seconds(result))


def _seconds(result: Result) -> str:
    return f"{max(0, result.duration_ns) / 1e9:.3f}"
