"""What a whole result comes to: causes are kept apart, the worst wins."""

from dataclasses import dataclass

import pytest

from checkers.extra import Extra
from checkers.judge import count, failed_result, judge_history, judge_run
from checkers.protocol import Budget
from checkers.staleness import Staleness
from harness.history import Header, History
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.verdict import Anomaly, Verdict


@dataclass
class Says:
    verdict: Verdict
    name: str = "says"

    def check(self, history, budget):
        return self.verdict


class Raises:
    name = "raises"

    def check(self, history, budget):
        raise ZeroDivisionError("oh")


VALID = Says(Verdict("says", "valid"))
UNKNOWN = Says(Verdict("doubts", "unknown", reason="out of time"))
INVALID = Says(Verdict("accuses", "invalid", anomalies=(Anomaly("stale-read", "linearizability", "It lied."),)))
OTHER = Says(Verdict("accuses", "invalid", anomalies=(Anomaly("lost-write", "durability", "It forgot."),)))


def history(*events):
    return History(Header(splitbrain=1, model="register"), list(events), "")


def busy_history(count=20):
    events = []
    for i in range(count):
        f, value = ("write", i) if i % 2 == 0 else ("read", None)
        events.append(Op(len(events), i * 10, i % 2, "invoke", f, "k", value))
        events.append(Op(len(events), i * 10 + 5, i % 2, "ok", f, "k", i - i % 2))
    return history(*events)


def judged(*checkers):
    return judge_history(busy_history(), checkers, Budget(10), "a file")


@pytest.mark.parametrize(
    ("checkers", "outcome", "code"),
    [
        ([VALID], "valid", 0),
        ([VALID, UNKNOWN], "inconclusive", 2),
        ([VALID, INVALID], "violation", 1),
        ([UNKNOWN, INVALID], "violation", 1),
        ([VALID, Raises()], "inconclusive", 2),
    ],
)
def test_the_worst_answer_decides(checkers, outcome, code):
    result = judged(*checkers)
    assert (result.outcome, result.exit_code) == (outcome, code)


@pytest.mark.parametrize("checker", [VALID, UNKNOWN])
def test_a_history_without_operations_judges_nothing(checker):
    result = judge_history(history(), [checker], Budget(10), "a file")
    assert (result.outcome, result.exit_code, result.reason) == ("vacuous", 2, "The history has no operation.")


def test_the_headline_names_what_was_broken():
    assert judged(INVALID).headline == "Linearizability was broken."
    assert judged(INVALID, OTHER).headline == "Linearizability and durability were broken."
    assert judged(VALID).headline == "Says held."


def test_an_undecided_check_says_why():
    assert judged(UNKNOWN).reason == "doubts: out of time"


def test_a_run_without_its_faults_is_vacuous_not_valid():
    result = judge_run(busy_history(), Plan(nemesis=("kill",)), [VALID], Budget(10), "again")
    assert (result.outcome, result.exit_code) == ("vacuous", 2)
    assert "fault" in result.reason


def test_a_violation_counts_even_in_a_vacuous_run():
    result = judge_run(busy_history(), Plan(nemesis=("kill",)), [INVALID], Budget(10), "again")
    assert result.outcome == "violation"


def test_faults_stand_in_the_result_with_their_proof():
    fault = {
        "fault": "kill-1",
        "kind": "kill",
        "nodes": ["n1"],
        "detail": "n1",
        "proven": True,
        "evidence": "n1 stopped",
    }
    events = list(busy_history().events)
    for f, type_, value in (
        ("start-kill", "invoke", None),
        ("start-kill", "ok", fault),
        ("stop-kill", "invoke", None),
        ("stop-kill", "ok", {**fault, "evidence": "n1 running"}),
    ):
        events.append(Op(len(events), 1000 + len(events), NEMESIS, type_, f, None, value))
        if (f, type_) == ("start-kill", "ok"):
            events.append(Op(len(events), 1000 + len(events), 7, "invoke", "read", "k"))
            events.append(Op(len(events), 1000 + len(events), 7, "ok", "read", "k", 1))
    result = judge_run(history(*events), Plan(nemesis=("kill",)), [VALID], Budget(10), "again")
    (proof,) = result.faults
    assert (proof.fault, proof.nodes, proof.proven) == ("kill-1", ("n1",), True)
    assert proof.evidence == ("n1 stopped", "n1 running")
    assert result.outcome == "valid"


def test_operations_are_counted_by_how_they_ended():
    op = Op(0, 0, 0, "invoke", "read", "k")
    events = [
        op,
        Op(1, 1, 0, "ok", "read", "k", 1),
        Op(2, 2, 1, "invoke", "read", "k"),
        Op(3, 3, 1, "fail", "read", "k"),
        Op(4, 4, 2, "invoke", "read", "k"),
        Op(5, 5, 2, "info", "read", "k"),
        Op(6, 6, 3, "invoke", "read", "k"),
    ]
    counts = count(history(*events).operations)
    assert (counts.operations, counts.ok, counts.fail, counts.info, counts.running) == (4, 1, 1, 1, 1)


def test_a_run_that_recorded_nothing_still_has_a_result():
    result = failed_result(Plan(), "infrastructure", "No engine.", "again")
    assert (result.exit_code, result.reason) == (255, "No engine.")


def test_judging_twice_gives_the_same_bytes():
    assert judged(VALID, INVALID).to_json() == judged(VALID, INVALID).to_json()


def test_an_interrupted_run_says_so():
    events = [*busy_history().events]
    events.append(Op(len(events), 2_500_000_000, NEMESIS, "info", "interrupted", None, "the main phase ended early"))
    assert judge_run(history(*events), Plan(), [VALID], Budget(10), "again").truncated.startswith(
        "The run was interrupted 2.5 s after it began"
    )


def test_a_checker_that_is_asked_in_addition_may_be_unable_to_decide():
    result = judged(VALID, Extra(UNKNOWN))
    assert (result.outcome, result.exit_code, result.headline) == ("valid", 0, "Says held.")
    assert [verdict.answer for verdict in result.verdicts[:2]] == ["valid", "unknown"]
    assert judged(VALID, Extra(INVALID)).outcome == "violation"
    assert judged(Extra(UNKNOWN)).headline == "No promise was asked for."


def test_staleness_is_a_measure_until_a_bound_is_asked_for():
    assert judged(VALID, Staleness()).headline == "Says held."
    assert judged(VALID, Staleness(k_max=9)).headline == "Says and staleness held."
