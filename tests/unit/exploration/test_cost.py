"""When a run is given up goes by its plan, and by what was measured, for whoever makes runs."""

from harness.exploration.cost import LEAST_S, UNMEASURED, cost_s, limit_s
from harness.plan import Plan
from harness.schedule.planned import PlannedOp


def test_more_time_nodes_and_operations_cost_more():
    plan = Plan(nodes=3, time_limit_s=2, quiet_s=0.5, rate=100)
    larger = (Plan(nodes=5, time_limit_s=2, quiet_s=0.5, rate=100), Plan(nodes=3, time_limit_s=2, quiet_s=2, rate=100))
    assert all(cost_s(other) > cost_s(plan) for other in larger)
    listed = Plan(nodes=3, time_limit_s=2, quiet_s=0.5, rate=100, operations=(PlannedOp(f="read"),) * 200)
    assert cost_s(listed) == cost_s(plan) > cost_s(Plan(nodes=3, time_limit_s=2, quiet_s=0.5, rate=100, operations=()))


def test_what_was_measured_is_given_up_sooner_but_never_at_once():
    plan = Plan(nodes=3, time_limit_s=6, rate=120)
    assert limit_s(plan) == limit_s(plan, UNMEASURED) > limit_s(plan, 1.0) > 2 * cost_s(plan)
    tiny = Plan(nodes=1, time_limit_s=0.1, quiet_s=0, operations=())
    assert limit_s(tiny, 0.6) == LEAST_S > 10 * cost_s(tiny)
