"""From a failing plan of lists to one whose every fault and every operation is needed.

A candidate is run and judged; it is taken when it shows an anomaly of the same name and guarantee. In order:

1. only what had begun by the end of the anomaly's last operation, and times instead of triggers;
2. a few bold guesses (`windows`): a short stretch of the run, rolled again under many seeds;
3. with the chance that the run had (`quick`): a shortest prefix, a latest start, faults, clients, keys, operations;
4. with other seeds, too (`searching`): kinds of faults, nodes, keys, clients; faults, then operations, taken away right
   to left in blocks; then simpler times, targets and values; again, until nothing changes;
5. chance by a seed alone, or with as few remembered draws as can be.

    shrunk = shrink(plan, lambda plans: [seen(run_judged(plan)) for plan in plans], now_ns, budget_s=60)
    shrunk.plan, shrunk.is_minimal

The order of the passes is that of ../shared/algorithms.md C2; the blocks are Hypothesis' idea of adaptive deletion.

Limits: minimal means that no single element can be taken away with the seeds that were tried (`Shrunk.seeds`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from harness.exploration import chance, steps
from harness.exploration.cost import cost_s
from harness.exploration.failure import Failure
from harness.exploration.quick import quickly, remember, shortest_prefix
from harness.exploration.searching import SEEDS_MAX, SEEDS_MIN, OutOfBudget, Search, Trials, digest, other
from harness.exploration.windows import guesses
from harness.plan import Plan

SEEDS_SMALL: Final = 40
GUESSING_SHARE: Final = 0.1
GUESSING_SHARE_MAX: Final = 0.3
GUESSING_RUNS: Final = 10
"""Guessing goes on for as long as so many whole runs take, within these shares of the budget."""
GUESSED_OPERATIONS: Final = 40
FORGETTING_SHARE: Final = 0.1
FORGETTING_SEEDS: Final = 40
LOOKING_S: Final = 0.001
ROUNDS_MAX: Final = 8
SMALL_FAULTS: Final = 3
SMALL_OPERATIONS: Final = 10


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
    search = Search(plan, trials, now_ns, budget_s * (1 - FORGETTING_SHARE), told, width)
    is_minimal = False
    try:
        _directly(search)
        # Where whole runs are dear, guesses, which are short, are the better use of the time.
        dear = GUESSING_RUNS * (now_ns() - search.began_ns) / 1e9 / max(1, search.runs) / budget_s
        guessed = _guess(search, min(GUESSING_SHARE_MAX, max(GUESSING_SHARE, dear)))
        remember(search)
        quickly(search)
        if not guessed:
            _guess(search, 5 * GUESSING_SHARE)
        _coarse(search)
        is_minimal = _to_the_bone(search)
        while is_minimal and search.seeds_min < (SEEDS_SMALL if _is_small(search.plan) else SEEDS_MAX):
            search.seeds_min *= 2
            is_minimal = _to_the_bone(search)
    except OutOfBudget:
        pass
    search.deadline_ns = search.began_ns + round(budget_s * 1e9)
    try:
        _forget(search)
    except OutOfBudget:
        is_minimal = False
    seeds = search.seeds(search.plan)
    return Shrunk(search.plan, Size.of(plan), Size.of(search.plan), search.runs, is_minimal, seeds)


def _directly(search: Search) -> None:
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


def _guess(search: Search, share: float) -> bool:
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
            yield other(guess, number if (told := digest(guess)) in seen else 0)
            seen.add(told)
            most_s -= cost_s(guess)
        most_s -= LOOKING_S
        if most_s < 0:
            return


def _coarse(search: Search) -> None:
    """The shortest failing prefix first, since it makes all other runs short, and whole families."""
    search.take(steps.with_little_quiet(search.plan))
    shortest_prefix(search)
    search.delete("kinds of faults", steps.kinds(search.plan), steps.with_kinds)
    for count in range(3, search.plan.nodes, 2):
        if search.take(steps.with_nodes(search.plan, count)):
            break
    search.delete("keys", steps.keys(search.plan), steps.with_keys)
    search.delete("clients", steps.clients(search.plan), steps.with_clients)


def _simplify(search: Search) -> None:
    """One simpler way after the other, until none is left that fails."""
    changed = True
    while changed:
        seeds = 1 if chance.is_remembering(search.plan) else SEEDS_MIN
        changed = any(search.take(candidate, seeds) for candidate in steps.simpler(search.plan, search.started_ns))
    search.told("simpler", search.plan)


def _to_the_bone(search: Search) -> bool:
    """Everything in turn, until nothing changes; whether it came to that."""
    for _ in range(ROUNDS_MAX):
        before = search.plan
        search.delete("faults", steps.faults(search.plan), steps.with_faults)
        search.delete("operations", steps.operations(search.plan), steps.with_operations)
        _simplify(search)
        if _nothing_can_go(search) and not _two_can_go(search) and search.plan == before:
            return True
    return False


def _forget(search: Search) -> None:
    """Chance by a seed alone, if one of some seeds brings the failure about; else remember only what has to be. What is
    not needed any more then is taken away."""
    search.forgets = True
    if not chance.is_remembering(search.plan):
        return
    plain = (chance.forgetting(search.plan), chance.remembering(search.plan, ""))
    seeded = any(search.take(candidate, FORGETTING_SEEDS) for candidate in plain)
    search.most = 1
    if not seeded:
        search.delete("streams", chance.streams(search.plan), chance.with_streams)
        search.delete("draws", chance.draws(search.plan), chance.with_draws)
    while not _nothing_can_go(search):
        pass
    search.told("forgotten", search.plan)


def _is_small(plan: Plan) -> bool:
    """Whether a person takes it in at a glance; what is larger is worth more seeds."""
    return len(plan.faults or ()) <= SMALL_FAULTS and len(plan.operations or ()) <= SMALL_OPERATIONS


def _two_can_go(search: Search) -> bool:
    """Whether two faults can go at once, where there are more than a few: the second may undo what the first did."""
    faults = steps.faults(search.plan)
    if len(faults) <= SMALL_FAULTS:
        return False
    kept = ([fault for fault in faults if fault not in (one, two)] for one, two in combinations(faults, 2))
    return any(search.take(steps.with_faults(search.plan, fewer)) for fewer in kept)


def _nothing_can_go(search: Search) -> bool:
    """Whether the plan would not fail without any one of its elements."""
    elements: list[steps.Element] = [*steps.faults(search.plan), *steps.operations(search.plan)]
    return not any(search.take(steps.without(search.plan, element)) for element in elements)
