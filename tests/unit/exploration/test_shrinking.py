"""Taking away and simplifying, on made-up failures whose smallest form is known."""

import random

import msgspec
import pytest

from harness.exploration import steps
from harness.exploration.deletion import delete_all
from harness.exploration.shrinking import shrink
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp


@pytest.mark.parametrize(("n", "k", "most"), [(20, 3, 40), (100, 5, 90), (500, 5, 130)])
def test_what_is_not_needed_goes_in_few_trials(n, k, most):
    draw = random.Random(n)
    for _ in range(100):
        needed = set(draw.sample(range(n), k))
        kept, trials = delete_all(range(n), lambda some, needed=needed: needed <= set(some))
        assert set(kept) == needed and trials <= most


def test_nothing_of_nothing_is_taken_away():
    assert delete_all([], lambda some: True) == ([], 0)


def a_plan():
    ops = [
        PlannedOp(
            at_s=n / 100, worker=n % 7, f="write" if n % 2 else "read", key=f"k{n % 5}", value=n if n % 2 else None
        )
        for n in range(200)
    ]
    ops += [PlannedOp(at_s=n / 100, worker=n, f="read", key="k1", phase="final") for n in range(5)]
    faults = [
        PlannedFault(kind="kill" if n % 2 else "partition", at_s=n / 10, duration_s=0.777, target="random", draw=n)
        for n in range(20)
    ]
    return Plan(
        nodes=5, concurrency=7, faults=tuple(faults), operations=tuple(ops), nemesis=("kill", "partition"), combine=True
    )


def needs_a_kill_between_a_write_and_a_final_read(plan):
    kills = [fault.at_s for fault in plan.faults if fault.kind == "kill"]
    writes = [op.at_s for op in plan.operations if op.f == "write" and op.phase == "main"]
    return any(w <= k for w in writes for k in kills) and any(op.phase == "final" for op in plan.operations)


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1_000_000
        return self.now


def test_a_made_up_failure_is_shrunk_to_its_three_elements():
    shrunk = shrink(a_plan(), needs_a_kill_between_a_write_and_a_final_read, Clock(), budget_s=60)
    assert shrunk.is_minimal
    assert (shrunk.after.faults, shrunk.after.operations, shrunk.after.nodes) == (1, 2, 3)
    (fault,) = shrunk.plan.faults
    assert (fault.target, fault.draw) == ("leader", 0) and fault.duration_s < 0.5
    assert shrunk.plan.concurrency <= 2 and not shrunk.plan.combine
    for element in (*shrunk.plan.faults, *shrunk.plan.operations):
        assert not needs_a_kill_between_a_write_and_a_final_read(steps.without(shrunk.plan, element))


def test_a_search_that_runs_out_of_its_budget_does_not_call_itself_minimal():
    shrunk = shrink(a_plan(), needs_a_kill_between_a_write_and_a_final_read, Clock(), budget_s=0.01)
    assert not shrunk.is_minimal
    assert needs_a_kill_between_a_write_and_a_final_read(shrunk.plan)


def test_another_seed_may_stand_in_once_a_run_is_short():
    plan = msgspec.structs.replace(a_plan(), seed=1, operations=a_plan().operations[:20])

    def fails(candidate):
        return len(candidate.operations) >= 3 and (len(candidate.operations) == 20 or candidate.seed != 1)

    shrunk = shrink(plan, fails, Clock(), budget_s=60)
    assert shrunk.after.operations == 3 and shrunk.plan.seed != 1


def test_values_are_renamed_alike_wherever_they_stand():
    ops = (
        PlannedOp(f="write", key="k9", value=70),
        PlannedOp(f="cas", key="k9", value=[70, 71]),
        PlannedOp(f="write", key="k4", value=71),
    )
    (renamed,) = steps.simpler(Plan(operations=ops, faults=(), time_limit_s=0.05, quiet_s=0, concurrency=1))
    assert [(op.key, op.value) for op in renamed.operations] == [("k0", 1), ("k0", [1, 2]), ("k1", 2)]


def test_fewer_nodes_take_what_named_the_others_with_them():
    faults = (PlannedFault(kind="kill", target="n5"), PlannedFault(kind="kill", target="n1,n5"))
    plan = Plan(nodes=5, faults=faults, operations=(PlannedOp(f="read", node="n4"),))
    smaller = steps.with_nodes(plan, 3)
    assert [fault.target for fault in smaller.faults] == ["n1"] and smaller.operations[0].node is None
