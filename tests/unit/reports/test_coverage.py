"""Under which circumstances faults struck, and the figures of each fault, in every report."""

from __future__ import annotations

import io

from rich.console import Console

from harness.history.circumstances import possible
from harness.result import Counts, FaultProof, Result, Struck
from reports.coverage import coverage_lines, coverage_rows, coverage_summary, figures_of
from reports.html.page import render_html
from reports.junit import render_junit
from reports.markdown import render_markdown
from reports.terminal import print_verdict

HITS = {("kill", "leader", "steady"): 3, ("kill", "follower", "recovering"): 1}
FAULT = FaultProof(
    "kill-1", "kill", ("n1",), "n1", 0, 10**9, True, ("n1 stopped",), ("leader",), "steady", 0.5, 1.25, 2.0, 0.4
)
RESULT = Result(
    "valid",
    "It held.",
    "a / b",
    Counts(1, 1, 0, 0),
    (),
    faults=(FAULT,),
    coverage=tuple(Struck(*one, HITS.get(one, 0)) for one in possible(["kill"])),
)
GAPS = "leader catching up, recovering; old-leader; follower steady, electing, catching up"


def test_gaps_are_named_by_role_and_a_role_that_was_never_hit_stands_alone() -> None:
    [line] = coverage_lines(RESULT)
    assert line == ("kill", "leader 3 steady; follower 1 recovering", GAPS)
    assert coverage_summary(RESULT) == "faults struck in 2 of 11 circumstances"
    assert coverage_rows(RESULT)[0].cells == ("3", "", "never", "never")


def test_figures_that_are_not_known_are_dashes() -> None:
    assert figures_of(FAULT) == ("0.50 s", "1.25 s", "2.00 s", "40 %")
    assert figures_of(FaultProof("kill-2", "kill")) == ("–", "–", "–", "–")


def test_every_report_shows_coverage_gaps_and_figures() -> None:
    out = io.StringIO()
    print_verdict(RESULT, console=Console(file=out, width=200))
    terminal = " ".join(out.getvalue().split())
    assert f"kill leader 3 steady; follower 1 recovering · never: {GAPS}" in terminal
    markdown, page, junit = render_markdown(RESULT), render_html(RESULT, None), render_junit(RESULT).decode()
    assert f"kill never: {GAPS}" in markdown
    assert "| leader; steady | 0.50 s | 1.25 s | 2.00 s | 40 % |" in markdown
    assert f"kill never: {GAPS}" in page
    assert '<td class="number">1.25 s</td>' in page
    assert f"never: {GAPS}" in junit
    assert "recovery 1.25 s" in junit


def test_a_run_without_faults_says_nothing_of_coverage() -> None:
    bare = Result("valid", "It held.", "a / b", Counts(1, 1, 0, 0), ())
    out = io.StringIO()
    print_verdict(bare, console=Console(file=out, width=200))
    assert "coverage" not in out.getvalue()
    assert "Coverage" not in render_markdown(bare)
    assert 'id="coverage"' not in render_html(bare, None)
