"""When faults come and go: a generator of fault operations.

Pauses and lengths are drawn around their means, between half and one and a half times, so that faults do not fall
into step with the system's own timers. By default one fault is in force at a time; combined, every kind keeps its own
time and they overlap as they fall.
"""

from __future__ import annotations

from harness.generator import Context, Generator, any_, nemesis, sleep
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.streams import Random


def fault_schedule(plan: Plan) -> Generator:
    """The faults of a plan's main phase; None when it has none. Lifting what is left over is up to the controller."""
    if not plan.nemesis:
        return None
    if not plan.combine:
        return nemesis(_one_at_a_time(plan, plan.nemesis))
    return nemesis(any_(*(_one_at_a_time(plan, (kind,)) for kind in plan.nemesis)))


def _one_at_a_time(plan: Plan, kinds: tuple[str, ...]) -> Generator:
    def next_fault(ctx: Context) -> Generator:
        kind = kinds[ctx.random.randrange(len(kinds))]
        return [
            sleep(_around(plan.interval_s, ctx.random)),
            Op(process=NEMESIS, f=f"start-{kind}"),
            sleep(_around(plan.duration_s, ctx.random)),
            Op(process=NEMESIS, f=f"stop-{kind}"),
        ]

    return next_fault


def _around(mean_s: float, random: Random) -> float:
    return mean_s * (0.5 + random.random())
