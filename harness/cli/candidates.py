"""Runs the candidates of a shrinker and says how each fails: here, or several at once in worker processes.

    with candidates(frozenset({("linearizability", "stale-read")}), jobs=2, slowness=1.5) as trials:
        shrink(plan, trials, trials.now_ns, budget_s=60, width=trials.width)

What is taken does not depend on how many are run at once: of those that fail, it is the first in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from harness import clock
from harness.cli.judged import Judged, run_judged
from harness.exploration.failure import Failure, failure_of
from harness.exploration.shrinking import cost_s
from harness.plan import Plan
from harness.workers import workers

RUN_TIMES_MAX: Final = 4.0
RUN_S_MIN: Final = 0.25

Wanted = frozenset[tuple[str, str]]
"""Guarantee and name of the anomalies that count."""


def failure_in(judged: Judged, wanted: Wanted) -> Failure | None:
    """How a run shows one of these anomalies, the one with the fewest operations; None when it shows none."""
    for anomaly in judged.anomalies():
        if (anomaly.guarantee, anomaly.name) in wanted:
            assert judged.exact is not None and judged.history is not None, "it was judged"
            return failure_of(judged.exact, judged.history.events, anomaly)
    return None


def allowed_s(plan: Plan, slowness: float) -> float:
    """The processor seconds after which a candidate is given up."""
    return max(RUN_S_MIN, RUN_TIMES_MAX * slowness * cost_s(plan))


class Here:
    """In this process, one after the other."""

    width = 1

    def __init__(self, wanted: Wanted, slowness: float, parts: dict[str, Any] | None = None) -> None:
        self._wanted, self._slowness, self._parts = wanted, slowness, parts or {}

    def __call__(self, plans: Sequence[Plan]) -> list[Failure | None]:
        """How each fails."""
        return [
            failure_in(run_judged(plan, budget_s=allowed_s(plan, self._slowness), **self._parts), self._wanted)
            for plan in plans
        ]

    def now_ns(self) -> int:
        """Processor time."""
        return clock.processor_ns()


class Workers:
    """In worker processes, at once."""

    def __init__(self, wanted: Wanted, slowness: float, pool: ProcessPoolExecutor, width: int) -> None:
        self._wanted, self._slowness, self._pool, self.width = wanted, slowness, pool, width
        self._spent_ns = 0

    def __call__(self, plans: Sequence[Plan]) -> list[Failure | None]:
        """How each fails."""
        done = [self._pool.submit(_tried, plan, self._wanted, allowed_s(plan, self._slowness)) for plan in plans]
        found = [future.result() for future in done]
        self._spent_ns += sum(spent_ns for _, spent_ns in found) // self.width
        return [failure for failure, _ in found]

    def now_ns(self) -> int:
        """Processor time of this process, and of each worker on average."""
        return clock.processor_ns() + self._spent_ns


def _tried(plan: Plan, wanted: Wanted, most_s: float) -> tuple[Failure | None, int]:
    began_ns = clock.processor_ns()
    failure = failure_in(run_judged(plan, budget_s=most_s), wanted)
    return failure, clock.processor_ns() - began_ns


@contextmanager
def candidates(wanted: Wanted, jobs: int, slowness: float) -> Iterator[Here | Workers]:
    """Trials for `shrink`, with so many processes.

    Args:
        slowness: processor seconds that a run takes here, in multiples of what `cost_s` says; a candidate that takes
            far longer talks to itself, and is given up.
    """
    if jobs == 1:
        yield Here(wanted, slowness)
        return
    with workers(jobs) as pool:
        yield Workers(wanted, slowness, pool, jobs)
