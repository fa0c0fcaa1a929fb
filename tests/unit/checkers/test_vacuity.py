"""A test in which nothing happened is not a pass."""

import pytest
from made_histories import Story

from checkers.protocol import Budget
from checkers.vacuity import Vacuity


def judged(story, **expected):
    return Vacuity(**expected).check(story.history(), Budget(10))


def sound_story():
    story = Story()
    story.fault("start")
    story.write(1, 5, node="n1")
    story.read(1, 5, node="n2")
    story.read(1, 5, node="n3")
    story.fault("stop")
    return story


def test_a_test_that_did_what_it_was_meant_to_do_is_no_reason():
    verdict = judged(sound_story(), faults_expected=True, sessions_expected=True)
    assert (verdict.answer, verdict.reason) == ("valid", "")
    assert verdict.counts == {
        "faults": 1,
        "faults_proven": 1,
        "operations_during_faults": 3,
        "reads_after_own_write": 2,
        "reads_after_hop": 1,
    }


def test_nothing_at_all_is_vacuous():
    assert judged(Story()).reason == "There are no client operations."


@pytest.mark.parametrize("end", ["fail", "info"])
def test_a_kind_of_operation_that_never_succeeded_is_vacuous(end):
    story = Story()
    story.read(1, 5)
    story.write(1, 5, end=end)
    verdict = judged(story)
    assert (verdict.answer, verdict.reason) == ("unknown", "None of the 1 operations 'write' succeeded.")


def test_no_fault_is_vacuous_where_one_was_expected():
    story = Story()
    story.read(1, 5)
    assert judged(story, faults_expected=True).reason == "No fault was injected."
    assert judged(story).answer == "valid"


def test_a_fault_that_found_nobody_to_hit_is_no_fault():
    story = Story()
    story.read(1, 5)
    story.event("nemesis", "invoke", "start-kill")
    story.event("nemesis", "info", "start-kill", error="no-target: nobody is leader now")
    assert judged(story, faults_expected=True).reason == "No fault was injected."


def test_an_unproven_fault_is_vacuous():
    story = Story()
    story.fault("start", proven=False)
    story.read(1, 5)
    story.fault("stop")
    assert judged(story, faults_expected=True).reason == "It is not proven that the fault partition-1 took hold."


def test_an_unproven_lifting_is_vacuous():
    story = Story()
    story.fault("start")
    story.read(1, 5)
    story.fault("stop", proven=False)
    assert judged(story, faults_expected=True).reason == "It is not proven that the fault partition-1 was lifted."


def test_faults_that_nobody_was_there_to_feel_are_vacuous():
    story = Story()
    story.read(1, 5)
    story.fault("start")
    story.fault("stop")
    story.read(1, 5)
    assert judged(story, faults_expected=True).reason == "No operation ran while a fault was in force."


def test_an_operation_that_spans_a_fault_felt_it():
    story = Story()
    story.read(1, 5)
    story.event(2, "invoke", "read")
    story.fault("start")
    story.fault("stop")
    assert judged(story, faults_expected=True).answer == "valid"


def test_sessions_that_stay_where_they_are_are_vacuous():
    story = Story()
    story.write(1, 5, node="n1")
    story.read(1, 5, node="n1")
    story.read(1, 5, node="n1")
    story.read(2, 5, node="n2")
    assert judged(story, sessions_expected=True).reason == (
        "No session read what it had written from another node than took the write."
        " No session read one key from two different nodes."
    )


def test_where_nodes_are_unknown_every_read_counts_as_a_hop():
    story = Story()
    story.write(1, 5)
    story.read(1, 5)
    story.read(1, 5)
    assert judged(story, sessions_expected=True).answer == "valid"
