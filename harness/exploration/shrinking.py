"""From a failing plan of lists to one whose every fault and every operation is needed.

A candidate is run and judged; it is taken when it shows an anomaly of the same name and guarantee. In order:

1. only what had begun by the end of the anomaly's last operation, and times instead of triggers;
2. bold guesses (`windows`): a short stretch of the run, rolled again under many seeds;
3. a shortest failing prefix; fewer kinds of faults, nodes, keys and clients;
4. faults, then operations, taken away right to left in blocks; then simpler times, targets and values; again, until
   nothing changes.

Taking anything away shifts what everything after it draws, so a candidate that does not fail with the run's own seed is
tried with others; the seed that failed is the plan's from then on. How many are tried follows how many it took before:
a bug that needs luck is given more.

    shrunk = shrink(plan, lambda plans: [seen(run_judged(plan)) for plan in plans], now_ns, budget_s=60)
    shrunk.plan, shrunk.is_minimal

The order of the passes is that of ../shared/algorithms.md C2; the blocks are Hypothesis' idea of adaptive deletion.

Limits: minimal means that no single element can be taken away with the seeds that were tried (`Shrunk.seeds`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from harness.exploration import steps
from harness.exploration.cost import cost_s
from harness.exploration.deletion import delete_all
from harness.exploration.failure import Failure
from harness.exploration.windows import guesses
from harness.plan import Plan

SEEDS_MIN: Final = 5
SEEDS_MAX: Final = 80
SEEDS_SMALL: Final = 40
SURE: Final = 3.0
"""Seeds tried, in multiples of how many it took lately: what fails once in m runs is missed in e^-3 of 3 m."""
COST_PER_CANDIDATE: Final = 1 / 40
"""The share of the budget that a candidate may cost with all its seeds, by a rough count of what runs cost."""
GUESSING_SHARE: Final = 0.1
GUESSED_OPERATIONS: Final = 40
QUICK_ROUNDS: Final = 3
FORGETTING_SHARE: Final = 0.1
FORGETTING_SEEDS: Final = 40
LOOKING_S: Final = 0.001
ROUNDS_MAX: Final = 8
SMALL_FAULTS: Final = 3
SMALL_OPERATIONS: Final = 10

Trials = Callable[[Sequence[Plan]], Sequence[Failure | None]]
"""Runs plans, at once if it can; how each fails, or None where it does not."""


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
        seeds: with how many seeds each was tried in the end.
    """

    plan: Plan
    before: Size
    after: Size
    runs: int
    is_minimal: bool
    seeds: int = 0


class _OutOfBudget(Exception):  # noqa: N818 - it ends a search, nothing went wrong
    pass


@dataclass
class _Search:
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
            fresh = [plan for plan in batch if _digest(plan) not in self.refused]
            if self.now_ns() > self.deadline_ns:
                raise _OutOfBudget
            if until_ns is not None and self.now_ns() > until_ns:
                return None
            self.runs += len(fresh)
            for plan, failure in zip(fresh, self.trials(fresh) if fresh else (), strict=True):
                if failure is not None:
                    remembers = steps.is_remembering(plan) and not self.forgets
                    self.plan = steps.remembering(plan, failure.memory) if remembers else plan
                    self.failure = failure
                    return looked + 1 + batch.index(plan)
                self.refused.add(_digest(plan))
            looked += len(batch)

    def delete(self, name: str, items: Sequence[Any], made: Callable[[Plan, Sequence[Any]], Plan]) -> None:
        """Take away as many of the items as can be."""
        if items:
            delete_all(items, lambda kept: self.take(made(self.plan, kept)))
            self.told(name, self.plan)


def one_by_one(fails: Callable[[Plan], bool]) -> Trials:
    """Trials of a plain question: does this plan fail?"""

    def trials(plans: Sequence[Plan]) -> list[Failure | None]:
        return [_plain(plan) if fails(plan) else None for plan in plans]

    return trials


def _plain(plan: Plan) -> Failure:
    faults = plan.faults or ()
    return Failure(plan, (), tuple(fault.at_s for fault in faults), tuple(() for _ in faults))


def shrink(
    plan: Plan,
    trials: Trials,
    now_ns: Callable[[], int],
    budget_s: float,
    told: Callable[[str, Plan], None] = lambda _name, _plan: None,
    width: int = 1,
) -> Shrunk:
    """The smallest plan that still fails.

    Args:
        plan: of lists, and failing; trials: runs plans, and says how each shows the same anomaly.
        now_ns, budget_s: a monotonic clock, and how long the search may take on it.
        told: is called after each pass with its name and the plan as it is then.
        width: how many plans `trials` can run at once.
    """
    search = _Search(plan, trials, now_ns, budget_s * (1 - FORGETTING_SHARE), told, width)
    is_minimal = False
    try:
        _directly(search)
        guessed = _guess(search, GUESSING_SHARE)
        _remember(search)
        _quickly(search)
        if not guessed:
            _guess(search, 5 * GUESSING_SHARE)
        _coarse(search)
        is_minimal = _to_the_bone(search)
        while is_minimal and search.seeds_min < (SEEDS_SMALL if _is_small(search.plan) else SEEDS_MAX):
            search.seeds_min *= 2
            is_minimal = _to_the_bone(search)
    except _OutOfBudget:
        pass
    search.deadline_ns = search.began_ns + round(budget_s * 1e9)
    try:
        _forget(search)
    except _OutOfBudget:
        is_minimal = False
    seeds = search.seeds(search.plan)
    return Shrunk(search.plan, Size.of(plan), Size.of(search.plan), search.runs, is_minimal, seeds)


def _directly(search: _Search) -> None:
    """What the anomaly itself says: nothing that began after it, and times instead of triggers."""
    (search.failure,) = search.trials([search.plan])
    search.runs += 1
    if search.failure is None:
        return
    last_s = search.failure.last_s
    if last_s is not None:
        search.take(steps.ending(steps.cut_after(search.failure.exact, last_s), last_s), 1)
    if any(fault.after is not None for fault in search.plan.faults or ()):
        search.take(search.failure.on_time(), 1)
    search.told("directly", search.plan)


def _remember(search: _Search) -> None:
    """Let chance go by the moment, and be what it was in the run that failed: then what is taken away leaves the rest
    as it was, and other seeds change only what was never drawn."""
    if steps.is_remembering(search.plan):
        return
    (noted,) = search.trials([steps.noting(search.plan)])
    search.runs += 1
    if noted is not None:
        search.take(steps.remembering(search.plan, noted.memory), 1)
    search.told("remembered", search.plan)


def _quickly(search: _Search) -> None:
    """What goes without another seed, while it goes: what makes all later runs short first."""
    search.most = 1
    search.take(steps.with_little_quiet(search.plan))
    for _ in range(QUICK_ROUNDS):
        before = search.plan
        _shortest_prefix(search)
        _latest_start(search)
        search.take(steps.shorter(search.plan))
        _only_what_is_named(search)
        search.delete("faults", steps.faults(search.plan), steps.with_faults)
        search.delete("clients", steps.clients(search.plan), steps.with_clients)
        search.delete("keys", steps.keys(search.plan), steps.with_keys)
        search.delete("operations", steps.operations(search.plan), steps.with_operations)
        _faster(search)
        if search.plan == before:
            break
    search.most = None


def _faster(search: _Search) -> None:
    """Less virtual time: each try is worth several seeds, since all later runs cost less."""
    search.take(steps.shorter(search.plan))
    for step in (steps.closer, steps.earlier):
        search.take(step(search.plan, search.started_ns), SEEDS_MIN)
    while search.take(steps.denser(search.plan), SEEDS_MIN):
        pass
    search.told("faster", search.plan)


def _latest_start(search: _Search) -> None:
    """By bisection, as the prefix is; the system is in another state then, but meets the same chance."""
    moments = steps.times(search.plan)
    low, high = 0, len(moments) - 1
    gone_s = 0.0
    while low < high:
        middle = (low + high + 1) // 2
        started_ns, at_s = search.started_ns, moments[middle]
        if search.take(steps.cut_before(search.plan, at_s - gone_s, started_ns), 2):
            low, gone_s = middle, at_s - steps.SLACK_S
        else:
            high = middle - 1
    search.told("start", search.plan)


def _only_what_is_named(search: _Search) -> None:
    """The operations that the anomaly names, or all on their keys."""
    witness = () if search.failure is None else search.failure.witness
    keys = {op.key for op in witness if isinstance(op.key, str | int)}
    if witness and not search.take(steps.with_operations(search.plan, witness)) and keys:
        search.take(steps.with_keys(search.plan, sorted(keys, key=str)))


def _guess(search: _Search, share: float) -> bool:
    """Guess, and guess again from what was found, while there is something smaller to be found in that share of time.

    Returns whether anything was.
    """
    until_ns = search.began_ns + round(search.budget_s * share * 1e9)
    before = search.plan
    while search.failure is not None:
        size = len(search.plan.faults or ()), len(search.plan.operations or ())
        most_s = search.budget_s * (GUESSING_SHARE if search.plan is before else GUESSING_SHARE / 2)
        looked = search.first(_smaller(search.failure, size, most_s), until_ns)
        if looked is None:
            break
        search.lately = max(1.0, looked / 4)
        search.told("guess", search.plan)
        if len(search.plan.operations or ()) <= GUESSED_OPERATIONS:
            break
    return search.plan is not before


def _smaller(failure: Failure, size: tuple[int, int], most_s: float) -> Iterator[Plan]:
    """Guesses that are smaller than this, under one seed after another, until they have cost so much."""
    seen: set[bytes] = set()
    for number, guess in enumerate(guesses(failure)):
        faults, operations = len(guess.faults or ()), len(guess.operations or ())
        if faults <= size[0] and operations <= size[1] and (faults, operations) != size:
            yield _other(guess, number if (told := _digest(guess)) in seen else 0)
            seen.add(told)
            most_s -= cost_s(guess)
        most_s -= LOOKING_S
        if most_s < 0:
            return


def _coarse(search: _Search) -> None:
    """The shortest failing prefix first, since it makes all other runs short, and whole families."""
    search.take(steps.with_little_quiet(search.plan))
    _shortest_prefix(search)
    search.delete("kinds of faults", steps.kinds(search.plan), steps.with_kinds)
    for count in range(3, search.plan.nodes, 2):
        if search.take(steps.with_nodes(search.plan, count)):
            break
    search.delete("keys", steps.keys(search.plan), steps.with_keys)
    search.delete("clients", steps.clients(search.plan), steps.with_clients)


def _shortest_prefix(search: _Search, seeds: int | None = None) -> None:
    """By bisection: not every longer prefix fails, too, but what is found does."""
    moments = steps.times(search.plan)
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        if search.take(steps.cut_after(search.plan, moments[middle]), seeds):
            high = middle
        else:
            low = middle + 1
    search.told("prefix", search.plan)


def _simplify(search: _Search) -> None:
    """One simpler way after the other, until none is left that fails."""
    changed = True
    while changed:
        seeds = 1 if steps.is_remembering(search.plan) else SEEDS_MIN
        changed = any(search.take(candidate, seeds) for candidate in steps.simpler(search.plan, search.started_ns))
    search.told("simpler", search.plan)


def _to_the_bone(search: _Search) -> bool:
    """Everything in turn, until nothing changes; whether it came to that."""
    for _ in range(ROUNDS_MAX):
        before = search.plan
        search.delete("faults", steps.faults(search.plan), steps.with_faults)
        search.delete("operations", steps.operations(search.plan), steps.with_operations)
        _simplify(search)
        if _nothing_can_go(search) and search.plan == before:
            return True
    return False


def _digest(plan: Plan) -> bytes:
    return hashlib.blake2b(plan.to_json(), digest_size=16).digest()


def _forget(search: _Search) -> None:
    """Chance by a seed alone, if one of some seeds brings the failure about; else remember only what has to be. What is
    not needed any more then is taken away."""
    search.forgets = True
    if not steps.is_remembering(search.plan):
        return
    plain = (steps.forgetting(search.plan), steps.remembering(search.plan, ""))
    seeded = any(search.take(candidate, FORGETTING_SEEDS) for candidate in plain)
    search.most = 1
    if not seeded:
        search.delete("streams", steps.streams(search.plan), steps.with_streams)
        search.delete("draws", steps.draws(search.plan), steps.with_draws)
    while not _nothing_can_go(search):
        pass
    search.told("forgotten", search.plan)


def _is_small(plan: Plan) -> bool:
    """Whether a person takes it in at a glance; what is larger is worth more seeds."""
    return len(plan.faults or ()) <= SMALL_FAULTS and len(plan.operations or ()) <= SMALL_OPERATIONS


def _nothing_can_go(search: _Search) -> bool:
    """Whether the plan would not fail without any one of its elements."""
    elements: list[steps.Element] = [*steps.faults(search.plan), *steps.operations(search.plan)]
    return not any(search.take(steps.without(search.plan, element)) for element in elements)


def _seeded(plan: Plan, count: int) -> Iterator[Plan]:
    return (_other(plan, number) for number in range(count))


def _other(plan: Plan, number: int) -> Plan:
    """The plan under another seed, or under its own for 0; every other time nothing is remembered."""
    if not number:
        return plan
    other = msgspec.structs.replace(plan, seed=(plan.seed * 31 + number) % 1_000_003)
    return steps.remembering(other, "") if steps.is_remembering(plan) and number % 2 == 0 else other
