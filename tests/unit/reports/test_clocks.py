"""The picture of the clocks: what was measured, where it lies, and that it asks nothing of the history."""

from __future__ import annotations

from typing import Any

from harness.history.header import Header
from harness.history.history import History
from harness.op import NEMESIS, Op
from reports.html.clocks import HEIGHT, MIDDLE, ClockRow, clocks_of

SECOND = 1_000_000_000


def history(*looks: tuple[int, int, Any]) -> History:
    """Of faults of clocks: begun at, done at, what they measured."""
    events = []
    for began_s, done_s, shown in looks:
        events.append(Op(len(events), began_s * SECOND, NEMESIS, "invoke", "start-clock"))
        events.append(Op(len(events), done_s * SECOND, NEMESIS, "ok", "start-clock", value={"clocks_ms": shown}))
    return History(Header(1, model="register"), events, "")


def places(row: ClockRow) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (point.partition(",") for point in row.points.split())]


def test_a_jump_goes_up_between_its_beginning_and_its_end_and_a_clock_that_is_right_stays_in_the_middle() -> None:
    first, second = clocks_of(history((2, 4, {"n1": [0.0, 100.0], "n2": [0.01, -0.02]})), 10 * SECOND)
    assert (first.node, first.range, second.node, second.range) == ("n1", "+0 … +100 ms", "n2", "right")
    assert [x for x, _ in places(first)] == [0, 200, 400, 1000]
    assert [y for _, y in places(first)][:2] == [MIDDLE, MIDDLE]
    assert places(first)[2][1] == places(first)[3][1] == 2
    assert {y for _, y in places(second)} == {MIDDLE}


def test_all_rows_have_one_scale_on_which_small_offsets_can_be_seen_beside_large_ones() -> None:
    rows = clocks_of(history((1, 2, {"n1": [0, -10_000], "n2": [0, 20]})), 3 * SECOND)
    assert [row.range for row in rows] == ["-10,000 … +0 ms", "+0 … +20 ms"]
    assert places(rows[0])[2][1] == HEIGHT - 2
    assert MIDDLE - 7 < places(rows[1])[2][1] < MIDDLE - 5


def test_what_was_recorded_by_others_or_is_no_measurement_is_left_out() -> None:
    strange: tuple[Any, ...] = (None, {}, {"n1": 7}, {"n1": ["a", "b"]}, {"n1": [1]}, [1, 2])
    assert clocks_of(history(*((1, 2, shown) for shown in strange)), SECOND) == ()
    assert clocks_of(History(Header(1, model="register"), [Op(0, None, NEMESIS, "ok", "stop-clock")], ""), SECOND) == ()
    assert clocks_of(history((1, 2, {"n1": [0, 5]})), 0) == ()


def test_a_node_of_any_name_is_escaped_by_the_page_and_cannot_hide() -> None:
    (row,) = clocks_of(history((1, 2, {"n1\x1b[31m": [0, 5]})), SECOND)
    assert "\x1b" not in row.node
