"""Planted damage for each simple invariant: it is found, named, and confirmed; what is right passes."""

import msgspec
import pytest

from checkers.invariants import (
    Availability,
    Bank,
    Comments,
    CounterBounds,
    FinalSet,
    LogPattern,
    LongFork,
    UniqueIds,
)
from checkers.invariants.availability import fault_measures
from checkers.invariants.log_pattern import still_there
from checkers.objects import SetFull, TotalQueue
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op

OPEN = object()


def told(story, initial=None):
    """(process, f, argument, answer): one after the other; OPEN never ends, "info" is in doubt."""
    events = []
    for process, f, argument, answer in story:
        events.append(Op(len(events), None, process, "invoke", f, None, argument))
        if answer is not OPEN:
            kind = answer if answer in ("info", "fail") else "ok"
            value = argument if kind != "ok" else answer
            events.append(Op(len(events), None, process, kind, f, None, value, error=None if kind == "ok" else "x"))
    return History(Header(initial=initial), events)


def judged(checker, history):
    verdict = checker.check(history, Budget(10))
    assert verify(history, verdict) == []
    return verdict


DAMAGE = {
    "lost": (FinalSet(), [(0, "add", 1, 1), (0, "add", 2, 2), (0, "read", None, [1])], "lost"),
    "duplicated": (FinalSet(), [(0, "add", 1, 1), (0, "read", None, [1, 1])], "duplicated"),
    "never added": (FinalSet(), [(0, "add", 1, 1), (0, "read", None, [1, 2])], "unexpected"),
    "failed": (FinalSet(), [(0, "add", 1, "fail"), (0, "read", None, [1])], "unexpected"),
    "added later": (FinalSet(), [(0, "read", None, [1]), (0, "add", 1, 1)], "unexpected"),
    "same id": (UniqueIds(), [(0, "generate", None, "a"), (1, "generate", None, "a")], "duplicate-id"),
    "too low": (CounterBounds(), [(0, "add", 5, 5), (1, "add", 1, OPEN), (0, "read", None, 4)], "out-of-bounds"),
    "too high": (CounterBounds(), [(0, "add", 5, 5), (1, "add", 1, OPEN), (0, "read", None, 7)], "out-of-bounds"),
    "money lost": (
        Bank(),
        [(0, "read", None, {"a": 5, "b": 5}), (1, "read", None, {"a": 4, "b": 5})],
        "wrong-total",
    ),
    "overdrawn": (Bank(total=0), [(0, "read", None, {"a": -1, "b": 1})], "negative-balance"),
    "no number": (Bank(total=5), [(0, "read", None, {"a": 5, "b": None})], "no-balance"),
    "other accounts": (
        Bank(total=5),
        [(0, "read", None, {"a": 5}), (0, "read", None, {"a": 2, "b": 3})],
        "other-accounts",
    ),
    "fork": (
        LongFork(),
        [
            (0, "read", [["r", "x", None], ["r", "y", None]], [["r", "x", 1], ["r", "y", None]]),
            (1, "read", [["r", "x", None], ["r", "y", None]], [["r", "x", None], ["r", "y", 1]]),
        ],
        "long-fork",
    ),
    "reply without comment": (
        Comments(),
        [(0, "write", 1, 1), (0, "write", 2, 2), (1, "read", None, [2])],
        "missing-predecessor",
    ),
}


@pytest.mark.parametrize(("checker", "story", "name"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_and_named(checker, story, name):
    verdict = judged(checker, told(story))
    assert verdict.answer == "invalid"
    assert {anomaly.name for anomaly in verdict.anomalies} == {name}
    assert verdict.counts["anomalies"] == 1
    assert verdict.anomalies[0].sentence.endswith(".")
    assert len(verdict.anomalies[0].ops) <= 3


RIGHT = {
    "in doubt, there": (FinalSet(), [(0, "add", 1, "info"), (1, "read", None, [1])]),
    "in doubt, not there": (FinalSet(), [(0, "add", 1, "info"), (1, "read", None, [])]),
    "ids": (UniqueIds(), [(0, "generate", None, 1), (1, "generate", None, "1"), (2, "generate", None, "info")]),
    "within bounds": (CounterBounds(), [(0, "add", 5, 5), (1, "add", -2, OPEN), (0, "read", None, 4)]),
    "transfer": (Bank(), [(0, "read", None, {"a": 5, "b": 5}), (1, "read", None, {"a": 0, "b": 10})]),
    "overdraft": (Bank(total=0, overdraft=True), [(0, "read", None, {"a": -1, "b": 1})]),
    "one after the other": (
        LongFork(),
        [
            (0, "read", [["r", "x", None], ["r", "y", None]], [["r", "x", 1], ["r", "y", None]]),
            (1, "read", [["r", "x", None], ["r", "y", None]], [["r", "x", 1], ["r", "y", 1]]),
        ],
    ),
    "comment without reply": (Comments(), [(0, "write", 1, 1), (0, "write", 2, 2), (1, "read", None, [1])]),
}


@pytest.mark.parametrize(("checker", "story"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_passes(checker, story):
    assert judged(checker, told(story)).answer == "valid"


@pytest.mark.parametrize("checker", [FinalSet(), UniqueIds(), CounterBounds(), Bank(), LongFork(), Comments()])
def test_nothing_is_claimed_of_nothing(checker):
    assert judged(checker, told([])).answer == "unknown"


@pytest.mark.parametrize(("checker", "story", "name"), DAMAGE.values(), ids=DAMAGE)
def test_the_second_opinion_refuses_what_is_not_shown(checker, story, name):
    history, right = told(story), told(RIGHT_OF.get(checker.name, []))
    verdict = judged(checker, history)
    acquitted = msgspec.structs.replace(
        verdict, answer="valid", anomalies=(), counts={**verdict.counts, "acknowledged": 2}
    )
    acquitted = msgspec.structs.replace(acquitted, certificate={"total": 10, "overdraft": False})
    assert verify(history, acquitted)
    assert verify(right, verdict)


RIGHT_OF = {checker.name: story for checker, story in reversed(list(RIGHT.values()))}


def test_a_set_counts_each_kind_of_damage_once():
    story = [
        (0, "add", 1, 1),
        (0, "add", 2, 2),
        (0, "add", 3, 3),
        (0, "read", None, [1, 1, 1, 3]),
        (0, "read", None, [1, 1, 2]),
        (0, "add", 4, 4),
        (0, "add", 5, "info"),
    ]
    counts = judged(SetFull(), told(story)).counts
    wanted = {"lost": 1, "stale": 1, "duplicated": 1, "never_read": 1}
    assert {name: counts[name] for name in wanted} == wanted


def test_a_queue_that_returns_null_was_empty_and_what_was_in_doubt_is_recovered():
    story = [(0, "enqueue", 1, "info"), (1, "dequeue", None, 1), (1, "enqueue", 2, 2), (1, "dequeue", None, 2)]
    counts = judged(TotalQueue(), told([*story, (1, "dequeue", None, None)])).counts
    assert (counts["recovered"], counts["lost"]) == (1, 0)
    lost = judged(TotalQueue(), told([(0, "enqueue", 1, 1), (1, "dequeue", None, None)]))
    assert (lost.answer, lost.counts["lost"]) == ("invalid", 1)


# ── availability ─────────────────────────────────────────────────────────────────────────────────────────────────────

S = 1_000_000_000


def timed(*rows):
    """(seconds, process, type, f, value)."""
    events = [
        Op(index, int(at * S), process, type_, f, "k", value)
        for index, (at, process, type_, f, value) in enumerate(rows)
    ]
    return History(Header(), events)


OUTAGE = timed(
    (0.0, 0, "invoke", "read", None),
    (0.1, 0, "ok", "read", 1),
    (1.0, NEMESIS, "invoke", "start-kill", None),
    (1.1, NEMESIS, "ok", "start-kill", {"fault": "kill-1", "kind": "kill", "nodes": ["n1"]}),
    (1.2, 0, "invoke", "read", None),
    (1.9, 0, "fail", "read", None),
    (2.0, 1, "invoke", "read", None),
    (3.5, NEMESIS, "invoke", "stop-kill", None),
    (4.0, NEMESIS, "ok", "stop-kill", {"fault": "kill-1", "kind": "kill"}),
    (4.2, 1, "ok", "read", 1),
    (4.5, 0, "invoke", "read", None),
    (4.75, 0, "ok", "read", 1),
)


def test_outages_failover_and_recovery_are_measured():
    verdict = judged(Availability(), OUTAGE)
    assert verdict.answer == "valid"
    measures = {name: round(value, 6) for name, value in verdict.measures.items()}
    assert measures["ok_share"] == 0.75
    assert measures["ok_share_in_faults"] == 0.5
    assert measures["unavailable_s_max"] == 3.0
    assert measures["failover_s_max"] == 3.0  # from 1.2 s on: before that nobody asked
    assert measures["recovery_s_max"] == 0.75
    assert verdict.certificate["outages_s"] == [[1.2, 4.2]]
    [fault] = verdict.certificate["faults"]
    assert (fault["fault"], fault["start_s"], fault["stop_s"]) == ("kill-1", 1.0, 4.0)


def test_what_is_promised_of_availability_is_held_against_it():
    verdict = Availability(ok_share_min=0.9, recovery_s_max=0.5).check(OUTAGE, Budget(10))
    assert verdict.answer == "invalid"
    assert [anomaly.name for anomaly in verdict.anomalies] == ["unavailable", "slow-recovery"]
    assert Availability(ok_share_min=0.75, recovery_s_max=0.75).check(OUTAGE, Budget(10)).answer == "valid"


def test_each_promise_has_its_guarantee_and_a_sentence_with_both_figures():
    slow = Availability(recovery_s_max=0.5).check(OUTAGE, Budget(10)).anomalies[0]
    assert slow.guarantee == "timely-recovery"
    assert slow.sentence == (
        "After kill-1 was lifted, the first operation was served only 0.75 s later; at most 0.5 s were promised."
    )
    dark = Availability(unavailable_s_max=2.9).check(OUTAGE, Budget(10)).anomalies[0]
    assert (dark.name, dark.guarantee) == ("long-outage", "availability")
    assert dark.sentence.startswith("From 1.20 s on nothing succeeded for 3.00 s")
    assert Availability(unavailable_s_max=3.0).check(OUTAGE, Budget(10)).answer == "valid"


def test_a_fault_has_its_outage_and_its_dip():
    [fault] = fault_measures(OUTAGE, fault_windows(OUTAGE.events))
    assert fault["unavailable_s"] == 3.0
    assert fault["dip"] == 1.0
    half = timed(
        *[
            row
            for at in (0.0, 0.5, 1.0, 1.5, 3.0)
            for row in ((at, 0, "invoke", "read", None), (at, 0, "ok", "read", 1))
        ],
        (2.0, NEMESIS, "invoke", "start-kill", None),
        (4.0, NEMESIS, "ok", "stop-kill", None),
    )
    assert [one["dip"] for one in fault_measures(half, fault_windows(half.events))] == [0.75]


def test_a_time_in_which_nobody_asks_is_no_slow_recovery():
    quiet = [row for row in rows_of(OUTAGE) if row[0] < 4.15]
    ended = timed(*quiet, (4.0, 1, "info", "read", None), (9.0, 0, "invoke", "read", None), (9.25, 0, "ok", "read", 1))
    assert [one["recovery_s"] for one in fault_measures(ended, fault_windows(ended.events))] == [0.25]
    assert Availability(recovery_s_max=0.5).check(ended, Budget(10)).answer == "valid"


def test_a_recovery_that_never_comes_is_too_slow_once_clients_asked_for_longer():
    silent = [row for row in rows_of(OUTAGE) if row[0] < 4.15]
    vain = timed(*silent, (4.1, 0, "invoke", "read", None), (4.9, 0, "info", "read", None))
    [slow] = Availability(recovery_s_max=0.5).check(vain, Budget(10)).anomalies
    assert "was served never, in 0.90 s" in slow.sentence
    assert Availability(recovery_s_max=1.0).check(vain, Budget(10)).answer == "valid"


def test_a_recovery_is_not_judged_while_another_fault_is_in_force():
    """The second is lifted at 6.0 s, and only then could the system recover."""
    rows = [
        (0.0, 0, "invoke", "read", None),
        (1.0, NEMESIS, "ok", "start-kill", {"fault": "kill-1", "kind": "kill"}),
        (2.0, NEMESIS, "ok", "start-pause", {"fault": "pause-2", "kind": "pause"}),
        (3.0, NEMESIS, "ok", "stop-kill", {"fault": "kill-1", "kind": "kill"}),
        (6.0, NEMESIS, "ok", "stop-pause", {"fault": "pause-2", "kind": "pause"}),
        (6.9, 0, "fail", "read", None),
        (6.95, 0, "invoke", "read", None),
        (7.0, 0, "ok", "read", 1),
    ]
    both = timed(*rows)
    assert [one["recovery_s"] for one in fault_measures(both, fault_windows(both.events))] == [4.0, 1.0]
    [slow] = Availability(recovery_s_max=0.9).check(both, Budget(10)).anomalies
    assert "After pause-2 was lifted" in slow.sentence
    assert Availability(recovery_s_max=1.0).check(both, Budget(10)).answer == "valid"
    soon = timed(*rows[:5], (6.5, NEMESIS, "ok", "start-kill", {"fault": "kill-3", "kind": "kill"}), *rows[5:])
    assert Availability(recovery_s_max=0.9).check(soon, Budget(10)).answer == "valid"


def rows_of(history):
    return [((op.time or 0) / S, op.process, op.type, op.f, op.value) for op in history.events]


def test_a_history_without_times_has_shares_only():
    verdict = judged(Availability(), told([(0, "read", None, 1), (0, "read", None, "info")]))
    assert verdict.measures == {"ok_share": 0.5}
    assert judged(Availability(), told([])).answer == "unknown"


# ── node logs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def searched(folder, **options):
    return LogPattern(folder=folder, **options).check(told([]), Budget(10))


def test_a_panic_in_a_node_log_is_found_with_its_line(tmp_path):
    (tmp_path / "n1").mkdir()
    (tmp_path / "n2" / "deep").mkdir(parents=True)
    (tmp_path / "n1" / "out.log").write_text("started\nno panicking here\n")
    (tmp_path / "n2" / "deep" / "err.log").write_bytes(b"\xff\xfe\nPANIC: index out of range\n")
    verdict = searched(tmp_path)
    assert verdict.answer == "invalid"
    [anomaly] = verdict.anomalies
    assert anomaly.certificate["line"] == 2
    assert "Node n2" in anomaly.sentence and "PANIC: index out of range" in anomaly.sentence
    assert still_there(tmp_path, anomaly)
    (tmp_path / "n2" / "deep" / "err.log").write_bytes(b"\n\nfine\n")
    assert not still_there(tmp_path, anomaly)
    assert searched(tmp_path).answer == "valid"
    assert searched(tmp_path).counts == {"files": 2, "lines": 5, "anomalies": 0}


def test_a_line_without_end_takes_no_room(tmp_path):
    (tmp_path / "n1.log").write_bytes(b"x" * 300_000 + b"\npanic\n")
    verdict = searched(tmp_path)
    assert (verdict.counts["lines"], verdict.anomalies[0].certificate["line"]) == (2, 2)


def test_without_logs_nothing_is_claimed(tmp_path):
    for verdict in (searched(None), searched(tmp_path / "missing"), searched(tmp_path, pattern="(")):
        assert verdict.answer == "unknown"
        assert verdict.reason
