"""What the clients met, measured."""

import pytest
from made_histories import MS, Story

from checkers.protocol import Budget
from checkers.statistics import Statistics
from harness.history import Header, History
from harness.op import Op


def measured(story):
    verdict = Statistics().check(story.history(), Budget(10))
    assert verdict.answer == "valid"
    return verdict


def timed(*operations):
    """(invoked at ms, over at ms or None, end) each by a process of its own."""
    events = []
    for process, (begin, over, end) in enumerate(operations):
        events.append((begin, Op(-1, begin * MS, process, "invoke", "read")))
        if over is not None:
            events.append((over, Op(-1, over * MS, process, end, "read")))
    story = Story()
    story.events = [op for _, op in sorted(events, key=lambda event: event[0])]
    story.events = [
        Op(index, op.time, op.process, op.type, op.f, op.key, op.value) for index, op in enumerate(story.events)
    ]
    return story


def test_endings_are_counted_per_kind():
    story = Story()
    story.write(1, 5)
    story.write(1, 6, end="fail")
    story.read(1, 5)
    story.read(2, None, end="info")
    story.event(3, "invoke", "read")
    counts = measured(story).counts
    assert counts == {
        "read-ok": 1,
        "read-fail": 0,
        "read-info": 2,
        "write-ok": 1,
        "write-fail": 1,
        "write-info": 0,
        "outages": 0,
    }


def test_quantiles_are_of_successful_operations_by_nearest_rank():
    operations = [(i * 10, i * 10 + i, "ok") for i in range(1, 101)]
    measures = measured(timed(*operations, (5, 900, "fail"))).measures
    assert (measures["read_ms_p50"], measures["read_ms_p95"], measures["read_ms_p99"]) == (50.0, 95.0, 99.0)
    assert measures["latency_ms_p99"] == 99.0
    assert measures["ok_share"] == 100 / 101


def test_kinds_have_quantiles_of_their_own():
    story = Story()
    story.write(1, 5)
    measures = measured(story).measures
    assert measures["write_ms_p50"] == 1.0
    assert "read_ms_p50" not in measures


def test_the_longest_time_without_any_ok_is_found():
    fails = [(1000 + i * 100, 1001 + i * 100, "fail") for i in range(40)]
    verdict = measured(timed((0, 1, "ok"), (900, 901, "ok"), *fails, (5000, 5001, "ok")))
    assert verdict.measures["unavailable_s_max"] == pytest.approx(4.1)
    assert verdict.measures["unavailable_s_total"] == pytest.approx(4.1)
    assert verdict.counts["outages"] == 1


def test_a_pause_in_which_nobody_asks_is_no_outage():
    measures = measured(timed((0, 1, "ok"), (4000, 4002, "ok"))).measures
    assert measures["unavailable_s_max"] == pytest.approx(0.002)
    assert measures["unavailable_s_total"] == 0.0


def test_waiting_for_an_answer_is_asking():
    measures = measured(timed((0, 1, "ok"), (2, 4000, "info"), (4000, 4001, "ok"))).measures
    assert measures["unavailable_s_max"] == pytest.approx(4.0)


def test_what_never_succeeds_is_unavailable_from_the_first_to_the_last_event():
    measures = measured(timed((0, 1500, "fail"), (100, None, ""))).measures
    assert measures["unavailable_s_max"] == pytest.approx(1.5)


def test_a_history_without_times_has_counts_only():
    events = [Op(0, None, 1, "invoke", "read"), Op(1, None, 1, "ok", "read")]
    verdict = Statistics().check(History(Header(), events), Budget(10))
    assert (verdict.measures, verdict.counts["read-ok"]) == ({"ok_share": 1.0}, 1)
    assert verdict.summary == "100.0 % of 1 operations succeeded."


def test_a_history_without_operations_says_so():
    assert measured(Story()).summary == "There are no client operations."


def test_the_summary_tells_the_main_figures():
    assert measured(timed((0, 2, "ok"), (3, 4, "fail"))).summary == (
        "50.0 % of 2 operations succeeded, half of them within 2 ms, 99 % within 2 ms;"
        " the longest time without any was 0.00 s."
    )


def test_times_that_only_number_the_events_are_not_told_as_latencies():
    events = [Op(0, 1, 1, "invoke", "read"), Op(1, 2, 1, "ok", "read")]
    verdict = Statistics().check(History(Header(), events), Budget(10))
    assert verdict.summary == "100.0 % of 1 operations succeeded."
    assert verdict.measures["latency_ms_p50"] == pytest.approx(1e-6)
