"""Planted session violations: found, told in a sentence, confirmed by the verifier, which refuses what is untrue."""

import msgspec
import pytest
from made_histories import Story

from checkers.protocol import Budget
from checkers.sessions import (
    CausalConvergent,
    MonotonicReads,
    MonotonicWrites,
    Pram,
    ReadYourWrites,
    Semantics,
    WritesFollowReads,
)
from checkers.verifiers.sessions import verify_sessions
from harness.verdict import Anomaly, Verdict

RYW, MR, MW, WFR = ReadYourWrites(), MonotonicReads(), MonotonicWrites(), WritesFollowReads()


def judged(checker, story):
    history = story.history()
    verdict = checker.check(history, Budget(10))
    assert verify_sessions(history, verdict) == []
    return verdict


def written(*values, versions=(), **header):
    """A story that begins with writes of somebody else."""
    story = Story(**header)
    for process, value in enumerate(values, 90):
        story.write(process, value, versions[process - 90] if versions else None)
    return story


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
    story = written(9, 17, versions=[(1, 8), (2, 1)])
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
    story = written(30, versions=[(2, 3)])
    story.write(1, 17, (1, 12))
    story.read(1, 30, (2, 3))
    assert judged(RYW, story).answer == "valid"


def test_keys_are_judged_apart():
    story = Story()
    story.write(2, 3, (1, 4), key="b")
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
    story = written(9, versions=[(1, 8)])
    story.write(1, 17, (1, 12), session="blue")
    story.read(2, 9, (1, 8), session="blue")
    assert only_anomaly(RYW, story).sentence.startswith("At k, session blue wrote 17")


def test_a_failed_cas_reads_where_the_header_says_so():
    story = written(9, versions=[(1, 8)], fail_cas="returned")
    story.write(1, 17, (1, 12))
    failed = story.cas(1, 3, 4, (1, 8), "fail", current=[9])
    assert only_anomaly(RYW, story).culprit == failed
    silent = Story(fail_cas="mismatch")
    silent.events = story.events
    assert judged(RYW, silent).answer == "valid"


def test_a_successful_cas_is_a_write():
    story = written(9, versions=[(1, 8)])
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
    story = written(5, 7)
    reads = [story.read(3, value) for value in (5, 7, 5)]
    anomaly = only_anomaly(MR, story)
    assert (anomaly.ops, anomaly.culprit) == (tuple(reads), reads[2])


def test_without_versions_two_sessions_that_see_two_orders_show():
    story = written(5, 7)
    shown = [story.read(1, 5), story.read(1, 7), story.read(2, 7), story.read(2, 5)]
    anomaly = only_anomaly(MR, story)
    assert anomaly.ops == tuple(shown)
    assert anomaly.sentence == (
        "At k, process 1 read 5 before it read 7; process 2 read 7 before it read 5:"
        " there is no order of these writes in which all of this is right."
        " Each session by itself has one; they do not agree."
    )


def test_many_writes_before_a_foreign_read_are_tied_together():
    story = Story()
    story.event(2, "invoke", "write", 99)
    own = [story.write(1, value) for value in range(1, 6)]
    foreign = story.read(1, 99)
    story.event(2, "ok", "write", 99)
    back = story.read(2, 3)
    anomaly = only_anomaly(RYW, story)
    assert anomaly.ops == (0, own[2], foreign, back)


def test_a_knot_ties_in_the_knot_before_it():
    story = written(98)
    opening = story.event(2, "invoke", "write", 99)
    first = story.write(1, 1)
    story.read(1, 98)
    story.write(1, 2)
    foreign = story.read(1, 99)
    story.event(2, "ok", "write", 99)
    back = story.read(2, 1)
    assert only_anomaly(RYW, story).ops == (opening, first, foreign, back)


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
    story.write(1, 7, key="other")
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


# ── writes, and several guarantees together ──────────────────────────────────────────────────────────────────────────


def test_the_initial_value_is_no_read_of_the_future_because_somebody_writes_it_later():
    story = Story(initial=0)
    story.read(1, 0)
    story.write(2, 0)
    assert judged(MR, story).answer == "unknown"


def test_an_order_that_is_shown_is_that_of_the_versions_whatever_is_asked_for():
    story = Story()
    story.write(9, None, (1, 1))  # a write of the initial value is more than columns decide
    story.write(1, 2, (1, 3))
    story.write(1, 3, (1, 2))
    story.read(1, 2, (1, 3))
    verdict = judged(RYW, story)
    assert (verdict.answer, verdict.certificate["order"]) == ("valid", [0, 4, 2])


def test_writes_of_a_session_in_another_order_of_versions_show():
    story = Story()
    first, second = story.write(1, 1, (1, 9)), story.write(1, 2, (1, 4))
    anomaly = only_anomaly(MW, story)
    assert anomaly.ops == (first, second)
    assert anomaly.sentence == (
        "At k, process 1 wrote 1 before it wrote 2; 1 has a newer version than 2:"
        " there is no order of these writes in which all of this is right."
    )
    assert judged(WFR, story).answer == "valid"


def test_versions_of_each_key_alone_are_not_compared_with_those_of_another():
    story = Story()
    story.write(1, 1, (1, 9), key="a")
    story.write(1, 2, (1, 1), key="b")
    assert judged(MW, story).answer == "valid"


def test_a_write_before_what_its_session_had_read_shows():
    story = written(7, versions=[(1, 8)])
    read, write = story.read(1, 7, (1, 8)), story.write(1, 9, (1, 3))
    anomaly = only_anomaly(WFR, story)
    assert anomaly.ops == (read, write)
    assert anomaly.sentence.startswith("At k, process 1 read 7 before it wrote 9; 7 has a newer version than 9:")


def test_two_keys_whose_writes_cross_show_only_in_an_order_of_all_keys():
    story = Story()
    for process, keys in ((1, "ab"), (2, "ba")):
        for number, key in enumerate(keys):
            story.write(process, f"{key}{process}", (1, 1 + (number == 0)), key=key)
    assert only_anomaly(MW, story).rule == "value-cycle"
    assert judged(MonotonicWrites(Semantics(per_key=True)), story).answer == "valid"


def test_whoever_sees_a_write_has_to_see_the_one_before_it():
    story = Story()
    first = story.write(1, 1, key="a")
    second = story.write(1, 2, key="b")
    shown = [story.read(2, 2, key="b"), story.read(2, None, key="a")]
    for checker in (RYW, MR, MW, WFR):
        assert judged(checker, story).answer == "valid"
    anomaly = only_anomaly(Pram(), story)
    assert anomaly.ops == (first, second, *shown)
    assert anomaly.sentence == (
        "At a, process 2 read null, as if nobody had written, although process 2 had read 2 at b,"
        " before which process 1 had written 1 at a."
    )


def test_an_answer_without_its_question_breaks_causality():
    story = Story()
    story.write(1, "question", key="a")
    story.read(2, "question", key="a")
    story.write(2, "answer", key="b")
    story.read(3, "answer", key="b")
    story.read(3, None, key="a")
    assert judged(Pram(), story).answer == "valid"
    assert only_anomaly(CausalConvergent(), story).sentence == (
        "At a, process 3 read null, as if nobody had written, although process 3 had read answer at b, before which"
        " process 2 had read question at a."
    )


def test_sessions_that_merely_disagree_are_fine_one_by_one_and_the_verdict_says_so():
    story = written(5, 7)
    for process, values in ((1, (5, 7)), (2, (7, 5))):
        for value in values:
            story.read(process, value)
    anomaly = only_anomaly(MR, story)
    assert anomaly.sentence.endswith("Each session by itself has one; they do not agree.")
    weak = judged(MonotonicReads(Semantics(convergent=False)), story)
    assert weak.answer == "valid"
    assert "an order per session (weak)" in weak.summary
    assert "(convergent)" in judged(MR, story).summary


def test_linearizable_writes_give_an_order_that_sessions_alone_do_not():
    story = written(5, 7)
    for value in (7, 5):
        story.read(1, value)
    assert judged(MR, story).answer == "valid"
    anomaly = only_anomaly(MonotonicReads(Semantics(writes="linearizable")), story)
    assert "the write of 5 was over before that of 7 began" in anomaly.sentence


@pytest.mark.parametrize("checker", [RYW, MR, MW, WFR, Pram(), CausalConvergent()])
def test_reads_of_what_cannot_be_are_found_whatever_is_asked_for(checker):
    story = Story()
    garbage = story.read(1, 99)
    story.write(2, 8, end="fail")
    aborted = story.read(1, 8)
    future = story.read(1, 7)
    story.write(2, 7)
    verdict = judged(checker, story)
    assert {anomaly.name: anomaly.culprit for anomaly in verdict.anomalies} == {
        "garbage-read": garbage,
        "aborted-read": aborted,
        "future-read": future,
    }


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
    assert RYW.check(story.history(), late).answer == "valid"  # a guess takes no time
    story.read(1, None)
    verdict = RYW.check(story.history(), late)
    assert verdict.answer == "unknown"
    assert verdict.reason == "the time was over after 0 of 3 steps."


def test_a_hundred_anomalies_are_kept_and_all_are_counted():
    story = Story()
    story.write(1, 5, (1, 5))
    for _ in range(150):
        story.read(1, None, (0, 0))
    verdict = judged(RYW, story)
    assert (len(verdict.anomalies), verdict.counts["anomalies"]) == (100, 150)


# ── the verifier ─────────────────────────────────────────────────────────────────────────────────────────────────────


ASKED = {"guarantees": [RYW.name], "per_key": False, "convergent": True, "linearizable_writes": False}


def test_the_verifier_refuses_what_does_not_follow():
    story = Story()
    first = story.write(2, 9, (1, 8))
    write = story.write(1, 17, (1, 12))
    newest = story.write(3, 30, (2, 1))
    other = story.read(2, 9, (1, 8))
    newer = story.read(1, 30, (2, 1))
    history = story.history()

    def problems(rule="older-version", culprit=other, asked=ASKED, **certificate):
        said = {"asked": asked, "read": culprit} | certificate
        anomaly = Anomaly(RYW.name, RYW.name, "", "k", (culprit,), culprit, rule=rule, certificate=said)
        return verify_sessions(history, Verdict(RYW.name, "invalid", anomalies=(anomaly,)))

    assert f"{write} does not follow from {other} by 'own-write'" in problems(path=[["own-write", write]])[0]
    assert "does not follow" in problems(culprit=newer, path=[["earlier-write", write]])[0]
    assert "not of an older version" in problems(culprit=newer, path=[["own-write", write]])[0]
    assert "does not end with a write" in problems(path=[])[0]
    assert "not of the initial value" in problems("initial-value", newer, path=[["own-write", write]])[0]
    step = {"before": write, "after": newest, "rule": "sees", "read": newer, "path": [["own-write", write]]}
    assert "do not meet" in problems("value-cycle", newer, steps=[step])[0]
    back = {"before": newest, "after": write, "rule": "sees", "read": other, "path": [["own-write", first]]}
    assert f"{newest} need not come before {write}" in problems("value-cycle", newer, steps=[step, back])[0]
    assert "need not come before" in problems("value-cycle", newer, steps=[step | {"rule": "mw"}, back])[0]
    assert "somebody wrote" in problems("garbage-read")[0]
    assert "was not written after" in problems("future-read")[0]
    assert "not a completed read" in problems("garbage-read", write)[0]
    assert "cannot be read" in problems()[0]
    assert "cannot be read" in problems(path=[["own-write", 77]])[0]
    assert "no rule" in problems("guess")[0]
    assert "other guarantees" in problems(asked=ASKED | {"guarantees": [MR.name]})[0]
    assert verify_sessions(history, Verdict(RYW.name, "invalid")) == ["read-your-writes: nothing is shown."]


def test_the_verifier_refuses_a_valid_verdict_on_a_broken_history():
    story = Story()
    own = story.write(1, 17, (1, 12))
    other = story.write(2, 9, (1, 8))
    read = story.read(1, 9, (1, 8))

    def problems(**certificate):
        return verify_sessions(story.history(), Verdict(RYW.name, "valid", certificate={"asked": ASKED} | certificate))

    older = [f"read-your-writes: the read {read} is older than what its session knew."]
    assert problems(by="versions") == problems(by="order", order=[other, own]) == older
    assert problems(by="order", order=[own, other]) == []
    assert "leaves out the write" in problems(by="order", order=[own])[0]
    assert "names a write twice" in problems(by="order", order=[own, other, other])[0]
    assert "orders of their own" in problems(by="orders", orders=[{"session": 1, "order": [own, other]}])[0]


def test_the_verifier_wants_an_order_that_keeps_to_the_sessions():
    story = Story()
    first, second = story.write(1, 1), story.write(1, 2)
    asked = ASKED | {"guarantees": [MW.name]}
    said = {"asked": asked, "by": "order", "order": [second, first]}
    problems = verify_sessions(story.history(), Verdict(MW.name, "valid", certificate=said))
    assert problems == [f"monotonic-writes: the write {second} does not come after what its session did before it."]
    timed = {"asked": ASKED | {"linearizable_writes": True}, "by": "order", "order": [second, first]}
    assert (
        "was over when it began" in verify_sessions(story.history(), Verdict(RYW.name, "valid", certificate=timed))[0]
    )


def test_the_verifier_wants_a_certificate_and_believable_versions():
    story = Story()
    story.write(1, 17, (1, 12))
    story.read(1, 17, (1, 12))
    verdict = RYW.check(story.history(), Budget(10))
    nothing = msgspec.structs.replace(verdict, certificate={})
    assert verify_sessions(story.history(), nothing) == ["read-your-writes: it has no certificate."]
    story.write(2, 18, (1, 12))
    assert "contradict" in verify_sessions(story.history(), verdict)[0]
    story.read(2, 99, (1, 14))
    assert "nobody can have written" in verify_sessions(story.history(), verdict)[0]


def test_the_verifier_leaves_other_checkers_alone():
    assert verify_sessions(Story().history(), Verdict("linearizability", "valid")) == []
