"""Puts the page together: what the template shows, what the script gets, and the policy that locks both in.

Everything that comes from a system under test reaches the page in one of two ways: through the template, which escapes
it, or through data blocks, which the script only ever writes as text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from harness.errors import HistoryError
from harness.history import History
from harness.history.circumstances import PHASES
from harness.history.reader import read_history
from harness.result import Result
from harness.store import Run
from harness.verdict import Outcome, Verdict
from reports.coverage import FIGURES, circumstance_of, coverage_lines, coverage_rows, coverage_summary, figures_of
from reports.html.clocks import clocks_of
from reports.html.columns import pack
from reports.html.picture import Picture, picture_of
from reports.summary import (
    ANSWER_GLYPHS,
    GLYPHS,
    Finding,
    anomaly_count,
    commands,
    facts,
    fault_name,
    fault_summary,
    findings,
    outcomes,
    several,
    summary_of,
    word,
    worst_first,
)
from reports.text import count_text, counted, duration_text, inert, json_text, name_text, process_text

HERE: Final = Path(__file__).parent
SCRIPTS: Final = ("data", "filter", "lanes", "canvas", "charts", "details", "main", "controls", "page")
"""In the order in which they are joined into one script."""
ANOMALIES_MAX: Final = 100
PICTURES_MAX: Final = 25
FAULTS_MAX: Final = 500
GROUP_SHOWN: Final = 3
FIGURES_SHOWN: Final = 6
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="16" fill="{}"/>'
    '<text x="16" y="24" font-size="22" text-anchor="middle" fill="#fff" font-family="sans-serif">{}</text></svg>'
)
_ICON_COLOURS: Final[dict[Outcome, str]] = {
    "valid": "#1b7350",
    "violation": "#b3261e",
    "inconclusive": "#8a5a00",
    "vacuous": "#8a5a00",
    "infrastructure": "#56164f",
    "harness": "#56164f",
}
"""Of the picture on the browser's tab: those of the page in its light theme."""


@dataclass(frozen=True)
class Shown:
    """An anomaly as the template shows it."""

    number: int
    guarantee: str
    name: str
    key: str
    sentence: str
    before: str
    several_before: bool
    culprit: int | None
    picture: Picture | None
    certificate: str


def write_html(run: Run) -> Path:
    """Write the page of a run directory; a history that cannot be read costs the timeline, not the page.

    Raises:
        UsageError: there is no verdict, or it is broken. StoreError: the page cannot be written.
    """
    result, history, trouble = run.result(), None, ""
    try:
        history = read_history(run.history_path)
    except HistoryError as error:
        trouble = str(error) if run.history_path.exists() else "The run recorded no history."
    return run.write(run.report_path.name, render_html(result, history, trouble, run.run_id).encode())


def render_html(result: Result, history: History | None, trouble: str = "", run_id: str = "") -> str:
    """The page as text. `trouble` says why there is no history."""
    found = findings(result)
    shown = [_shown(finding, result, history) for finding in found[:ANOMALIES_MAX]]
    style, script = _assets()
    packed = pack(history, [at for finding in found for at in finding.anomaly.ops]) if history else None
    data = _data(result, found, packed.layout if packed else {}, run_id)
    return _template().render(
        result=result,
        run_id=inert(run_id, 100),
        word=word(result),
        glyph=GLYPHS[result.outcome][0],
        icon=_ICON.format(_ICON_COLOURS[result.outcome], GLYPHS[result.outcome][0]),
        title=inert(result.title, 200),
        headline=inert(result.headline, 1000),
        reason=inert(result.reason, 4000),
        truncated=inert(result.truncated, 600),
        facts=facts(result),
        outcomes=outcomes(result),
        fault_summary=fault_summary(result),
        anomalies=shown,
        further=_further(shown[1:]),
        anomalies_total=sum(anomaly_count(verdict) for verdict in result.verdicts),
        checkers=[_checker(verdict) for verdict in worst_first(result.verdicts)],
        faults=_faults(result),
        faults_total=len(result.faults),
        figure_names=FIGURES,
        coverage=coverage_rows(result),
        coverage_summary=coverage_summary(result),
        coverage_lines=coverage_lines(result),
        phases=PHASES,
        clocks=clocks_of(history, result.duration_ns) if history else (),
        plan=_plan(result),
        commands=commands(result, ""),
        trouble=inert(trouble, 1000),
        packed=packed,
        policy=_policy(style, script),
        style=style,
        script=script,
        data=_inline_json(data),
    )


def _shown(finding: Finding, result: Result, history: History | None) -> Shown:
    anomaly = finding.anomaly
    picture = picture_of(anomaly, history, result.faults) if finding.number <= PICTURES_MAX else None
    certificate = json_text({"rule": anomaly.rule, **anomaly.certificate}) if anomaly.rule else ""
    return Shown(
        number=finding.number,
        guarantee=inert(anomaly.guarantee or finding.verdict.checker, 60),
        name=inert(anomaly.name, 60),
        key="" if anomaly.key is None else name_text(anomaly.key, 60),
        sentence=inert(anomaly.sentence, 4000),
        before=inert(anomaly.before, 300),
        several_before=several(anomaly.before),
        culprit=anomaly.culprit if anomaly.culprit is not None else next(iter(anomaly.ops), None),
        picture=picture,
        certificate=inert(certificate, 4000),
    )


def _further(shown: Sequence[Shown]) -> list[tuple[str, list[Shown], list[Shown]]]:
    """The other anomalies by guarantee: (guarantee, a few, the rest), so that many of one kind hide none of another."""
    groups: dict[str, list[Shown]] = {}
    for one in shown:
        groups.setdefault(one.guarantee, []).append(one)
    return [(name, group[:GROUP_SHOWN], group[GROUP_SHOWN:]) for name, group in groups.items()]


def _plan(result: Result) -> list[tuple[str, str]]:
    """Name and value of every setting; the switches of system and workload stand beside the others."""
    options = result.plan.get("options")
    settings = {
        name: value for name, value in result.plan.items() if name != "options" or not isinstance(options, dict)
    }
    settings |= options if isinstance(options, dict) else {}
    return [(inert(name, 60), _setting(value)) for name, value in sorted(settings.items())]


def _setting(value: Any) -> str:
    """A number or a word as it is, several with commas."""
    if isinstance(value, list):
        return ", ".join(name_text(one, 200) for one in value) or "none"
    return name_text(value, 400)


def _checker(verdict: Verdict) -> dict[str, Any]:
    figures = [(name.replace("_", " "), count_text(number)) for name, number in verdict.counts.items()]
    figures += [(name.replace("_", " "), f"{number:,.4g}") for name, number in verdict.measures.items()]
    return {
        "name": inert(verdict.checker, 60),
        "answer": verdict.answer,
        "glyph": ANSWER_GLYPHS[verdict.answer][0],
        "said": summary_of(verdict),
        "figures": [(inert(name, 60), number) for name, number in figures[:FIGURES_SHOWN]],
        "more_figures": [(inert(name, 60), number) for name, number in figures[FIGURES_SHOWN:60]],
        "parts": [_checker(part) for part in worst_first(verdict.parts)][:60],
    }


def _faults(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "id": inert(fault.fault, 60),
            "kind": inert(fault.kind, 40),
            "name": fault_name(fault),
            "start": f"{fault.start_ns / 1e9:.2f} s",
            "length": "never lifted" if fault.stop_ns is None else duration_text(fault.stop_ns - fault.start_ns),
            "proven": fault.proven,
            "hit": circumstance_of(fault),
            "figures": figures_of(fault),
            "evidence": [inert(sentence, 400) for sentence in fault.evidence[:8]],
        }
        for number, fault in enumerate(result.faults[:FAULTS_MAX])
    ]


def _data(result: Result, found: Sequence[Finding], layout: dict[str, Any], run_id: str) -> dict[str, Any]:
    """What the script needs besides the operations."""
    return {
        **layout,
        "run": inert(run_id, 100),
        "duration_us": max(0, result.duration_ns // 1000),
        "faults": [
            {
                "id": inert(fault.fault, 60),
                "kind": inert(fault.kind, 40),
                "name": fault_name(fault),
                "start": fault.start_ns // 1000,
                "stop": None if fault.stop_ns is None else fault.stop_ns // 1000,
                "proven": fault.proven,
            }
            for fault in result.faults[:FAULTS_MAX]
        ],
        "anomalies": [
            {
                "number": finding.number,
                "name": inert(finding.anomaly.name, 60),
                "guarantee": inert(finding.anomaly.guarantee, 60),
                "sentence": inert(finding.anomaly.sentence, 1000),
                "ops": list(finding.anomaly.ops[:200]),
                "culprit": finding.anomaly.culprit,
            }
            for finding in found[:ANOMALIES_MAX]
        ],
    }


def _inline_json(data: Any) -> str:
    """JSON for a data block, which the template takes as it is: nothing in it can close the block."""
    return json_text(data).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(style: str, script: str) -> str:
    """Just this script and this style may act; nothing may be loaded, sent or framed."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _assets() -> tuple[str, str]:
    """Style and script, each as one text."""
    folder = HERE / "assets"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    return (folder / "page.css").read_text(encoding="utf-8"), script


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count_text, "process": process_text, "counted": counted}
    return environment.get_template("template.html")
