"""What a search for planted bugs came to, in figures and in words."""

from math import inf

import pytest

from reports.bugs import (
    BugRow,
    BugsReport,
    CorrectRow,
    Witness,
    bug_lines,
    correct_lines,
    render_bugs_markdown,
)
from reports.intervals import median_interval

WITNESS = Witness("linearizability", "p2 read 1 after p1 had written 2.", 3, "splitbrain run --seed 7")


def row(**changes):
    told = {"name": "no-fencing", "safeguard": "Old leaders are obeyed.", "made_by": "Redis", "workload": "register"}
    told |= {"setting": "leader cut off", "runs": (1, 2, 3, 1), "given_up": 0, "limit": 9}
    told |= {"checkers": {"linearizability": 4}, "witness": WITNESS}
    return BugRow(**{**told, **changes})


def report(*rows, correct=()):
    return BugsReport(bugs=rows, correct=correct, searches=4, seed=1, bound=0.0015)


def test_the_median_of_thirty_lies_between_the_tenth_and_the_twenty_first():
    assert median_interval(range(1, 31)) == (15, 10, 21)


@pytest.mark.parametrize(
    ("sample", "median"), [([4], (4, 4, 4)), ([9, 1, 2, 1, 3], (2, 1, 9)), ([1, inf], (1, 1, inf))]
)
def test_a_small_sample_has_its_whole_range_for_an_interval(sample, median):
    assert median_interval(sample) == median


def test_a_found_bug_is_told_with_median_interval_checker_and_witness():
    first, second = bug_lines(row())
    assert "no-fencing" in first and "4/4 found" in first and "1 (1–3)" in first
    assert "linearizability on register" in first
    assert second.strip() == WITNESS.sentence


def test_searches_that_were_given_up_count_as_longer_than_the_limit():
    first = next(bug_lines(row(runs=(2,), given_up=3)))
    assert "1/4 found" in first and ">9 (2–>9)" in first


def test_a_bug_that_no_search_found_is_told_and_fails_the_command():
    missed = row(runs=(), given_up=4, checkers={}, witness=None)
    assert "NOT FOUND in 4 searches of 9 runs" in next(bug_lines(missed))
    assert report(row(), missed).exit_code == 1
    assert list(correct_lines(report(row(), missed)))[-1] == "1 of 2 planted bugs found; not found: no-fencing"


def test_all_found_and_no_alarm_is_a_success_with_its_bound():
    clean = CorrectRow(setting="leader cut off", workload="register", outcomes={"valid": 2000})
    told = report(row(), correct=(clean,))
    assert (told.exit_code, told.clean, told.alarms) == (0, 2000, 0)
    assert "0 violations of the correct store in 2,000 clean runs: the true rate is below 0.15 %" in "\n".join(
        correct_lines(told)
    ).replace("0.15%", "0.15 %")


def test_a_violation_of_the_correct_store_fails_the_command_and_shows_how_to_repeat_it():
    alarm = CorrectRow(setting="s", workload="register", outcomes={"valid": 5, "violation": 1}, alarms=(WITNESS,))
    told = report(row(), correct=(alarm,))
    assert told.exit_code == 1
    text = "\n".join(correct_lines(told))
    assert WITNESS.sentence in text and WITNESS.repeat in text


def test_the_tables_for_a_page_tell_the_same():
    never = row(name="other", runs=(), given_up=4, checkers={}, witness=None, safeguard="One | two.")
    correct = (CorrectRow(setting="leader cut off", workload="register", outcomes={"valid": 2000}),)
    text = render_bugs_markdown(report(row(), row(name="rare", runs=(2, 3), given_up=2), never, correct=correct))
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [(one[0][2:], one[5], one[6][:-2]) for one in rows] == [
        ("`no-fencing`", "1 (1–3)", "3"),
        ("`rare`", "3 (2–>9), in 2 of 4 searches", "3"),
        ("`other`", ">9 (>9–>9), in 0 of 4 searches", "–"),
    ]
    assert "One \\| two." in text
    assert "| leader cut off | register | 2,000 valid |" in text
    assert "the true rate is below 0.15% with 95 % confidence" in text
