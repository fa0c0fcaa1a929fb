"""Runs the candidates of a shrinker and says how each fails: here, or several at once in worker processes.

    with candidates(frozenset({("linearizability", "stale-read")}), jobs=2, slowness=1.5) as trials:
        shrink(plan, trials, trials.now_ns, budget_s=60, width=trials.width)

What is taken does not depend on how many are run at once: of those that fail, it is the first in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from harness import clock
from harness.cli.judged import Judged, run_judged
from harness.exploration.cost import limit_s
from harness.exploration.failure import Failure, failure_of
from harness.moments import told_memory
from harness.plan import Plan
from harness.workers import workers

Wanted = frozenset[tuple[str, str]]
"""Guarantee and name of the anomalies that count."""


def failure_in(judged: Judged, wanted: Wanted) -> Failure | None:
    """How a run shows one of these anomalies, the one with the fewest operations; None when it shows none."""
    for anomaly in judged.anomalies():
        if (anomaly.guarantee, anomaly.name) in wanted:
            assert judged.exact is not None and judged.history is not None, "it was judged"
            failure = failure_of(judged.exact, judged.history.events, anomaly)
            return replace(failure, started_ns=judged.started_ns, memory=told_memory(judged.memory))
    return None


class Here:
    """In this process, one after the other."""

    width = 1

    def __init__(self, wanted: Wanted, slowness: float, parts: dict[str, Any] | None = None) -> None:
        self._wanted, self._slowness, self._parts = wanted, slowness, parts or {}

    def __call__(self, plans: Sequence[Plan]) -> list[Failure | None]:
        """How each fails."""
        return [
            failure_in(run_judged(plan, budget_s=limit_s(plan, self._slowness), **self._parts), self._wanted)
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
        done = [self._pool.submit(_tried, plan, self._wanted, limit_s(plan, self._slowness)) for plan in plans]
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
