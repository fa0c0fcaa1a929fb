"""How the chance of a plan's run is drawn, as a shrinker sets it: noted, remembered, or by the seed alone.

    noted = noting(plan)                        # the same run; its draws are told
    same = remembering(plan, memory)            # the same run again, whatever the seed
    forgetting(same) == plan

Limits: only on the simulated ground, whose world has the settings (`harness/moments.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.moments import Memory, read_memory, read_skips, told_memory, told_skips, with_skip
from harness.plan import Plan

replace = msgspec.structs.replace
CHANCE: Final = ("draws", "remembered", "skips")
"""Of a world: how its chance is drawn."""


def is_remembering(plan: Plan) -> bool:
    """Whether chance goes by the moment, so that what is taken away leaves the rest as it was."""
    return plan.world.get("draws") == "by-moment"


def noting(plan: Plan) -> Plan:
    """The same run, with all that is drawn in it written down."""
    return replace(plan, world={**plan.world, "draws": "noted"})


def remembering(plan: Plan, memory: str) -> Plan:
    """The plan with chance by the moment: as it is remembered (`harness/moments.py`), else drawn by the seed."""
    if not memory:  # then no time need be skipped to meet it
        return replace(plan, world={**forgetting(plan).world, "draws": "by-moment"})
    return replace(plan, world={**plan.world, "draws": "by-moment", "remembered": memory})


def streams(plan: Plan) -> list[str]:
    """The streams of which something is remembered."""
    return list(_memory(plan))


def with_streams(plan: Plan, kept: Sequence[str]) -> Plan:
    """Only what is remembered of these."""
    return remembering(plan, told_memory({name: drawn for name, drawn in _memory(plan).items() if name in kept}))


def draws(plan: Plan) -> list[tuple[str, tuple[int, int], int]]:
    """All that is remembered: stream, moment and number."""
    return [(name, at, number) for name, drawn in _memory(plan).items() for at, number in drawn.items()]


def with_draws(plan: Plan, kept: Sequence[tuple[str, tuple[int, int], int]]) -> Plan:
    """Only these."""
    memory: dict[str, dict[tuple[int, int], int]] = {}
    for name, at, number in kept:
        memory.setdefault(name, {})[at] = number
    return remembering(plan, told_memory(memory))


def _memory(plan: Plan) -> Memory:
    return read_memory(str(plan.world.get("remembered", "")))


def forgetting(plan: Plan) -> Plan:
    """The plan with chance that is drawn in turn, by its seed alone."""
    return replace(plan, world={name: setting for name, setting in plan.world.items() if name not in CHANCE})


def skipping(plan: Plan, gaps: Sequence[tuple[float, float]], started_ns: int) -> Plan:
    """A plan of which time was taken out: before each of these times of the main phase, so much. In seconds, ascending.

    Where chance goes by the moment, what comes later meets the chance that it would have met.
    """
    if not is_remembering(plan) or not gaps:
        return plan
    skips, gone_ns = read_skips(str(plan.world.get("skips", ""))), 0
    for at_s, less_s in gaps:
        less_ns = round(less_s * 1e9)
        skips = with_skip(skips, started_ns + round(at_s * 1e9) - gone_ns, less_ns)
        gone_ns += less_ns
    return replace(plan, world={**plan.world, "skips": told_skips(skips)})
