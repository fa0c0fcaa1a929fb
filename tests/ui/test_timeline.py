"""The timeline in a real browser: every control, and that what it shows is what the history says."""

from __future__ import annotations

import pytest
from made import MS, Anomaly, History, busy_history, result_of, write_run

from reports.html import write_html

pytestmark = pytest.mark.browser

OPERATIONS = 6000
STORY_AT_S = 21.3


def test_a_click_on_an_operation_shows_all_that_is_known(opened, run_of_6000) -> None:
    page, history = opened.page, run_of_6000[1]
    page.get_by_role("button", name="Show it on the timeline").first.click()
    assert opened.kept("p:904 k:k17") == 1, "one lane with one operation"
    start, stop = opened.window()
    write = next(op for op in history.events if op.process == 904)
    lanes = page.locator("#lanes")
    height = lanes.bounding_box()["height"]
    lanes.click(position={"x": opened.pixel_of((write.time + 45 * MS) / 1000, start, stop), "y": height - 36})
    details = opened.details()
    for said in ("write 5", "happened, exactly once", "p904", "k17", "90.0 ms", "generation 2, index 0", "pause n2"):
        assert said in details
    opened.until(f"location.hash.includes('op={write.index}')")


def test_the_culprit_is_one_click_away(opened, run_of_6000) -> None:
    page = opened.page
    page.get_by_role("button", name="Show it on the timeline").first.click()
    start, stop = opened.window()
    assert start < STORY_AT_S * 1e6 < stop
    assert stop - start < 0.5e6
    assert "This gives away anomaly 1" in opened.details()
    assert opened.colours("#lanes").get("b3261e", 0) > 200, "outlines and flag in the colour of anomalies"


def test_the_wheel_zooms_at_the_pointer_and_belongs_to_the_page_otherwise(opened) -> None:
    page = opened.page
    whole = opened.window()
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lanes").bounding_box()
    x = box["x"] + opened.pixel_of(10e6, *whole)
    page.mouse.move(x, box["y"] + 150)
    page.mouse.wheel(0, 100)
    page.wait_for_timeout(100)
    assert opened.window() == whole
    page.mouse.click(x, page.locator("#lanes").bounding_box()["y"] + 150)
    page.mouse.wheel(0, -240)
    start, stop = opened.window_after(whole)
    assert (stop - start) == pytest.approx((whole[1] - whole[0]) / 2.718, rel=0.05)
    assert opened.pixel_of(10e6, start, stop) == pytest.approx(opened.pixel_of(10e6, *whole), abs=4)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 200)
    page.keyboard.up("Shift")
    assert opened.window_after((start, stop))[0] > start


def test_the_wheel_with_control_zooms_at_once(opened) -> None:
    page = opened.page
    whole = opened.window()
    page.locator("#lanes").hover(position={"x": 500, "y": 150})
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    start, stop = opened.window_after(whole)
    assert stop - start < whole[1] - whole[0]


def test_keys_zoom_pan_and_show_everything_again(opened) -> None:
    page = opened.page
    whole = opened.window()
    page.locator("#lanes").focus()
    page.keyboard.press("+")
    nearer = opened.window()
    assert nearer[1] - nearer[0] == pytest.approx((whole[1] - whole[0]) / 2)
    page.keyboard.press("ArrowRight")
    moved = opened.window()
    assert moved[0] == pytest.approx(nearer[0] + (nearer[1] - nearer[0]) / 4)
    page.keyboard.press("a")
    assert opened.window() == pytest.approx(nearer)
    page.keyboard.press("-")
    assert opened.window() == pytest.approx(whole)
    page.keyboard.press("w")
    page.keyboard.press("0")
    assert opened.window() == whole


def test_dragging_pans_and_dragging_with_shift_zooms(opened) -> None:
    page = opened.page
    page.locator("#zoom-in").click()
    before = opened.window()
    page.locator("#latency").scroll_into_view_if_needed()
    box = page.locator("#latency").bounding_box()
    page.mouse.move(box["x"] + 500, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 60, steps=4)
    page.mouse.up()
    after = opened.window()
    assert after[0] > before[0]
    assert after[1] - after[0] == pytest.approx(before[1] - before[0])
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 300, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 60, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    marked = opened.window()
    assert marked[1] - marked[0] < (after[1] - after[0]) / 3


def test_the_overview_chooses_a_window(opened) -> None:
    page = opened.page
    whole = opened.window()
    page.locator("#overview").scroll_into_view_if_needed()
    box = page.locator("#overview").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 20, steps=5)
    page.mouse.up()
    start, stop = opened.window()
    assert opened.pixel_of(start, *whole) == pytest.approx(300, abs=3)
    assert opened.pixel_of(stop, *whole) == pytest.approx(400, abs=3)


def expected(history: History, holds) -> int:
    """How many operations hold, straight from the events; `holds` gets invocation and completion."""
    running, count = {}, 0
    for op in history.events:
        if op.process == "nemesis":
            continue
        if op.type == "invoke":
            running[op.process] = op
        else:
            count += bool(holds(running.pop(op.process), op))
    return count


FILTERS = {
    "p:3": lambda asked, done: asked.process == 3,
    "p:p3|4": lambda asked, done: asked.process in (3, 4),
    "k:k17": lambda asked, done: asked.key == "k17",
    "f:read|cas": lambda asked, done: asked.f in ("read", "cas"),
    "!f:read": lambda asked, done: asked.f != "read",
    "s:fail": lambda asked, done: done.type == "fail",
    "s:fail f:write": lambda asked, done: done.type == "fail" and asked.f == "write",
    "err:timeout": lambda asked, done: "timeout" in (done.error or ""),
    'err:"no answer within"': lambda asked, done: "no answer within" in (done.error or ""),
    "n:n2": lambda asked, done: done.node == "n2",
    "lat:>50ms": lambda asked, done: done.time // 1000 - asked.time // 1000 >= 50_000,
    "t:4..5": lambda asked, done: asked.time // 1000 <= 5e6 and done.time // 1000 >= 4e6,
    "during:kill": lambda asked, done: asked.time // 1000 <= 14e6 and done.time // 1000 >= 12e6,
    "is:anomaly": None,
    "not-leader": lambda asked, done: "not-leader" in (done.error or ""),
}


def test_filters_keep_what_they_say(opened, run_of_6000) -> None:
    _, history, anomalies = run_of_6000
    assert opened.kept() == OPERATIONS + 5
    for text, holds in FILTERS.items():
        wanted = len({at for one in anomalies for at in one.ops}) if holds is None else expected(history, holds)
        assert 0 < wanted < OPERATIONS, text
        assert opened.kept(text) == wanted, text
    assert opened.kept("anomaly:1") == len(anomalies[0].ops)
    assert opened.kept("anomaly:stale|1") == len({at for one in anomalies for at in one.ops})


def test_a_filter_that_makes_no_sense_says_so_and_keeps_the_last_result(opened) -> None:
    page = opened.page
    before = opened.kept("k:k17")
    assert opened.kept("k:k17 colour:red") == before
    assert "There is no “colour:”" in page.locator("#filter-hint").inner_text()
    assert page.locator("#filter").get_attribute("aria-invalid") == "true"
    assert opened.kept("nothing-is-called-this") == 0
    assert page.locator("#filter-hint").inner_text() == ""


def test_outcomes_are_switched_by_chips(opened) -> None:
    page = opened.page
    ok = page.locator("#chips button").first
    number = int(ok.inner_text().split()[-1].replace(",", ""))
    ok.click()
    assert ok.get_attribute("aria-pressed") == "false"
    assert opened.kept() == OPERATIONS + 5 - number


def test_lanes_by_key_and_the_table_agree_with_the_history(opened, run_of_6000) -> None:
    page, history = opened.page, run_of_6000[1]
    page.locator("#lanes-by").select_option("key")
    number = opened.kept("k:k17 t:21.3..21.32")
    assert number > 0
    page.locator("#in-view summary").click()
    opened.until(f"document.querySelectorAll('#rows tr').length === {number}")
    rows = page.locator("#rows tr")
    indices = [int(rows.nth(at).locator("td").first.inner_text()) for at in range(number)]
    assert all(history.events[index].key == "k17" for index in indices)
    rows.nth(0).locator("button").focus()
    page.keyboard.press("Enter")
    assert f"{indices[0]} and" in opened.details()


def test_keys_step_through_a_lane_anomalies_trouble_and_faults(opened) -> None:
    page = opened.page
    page.locator("#lanes").focus()
    page.keyboard.press("n")
    assert "anomaly 1" in opened.details()
    assert page.locator("#details h3").inner_text() == "read → 3"
    page.keyboard.press(",")
    assert "Part of anomaly 1" in opened.details()
    page.keyboard.press("n")
    assert "anomaly 2" in opened.details()
    page.keyboard.press("N")
    assert "anomaly 1" in opened.details()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    assert page.locator("#details .meaning b").inner_text() in ("fail", "info")
    page.keyboard.press("b")
    start, stop = opened.window()
    assert start < 4e6 < 9e6 < stop < 12e6
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_letters_typed_into_the_filter_are_not_commands(opened) -> None:
    page = opened.page
    whole = opened.window()
    page.locator("#filter").press_sequentially("www")
    assert opened.window() == whole
    assert page.locator("html").get_attribute("data-theme") == "auto"


def test_an_address_opens_what_it_names(watched, run_of_6000) -> None:
    path, _, anomalies = run_of_6000
    opened = watched()
    page = opened.open(path, f"#op={anomalies[0].culprit}")
    assert "This gives away anomaly 1" in opened.details()
    page = opened.open(path, "#z=3-10&q=k:k17&by=node")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert opened.window() == pytest.approx((3e6, 10e6))
    assert page.locator("#filter").input_value() == "k:k17"
    assert page.locator("#lanes-by").input_value() == "node"


def test_a_fault_in_the_table_leads_to_its_window(opened) -> None:
    opened.page.get_by_role("button", name="kill n3").click()
    start, stop = opened.window()
    assert 11e6 < start < 12e6 < 14e6 < stop < 15e6


def test_an_address_typed_over_and_the_back_button_are_followed(opened, run_of_6000) -> None:
    page, anomalies = opened.page, run_of_6000[2]
    page.keyboard.press("n")
    opened.until(f"location.hash.includes('op={anomalies[0].culprit}')")
    page.keyboard.press("n")
    opened.until(f"location.hash.includes('op={anomalies[1].culprit}')")
    page.go_back()
    opened.until("document.getElementById('details').textContent.includes('anomaly 1')")
    page.evaluate("location.hash = '#q=f:cas&z=5-6'")
    opened.until("document.getElementById('filter').value === 'f:cas'")
    assert opened.window() == pytest.approx((5e6, 6e6))
    assert "Click an operation" in opened.details()


def test_only_what_shows_an_anomaly_is_one_key_away(opened, run_of_6000) -> None:
    page, anomalies = opened.page, run_of_6000[2]
    page.keyboard.press("n")
    page.keyboard.press("m")
    assert opened.kept() == len(anomalies[0].ops)
    assert page.locator("#filter").input_value() == "anomaly:1"
    assert "This gives away anomaly 1" in opened.details()
    page.get_by_role("button", name="only what shows it").click()
    assert opened.kept() == OPERATIONS + 5


def test_pointing_at_an_operation_says_what_it_is(opened, run_of_6000) -> None:
    page, history = opened.page, run_of_6000[1]
    page.get_by_role("button", name="Show it on the timeline").first.click()
    assert opened.kept("p:904 k:k17") == 1
    start, stop = opened.window()
    write = next(op for op in history.events if op.process == 904)
    lanes = page.locator("#lanes")
    place = {"x": opened.pixel_of((write.time + 45 * MS) / 1000, start, stop), "y": lanes.bounding_box()["height"] - 36}
    lanes.hover(position=place)
    card = page.locator("#card").inner_text()
    for said in ("write 5", "ok, 90.0 ms", "p904, key k17, n1", "pause n2 (unproven)"):
        assert said in card
    assert float(page.locator("#cursor").inner_text().removesuffix(" s")) == pytest.approx(21.345, abs=0.002)
    page.mouse.move(5, 5)
    assert not page.locator("#card").is_visible()
    assert not page.locator("#cursor").is_visible()


def test_a_dot_of_the_latency_plot_leads_to_its_operation(opened, run_of_6000) -> None:
    page, history = opened.page, run_of_6000[1]
    page.get_by_role("button", name="Show it on the timeline").first.click()
    assert opened.kept("p:904 k:k17") == 1
    write = next(op for op in history.events if op.process == 904)
    latency = page.locator("#latency")
    latency.scroll_into_view_if_needed()
    x = opened.pixel_of(write.time / 1000, *opened.window())
    for y in range(4, int(latency.bounding_box()["height"]), 6):  # how high it stands is the scale's business
        latency.click(position={"x": x, "y": y})
        if page.locator("#details h3").count():
            break
    assert page.locator("#details h3").inner_text() == "write 5"


def test_a_fault_lies_on_the_timeline_where_it_was_in_force(opened) -> None:
    whole = opened.window()
    y = 24 + 19 / 2  # below the axis, in the strip that names the faults
    lanes = opened.page.locator("#lanes")
    lanes.hover(position={"x": opened.pixel_of(13e6, *whole), "y": y})
    assert opened.page.locator("#card").inner_text() == "kill n3"
    lanes.hover(position={"x": opened.pixel_of(10.5e6, *whole), "y": y})
    assert not opened.page.locator("#card").is_visible()
    lanes.click(position={"x": opened.pixel_of(13e6, *whole), "y": y})
    start, stop = opened.window_after(whole)
    assert 11e6 < start < 12e6 < 14e6 < stop < 15e6


def test_two_fingers_zoom(watched, run_of_6000) -> None:
    opened = watched(viewport={"width": 400, "height": 900}, has_touch=True, is_mobile=True)
    page = opened.open(run_of_6000[0])
    whole = opened.window()
    page.evaluate(
        """() => {
        const lanes = document.getElementById("lanes"), box = lanes.getBoundingClientRect();
        lanes.setPointerCapture = () => {};
        const send = (type, id, x) => lanes.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: "touch",
          clientX: box.left + x, clientY: box.top + 80, bubbles: true, isPrimary: id === 1 }));
        send("pointerdown", 1, 200);
        send("pointerdown", 2, 240);
        send("pointermove", 1, 160);
        send("pointermove", 2, 280);
        send("pointerup", 1, 160);
        send("pointerup", 2, 280); }"""
    )
    start, stop = opened.window()
    assert (whole[1] - whole[0]) / (stop - start) == pytest.approx(3, rel=0.05)


def test_many_lanes_are_scrolled(watched, tmp_path) -> None:
    history = busy_history(1500, processes=30)
    asked = [op.index for op in history.events if op.type == "invoke" and op.key == "k49"]
    anomaly = Anomaly("n", "g", "Something is off.", "k49", tuple(asked[-1:]), asked[-1])
    opened = watched()
    page = opened.open(write_html(write_run(tmp_path, history, result_of(history, [anomaly]))))
    page.locator("#lanes-by").select_option("key")
    scroller = "document.getElementById('scroller')"
    assert page.evaluate(f"{scroller}.scrollHeight > {scroller}.clientHeight"), (
        "50 keys with several operations at once do not fit"
    )
    page.keyboard.press("n")
    opened.drawn()
    assert page.evaluate(f"{scroller}.scrollTop") > 0, "the culprit's lane is brought into view"
    assert opened.colours("#lanes").get("b3261e", 0) > 50


def test_a_link_to_what_is_shown_is_one_key_away(opened) -> None:
    opened.page.keyboard.press("c")
    opened.until("/link/i.test(document.getElementById('said').textContent)")
