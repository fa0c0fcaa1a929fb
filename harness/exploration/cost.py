"""What a simulated run costs, and when one that costs far more is given up: the one rule of all who make runs.

With a safeguard off a store may talk to itself for ever, and such a run must not hold up all others. How long is too
long goes by the plan: by its virtual time, its nodes and its operations.

>>> from harness.plan import Plan
>>> short, long = Plan(nodes=3, time_limit_s=1, quiet_s=0), Plan(nodes=3, time_limit_s=60, quiet_s=0)
>>> round(cost_s(short), 3), limit_s(short) < limit_s(long)
(0.128, True)

Whoever has measured what a run takes here says so, and gives up sooner; `UNMEASURED` is for machines that nobody knows.

Limits: processor time, so where a limit falls differs between machines. What runs long enough to reach it is a failure
of the run in any case.
"""

from __future__ import annotations

from typing import Final

from harness.plan import Plan

TIMES_MAX: Final = 4.0
LEAST_S: Final = 0.25
UNMEASURED: Final = 10.0
"""Processor seconds in multiples of `cost_s`, on a machine far slower than any that was measured."""


def cost_s(plan: Plan) -> float:
    """Processor seconds that a run may take, roughly and on no machine in particular: equal plans, equal numbers."""
    virtual_s = plan.time_limit_s + plan.quiet_s
    operations = plan.rate * plan.time_limit_s if plan.operations is None else len(plan.operations)
    return 0.012 + 0.0004 * operations + 0.012 * plan.nodes * virtual_s


def limit_s(plan: Plan, slowness: float = UNMEASURED) -> float:
    """The processor seconds after which a run is given up.

    Args:
        slowness: processor seconds that a run takes here, in multiples of `cost_s`.
    """
    return max(LEAST_S, TIMES_MAX * slowness * cost_s(plan))
