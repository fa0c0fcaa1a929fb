"""What a checker is: history in, verdict out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from harness import clock
from harness.history import History
from harness.verdict import Verdict


@dataclass(frozen=True)
class Budget:
    """How long a checker may take. It asks `spent` now and then and, past it, answers "unknown" and why.

    Attributes:
        seconds: wall time from `started_ns`.
        now_ns: the clock; tests hand in their own.
        mebibytes: memory on top of what the process had; 0: no bound. Kept by `checkers.isolation`, which ends a
            process that overruns; a checker itself need not look.
        listener: is told how far a checker is, in words ("3 of 40 keys decided"); None: nobody wants to know.
    """

    seconds: float = 120.0
    now_ns: Callable[[], int] = clock.monotonic_ns
    started_ns: int = field(default=-1)
    mebibytes: int = 0
    listener: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.started_ns < 0:
            object.__setattr__(self, "started_ns", self.now_ns())

    def spent(self) -> bool:
        """Whether the time is used up."""
        return self.now_ns() - self.started_ns > self.seconds * 1e9

    def left_s(self) -> float:
        """Seconds until it is spent; 0 when it is."""
        return max(0.0, self.seconds - (self.now_ns() - self.started_ns) / 1e9)

    def report(self, progress: str) -> None:
        """Say how far the checker is; quick, and may be called often."""
        if self.listener is not None:
            self.listener(progress)


LEFT: Final = " keys were decided; not "
"""Stands in the reason of an "unknown" between how many keys were decided and the names of the others."""


def left_over(why: str, decided: int, names: Sequence[str], shown: int) -> str:
    """Why some keys were not decided, and how many were: the reason of an "unknown"."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{why}: {decided} of {decided + len(names)}{LEFT}{', '.join(names[:shown])}{more}."


class Checker(Protocol):
    """A pure function of a history."""

    @property
    def name(self) -> str:
        """As registered."""

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge. What it raises is turned into "unknown" with the error by whoever calls it."""
