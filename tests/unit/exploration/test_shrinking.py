"""Taking away and simplifying, on made-up failures whose smallest form is known."""

import random
from itertools import islice

import msgspec
import pytest

from harness.exploration import chance, steps
from harness.exploration.deletion import delete_all
from harness.exploration.failure import Failure
from harness.exploration.shrinking import one_by_one, shrink
from harness.exploration.windows import guesses
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp, Trigger


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
    shrunk = shrink(a_plan(), one_by_one(needs_a_kill_between_a_write_and_a_final_read), Clock(), budget_s=60)
    assert shrunk.is_minimal
    assert (shrunk.after.faults, shrunk.after.operations, shrunk.after.nodes) == (1, 2, 3)
    (fault,) = shrunk.plan.faults
    assert (fault.target, fault.draw) == ("leader", 0) and fault.duration_s < 0.5
    assert shrunk.plan.concurrency <= 2 and not shrunk.plan.combine
    for element in (*shrunk.plan.faults, *shrunk.plan.operations):
        assert not needs_a_kill_between_a_write_and_a_final_read(steps.without(shrunk.plan, element))


def test_faults_of_which_none_can_go_alone_go_in_pairs():
    """Each of the first ten faults needs another ten places on, so that no block goes."""

    def fails(plan):
        left = {fault.draw for fault in plan.faults}
        return 3 in left and all((number in left) == (number + 10 in left) for number in range(10))

    shrunk = shrink(a_plan(), one_by_one(fails), Clock(), budget_s=60)
    assert shrunk.is_minimal and [fault.draw for fault in shrunk.plan.faults] == [3, 13]


def test_a_search_that_runs_out_of_its_budget_does_not_call_itself_minimal():
    shrunk = shrink(a_plan(), one_by_one(needs_a_kill_between_a_write_and_a_final_read), Clock(), budget_s=0.01)
    assert not shrunk.is_minimal
    assert needs_a_kill_between_a_write_and_a_final_read(shrunk.plan)


def test_another_seed_may_stand_in_once_a_run_is_short():
    plan = msgspec.structs.replace(a_plan(), seed=1, operations=a_plan().operations[:20])

    def fails(candidate):
        return len(candidate.operations) >= 3 and (len(candidate.operations) == 20 or candidate.seed != 1)

    shrunk = shrink(plan, one_by_one(fails), Clock(), budget_s=60)
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


def a_failure():
    plan = msgspec.structs.replace(a_plan(), options={"election_timeout_ms": 100})
    named = (plan.operations[101], plan.operations[111])  # begun at 1.01 s and 1.11 s
    faults = plan.faults
    return Failure(plan, named, tuple(fault.at_s for fault in faults), tuple((f"n{n % 5 + 1}",) for n in range(20)))


def test_guesses_are_short_stretches_about_the_witness():
    found = list(islice(guesses(a_failure()), 60))
    assert {len(plan.faults) for plan in found} == {0, 1, 2, 3, 4}
    assert {len(plan.operations) for plan in found if not plan.faults} >= {2}
    for plan in found:
        assert len(plan.operations) < 200 and plan.time_limit_s < 3.0
        assert all(0 <= op.at_s <= plan.time_limit_s for op in plan.operations if op.phase == "main")
        assert all(0 <= fault.at_s <= plan.time_limit_s for fault in plan.faults)


def test_a_guess_tells_a_trigger_by_its_time_and_by_smaller_counts():
    failure = a_failure()
    waiting = PlannedFault(kind="kill", after=Trigger("acknowledged", count=70), duration_s=0.1, target="there")
    plan = msgspec.structs.replace(failure.exact, faults=(waiting,))
    (fault,) = Failure(plan, failure.witness, (1.05,), (("n2",),)).on_time().faults
    assert (fault.after, fault.at_s, fault.target) == (None, 1.05, "n2")
    found = {guess.faults for guess in islice(guesses(Failure(plan, failure.witness, (1.05,), (("n2",),))), 80)}
    counts = {fault.after.count for faults in found for fault in faults if fault.after is not None}
    assert counts == {1, 2, 3, 5, 8, 13} and any(fault.after is None for faults in found for fault in faults)


def test_a_failure_that_needs_luck_is_shrunk_by_rolling_the_dice_again():
    """Each kill brings the failure about in one of twelve runs, so a change to the whole run usually undoes it."""

    def lucky(plan):
        kills = sum(fault.kind == "kill" for fault in plan.faults)
        rolled = random.Random(f"{plan.seed} {len(plan.faults)} {len(plan.operations)}")
        written = any(op.f == "write" for op in plan.operations)
        return written and any(rolled.random() < 1 / 12 for _ in range(kills))

    plan = next(one for seed in range(99) if lucky(one := msgspec.structs.replace(a_plan(), seed=seed)))
    shrunk = shrink(plan, one_by_one(lucky), Clock(), budget_s=60)
    assert shrunk.is_minimal and (shrunk.after.faults, shrunk.after.operations) == (1, 1)


def test_what_is_taken_does_not_depend_on_how_many_run_at_once():
    trials = one_by_one(needs_a_kill_between_a_write_and_a_final_read)
    found = [shrink(a_plan(), trials, Clock(), budget_s=600, width=width).plan for width in (1, 2, 5)]
    assert found[0] == found[1] == found[2]


def by_moment(plan, memory=""):
    return chance.remembering(plan, memory)


def test_time_that_is_taken_out_is_skipped_so_that_what_follows_meets_the_same_chance():
    plan = msgspec.structs.replace(a_plan(), options={"election_timeout_ms": 100}, faults=())
    ops = (plan.operations[10], plan.operations[150])  # begun at 0.1 s and 1.5 s
    plan = steps.with_operations(plan, ops)
    (first, last) = steps.closer(by_moment(plan), 7_000_000_000).operations
    gone_s = 1.5 - last.at_s
    assert first.at_s == 0.1 and gone_s > 1.0
    world = steps.closer(by_moment(plan), 7_000_000_000).world
    assert world["skips"] == f"{7_000_000_000 + round(last.at_s * 1e9)}+{round(gone_s * 1e9)}"
    assert "skips" not in steps.closer(plan, 7_000_000_000).world


def test_a_pause_is_shortened_once_whatever_rounding_leaves():
    draw = random.Random(5)
    for _ in range(300):
        ops = [PlannedOp(f="read", at_s=draw.uniform(0.0, 9.0)) for _ in range(6)]
        plan = by_moment(Plan(nodes=3, operations=tuple(ops), faults=(), options={"election_timeout_ms": 60}))
        for _ in range(3):
            plan = steps.closer(plan, 5) or plan
            (rounded,) = [other for other in steps.simpler(plan) if other.world == plan.world][-1:] or [plan]
            assert steps.closer(plan, 5) is None and steps.closer(rounded, 5) is None
            plan = rounded


def test_a_later_start_leaves_what_came_before_out_and_goes_on_with_the_same_chance():
    later = steps.cut_before(by_moment(a_plan()), 1.0, 100)
    kept = [op for op in later.operations if op.phase == "main"]
    assert len(kept) == 100 and min(op.at_s for op in kept) == pytest.approx(steps.SLACK_S)
    assert [round(fault.at_s, 6) for fault in later.faults] == [round(n / 10 - 0.95, 6) for n in range(10, 20)]
    assert later.world["skips"] == "100+950000000" and len(later.operations) == 105
    waiting = PlannedFault(kind="kill", after=Trigger("acknowledged"))
    assert steps.cut_before(steps.with_faults(a_plan(), [waiting]), 1.0) is None
    assert steps.cut_before(a_plan(), 0.01) == a_plan()


def test_denser_is_twice_as_fast_until_it_is_short():
    plan, rounds = a_plan(), 0
    while (denser := steps.denser(plan)) is not None:
        assert steps.end_s(denser) < steps.end_s(plan) and denser.time_limit_s <= plan.time_limit_s
        plan, rounds = denser, rounds + 1
    assert rounds in (1, 2) and steps.end_s(plan) <= steps.DENSE_UNITS * steps.unit_s(plan)
    assert [fault.duration_s for fault in plan.faults] == [0.777] * 20


def test_streams_and_draws_can_be_forgotten_one_by_one():
    plan = by_moment(a_plan(), "network/n1>n2@5.0=ff 9.0=1 node/n1@7.0=3")
    assert chance.streams(plan) == ["network/n1>n2", "node/n1"] and len(chance.draws(plan)) == 3
    assert chance.with_streams(plan, ["node/n1"]).world["remembered"] == "node/n1@7.0=3"
    fewer = chance.with_draws(plan, [draw for draw in chance.draws(plan) if draw[1] != (9, 0)])
    assert fewer.world["remembered"] == "network/n1>n2@5.0=ff node/n1@7.0=3"
    assert chance.forgetting(fewer).world == a_plan().world


def test_a_failure_that_hangs_on_two_draws_is_left_with_these_two():
    """It fails when both come, whatever else is drawn; every run draws ten numbers."""
    needed = {("node/n1", (7, 0), 3), ("node/n1", (8, 0), 5)}
    noted = "node/n1@1.0=1 2.0=1 3.0=1 7.0=3 8.0=5 9.0=7 node/n2@4.0=9 5.0=2 6.0=6 7.0=7"
    whole = steps.with_faults(a_plan(), ())

    def failure(plan):
        if chance.is_remembering(plan):
            return Failure(plan, memory=noted) if needed <= set(chance.draws(plan)) else None
        return Failure(plan, memory=noted) if plan.operations == whole.operations and plan.seed == 0 else None

    shrunk = shrink(whole, lambda plans: [failure(plan) for plan in plans], Clock(), budget_s=60)
    assert shrunk.after.operations == 0 and shrunk.is_minimal
    assert shrunk.plan.world["remembered"] == "node/n1@7.0=3 8.0=5"
