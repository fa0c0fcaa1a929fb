"""Runs several checkers over one history and one budget.

A checker that raises is a checker with a bug. That must not turn a violation that another one found into a crash, and
must not pass for "valid" either, so it becomes "unknown" with the error in its reason.

    >>> from harness.history import Header, History
    >>> check_all(History(Header(), ()), (), Budget(1.0))
    []

With an executor (any `concurrent.futures.Executor`: threads, processes, a Dask cluster's) they run side by side, each
with what was left of the budget when it was handed in. `checkers.by_key` divides one checker's work as well.

Limits: without an executor checkers run one after another, so what a slow one used up is missing to those behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future

from checkers.protocol import Budget, Checker
from harness.errors import HistoryError
from harness.history import History
from harness.verdict import Verdict


def check_all(
    history: History, checkers: Sequence[Checker], budget: Budget, executor: Executor | None = None
) -> list[Verdict]:
    """One verdict per checker, in order."""
    if executor is None:
        return [checked(history, checker, budget) for checker in checkers]
    futures = [executor.submit(checked, history, checker, Budget(budget.left_s())) for checker in checkers]
    verdicts = []
    for number, (checker, future) in enumerate(zip(checkers, futures, strict=True), 1):
        verdicts.append(result_of(future, checker.name))
        budget.report(f"{number} of {len(checkers)} checkers are done")
    return verdicts


def checked(history: History, checker: Checker, budget: Budget) -> Verdict:
    """The verdict of one checker, also when it fails."""
    try:
        return checker.check(history, budget)
    except Exception as error:
        return failed(checker.name, error)


def result_of(future: Future[Verdict], name: str) -> Verdict:
    """What comes of a checker that an executor runs, also when the executor itself breaks."""
    try:
        return future.result()
    except Exception as error:
        return failed(name, error)


def failed(name: str, error: Exception) -> Verdict:
    """What is said of a history when the checker itself, or whoever ran it, failed."""
    text = " ".join(str(error).split())
    if isinstance(error, HistoryError):
        return Verdict(name, "unknown", f"{name} could not be judged.", reason=text)
    if isinstance(error, RecursionError):
        text = "a value of the history is nested too deeply to be compared."
        return Verdict(name, "unknown", f"{name} could not be judged.", reason=text)
    reason = f"the checker failed with {type(error).__name__}{': ' + text if text else ''}."
    return Verdict(name, "unknown", f"{name} could not be judged.", reason=reason)
