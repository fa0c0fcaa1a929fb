"""Shrinking with the chance that the failing run had: what goes without another seed, while it goes fast.

Taking anything away shifts what everything after it draws. So the draws of the run are noted by the moment, and from
then on chance is what it was (`harness/moments.py`): what is not needed mostly goes at the first try, in large blocks.
What makes all later runs short comes first: a shortest prefix, a latest start.

    remember(search)
    quickly(search)

Limits: how long a log is, or how many lives a node had, is not chance, and may be what the failure hangs on.
"""

from __future__ import annotations

from typing import Final

from harness.exploration import chance, steps
from harness.exploration.searching import SEEDS_MIN, Search

QUICK_ROUNDS: Final = 3


def remember(search: Search) -> None:
    """Let chance go by the moment, and be what it was in the run that failed: then what is taken away leaves the rest
    as it was, and other seeds change only what was never drawn."""
    if chance.is_remembering(search.plan):
        return
    (noted,) = search.trials([chance.noting(search.plan)])
    search.runs += 1
    if noted is not None:
        search.take(chance.remembering(search.plan, noted.memory), 1)
    search.told("remembered", search.plan)


def quickly(search: Search) -> None:
    """What goes without another seed, while it goes: what makes all later runs short first."""
    search.most = 1
    search.take(steps.with_little_quiet(search.plan))
    for _ in range(QUICK_ROUNDS):
        before = search.plan
        shortest_prefix(search)
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


def _faster(search: Search) -> None:
    """Less virtual time: each try is worth several seeds, since all later runs cost less."""
    search.take(steps.shorter(search.plan))
    for step in (steps.closer, steps.earlier):
        search.take(step(search.plan, search.started_ns), SEEDS_MIN)
    while search.take(steps.denser(search.plan), SEEDS_MIN):
        pass
    search.told("faster", search.plan)


def _latest_start(search: Search) -> None:
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


def _only_what_is_named(search: Search) -> None:
    """The operations that the anomaly names, or all on their keys."""
    witness = () if search.failure is None else search.failure.witness
    keys = {op.key for op in witness if isinstance(op.key, str | int)}
    if witness and not search.take(steps.with_operations(search.plan, witness)) and keys:
        search.take(steps.with_keys(search.plan, sorted(keys, key=str)))


def shortest_prefix(search: Search, seeds: int | None = None) -> None:
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
