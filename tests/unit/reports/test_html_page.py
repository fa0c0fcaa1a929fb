"""The page as a file: whole, locked in, small, and readable in both themes. What it does is in tests/ui."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from made import Anomaly, History, Verdict, busy_history, result_of, stale_anomaly, stale_history, write_run

from harness.errors import UsageError
from harness.store import Run
from harness.verdict import EXIT_CODES
from reports.html import render_html, write_html

ASSETS = Path(__file__).resolve().parents[3] / "reports" / "html" / "assets"
CODE_BYTES_MAX = 150_000


class Parts(HTMLParser):
    """Elements and attributes of a page, and the text inside each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_data(self, data: str) -> None:
        name = self.open[-1] if self.open else ""
        self.inside[name] = self.inside.get(name, "") + data


@pytest.fixture(scope="module")
def page() -> str:
    history = stale_history()
    return render_html(result_of(history, [stale_anomaly(history)]), history, run_id="20260101T000000-abc123")


def test_the_page_refers_to_nothing_outside_of_it(page: str) -> None:
    for tag, attributes in Parts(page).elements:
        for name in ("src", "href", "action", "data", "poster", "srcset", "formaction"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), f"<{tag} {name}={value}>"
    code = "".join(path.read_text(encoding="utf-8") for path in ASSETS.iterdir())
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(", code)


def test_the_script_never_makes_markup_of_text(page: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ASSETS.glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser", code)


def test_the_policy_allows_just_this_script_and_this_style(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1]
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]


def test_no_element_carries_script_or_style_of_its_own(page: str) -> None:
    """The policy would refuse them, and the page would look broken."""
    for tag, attributes in Parts(page).elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag


def test_code_and_style_are_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) <= CODE_BYTES_MAX


EVIL = "</script><script>alert(1)</script><!-- <style> ]]> \u2028 {{ 7*7 }}"


def test_no_value_gets_out_of_its_place() -> None:
    history = stale_history(value_of=lambda value: f"{EVIL}{value}", key=EVIL)
    anomaly = msgspec.structs.replace(stale_anomaly(history, key=EVIL, sentence=EVIL), name=EVIL, before=EVIL)
    verdicts = (Verdict(EVIL, "invalid", EVIL, (anomaly,), {EVIL: 1}, {EVIL: 1.5}, EVIL),)
    given = {"title": EVIL, "headline": EVIL, "reason": EVIL, "plan": {EVIL: {EVIL: [EVIL]}}, "repeat": EVIL}
    hostile = render_html(result_of(history, verdicts=verdicts, outcome="violation", **given), history, EVIL, EVIL)
    clean = render_html(result_of(history, [stale_anomaly(history)]), history)
    scripts = [[tag for tag, _ in Parts(text).elements].count("script") for text in (hostile, clean)]
    assert scripts == [4, 4]
    assert "alert(1)</script>" not in hostile
    title = Parts(hostile).inside["title"]
    assert "{{ 7*7 }}" in title
    assert "49" not in title


def test_the_data_is_what_the_result_says(page: str) -> None:
    history = stale_history()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data["rows"] == data["total"] == 5
    assert [one["culprit"] for one in data["anomalies"]] == [stale_anomaly(history).culprit]
    assert [one["stop"] for one in data["faults"]] == [9_000_000, 14_000_000, None]


@pytest.mark.parametrize("outcome", sorted(EXIT_CODES))
def test_every_outcome_has_a_page(outcome: str) -> None:
    result = msgspec.structs.replace(result_of(stale_history()), outcome=outcome)
    page = render_html(result, None, "The run recorded no history.")
    assert f'class="verdict {outcome}"' in page
    assert "The run recorded no history." in page
    assert 'id="columns"' not in page
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    assert f".verdict.{outcome}" in style


def test_what_held_stands_before_the_timeline_and_what_broke_before_the_checkers() -> None:
    history = stale_history()
    for anomalies, first in (([], "checkers"), ([stale_anomaly(history)], "proof")):
        page = render_html(result_of(history, anomalies), history)
        assert re.findall(r'<section id="(\w+)"', page)[:4] == ["verdict", first, "repeat", "timeline"]


def test_of_many_anomalies_the_page_keeps_a_hundred_and_says_so() -> None:
    history = stale_history()
    many = [stale_anomaly(history, sentence=f"sentence {number}.") for number in range(130)]
    verdicts = (Verdict("c", "invalid", anomalies=tuple(many), counts={"anomalies": 4000}),)
    page = render_html(result_of(history, verdicts=verdicts, outcome="violation"), history)
    assert page.count('class="sentence"') == 100
    assert "4,000 anomalies, 100 kept" in page
    assert page.count('class="picture"') == 25


def test_many_anomalies_of_one_kind_hide_none_of_another() -> None:
    history = stale_history()
    many = [stale_anomaly(history, sentence=f"sentence {number}.") for number in range(40)]
    other = msgspec.structs.replace(many[0], guarantee="durability", sentence="A write is lost.")
    verdicts = (Verdict("c", "invalid", anomalies=tuple(many)), Verdict("d", "invalid", anomalies=(other,)))
    page = render_html(result_of(history, verdicts=verdicts, outcome="violation"), history)
    unfolded = re.sub(r'<details class="rest">.*?(?=</section>)', "", page, flags=re.DOTALL)
    assert re.findall(r'id="anomaly-(\d+)"', unfolded) == ["1", "2", "3", "4", "5"]
    assert page.index("A write is lost.") < page.index("sentence 1.")
    assert "36 more of linearizability" in page


def test_settings_of_the_plan_stand_beside_each_other() -> None:
    plan = {"nodes": 5, "nemesis": ["partition", "kill"], "options": {"replication": "async"}, "target": "leader"}
    page = render_html(result_of(stale_history(), plan=plan), None)
    found = re.findall(r"<div><dt>([^<]*)</dt><dd>([^<]*)</dd></div>", page.partition('<section id="plan"')[2])
    assert found == [("nemesis", "partition, kill"), ("nodes", "5"), ("replication", "async"), ("target", "leader")]


def test_one_possible_state_is_told_from_several(page: str) -> None:
    history = stale_history()
    several = msgspec.structs.replace(stale_anomaly(history), before="1 or 2")
    assert "the only possible state is <b>3</b>" in page
    assert "the only possible states are <b>1 or 2</b>" in render_html(result_of(history, [several]), history)


def test_the_page_goes_to_the_run_directory(tmp_path: Path) -> None:
    history = stale_history()
    run = write_run(tmp_path, history, result_of(history, [stale_anomaly(history)]))
    assert write_html(run) == run.report_path
    assert run.report_path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_broken_history_costs_the_timeline_and_not_the_page(tmp_path: Path) -> None:
    history = stale_history()
    run = write_run(tmp_path, history, result_of(history, [stale_anomaly(history)]))
    run.history_path.write_bytes(b"{]\n")
    page = write_html(run).read_text(encoding="utf-8")
    assert "p2 read 3 after p7 had read 5" in page
    assert "history.jsonl, line 1" in page


def test_without_a_verdict_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"verdict\.json: cannot be read"):
        write_html(Run(tmp_path))


def test_equal_runs_give_equal_pages() -> None:
    pages = {render_html(result_of(busy_history(300)), busy_history(300)) for _ in range(2)}
    assert len(pages) == 1


def test_an_anomaly_that_names_no_operation_has_no_picture() -> None:
    anomaly = Anomaly("n", "g", "Something is off.")
    page = render_html(result_of(History(stale_history().header, []), [anomaly]), None)
    assert "Something is off." in page
    assert 'class="picture"' not in page


# ── colours ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def themes() -> dict[str, dict[str, str]]:
    """Colours by name of the light and the dark theme; the dark one is written twice and must be the same twice."""
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root(?:\[data-theme=\"(\w+)\"\])? \{([^}]*--ground[^}]*)\}", style)
    found = [(name or "light", dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body))) for name, body in blocks]
    (light,), dark = [f for n, f in found if n == "light"], [f for n, f in found if n != "light"]
    assert len(dark) == 2
    assert dark[0] == dark[1]
    return {"light": light, "dark": dark[0]}


def channels(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """As WCAG 2.1 defines it."""
    weights = (0.2126, 0.7152, 0.0722)
    light = sorted(sum(a * b for a, b in zip(weights, channels(c), strict=True)) for c in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


TEXT_COLOURS = (
    "ink",
    "soft",
    "faint",
    "bad",
    "good",
    "doubt",
    "fault-ink",
    "accent",
    "ok-text",
    "info-text",
    "fail-text",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable(theme: str) -> None:
    colours = themes()[theme]
    for name in TEXT_COLOURS:
        for ground in ("ground", "surface"):
            assert contrast(colours[name], colours[ground]) >= 4.5, f"{name} on {ground}"
    for name, ground in (("bad", "bad-ground"), ("doubt", "doubt-ground"), ("ink", "sunken"), ("surface", "bad")):
        assert contrast(colours[name], colours[ground]) >= 4.5, f"{name} on {ground}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_stand_out_from_their_ground(theme: str) -> None:
    colours = themes()[theme]
    for name in ("ok", "fail", "info", "bad", "fault"):
        assert contrast(colours[name], colours["surface"]) >= 3.0, name
    assert contrast("#ffffff", colours["ok-box"]) >= 4.5, "words inside a box"


SIGHTS = {  # Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(linear: list[float]) -> list[float]:
    """CIE L*a*b* under D65."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    xyz = [sum(a * b for a, b in zip(row, linear, strict=True)) / w for row, w in zip(rows, white, strict=True)]
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def seen(colour: str, sight: str) -> list[float]:
    mixed = [sum(a * b for a, b in zip(row, channels(colour), strict=True)) for row in SIGHTS[sight]]
    return lab([min(1.0, max(0.0, part)) for part in mixed])


@pytest.mark.parametrize("sight", sorted(SIGHTS))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_outcomes_are_told_apart_by_every_eye(theme: str, sight: str) -> None:
    colours = themes()[theme]
    for one, other in itertools.combinations(("ok", "fail", "info"), 2):
        a, b = seen(colours[one], sight), seen(colours[other], sight)
        assert sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5 >= 40, f"{one} and {other}"
