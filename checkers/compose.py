"""Runs several checkers over one history and one budget.

A checker that raises is a checker with a bug. That must not turn a violation that another one found into a crash, and
must not pass for "valid" either, so it becomes "unknown" with the error in its reason.

    >>> from harness.history import Header, History
    >>> check_all(History(Header(), ()), (), Budget(1.0))
    []

Limits: checkers run one after another, so what a slow one used up is missing to those behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.protocol import Budget, Checker
from harness.history import History
from harness.verdict import Verdict


def check_all(history: History, checkers: Sequence[Checker], budget: Budget) -> list[Verdict]:
    """One verdict per checker, in order."""
    return [_checked(history, checker, budget) for checker in checkers]


def _checked(history: History, checker: Checker, budget: Budget) -> Verdict:
    try:
        return checker.check(history, budget)
    except Exception as error:
        text = " ".join(str(error).split())
        reason = f"the checker failed with {type(error).__name__}{': ' + text if text else ''}."
        return Verdict(checker.name, "unknown", f"{checker.name} could not be judged.", reason=reason)
