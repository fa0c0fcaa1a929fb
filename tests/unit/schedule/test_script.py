"""Listed operations and faults: begun when the list says, waiting where they must, triggered by what happens."""

from harness.generator import any_, clients, nemesis, time_limit
from harness.generator.simulate import quick
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.schedule.drawing import draw_faults
from harness.schedule.planned import PlannedFault, PlannedOp, Trigger
from harness.schedule.script import TRIGGERED, ClientScript, FaultScript
from harness.streams import Streams


def begun(generator, concurrency=2):
    return [
        (op.time / 1e9, op.process, op.f) for op in quick(generator, concurrency=concurrency) if op.type == "invoke"
    ]


def test_operations_begin_at_their_times_by_their_workers():
    ops = [PlannedOp(at_s=0.3, worker=1, f="read"), PlannedOp(at_s=0.1, worker=0, f="write", value=1)]
    assert begun(clients(ClientScript.of(ops, 2))) == [(0.1, 0, "write"), (0.3, 1, "read")]


def test_operations_of_workers_that_there_are_not_are_left_out():
    assert begun(clients(ClientScript.of([PlannedOp(worker=7, f="read")], 2))) == []


def test_a_fault_is_lifted_its_duration_after_it_took_hold():
    script = FaultScript.of([PlannedFault(kind="kill", at_s=1.0, duration_s=0.5)], overlap=False)
    assert begun(nemesis(script)) == [(1.0, NEMESIS, "start-kill"), (1.5, NEMESIS, "stop-kill")]


def test_a_fault_without_duration_is_left_to_the_final_heal():
    script = FaultScript.of([PlannedFault(kind="kill", at_s=1.0)], overlap=False)
    assert begun(nemesis(script)) == [(1.0, NEMESIS, "start-kill")]


TWO = [PlannedFault(kind="kill", at_s=1.0, duration_s=1.0), PlannedFault(kind="pause", at_s=1.2, duration_s=0.1)]


def test_a_fault_waits_for_the_one_before_unless_they_may_overlap():
    alone = [f for _, _, f in begun(nemesis(FaultScript.of(TWO, overlap=False)))]
    assert alone == ["start-kill", "stop-kill", "start-pause", "stop-pause"]
    together = [f for _, _, f in begun(nemesis(FaultScript.of(TWO, overlap=True)))]
    assert together == ["start-kill", "start-pause", "stop-pause", "stop-kill"]


def test_a_triggered_fault_begins_after_its_delay_at_the_node_where_it_happened():
    fault = PlannedFault(kind="kill", after=Trigger("elected", delay_s=0.25), target="there")
    script = FaultScript.of([fault], overlap=False)
    told = Op(process=NEMESIS, type="info", f=TRIGGERED, time=10**9, value={"planned": 0, "node": "n2"})
    script = script.update(None, told)
    (op,) = [op for op in quick(nemesis(script), concurrency=1) if op.type == "invoke"]
    assert (op.time, op.value) == (1_250_000_000, {"planned": 0, "node": "n2"})


def test_a_trigger_that_never_comes_ends_with_the_phase():
    fault = PlannedFault(kind="kill", after=Trigger("elected"))
    assert begun(time_limit(2, any_(nemesis(FaultScript.of([fault], overlap=False)), clients(None)))) == []


def test_what_is_drawn_depends_on_the_seed_alone():
    plan = Plan(nemesis=("kill", "partition"), time_limit_s=20)
    assert draw_faults(plan, Streams(3)) == draw_faults(plan, Streams(3)) != draw_faults(plan, Streams(4))


def test_kinds_that_may_overlap_keep_their_own_time():
    kills = [f.at_s for f in draw_faults(Plan(nemesis=("kill",), combine=True), Streams(3))]
    both = draw_faults(Plan(nemesis=("kill", "pause"), combine=True), Streams(3))
    assert [fault.at_s for fault in both if fault.kind == "kill"] == kills
