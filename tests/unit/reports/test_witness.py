"""The few operations that show an anomaly: which are drawn, where, and what is left out."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from made import MS, SECOND, Anomaly, FaultProof, Header, History, Op, in_order, stale_anomaly, stale_history

from reports.witness import gather

TIMES = tuple[int, int]


def history_of(*spans: TIMES, f: str = "read") -> History:
    """One process each, from and to in milliseconds, all ok."""
    events = []
    for process, (start, stop) in enumerate(spans):
        asked = Op(0, start * MS, process, "invoke", f, "k")
        events += [
            (start * MS, process * 2, asked),
            (stop * MS, process * 2 + 1, msgspec.structs.replace(asked.ok(process), time=stop * MS)),
        ]
    return History(Header(splitbrain=1), in_order(events))


def every(history: History, culprit: int | None = None) -> Anomaly:
    asked = tuple(op.index for op in history.events if op.type == "invoke")
    return Anomaly("n", "g", "s", ops=asked, culprit=asked[-1] if culprit is None else culprit)


def test_operations_stand_in_the_order_of_history_with_words_and_ends() -> None:
    history = stale_history()
    witness = gather(stale_anomaly(history), history, ())
    assert witness is not None
    assert [(step.process, step.text, step.status) for step in witness.steps] == [
        ("p4", "write 5", "ok"),
        ("p7", "read → 5", "ok"),
        ("p2", "read → 3", "ok"),
        ("p9", "write 8", "info"),
        ("p2", "read → 3", "ok"),
    ]
    assert [step.culprit for step in witness.steps] == [False] * 4 + [True]
    assert [step.end is None for step in witness.steps] == [False, False, False, True, False]
    assert witness.steps[0].start == 41_210 * MS
    assert witness.steps[0].end == 41_300 * MS


def test_time_is_in_proportion_where_there_is_no_pause() -> None:
    history = history_of((0, 100), (100, 200), (150, 300))
    witness = gather(every(history), history, ())
    assert witness is not None
    at = [witness.scale.position(moment * MS) for moment in (0, 100, 200, 300)]
    steps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert steps == pytest.approx([steps[0]] * 3)
    assert witness.scale.gaps == ()


def test_a_long_pause_is_short_and_keeps_its_true_length() -> None:
    history = history_of((0, 10), (5, 20), (60_000, 60_010))
    witness = gather(every(history), history, ())
    assert witness is not None
    ((start, stop, left, right),) = witness.scale.gaps
    assert stop - start == pytest.approx(59_980 * MS, rel=0.001)
    assert right - left < 0.2
    assert witness.scale.position(20 * MS) <= left < right <= witness.scale.position(60_000 * MS)


def test_positions_never_run_backwards_nor_leave_the_picture() -> None:
    history = history_of((0, 10), (4_000, 4_010), (90_000, 90_300))
    witness = gather(every(history), history, ())
    assert witness is not None
    at = [witness.scale.position(moment * MS) for moment in range(-1000, 100_000, 7)]
    assert at == sorted(at)
    assert at[0] == 0.0
    assert at[-1] == 1.0


def test_of_many_operations_the_last_and_the_culprit_stay() -> None:
    history = history_of(*((at * 10, at * 10 + 5) for at in range(40)))
    first = next(op.index for op in history.events if op.type == "invoke")
    witness = gather(every(history, culprit=first), history, (), limit=6)
    assert witness is not None
    assert [step.process for step in witness.steps] == ["p0", "p35", "p36", "p37", "p38", "p39"]
    assert witness.omitted == 34


def test_faults_are_clipped_to_the_picture_and_others_left_out() -> None:
    history = history_of((1_000, 2_000), (1_500, 2_500))
    faults = [
        FaultProof("before", "kill", start_ns=0, stop_ns=SECOND // 2),
        FaultProof("within", "kill", start_ns=0, stop_ns=2 * SECOND),
        FaultProof("unlifted", "pause", start_ns=2 * SECOND),
        FaultProof("after", "kill", start_ns=9 * SECOND, stop_ns=10 * SECOND),
    ]
    witness = gather(every(history), history, faults)
    assert witness is not None
    assert [band.fault.fault for band in witness.bands] == ["within", "unlifted"]
    assert [band.open for band in witness.bands] == [False, True]
    assert witness.bands[0].start == witness.scale.start
    assert witness.bands[0].stop == 2 * SECOND
    assert witness.bands[1].stop == witness.scale.stop


def test_a_history_without_times_is_laid_out_by_its_events() -> None:
    history = stale_history()
    history = History(history.header, [msgspec.structs.replace(op, time=None) for op in history.events])
    witness = gather(stale_anomaly(history), history, [FaultProof("f", "kill")])
    assert witness is not None
    assert not witness.timed
    assert witness.bands == ()
    assert witness.moment(3) == "event 3"


def test_an_operation_that_never_returned_is_running() -> None:
    history = History(Header(), [Op(0, 5 * MS, 1, "invoke", "write", "k", 1)])
    witness = gather(Anomaly("n", "g", "s", ops=(0,)), history, ())
    assert witness is not None
    assert [(step.status, step.end) for step in witness.steps] == [("running", None)]


def test_indices_that_are_no_invocation_are_left_out() -> None:
    history = stale_history()
    assert gather(Anomaly("n", "g", "s", ops=(1, 999)), History(Header(), []), ()) is None
    completion = next(op.index for op in history.events if op.type == "ok")
    assert gather(Anomaly("n", "g", "s", ops=(completion, 10_000, -1)), history, ()) is None
