"""Judging and reporting, from the disk: shared by `run`, `check` and `report`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import UsageError
from harness.history import History
from harness.result import Result
from harness.verdict import Outcome

if TYPE_CHECKING:
    from harness.plan import Plan
    from harness.store import Run


def judge_stored_run(
    run: Run, plan: Plan, workload: Any, repeat: str, failure: tuple[Outcome, str] | None = None
) -> Result:
    """Judge a run directory and store `verdict.json` and the certificates.

    A failure (outcome, reason) of the run itself wins over any verdict: its history is only a part.
    """
    from checkers.judge import failed_result, judge_run
    from checkers.protocol import Budget
    from harness.history.reader import read_history

    if run.history_path.exists():
        history = read_history(run.history_path)
        budget = Budget(plan.check_budget_s)
        checkers = [*workload.checkers(plan), *of_logs(run)]
        result = verified(history, judge_run(history, plan, checkers, budget, repeat))
        if failure is not None:
            outcome, reason = failure
            result = msgspec.structs.replace(result, outcome=outcome, headline="The run failed.", reason=reason)
    else:
        outcome, reason = failure or ("harness", "The run recorded no history.")
        result = failed_result(plan, outcome, reason, repeat)
    return store_result(run, result)


def of_logs(run: Run) -> list[Any]:
    """Who looks through what the nodes wrote, where anything was collected."""
    from checkers.invariants import LogPattern

    nodes = run.path / "nodes"
    return [LogPattern(folder=nodes)] if nodes.is_dir() and any(nodes.iterdir()) else []


def store_result(run: Run, result: Result) -> Result:
    """Write verdict.json; certificates go to files of their own, because a linearization is as long as the history."""
    for verdict in result.verdicts:
        if verdict.certificate:
            run.write(f"certificates/{verdict.checker}.json", msgspec.json.encode(verdict.certificate))
    slim = tuple(msgspec.structs.replace(verdict, certificate={}) for verdict in result.verdicts)
    result = msgspec.structs.replace(result, verdicts=slim)
    run.write("verdict.json", result.to_json())
    return result


def write_reports(run: Run, result: Result) -> None:
    """Write report.html and junit.xml."""
    from reports.html import write_html
    from reports.junit import render_junit
    from reports.terminal import stored_history

    write_html(run)
    run.write("junit.xml", render_junit(result, stored_history(run.history_path)))


def show(run: Run | None, result: Result, *, as_json: bool, history: History | None = None) -> None:
    """Print the verdict block, or one JSON object; a run's history is read again where none is given."""
    if as_json:
        data = msgspec.json.decode(result.to_json())
        data["run"] = str(run.path) if run else None
        sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
        return
    from reports.terminal import print_verdict

    print_verdict(result, run=run, history_path=run.history_path if run else None, history=history)


def stored_failure(run: Run) -> tuple[Outcome, str] | None:
    """How a stored run failed, if it did, so that judging it again does not turn a failure into a verdict."""
    try:
        before = run.result()
    except UsageError:
        return None
    return (before.outcome, before.reason) if before.outcome in ("infrastructure", "harness") else None


def verified(history: History, result: Result) -> Result:
    """Re-check every certificate with the independent verifier; one that does not stand makes the verdict unknown."""
    from checkers.verify import verify

    checked = []
    for verdict in result.verdicts:
        problems = verify(history, verdict)
        if problems:
            reason = f"its certificate does not stand: {problems[0]}"
            verdict = msgspec.structs.replace(verdict, answer="unknown", reason=reason)
        checked.append(verdict)
    result = msgspec.structs.replace(result, verdicts=tuple(checked))
    if any(verdict.reason.startswith("its certificate") for verdict in checked):
        reason = "A certificate does not stand; this is a bug of the checker, please report it with the history."
        result = msgspec.structs.replace(result, outcome="inconclusive", headline=reason, reason=reason)
    return result
