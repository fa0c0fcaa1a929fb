"""What a checker is: history in, verdict out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from harness import clock
from harness.history import History
from harness.verdict import Verdict


@dataclass(frozen=True)
class Budget:
    """How long a checker may take. It asks `spent` now and then and, past it, answers "unknown" and why.

    Attributes:
        seconds: wall time from `started_ns`.
        now_ns: the clock; tests hand in their own.
    """

    seconds: float = 120.0
    now_ns: Callable[[], int] = clock.monotonic_ns
    started_ns: int = field(default=-1)

    def __post_init__(self) -> None:
        if self.started_ns < 0:
            object.__setattr__(self, "started_ns", self.now_ns())

    def spent(self) -> bool:
        """Whether the time is used up."""
        return self.now_ns() - self.started_ns > self.seconds * 1e9


class Checker(Protocol):
    """A pure function of a history."""

    @property
    def name(self) -> str:
        """As registered."""

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge. What it raises is turned into "unknown" with the error by whoever calls it."""
