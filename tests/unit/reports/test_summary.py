"""The words that every report shares."""

from __future__ import annotations

import msgspec
import pytest
from made import FAULTS, Anomaly, Counts, Verdict, result_of, stale_anomaly, stale_history

from reports.summary import (
    anomaly_count,
    commands,
    facts,
    fault_name,
    fault_summary,
    findings,
    outcomes,
    several,
    summary_of,
    worst_first,
)


def verdict(checker: str, answer: str, *anomalies: Anomaly, **more: object) -> Verdict:
    return msgspec.convert({"checker": checker, "answer": answer, **more, "anomalies": list(anomalies)}, Verdict)


def anomaly(sentence: str) -> Anomaly:
    return Anomaly("n", "g", sentence)


def test_failing_checkers_come_first_and_the_rest_as_asked() -> None:
    verdicts = tuple(verdict(*pair) for pair in (("a", "valid"), ("b", "invalid"), ("c", "unknown"), ("d", "invalid")))
    assert [one.checker for one in worst_first(verdicts)] == ["b", "d", "c", "a"]


def test_anomalies_are_numbered_over_the_whole_run_parts_included() -> None:
    inner = verdict("inner", "invalid", anomaly("second"))
    outer = msgspec.structs.replace(verdict("outer", "invalid"), parts=(verdict("fine", "valid"), inner))
    history = stale_history()
    result = result_of(history, verdicts=(verdict("first", "invalid", anomaly("first")), outer))
    assert [(one.number, one.verdict.checker, one.anomaly.sentence) for one in findings(result)] == [
        (1, "first", "first"),
        (2, "inner", "second"),
    ]


def test_the_true_number_of_anomalies_may_exceed_what_is_stored() -> None:
    assert anomaly_count(verdict("c", "invalid", anomaly("s"), counts={"anomalies": 5000})) == 5000
    assert anomaly_count(verdict("c", "invalid", anomaly("s"))) == 1


def test_facts_are_only_those_that_are_known() -> None:
    history = stale_history()
    assert facts(result_of(history)) == ["seed 8842", "41.3 s", "5 ops"]
    assert facts(result_of(history, plan={}, duration_ns=0)) == ["5 ops"]


def test_operations_that_never_returned_are_named_apart() -> None:
    assert (
        outcomes(result_of(stale_history(), counts=Counts(10, 5, 2, 1, 2))) == "5 ok, 2 fail, 1 info, 2 never returned"
    )
    assert outcomes(result_of(stale_history(), counts=Counts(8, 5, 2, 1))) == "5 ok, 2 fail, 1 info"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ((), "no faults"),
        (FAULTS[:1], "1 fault, proven"),
        (FAULTS[:2], "2 faults, all proven"),
        (FAULTS, "3 faults, 1 unproven: pause-1 (pause)"),
        (FAULTS[2:] * 5, "5 faults, 5 unproven: pause-1 (pause), pause-1 (pause), pause-1 (pause) and 2 more"),
    ],
)
def test_unproven_faults_are_named(faults: tuple, said: str) -> None:
    assert fault_summary(result_of(stale_history(), faults=faults)) == said


def test_a_fault_is_called_by_its_shape_or_else_by_its_nodes() -> None:
    assert fault_name(FAULTS[0]) == "partition n1 n2 | n3 n4 n5"
    assert fault_name(msgspec.structs.replace(FAULTS[0], detail="")) == "partition n1 n2"


def test_an_undecided_checker_says_why() -> None:
    assert (
        summary_of(verdict("c", "unknown", summary="Of 50 keys.", reason="the budget is spent"))
        == "the budget is spent"
    )
    assert summary_of(verdict("c", "valid", summary="All well.", reason="ignored")) == "All well."


def test_the_next_commands_can_be_typed() -> None:
    history = stale_history()
    result = result_of(history, [stale_anomaly(history)])
    assert commands(result, "my runs/one") == [
        ("report", "my runs/one/report.html"),
        ("repeat", result.repeat),
        ("re-check", "splitbrain check 'my runs/one'"),
    ]
    assert commands(result_of(history, repeat=""), "") == []


def test_several_possible_states_are_told_from_one() -> None:
    assert [several(text) for text in ("3", "1 or 2", "1, 2 or 3", "")] == [False, True, True, False]
