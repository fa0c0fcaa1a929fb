"""JUnit XML: what a CI server makes of each outcome, and that no value breaks the file."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from made import Anomaly, History, Result, Verdict, result_of, stale_anomaly, stale_history

from harness.verdict import Outcome
from reports.junit import render_junit


def parsed(result: Result, history: History | None = None) -> Element:
    suites = ElementTree.fromstring(render_junit(result, history))
    assert suites.tag == "testsuites"
    (suite,) = suites
    assert {name: suites.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")
    }
    return suite


def endings(suite: Element) -> dict[str, str]:
    """How each case ended, by its name."""
    found = {}
    for case in suite.iter("testcase"):
        ends = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        assert len(ends) <= 1
        found[case.get("name", "")] = ends[0] if ends else "passed"
    return found


def test_a_valid_run_passes_everywhere() -> None:
    suite = parsed(result_of(stale_history()))
    assert endings(suite) == dict.fromkeys(["run", "linearizability", "read-your-writes", "statistics"], "passed")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "0", "0", "0"]


def test_a_broken_promise_is_a_failure_with_the_sentence() -> None:
    history = stale_history()
    suite = parsed(result_of(history, [stale_anomaly(history)]))
    assert endings(suite) == {
        "run": "passed", "linearizability": "failure", "read-your-writes": "passed", "statistics": "passed",
    }  # fmt: skip
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("type") == "non-linearizable"
    assert failure.get("message", "").startswith("p2 read 3 after p7 had read 5")
    assert (failure.text or "").startswith("key k17: p2 read 3")


def test_with_the_history_the_failure_shows_the_operations() -> None:
    history = stale_history()
    failure = parsed(result_of(history, [stale_anomaly(history)]), history).find(".//failure")
    assert failure is not None and failure.text
    assert "← culprit" in failure.text
    assert "├──" in failure.text
    assert len(failure.text.splitlines()) <= 12


@pytest.mark.parametrize("outcome", ["inconclusive", "vacuous", "infrastructure", "harness"])
def test_what_decided_nothing_is_never_green(outcome: Outcome) -> None:
    verdicts = (Verdict("linearizability", "unknown", reason="time is up"),) if outcome == "inconclusive" else ()
    suite = parsed(result_of(stale_history(), outcome=outcome, verdicts=verdicts, reason="Of the weather."))
    assert "error" in endings(suite).values()
    assert int(suite.get("errors", "0")) >= 1


def test_an_undecided_checker_is_an_error_with_its_reason() -> None:
    verdicts = (Verdict("c", "unknown", "of 50 keys", reason="the budget of 120 s is spent"),)
    suite = parsed(result_of(stale_history(), outcome="inconclusive", verdicts=verdicts))
    error = suite.find(".//testcase[@name='c']/error")
    assert error is not None
    assert error.get("message") == "the budget of 120 s is spent"
    assert endings(suite)["run"] == "passed", "the run itself came to its end"


def test_what_was_asked_in_addition_and_not_decided_is_skipped() -> None:
    verdicts = (Verdict("a", "valid"), Verdict("b", "unknown", reason="it takes a search", counts={"extra": 1}))
    suite = parsed(result_of(stale_history(), outcome="valid", verdicts=verdicts))
    assert endings(suite) == {"run": "passed", "a": "passed", "b": "skipped"}


def test_what_no_part_says_is_said_by_the_whole() -> None:
    outer = Verdict("outer", "invalid", anomalies=(Anomaly("n", "g", "s"),), parts=(Verdict("inner", "valid"),))
    suite = parsed(result_of(stale_history(), outcome="violation", verdicts=(outer,)))
    assert endings(suite) == {"run": "passed", "inner": "passed", "outer": "failure"}


def test_in_a_run_that_failed_what_found_nothing_saw_only_a_part() -> None:
    history = stale_history()
    suite = parsed(result_of(history, outcome="infrastructure", headline="The run failed.", reason="A node is gone."))
    assert endings(suite) == {
        "run": "error", "linearizability": "skipped", "read-your-writes": "skipped", "statistics": "skipped",
    }  # fmt: skip
    error = suite.find(".//error")
    assert error is not None
    assert error.text == "A node is gone."


def test_a_composed_checker_is_reported_by_its_parts() -> None:
    parts = (Verdict("inner-a", "valid"), Verdict("inner-b", "invalid", anomalies=(Anomaly("n", "g", "s"),)))
    outer = Verdict("outer", "invalid", parts=parts)
    suite = parsed(result_of(stale_history(), outcome="violation", verdicts=(outer,)))
    assert endings(suite) == {"run": "passed", "inner-a": "passed", "inner-b": "failure"}


def test_properties_say_how_to_repeat_it() -> None:
    result = result_of(stale_history())
    properties = {one.get("name"): one.get("value") for one in parsed(result).iter("property")}
    assert properties["repeat"] == result.repeat
    assert properties["plan.seed"] == "8842"
    assert properties["exit_code"] == "0"


def test_only_so_many_anomalies_are_written_out() -> None:
    many = tuple(Anomaly("n", "g", f"sentence {number}") for number in range(100))
    verdict = Verdict("c", "invalid", anomalies=many, counts={"anomalies": 5000})
    failure = parsed(result_of(stale_history(), outcome="violation", verdicts=(verdict,))).find(".//failure")
    assert failure is not None and failure.text
    assert failure.text.splitlines()[-1] == "and 4,990 more"
    assert len(failure.text.splitlines()) == 11


def test_no_value_breaks_the_file() -> None:
    evil = "]]> <b> & \" ' \x00 \x1b[31m \ufffe \ud800 \u202e"
    history = stale_history(value_of=lambda value: f"{evil}{value}", key=evil)
    given = {"title": evil, "headline": evil, "reason": evil, "repeat": evil, "plan": {evil: evil}, "truncated": evil}
    anomaly = Anomaly(evil, evil, evil * 50, evil, stale_anomaly(history).ops, stale_anomaly(history).culprit, evil)
    verdicts = (Verdict(evil, "invalid", evil, (anomaly,)), Verdict(evil, "unknown", evil, reason=evil))
    suite = parsed(result_of(history, outcome="violation", verdicts=verdicts, **given), history)
    assert "\\x00" in (suite.get("name") or "")
    assert "]]> <b> & \" '" in (suite.get("name") or "")
