"""Planted session violations: found, told in a sentence, confirmed by the verifier, which refuses what is untrue."""

import msgspec
import pytest
from made_histories import Story

from checkers.protocol import Budget
from checkers.sessions import MonotonicReads, ReadYourWrites
from checkers.verify_sessions import verify_sessions
from harness.verdict import Anomaly, Verdict

RYW, MR = ReadYourWrites(), MonotonicReads()


def judged(checker, story):
    history = story.history()
    verdict = checker.check(history, Budget(10))
    assert verify_sessions(history, verdict) == []
    return verdict


def only_anomaly(checker, story):
    verdict = judged(checker, story)
    assert verdict.answer == "invalid"
    (anomaly,) = verdict.anomalies
    assert anomaly.guarantee == anomaly.name == checker.name
    return anomaly


# ── by versions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_that_misses_its_write_is_shown_by_two_operations():
    story = Story()
    story.write(1, 9, (1, 8))
    write = story.write(3, 17, (1, 12), key="k")
    read = story.read(3, 9, (1, 8), node="n4")
    anomaly = only_anomaly(RYW, story)
    assert (anomaly.ops, anomaly.culprit, anomaly.key) == ((write, read), read, "k")
    assert anomaly.sentence == (
        "At k, process 3 wrote 17 (version 1.12), and later read the older 9 (version 1.8) from n4:"
        " its own write is missing."
    )
    assert judged(MR, story).answer == "valid"


def test_a_session_that_goes_back_is_shown_by_two_reads():
    story = Story()
    first = story.read(3, 17, (2, 1), node="n1")
    second = story.read(3, 9, (1, 8), node="n4")
    anomaly = only_anomaly(MR, story)
    assert (anomaly.ops, anomaly.culprit) == ((first, second), second)
    assert anomaly.sentence == (
        "At k, process 3 read 17 (version 2.1) from n1, and later read the older 9 (version 1.8) from n4."
    )
    assert judged(RYW, story).answer == "valid"


def test_the_newest_of_what_a_session_knew_is_named():
    story = Story()
    story.write(3, 1, (1, 1))
    newest = story.write(3, 2, (1, 2))
    read = story.read(3, None, (0, 0))
    assert only_anomaly(RYW, story).ops == (newest, read)


def test_another_sessions_write_obliges_nobody():
    story = Story()
    story.write(1, 17, (1, 12))
    story.read(2, None, (0, 0))
    assert judged(RYW, story).answer == judged(MR, story).answer == "valid"


def test_a_later_overwrite_by_another_session_may_be_read():
    story = Story()
    story.write(1, 17, (1, 12))
    story.read(1, 30, (2, 3))
    assert judged(RYW, story).answer == "valid"


def test_keys_are_judged_apart():
    story = Story()
    story.write(1, 17, (1, 12), key="a")
    story.read(1, 3, (1, 4), key="b")
    verdict = judged(RYW, story)
    assert (verdict.answer, verdict.counts["keys"], verdict.counts["obliged_reads"]) == ("valid", 2, 0)


@pytest.mark.parametrize("end", ["info", "fail"])
def test_a_write_that_was_not_acknowledged_obliges_nobody(end):
    story = Story()
    story.write(1, 17, end=end)
    story.read(1, None, (0, 0))
    assert judged(RYW, story).answer == "valid"


def test_what_overlaps_is_not_earlier():
    story = Story()
    story.event(1, "invoke", "write", 5, session="s")
    story.event(2, "invoke", "read", session="s")
    story.event(1, "ok", "write", 5, session="s", version=(1, 1))
    story.event(2, "ok", "read", None, session="s", version=(0, 0))
    assert judged(RYW, story).answer == "valid"


def test_a_session_may_span_processes_and_is_named():
    story = Story()
    story.write(1, 17, (1, 12), session="blue")
    story.read(2, 9, (1, 8), session="blue")
    assert only_anomaly(RYW, story).sentence.startswith("At k, session blue wrote 17")


def test_a_failed_cas_reads_where_the_header_says_so():
    story = Story(fail_cas="returned")
    story.write(1, 17, (1, 12))
    failed = story.cas(1, 3, 4, (1, 8), "fail", current=[9])
    assert only_anomaly(RYW, story).culprit == failed
    silent = Story(fail_cas="mismatch")
    silent.events = story.events
    assert judged(RYW, silent).answer == "valid"


def test_a_successful_cas_is_a_write():
    story = Story()
    cas = story.cas(1, None, 17, (1, 12))
    read = story.read(1, 9, (1, 8))
    assert only_anomaly(RYW, story).ops == (cas, read)


def test_versions_that_contradict_themselves_are_not_believed():
    story = Story()
    story.write(1, 17, (1, 12))
    story.write(2, 9, (1, 12))
    story.read(1, 9, (1, 8))
    verdict = judged(RYW, story)
    assert (verdict.answer, verdict.counts["keys_by_values"]) == ("valid", 1)


# ── by values ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_versions_the_initial_value_after_a_write_is_shown_by_two_operations():
    story = Story()
    write = story.write(3, 17)
    read = story.read(3, None, node="n4")
    anomaly = only_anomaly(RYW, story)
    assert anomaly.ops == (write, read)
    assert anomaly.sentence == "At k, process 3 wrote 17, and later read null from n4, as if nobody had written."


def test_without_versions_a_return_to_an_old_value_shows():
    story = Story()
    reads = [story.read(3, value) for value in (5, 7, 5)]
    anomaly = only_anomaly(MR, story)
    assert (anomaly.ops, anomaly.culprit) == (tuple(reads), reads[2])


def test_without_versions_two_sessions_that_see_two_orders_show():
    story = Story()
    shown = [story.read(1, 5), story.read(1, 7), story.read(2, 7), story.read(2, 5)]
    anomaly = only_anomaly(MR, story)
    assert anomaly.ops == tuple(shown)
    assert anomaly.sentence == (
        "At k, process 1 read 5 before it read 7; process 2 read 7 before it read 5:"
        " there is no order of these writes in which all of this is right."
    )


def test_many_writes_before_a_foreign_read_are_tied_together():
    story = Story()
    own = [story.write(1, value) for value in range(1, 6)]
    foreign = story.read(1, 99)
    story.write(2, 99)
    back = story.read(2, 3)
    anomaly = only_anomaly(RYW, story)
    assert anomaly.ops == (own[2], foreign, back - 2, back)


def test_a_knot_ties_in_the_knot_before_it():
    story = Story()
    first = story.write(1, 1)
    story.read(1, 98)
    story.write(1, 2)
    foreign = story.read(1, 99)
    shown = [story.write(2, 99), story.read(2, 1)]
    assert only_anomaly(RYW, story).ops == (first, foreign, *shown)


def test_a_read_of_the_own_first_write_after_reading_the_second_shows():
    story = Story()
    for value in (1, 2):
        story.write(1, value)
    story.read(1, 2)
    assert judged(RYW, story).answer == "valid"
    story.read(1, 1)
    assert judged(RYW, story).answer == "invalid"


def test_repeated_values_without_versions_leave_a_key_undecided():
    story = Story()
    for value in (5, 5):
        story.write(1, value)
    story.read(1, 5)
    story.read(1, 7, key="other")
    verdict = judged(RYW, story)
    assert verdict.answer == "unknown"
    assert verdict.reason == (
        "k: the value 5 was written twice or is the initial one, and the versions are missing or contradict each other;"
        " keys decided: 1 of 2."
    )


def test_a_violation_counts_although_another_key_is_undecided():
    story = Story()
    for value in (5, 5):
        story.write(1, value, key="undecided")
    story.read(1, 5, key="undecided")
    story.write(1, 5)
    story.read(1, None)
    assert judged(RYW, story).answer == "invalid"


def test_values_are_told_apart_as_json_has_them():
    story = Story()
    for value in (1, 1.0, True):
        story.write(1, value)
    story.read(1, 1.0)
    assert judged(RYW, story).answer == "valid"


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_history_without_registers_is_undecided():
    story = Story()
    story.event(1, "invoke", "txn", [])
    assert judged(RYW, story).reason.startswith("no operation is a read, a write or a cas")


def test_a_spent_budget_leaves_the_rest_undecided():
    story = Story()
    story.write(1, 5)
    story.read(1, 5)
    late = Budget(1.0, now_ns=lambda: 2_000_000_000, started_ns=0)
    verdict = RYW.check(story.history(), late)
    assert verdict.answer == "unknown"
    assert verdict.reason == "the time was over after 0 of 1 keys; keys decided: 0 of 1."


def test_a_hundred_anomalies_are_kept_and_all_are_counted():
    story = Story()
    story.write(1, 5, (1, 5))
    for _ in range(150):
        story.read(1, None, (0, 0))
    verdict = judged(RYW, story)
    assert (len(verdict.anomalies), verdict.counts["anomalies"]) == (100, 150)


# ── the verifier ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_verifier_refuses_what_does_not_follow():
    story = Story()
    write = story.write(1, 17, (1, 12))
    other = story.read(2, 9, (1, 8))
    newer = story.read(1, 30, (2, 1))
    history = story.history()

    def problems(rule="older-version", **certificate):
        anomaly = Anomaly("read-your-writes", "read-your-writes", "", "k", rule=rule, certificate=certificate)
        return verify_sessions(history, Verdict("read-your-writes", "invalid", anomalies=(anomaly,)))

    assert "not of one session" in problems(earlier=write, culprit=other)[0]
    assert "not of an older version" in problems(earlier=write, culprit=newer)[0]
    assert "does not oblige" in problems(earlier=newer, culprit=write)[0]
    assert "not of the initial value" in problems("initial-value", earlier=write, culprit=newer)[0]
    assert "begins with another value" in problems("value-cycle", steps=[[write, newer]])[0]
    assert "cannot be read" in problems(earlier=write)[0]
    assert "cannot be read" in problems(earlier=write, culprit=77)[0]
    assert "no rule" in problems("guess")[0]
    assert verify_sessions(history, Verdict("read-your-writes", "invalid")) == ["read-your-writes: nothing is shown."]


@pytest.mark.parametrize("by", ["versions", "values", "nothing"])
def test_the_verifier_refuses_a_valid_verdict_on_a_broken_history(by):
    story = Story()
    story.write(1, 17, (1, 12))
    story.write(2, 9, (1, 8))
    story.read(1, 9, (1, 8))
    entry = {"key": "k", "by": by, "order": [9, 17]}
    verdict = Verdict("read-your-writes", "valid", certificate={"keys": [entry]})
    assert verify_sessions(story.history(), verdict)


def test_the_verifier_wants_every_key_and_a_certificate():
    story = Story()
    story.write(1, 17, (1, 12))
    story.read(1, 17, (1, 12))
    history = story.history()
    verdict = RYW.check(history, Budget(10))
    nothing = msgspec.structs.replace(verdict, certificate={})
    assert verify_sessions(history, nothing) == ["read-your-writes: it has no certificate."]
    too_little = msgspec.structs.replace(verdict, certificate={"keys": []})
    assert verify_sessions(history, too_little) == ['read-your-writes: nothing is said of the key "k".']


def test_the_verifier_leaves_other_checkers_alone():
    assert verify_sessions(Story().history(), Verdict("linearizability", "valid")) == []
