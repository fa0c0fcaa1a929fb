"""From a plan that names kinds of faults to a list of faults, before anything runs.

Pauses and lengths are drawn around their means, between half and one and a half times, so that faults do not fall into
step with the system's own timers. By default one fault is in force at a time; combined, every kind keeps its own time
and they overlap as they fall.

>>> from harness.plan import Plan
>>> from harness.streams import Streams
>>> [fault.kind for fault in draw_faults(Plan(nemesis=("kill",), time_limit_s=7), Streams(1))]
['kill']
"""

from __future__ import annotations

from typing import Final

from harness.plan import Plan
from harness.schedule.planned import PlannedFault
from harness.streams import Random, Streams

FAULTS_MAX: Final = 100_000
"""A plan that would draw more has a mean pause of nothing."""


def draw_faults(plan: Plan, streams: Streams) -> tuple[PlannedFault, ...]:
    """The plan's own faults, or those that its seed draws, in order of time."""
    if plan.faults is not None:
        return plan.faults
    if not plan.nemesis:
        return ()
    if not plan.combine:
        return tuple(_one_at_a_time(plan, plan.nemesis, streams.stream("schedule")))
    drawn = [
        fault for kind in plan.nemesis for fault in _one_at_a_time(plan, (kind,), streams.stream(f"schedule/{kind}"))
    ]
    return tuple(sorted(drawn, key=lambda fault: fault.at_s))


def _one_at_a_time(plan: Plan, kinds: tuple[str, ...], random: Random) -> list[PlannedFault]:
    faults: list[PlannedFault] = []
    time_s = _around(plan.interval_s, random)
    while time_s < plan.time_limit_s and len(faults) < FAULTS_MAX:
        kind = kinds[random.randrange(len(kinds))]
        duration_s = _around(plan.duration_s, random)
        faults.append(
            PlannedFault(
                kind=kind,
                at_s=time_s,
                duration_s=duration_s,
                target=plan.target,
                partition=plan.partition,
                draw=random.getrandbits(32),
            )
        )
        time_s += duration_s + _around(plan.interval_s, random)
    return faults


def _around(mean_s: float, random: Random) -> float:
    """Between half and one and a half times the mean, in whole microseconds: what is written down is what was drawn."""
    return round(mean_s * (0.5 + random.random()), 6)
