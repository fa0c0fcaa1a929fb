"""From a failing plan of lists to one whose every fault and every operation is needed.

A candidate is run and judged; it is taken when it shows the same anomaly of the same guarantee. In order: a shortest
failing prefix; fewer kinds of faults, nodes, clients and keys, and a shortest prefix again; then faults, then
operations, taken away right to left in blocks; then simpler times, targets and values; and again, until nothing
changes. Once runs are short, a candidate that does not fail with the run's own seed is tried with a few others, since
taking an operation away shifts what the network draws; the seed that failed is the plan's from then on.

    shrunk = shrink(plan, lambda candidate: seen(run_judged(candidate)), now_ns, budget_s=60)
    shrunk.plan, shrunk.is_minimal

The order of the passes is that of ../shared/algorithms.md C2; the blocks are Hypothesis' idea of adaptive deletion.

Limits: minimal means that no single element can be taken away with the seeds that were tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from harness.exploration import steps
from harness.exploration.deletion import delete_all
from harness.plan import Plan

OTHER_SEEDS: Final = 4
OTHER_SEEDS_UP_TO_OPERATIONS: Final = 60
ROUNDS_MAX: Final = 8

Fails = Callable[[Plan], bool]


@dataclass(frozen=True)
class Size:
    """How large a plan is."""

    nodes: int
    clients: int
    keys: int
    faults: int
    operations: int

    @classmethod
    def of(cls, plan: Plan) -> Size:
        """The size of a plan of lists."""
        counts = (steps.clients(plan), steps.keys(plan), steps.faults(plan), steps.operations(plan))
        return cls(plan.nodes, *(len(count) for count in counts))


@dataclass(frozen=True)
class Shrunk:
    """What became of a plan.

    Attributes:
        plan: the smallest that was found; before, after: sizes; runs: how many were made.
        is_minimal: whether every single element was tried to be taken away, in vain; False when the budget ended first.
    """

    plan: Plan
    before: Size
    after: Size
    runs: int
    is_minimal: bool


class _OutOfBudget(Exception):  # noqa: N818 - it ends a search, nothing went wrong
    pass


@dataclass
class _Search:
    plan: Plan
    fails: Fails
    now_ns: Callable[[], int]
    deadline_ns: int
    told: Callable[[str, Plan], None]
    runs: int = 0
    refused: set[bytes] = field(default_factory=set)

    def take(self, candidate: Plan | None) -> bool:
        """Make the candidate the plan, if it fails, with its own seed or with another."""
        if candidate is None or candidate == self.plan:
            return False
        small = len(candidate.operations or ()) <= OTHER_SEEDS_UP_TO_OPERATIONS
        for other in range(1 + OTHER_SEEDS if small else 1):
            tried = candidate if not other else msgspec.structs.replace(candidate, seed=_other_seed(candidate, other))
            if self._fails(tried):
                self.plan = tried
                return True
        return False

    def _fails(self, plan: Plan) -> bool:
        key = plan.to_json()
        if key in self.refused:
            return False
        if self.now_ns() > self.deadline_ns:
            raise _OutOfBudget
        self.runs += 1
        if self.fails(plan):
            return True
        self.refused.add(key)
        return False

    def delete(self, name: str, items: Sequence[Any], made: Callable[[Plan, Sequence[Any]], Plan]) -> None:
        """Take away as many of the items as can be."""
        if items:
            delete_all(items, lambda kept: self.take(made(self.plan, kept)))
            self.told(name, self.plan)


def shrink(
    plan: Plan,
    fails: Fails,
    now_ns: Callable[[], int],
    budget_s: float,
    told: Callable[[str, Plan], None] = lambda _name, _plan: None,
) -> Shrunk:
    """The smallest plan that still fails.

    Args:
        plan: of lists, and failing; fails: runs a plan, and says whether it shows the same anomaly.
        now_ns, budget_s: a monotonic clock, and how long the search may take on it.
        told: is called after each pass with its name and the plan as it is then.
    """
    search = _Search(plan, fails, now_ns, now_ns() + round(budget_s * 1e9), told)
    is_minimal = False
    try:
        _coarse(search)
        for _ in range(ROUNDS_MAX):
            before = search.plan
            search.delete("faults", steps.faults(search.plan), steps.with_faults)
            search.delete("operations", steps.operations(search.plan), steps.with_operations)
            _simplify(search)
            if _nothing_can_go(search) and search.plan == before:
                is_minimal = True
                break
    except _OutOfBudget:
        pass
    return Shrunk(search.plan, Size.of(plan), Size.of(search.plan), search.runs, is_minimal)


def _coarse(search: _Search) -> None:
    """The shortest failing prefix first, since it makes all other runs short, and whole families."""
    search.take(steps.with_little_quiet(search.plan))
    _shortest_prefix(search)
    search.delete("kinds of faults", steps.kinds(search.plan), steps.with_kinds)
    for count in range(3, search.plan.nodes, 2):
        if search.take(steps.with_nodes(search.plan, count)):
            break
    _shortest_prefix(search)
    search.delete("keys", steps.keys(search.plan), steps.with_keys)
    search.delete("clients", steps.clients(search.plan), steps.with_clients)
    _shortest_prefix(search)


def _shortest_prefix(search: _Search) -> None:
    """By bisection: not every longer prefix fails, too, but what is found does."""
    moments = steps.times(search.plan)
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        if search.take(steps.cut_after(search.plan, moments[middle])):
            high = middle
        else:
            low = middle + 1
    search.told("prefix", search.plan)


def _simplify(search: _Search) -> None:
    """One simpler way after the other, until none is left that fails."""
    changed = True
    while changed:
        changed = any(search.take(candidate) for candidate in steps.simpler(search.plan))
    search.told("simpler", search.plan)


def _nothing_can_go(search: _Search) -> bool:
    """Whether the plan would not fail without any one of its elements."""
    elements: list[steps.Element] = [*steps.faults(search.plan), *steps.operations(search.plan)]
    return not any(search.take(steps.without(search.plan, element)) for element in elements)


def _other_seed(plan: Plan, other: int) -> int:
    return (plan.seed * 31 + other) % 1_000_003
