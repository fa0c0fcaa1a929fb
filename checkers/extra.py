"""A checker that is asked in addition: where it cannot decide, the run is judged without it.

    Extra(linearizable_queue())        total-queue decides whether a run is good; the order is looked at where it can be

Its "unknown" stays what it is, with its reason, and is told; but it does not make a run inconclusive. What it finds
wrong counts like any other violation.

    >>> from checkers.sessions import Token
    >>> Extra(Token()).name
    'token'

Limits: `judge` looks at `counts["extra"]`, which this sets; whoever reads a verdict by itself need not care.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from checkers.protocol import Budget, Checker
from harness.history import History
from harness.verdict import Verdict

EXTRA: Final = "extra"


@dataclass(frozen=True)
class Extra:
    """See the module docstring."""

    checker: Checker

    @property
    def name(self) -> str:
        """The checker's."""
        return self.checker.name

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge, and say of an "unknown" that it does not matter."""
        verdict = self.checker.check(history, budget)
        if verdict.answer != "unknown":
            return verdict
        return msgspec.structs.replace(verdict, counts={**verdict.counts, EXTRA: 1})
