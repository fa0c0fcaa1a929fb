"""Planted lost writes: found where they are certain, and never where they are not."""

import msgspec
import pytest
from made_histories import Story

from checkers.durability import Durability
from checkers.protocol import Budget
from checkers.verifiers.sessions import verify_sessions
from harness.verdict import Anomaly, Verdict


def judged(story, truncated=""):
    history = story.history(truncated)
    verdict = Durability().check(history, Budget(10))
    assert verify_sessions(history, verdict) == []
    return verdict


def lost(story):
    verdict = judged(story)
    assert verdict.answer == ("invalid" if verdict.anomalies else "valid"), verdict.reason
    return [anomaly.ops[0] for anomaly in verdict.anomalies]


def test_an_acknowledged_write_that_no_final_read_shows_is_lost():
    story = Story()
    story.write(1, 12, (1, 4))
    write = story.write(4, 17, (1, 9), key="k")
    story.wait(3)
    finals = [story.read(1, 12, (1, 4), node="n1"), story.read(2, 12, (1, 4), node="n2")]
    verdict = judged(story)
    (anomaly,) = verdict.anomalies
    assert (anomaly.name, anomaly.guarantee, anomaly.key) == ("lost-write", "durability", "k")
    assert (anomaly.ops, anomaly.culprit) == ((write, finals[0]), finals[0])
    assert anomaly.sentence == (
        "The write of 17 to k by process 4 was acknowledged at 0.003 s (version 1.9), but afterwards every read shows"
        " an older value; the newest is 12 (version 1.4), from n1."
    )
    assert verdict.counts == {"anomalies": 1, "keys": 1, "keys_undecided": 0, "acknowledged_writes": 2}
    assert verdict.summary == "1 of 2 acknowledged writes are lost."


def test_one_final_read_that_shows_it_is_enough():
    story = Story()
    story.write(1, 12, (1, 4))
    story.write(4, 17, (1, 9))
    story.read(1, 12, (1, 4))
    story.read(2, 17, (1, 9))
    assert lost(story) == []


def test_a_later_overwrite_explains_it():
    story = Story()
    story.write(4, 17, (1, 9))
    story.write(4, 23, (2, 1))
    story.read(1, 23, (2, 1))
    assert lost(story) == []


def test_without_versions_a_write_after_what_is_shown_is_lost():
    story = Story()
    story.write(1, 12)
    write = story.write(4, 17)
    story.read(1, 12)
    assert lost(story) == [write]


def test_without_versions_concurrent_writes_explain_each_other():
    story = Story()
    story.event(1, "invoke", "write", 12)
    story.write(4, 17)
    story.event(1, "ok", "write", 12)
    story.read(1, 12)
    assert lost(story) == []


def test_what_was_read_before_a_write_was_invoked_came_before_it():
    story = Story()
    story.write(1, 12, end="info")
    story.read(2, 12)
    write = story.write(4, 17)
    story.read(2, 12)
    assert lost(story) == [write]


def test_a_write_in_doubt_may_have_come_last():
    story = Story()
    story.write(1, 12, end="info")
    story.write(4, 17)
    story.read(2, 12)
    assert lost(story) == []


def test_a_write_in_doubt_cannot_be_lost():
    story = Story()
    story.write(1, 12, end="info")
    story.write(1, 13, end="fail")
    story.read(2, None)
    assert lost(story) == []


def test_the_initial_value_came_before_every_write():
    story = Story(initial=0)
    write = story.write(1, 12)
    story.read(2, 0)
    assert lost(story) == [write]


def test_a_value_that_nobody_wrote_may_be_anything():
    story = Story()
    story.write(1, 12)
    story.read(2, 99)
    assert lost(story) == []


def test_a_value_written_twice_may_be_either_writes():
    story = Story()
    story.write(1, 5)
    story.event(2, "invoke", "write", 5)
    story.write(1, 7)
    story.event(2, "ok", "write", 5)
    story.read(3, 5)
    assert lost(story) == []


def test_versions_tell_apart_writes_of_one_value():
    story = Story()
    story.write(1, 5, (1, 1))
    story.event(2, "invoke", "write", 5)
    write = story.write(1, 7, (1, 2))
    story.event(2, "ok", "write", 5, version=(1, 3))
    story.read(3, 5, (1, 1))
    assert lost(story) == [write - 1, write]


def test_versions_against_real_time_are_not_believed():
    story = Story()
    story.write(1, 12, (2, 1))
    story.event(2, "invoke", "write", 9)
    write = story.write(4, 17, (1, 30))
    story.event(2, "ok", "write", 9, version=(1, 31))
    story.read(1, 12, (2, 1))
    assert lost(story) == [write - 1, write]
    assert {anomaly.certificate["by"] for anomaly in judged(story).anomalies} == {"real-time"}


def test_what_a_cas_found_came_before_what_was_written_after_it():
    story = Story()
    story.event(1, "invoke", "write", 1)
    story.cas(2, 1, 2, (1, 39))
    story.write(2, 3, (1, 50))
    story.event(1, "ok", "write", 1, version=(1, 53))
    story.read(3, 3, (1, 50))
    assert lost(story) == []


def test_a_lost_cas_is_a_lost_write():
    story = Story(model="cas-register", fail_cas="returned")
    story.write(1, 12, (1, 4))
    cas = story.cas(2, 12, 17, (1, 9))
    story.cas(3, 99, 100, (1, 9), "fail", current=[17])
    story.read(1, 12, (1, 4))
    assert lost(story) == [cas]


def test_reads_while_writes_go_on_are_not_final():
    story = Story()
    story.write(1, 12)
    story.write(4, 17)
    story.read(1, 12)
    story.write(1, 3, key="other")
    story.read(1, 17)
    story.read(1, 3, key="other")
    assert lost(story) == []


def test_reads_before_the_last_fault_was_lifted_are_not_final():
    story = Story()
    story.fault("start")
    story.write(1, 12)
    story.write(4, 17)
    story.read(1, 12)
    story.fault("stop")
    verdict = judged(story)
    assert verdict.answer == "unknown"
    assert verdict.reason == "1 of 1 keys were never read after the last write and the last fault."


def test_a_fault_that_was_never_lifted_leaves_no_final_read():
    story = Story()
    story.write(4, 17)
    story.fault("start")
    story.read(1, None)
    assert judged(story).reason == "the fault partition-1 was never lifted, so no read is final."


def test_the_tail_of_a_run_that_was_cut_off_is_not_final():
    story = Story()
    story.write(1, 3, key="other")
    story.write(4, 17)
    story.read(1, None)
    assert judged(story).reason == "1 of 2 keys were never read after the last write and the last fault."
    story.read(1, 3, key="other")
    assert judged(story, truncated="cut off").reason.startswith("the history was cut off")


def test_a_key_whose_final_reads_fail_is_undecided():
    story = Story()
    story.write(1, 3, key="other")
    story.write(4, 17)
    story.read(1, 3, key="other")
    story.read(1, None, end="fail")
    verdict = judged(story)
    assert verdict.answer == "unknown"
    assert verdict.reason == "no final read of k succeeded; keys decided, with nothing lost: 1 of 2."


def test_a_lost_write_counts_although_another_key_is_undecided():
    story = Story()
    write = story.write(1, 3, key="other")
    story.write(4, 17)
    story.read(1, None, key="other")
    story.read(1, None, end="fail")
    assert lost(story) == [write]


def test_nothing_written_is_nothing_lost():
    story = Story()
    story.read(1, None)
    assert judged(story).summary == "None of 0 acknowledged writes is lost."


def test_a_spent_budget_leaves_the_rest_undecided():
    story = Story()
    story.write(1, 3)
    story.read(1, 3)
    late = Budget(1.0, now_ns=lambda: 2_000_000_000, started_ns=0)
    assert Durability().check(story.history(), late).reason.startswith("the time was over after 0 of 1 keys")


def test_a_hundred_lost_writes_are_told_and_all_are_counted():
    story = Story()
    for value in range(150):
        story.write(1, value, (1, value + 1))
    story.read(1, None, (0, 0))
    verdict = judged(story)
    assert (len(verdict.anomalies), verdict.counts["anomalies"]) == (100, 150)


@pytest.mark.parametrize("by", ["versions", "real-time"])
def test_the_verifier_refuses_a_loss_that_is_none(by):
    story = Story()
    first = story.write(1, 12, (1, 4))
    write = story.write(4, 17, (1, 9))
    early = story.read(1, 12, (1, 4))
    doubtful = story.write(2, 30, end="info")
    final = story.read(1, 17, (1, 9))
    history = story.history()

    def problems(**certificate):
        anomaly = Anomaly("lost-write", "durability", "", "k", rule="lost-write", certificate=certificate)
        return verify_sessions(history, Verdict("durability", "invalid", anomalies=(anomaly,)))

    assert f"may show {write}" in problems(write=write, final=final, by=by)[0]
    assert f"may show {first}" in problems(write=first, final=final, by=by)[0]
    assert "is not a final read" in problems(write=write, final=early, by=by)[0]
    assert "is not an acknowledged write" in problems(write=doubtful, final=final, by=by)[0]


def test_the_verifier_refuses_a_valid_verdict_that_a_final_read_does_not_bear_out():
    story = Story()
    story.write(1, 12, (1, 4))
    story.write(4, 17, (1, 9))
    old = story.read(1, 12, (1, 4))
    story.read(1, 17, (1, 9))
    history = story.history()
    verdict = Durability().check(history, Budget(10))
    entry = {**verdict.certificate["keys"][0], "final": old}
    bent = msgspec.structs.replace(verdict, certificate={"keys": [entry]})
    assert "is older than the write" in verify_sessions(history, bent)[0]
    assert verify_sessions(history, msgspec.structs.replace(verdict, certificate={"keys": []}))
