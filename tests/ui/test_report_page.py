"""The HTML report in a real browser: what it shows first, that it asks for nothing, and that no value acts in it."""

from __future__ import annotations

import msgspec
import pytest
from made import (
    MS,
    Anomaly,
    FaultProof,
    Header,
    History,
    Op,
    busy_history,
    in_order,
    result_of,
    stale_anomaly,
    stale_history,
    write_run,
)

from reports.html import write_html

pytestmark = pytest.mark.browser


def test_the_verdict_and_the_proof_come_first(opened) -> None:
    page = opened.page
    assert page.title().startswith("✗ VIOLATION")
    heading = page.get_by_role("heading", level=1)
    assert "Violation" in heading.inner_text()
    assert heading.bounding_box()["y"] < 200
    sentence = page.locator("#proof .sentence").first
    assert sentence.inner_text() == "p902 read 3 after p907 had read 5."
    assert sentence.bounding_box()["y"] < 600, "the proof is on the first screen"
    rows = page.locator("#anomaly-1 .picture tbody tr")
    assert [rows.nth(at).locator("th").inner_text() for at in range(5)] == ["p904", "p907", "p902", "p909", "p902"]
    order = page.evaluate("[...document.querySelectorAll('main > section')].map((section) => section.id)")
    assert order == ["verdict", "proof", "repeat", "timeline", "faults", "checkers", "plan"]


def test_nothing_is_asked_of_the_network(opened) -> None:
    assert len(opened.requests) == 1
    assert opened.requests[0].startswith("file:")


def test_without_script_the_summary_is_complete(watched, run_of_6000) -> None:
    page = watched(java_script_enabled=False).open(run_of_6000[0], timeline=False)
    assert "Violation" in page.get_by_role("heading", level=1).inner_text()
    assert page.locator("#anomaly-1 rect.bar").count() == 5
    assert page.locator("table.faults tbody tr").count() == 3
    assert page.locator(".checker").count() == 3
    assert page.get_by_text("drawn by a script, which is switched off").is_visible()
    assert not page.locator("#viewer").is_visible()


def test_dark_follows_the_system_and_can_be_switched(watched, run_of_6000) -> None:
    opened = watched(color_scheme="dark")
    page = opened.open(run_of_6000[0])
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(12, 16, 21)"
    assert "3f7ff0" in opened.colours("#rate")
    page.locator("#theme").click()
    assert page.evaluate(ground) == "rgb(246, 245, 242)"
    assert "3b7dd8" in opened.colours("#rate")
    page.keyboard.press("t")
    assert page.evaluate(ground) == "rgb(12, 16, 21)"


def test_a_small_screen_needs_no_sideways_scrolling(watched, run_of_6000) -> None:
    page = watched(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True).open(run_of_6000[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#verdict h1").bounding_box()["y"] < 150
    assert page.locator("#lanes").bounding_box()["width"] > 250


def test_on_paper_controls_are_gone_and_the_proof_stays(opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    assert not page.locator("#toolbar").is_visible()
    assert not page.locator("#theme").is_visible()
    assert page.locator("#anomaly-1 .picture").is_visible()
    assert page.locator("#lanes").is_visible()


HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(2)>",
    "{{ 7*7 }} {% raw %}",
    "\x1b[31mred\x00\u202eback <!-- <![CDATA[ ]]> -->",
    "&lt;b&gt; &amp; \\u003c",
)


def test_hostile_values_are_shown_as_text(watched, tmp_path) -> None:
    events = []
    for number, value in enumerate(HOSTILE):
        asked = Op(0, number * 50 * MS, number, "invoke", f"f{value}", f"key{value}", value, f"node{value}", value)
        events += [(asked.time, number, asked), (asked.time + 20 * MS, number + 100,
                   msgspec.structs.replace(asked.info(f"error {value}"), time=asked.time + 20 * MS))]  # fmt: skip
    history = History(Header(model="register"), in_order(events))
    asked = [op.index for op in history.events if op.type == "invoke"]
    every = " ".join(HOSTILE)
    anomaly = Anomaly(every, every, every, every, tuple(asked), asked[0], every, every, {every: every})
    fault = FaultProof(every, every, (every,), every, 0, 100 * MS, True, (every,))
    given = {"headline": every, "title": every, "reason": every, "repeat": every, "plan": {every: every}}
    result = result_of(history, [anomaly], faults=[fault], truncated=every, **given)
    opened = watched()
    page = opened.open(write_html(write_run(tmp_path, history, result)))
    assert page.title().startswith("✗ VIOLATION")
    assert page.locator("img, script:not([type]), svg svg").count() == 1, "only our own script"
    text = page.locator("body").inner_text()
    for part in (
        "<script>document.title='owned'</script>",
        "onerror=alert(1)",
        "{{ 7*7 }}",
        "\\x1b[31mred\\x00\\u202e",
    ):
        assert part in text
    page.locator("#in-view summary").click()
    opened.until(f"document.querySelectorAll('#rows tr').length === {len(HOSTILE)}")
    page.locator("#rows tr").first.locator("button").click()
    assert HOSTILE[0] in opened.details(), "values stand in the details as they were"
    for at in range(1, len(HOSTILE)):
        page.locator("#rows tr").nth(at).locator("button").click()
    page.locator("#lanes").hover(position={"x": 300, "y": 60})
    assert opened.kept("k:<script>") == 0
    assert opened.kept('"<script>document"') == 1
    assert page.locator("img").count() == 0
    assert page.title().startswith("✗ VIOLATION")


def test_the_policy_of_the_page_stops_a_script_that_gets_in(watched, run_of_6000, tmp_path) -> None:
    broken = tmp_path / "broken.html"
    text = run_of_6000[0].read_text(encoding="utf-8")
    broken.write_text(text.replace("</main>", "<script>document.title='owned'</script></main>"), encoding="utf-8")
    opened = watched()
    page = opened.open(broken)
    assert page.title() != "owned"
    assert any("Content Security Policy" in problem for problem in opened.problems)
    opened.problems.clear()


def test_a_history_without_times_is_laid_out_by_events(watched, tmp_path) -> None:
    history = stale_history()
    events = [msgspec.structs.replace(op, time=None) for op in history.events]
    history = History(history.header, events)
    result = result_of(history, [stale_anomaly(history)], faults=())
    page = watched().open(write_html(write_run(tmp_path, history, result)))
    assert not page.locator("#latency").is_visible()
    page.get_by_role("button", name="Show it on the timeline").click()
    assert "event" in page.locator("#details").inner_text()
    assert page.get_by_text("by order of events: this history has no times").is_visible()


def test_a_run_without_history_says_why(watched, tmp_path) -> None:
    history = stale_history()
    given = {"headline": "The run failed.", "reason": "no Docker engine answers.", "verdicts": ()}
    result = result_of(History(Header(), []), outcome="infrastructure", faults=(), **given)
    run = write_run(tmp_path, history, result)
    run.history_path.unlink()
    page = watched().open(write_html(run), timeline=False)
    assert "Infrastructure" in page.get_by_role("heading", level=1).inner_text()
    assert page.get_by_text("no Docker engine answers.").is_visible()
    assert page.get_by_text("The run recorded no history.").is_visible()


def test_an_empty_history_is_drawn_as_empty(watched, tmp_path) -> None:
    history = History(Header(splitbrain=1, model="register"), [])
    result = result_of(history, outcome="vacuous", headline="Nothing was really tested.", faults=())
    page = watched().open(write_html(write_run(tmp_path, history, result)))
    assert page.locator("#shown").inner_text() == "0 operations."


OPERATIONS_MANY = 100_000
BYTES_MAX = 3_000_000
READY_MS_MAX = 2000
FRAME_MS_MAX = 100


def test_a_hundred_thousand_operations_are_small_and_quick(watched, run_of_100000) -> None:
    """Times are of the page's own thread, on the processor: a machine that is busy with other things is no failure."""
    assert run_of_100000[0].stat().st_size <= BYTES_MAX
    opened = watched()
    used_ms = opened.stopwatch()
    page = opened.open(run_of_100000[0])
    assert used_ms() < READY_MS_MAX
    assert opened.kept() == OPERATIONS_MANY + 5
    before_ms = used_ms()
    for step in range(24):
        page.keyboard.press("w" if step < 12 else "s")
        opened.drawn()
    assert (used_ms() - before_ms) / 24 < FRAME_MS_MAX


def test_one_doubtful_operation_among_a_hundred_thousand_stays_visible(watched, tmp_path) -> None:
    events = []
    for number in range(OPERATIONS_MANY):
        at = number * 300_000
        asked = Op(0, at, number % 10, "invoke", "read", "k")
        done = asked.info("timeout") if number == 61_234 else asked.ok(1)
        events += [asked, msgspec.structs.replace(done, time=at + 200_000)]
    events = [msgspec.structs.replace(op, index=index) for index, op in enumerate(events)]
    history = History(Header(splitbrain=1), events)
    opened = watched()
    opened.open(write_html(write_run(tmp_path, history, result_of(history, faults=()))))
    assert opened.colours("#lanes").get("c9590a", 0) >= 6
    assert opened.colours("#overview").get("c9590a", 0) >= 2


def test_what_is_left_out_of_a_very_long_run_is_said(watched, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("reports.html.columns.ROWS_MAX", 500)
    history = busy_history(2000)
    opened = watched()
    page = opened.open(write_html(write_run(tmp_path, history, result_of(history))))
    kept = opened.kept()
    assert 300 < kept <= 500
    assert (
        f"The page holds {kept} of 2,000: all that did not end ok and a sample." in page.locator("#shown").inner_text()
    )
