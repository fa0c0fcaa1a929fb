"""The figures of one run, from a history small enough to count by hand."""

from harness.history import Header, History
from harness.matrix import measure
from harness.matrix.figures import together
from harness.op import NEMESIS, Op
from harness.result import Counts, Result
from harness.verdict import Verdict

SECOND = 1_000_000_000


def history(*events):
    """Each event is (seconds, process, type, f, value or version)."""
    ops = []
    for index, (at, process, kind, f, told) in enumerate(events):
        version = told if isinstance(told, tuple) else None
        value = told if isinstance(told, dict) else None
        ops.append(Op(index, int(at * SECOND), process, kind, f, "x", value, version=version))
    return History(Header(), tuple(ops))


def result(**broken):
    verdicts = [
        Verdict("statistics", "valid", measures={"write_ms_p50": 4.0, "unavailable_s_max": 1.5}),
        Verdict("durability", "invalid" if broken else "valid", counts={"anomalies": broken.get("lost", 0)}),
    ]
    return Result("valid", "", "", Counts(0, 0, 0, 0), tuple(verdicts), duration_ns=10 * SECOND)


CUT = {"fault": "partition-1", "kind": "partition", "proven": True}
RUN = history(
    (0.0, 0, "invoke", "write", None),
    (0.5, 0, "ok", "write", (1, 1)),
    (1.0, NEMESIS, "invoke", "start-partition", None),
    (1.0, NEMESIS, "ok", "start-partition", CUT),
    (1.5, 1, "invoke", "write", None),
    (2.0, 1, "ok", "write", (2, 2)),  # within the fault, by the new leader
    (2.1, 0, "invoke", "write", None),
    (2.2, 0, "ok", "write", (1, 2)),  # and one by the old leader, which cannot know
    (2.5, 0, "invoke", "write", None),
    (3.0, NEMESIS, "invoke", "stop-partition", None),
    (3.0, NEMESIS, "ok", "stop-partition", CUT),
    (3.5, 0, "ok", "write", (1, 3)),  # asked within, answered outside: neither here nor there
    (4.5, 0, "invoke", "write", None),
    (5.0, 0, "ok", "write", (1, 4)),  # the old leader, more than a second after the healing
    (5.0, 1, "invoke", "read", None),
    (5.0, 1, "ok", "read", (1, 4)),
    (5.0, 1, "invoke", "write", None),
    (6.0, 1, "info", "write", None),
)


def test_acknowledged_writes_are_counted_by_where_they_fall() -> None:
    figures = measure(RUN, result())
    assert figures.acked == 5
    assert figures.acked_per_s_in_faults == 2 / 2.0
    assert figures.acked_per_s_outside == 2 / (5.0 - 2.0)


def test_overlapping_faults_are_not_counted_twice() -> None:
    kill = {"fault": "kill-1", "kind": "kill", "proven": True}
    figures = measure(
        history(
            (1.0, NEMESIS, "invoke", "start-partition", None),
            (1.0, NEMESIS, "ok", "start-partition", CUT),
            (2.0, NEMESIS, "invoke", "start-kill", None),
            (2.0, NEMESIS, "ok", "start-kill", kill),
            (2.1, 0, "invoke", "write", None),
            (2.2, 0, "ok", "write", (1, 1)),
            (3.0, NEMESIS, "invoke", "stop-partition", None),
            (3.0, NEMESIS, "ok", "stop-partition", CUT),
            (4.0, NEMESIS, "invoke", "stop-kill", None),
            (4.0, NEMESIS, "ok", "stop-kill", kill),
            (5.0, 0, "invoke", "write", None),
            (5.0, 0, "ok", "write", (1, 2)),
        ),
        result(),
    )
    assert figures.acked_per_s_in_faults == 1 / 3.0
    assert figures.acked_per_s_outside == 1 / 2.0


def test_writes_of_a_deposed_leader_are_told_apart_by_whether_it_could_know() -> None:
    figures = measure(RUN, result())
    assert (figures.deposed_acks, figures.deposed_acks_clear) == (3, 1)


def test_what_the_checkers_measured_is_taken_over() -> None:
    figures = measure(RUN, result(lost=7))
    assert (figures.lost, figures.write_ms_p50, figures.unavailable_s_max) == (7, 4.0, 1.5)
    assert figures.broken == {"durability": 1}


def test_a_run_without_events_has_figures_too() -> None:
    figures = measure(history(), result())
    assert (figures.acked, figures.acked_per_s_in_faults, figures.acked_per_s_outside) == (0, 0.0, 0.0)


def test_several_runs_add_up() -> None:
    figures = together([measure(RUN, result()), measure(RUN, result(lost=2)), measure(RUN, result(lost=3))])
    assert (figures.runs, figures.acked, figures.lost) == (3, 15, 5)
    assert (figures.write_ms_p50, figures.unavailable_s_max, figures.deposed_acks_clear) == (4.0, 1.5, 3)
    assert figures.broken == {"durability": 2}
