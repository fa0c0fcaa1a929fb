"""The state of a shrinking: the smallest plan so far that fails, and how candidates are tried against it.

    search = Search(plan, trials, now_ns, budget_s, told, width)
    search.take(smaller)                                              # whether it failed; then it is the plan
    search.delete("faults", steps.faults(search.plan), steps.with_faults)

A candidate that does not fail with its own seed is tried with others; the one that failed is the plan's from then on.
Where chance is remembered, other seeds change only what was never drawn, and every other time nothing is remembered.
How many are tried follows how many it took lately: a bug that needs luck is given more.

Limits: what was refused once, under one seed, is not run again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from harness.exploration import chance
from harness.exploration.cost import cost_s
from harness.exploration.deletion import delete_all
from harness.exploration.failure import Failure
from harness.plan import Plan

SEEDS_MIN: Final = 5
SEEDS_MAX: Final = 80
SURE: Final = 3.0
"""Seeds tried, in multiples of how many it took lately: what fails once in m runs is missed in e^-3 of 3 m."""
COST_PER_CANDIDATE: Final = 1 / 40
"""The share of the budget that a candidate may cost with all its seeds, by a rough count of what runs cost."""

Trials = Callable[[Sequence[Plan]], Sequence[Failure | None]]
"""Runs plans, at once if it can; how each fails, or None where it does not."""


class OutOfBudget(Exception):  # noqa: N818 - it ends a search, nothing went wrong
    """The time is up."""


@dataclass
class Search:
    """See the module docstring.

    Attributes:
        plan: the smallest so far; failure: how it failed, once that is known.
        trials: runs plans; now_ns, budget_s, deadline_ns: a clock, and when to stop; told: hears of each pass.
        width: how many plans are run at once; runs: how many were.
        lately: how many seeds it took; seeds_min: how many are tried at least; most: so many instead, if not None.
        forgets: whether what is taken remembers no more than it says.
        refused: digests of what did not fail.
    """

    plan: Plan
    trials: Trials
    now_ns: Callable[[], int]
    budget_s: float
    told: Callable[[str, Plan], None]
    width: int
    failure: Failure | None = None
    lately: float = 1.0
    most: int | None = None
    forgets: bool = False
    seeds_min: int = SEEDS_MIN
    runs: int = 0
    refused: set[bytes] = field(default_factory=set)
    deadline_ns: int = 0

    def __post_init__(self) -> None:
        self.began_ns = self.now_ns()
        self.deadline_ns = self.began_ns + round(self.budget_s * 1e9)

    @property
    def started_ns(self) -> int:
        """When the main phase of the plan begins, as far as is known."""
        return 0 if self.failure is None else self.failure.started_ns

    def seeds(self, candidate: Plan) -> int:
        """With how many seeds a candidate is tried."""
        wanted = min(SEEDS_MAX, max(self.seeds_min, math.ceil(SURE * self.lately)))
        return max(1, min(wanted, int(self.budget_s * COST_PER_CANDIDATE / cost_s(candidate))))

    def take(self, candidate: Plan | None, seeds: int | None = None) -> bool:
        """Make the candidate the plan, if it fails, with its own seed or with another."""
        if candidate is None or candidate == self.plan:
            return False
        tried = self.first(_seeded(candidate, seeds or self.most or self.seeds(candidate)))
        if tried is not None and self.most is None:
            self.lately = 0.7 * self.lately + 0.3 * tried
        return tried is not None

    def first(self, candidates: Iterable[Plan], until_ns: int | None = None) -> int | None:
        """Take the first of the candidates that fails; returns how many were looked at, None when none failed."""
        left, looked = iter(candidates), 0
        while True:
            batch = list(islice(left, self.width))
            if not batch:
                return None
            fresh = [plan for plan in batch if digest(plan) not in self.refused]
            if self.now_ns() > self.deadline_ns:
                raise OutOfBudget
            if until_ns is not None and self.now_ns() > until_ns:
                return None
            self.runs += len(fresh)
            for plan, failure in zip(fresh, self.trials(fresh) if fresh else (), strict=True):
                if failure is not None:
                    remembers = chance.is_remembering(plan) and not self.forgets
                    self.plan = chance.remembering(plan, failure.memory) if remembers else plan
                    self.failure = failure
                    return looked + 1 + batch.index(plan)
                self.refused.add(digest(plan))
            looked += len(batch)

    def delete(self, name: str, items: Sequence[Any], made: Callable[[Plan, Sequence[Any]], Plan]) -> None:
        """Take away as many of the items as can be."""
        if items:
            delete_all(items, lambda kept: self.take(made(self.plan, kept)))
            self.told(name, self.plan)


def digest(plan: Plan) -> bytes:
    """By which it is known that a plan was run before."""
    return hashlib.blake2b(plan.to_json(), digest_size=16).digest()


def _seeded(plan: Plan, count: int) -> Iterator[Plan]:
    return (other(plan, number) for number in range(count))


def other(plan: Plan, number: int) -> Plan:
    """The plan under another seed, or under its own for 0; every other time nothing is remembered."""
    if not number:
        return plan
    other = msgspec.structs.replace(plan, seed=(plan.seed * 31 + number) % 1_000_003)
    return chance.remembering(other, "") if chance.is_remembering(plan) and number % 2 == 0 else other
