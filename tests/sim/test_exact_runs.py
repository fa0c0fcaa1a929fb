"""Runs from data: what a run did is written down exactly, and one element less leaves the rest what it was."""

import msgspec
import pytest

from harness.cli.bug_search import plan_of
from harness.cli.exploring import boundaries
from harness.cli.judged import run_judged
from harness.exploration.boundaries import evenly, golden, of_faults, single_faults
from harness.moments import told_memory
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, Trigger
from system_under_test.leader_follower.bugs import SETTINGS

SHORT = ("cuts and kills", "power cuts", "locks", "sessions", "leases, clocks")


def told(history):
    return [(op.time, op.process, op.type, op.f, op.key, op.node, op.error) for op in history.events]


def short(setting, seed):
    return msgspec.structs.replace(plan_of(SETTINGS[setting], "", seed), time_limit_s=1.5, quiet_s=0.5)


@pytest.mark.parametrize("setting", SHORT)
def test_a_run_is_run_again_exactly_from_what_was_written_down(setting):
    drawn = run_judged(short(setting, 3))
    assert drawn.exact is not None and drawn.exact.operations
    again = run_judged(msgspec.json.decode(drawn.exact.to_json(), type=Plan))
    assert told(again.history) == told(drawn.history)
    third = run_judged(again.exact)
    assert (third.history_digest, third.digest) == (again.history_digest, again.digest)


def test_taking_one_fault_away_leaves_the_others_what_they_were():
    exact = run_judged(short("cuts and kills", 5)).exact
    assert len(exact.faults) > 3
    fewer = msgspec.structs.replace(exact, faults=exact.faults[1:])
    after = run_judged(fewer).exact
    partitions = [(f.draw, f.hit) for f in exact.faults[1:] if f.kind == "partition"]
    assert [(f.draw, f.hit) for f in after.faults if f.kind == "partition"] == partitions


def test_a_kill_at_a_sync_falls_between_an_append_and_its_sync():
    plan = short("power cuts", 1)
    fault = PlannedFault(kind="power", after=Trigger("sync", "leader", count=3), target="there", duration_s=0.2)
    judged = run_judged(msgspec.structs.replace(plan, faults=(fault,), nemesis=("power",)))
    (proof,) = judged.result.faults
    lost = int(proof.evidence[0].rpartition(":")[2])
    assert proof.proven and lost > 0
    struck = [line for lines in judged.logs.values() for line in lines if line.endswith("power lost")]
    assert len(struck) == 1


def test_a_fault_after_an_election_hits_whom_was_elected():
    kill = PlannedFault(kind="kill", at_s=0.2, target="leader", duration_s=0.5)
    cut = PlannedFault(
        kind="partition", after=Trigger("elected", delay_s=0.01), target="there", partition="isolate", duration_s=0.3
    )
    plan = msgspec.structs.replace(
        short("cuts and kills", 1), faults=(kill, cut), nemesis=("kill", "partition"), combine=True
    )
    judged = run_judged(plan)
    by_kind = {fault.kind: fault for fault in judged.result.faults}
    elected = by_kind["partition"].nodes[0]
    assert elected != by_kind["kill"].nodes[0]
    assert any("leader of generation" in line for line in judged.logs[elected])


def until(logs, time_s):
    """What the logs say by then, but for the blow itself."""
    blows = ("killed", "power lost")
    return {
        node: [line for line in lines if float(line.split()[0]) < time_s and not line.endswith(blows)]
        for node, lines in logs.items()
    }


def test_up_to_its_boundary_a_run_with_a_single_fault_is_the_one_that_was_counted():
    plan = msgspec.structs.replace(short("cuts and kills", 2), time_limit_s=0.1)
    faults = single_faults(boundaries(plan), ("kill", "power", "partition"), 0.2)
    counted = run_judged(golden(plan)).logs
    for fault in evenly(faults, 12):
        judged = run_judged(of_faults(plan, fault))
        (proof,) = judged.result.faults
        assert proof.proven and proof.kind == fault.kind, fault
        struck_s = (judged.started_ns + proof.start_ns) / 1e9
        assert until(judged.logs, struck_s) == until(counted, struck_s)


def test_what_strikes_when_the_main_phase_ends_is_in_the_history_and_lifted():
    plan = msgspec.structs.replace(short("cuts and kills", 2), time_limit_s=0.1)
    last = single_faults(boundaries(plan), ("kill",), 0.2)[-1]
    judged = run_judged(of_faults(plan, last))
    (proof,) = judged.result.faults
    assert proof.proven and all("now running" in lines[-1] for lines in judged.logs.values())
    again = run_judged(judged.exact)
    assert told(again.history) == told(judged.history)


def drawing(plan, draws, memory=""):
    return msgspec.structs.replace(plan, world={**plan.world, "draws": draws, "remembered": memory})


@pytest.mark.parametrize("setting", SHORT)
def test_what_was_noted_and_is_remembered_gives_the_same_run_under_any_seed(setting):
    exact = run_judged(short(setting, 3)).exact
    plain, noted = run_judged(exact), run_judged(drawing(exact, "noted"))
    assert noted.digest == plain.digest and told(noted.history) == told(plain.history)
    other = msgspec.structs.replace(exact, seed=exact.seed + 1)
    again = run_judged(drawing(other, "by-moment", told_memory(noted.memory)))
    assert told(again.history) == told(plain.history) and again.digest == plain.digest
    assert told_memory(again.memory) == told_memory(noted.memory)


def unchanged(exact):
    """The share of operations that end as and when they did, without one in the middle."""
    whole = run_judged(exact)
    gone = exact.operations[len(exact.operations) // 2]
    fewer = run_judged(msgspec.structs.replace(exact, operations=[op for op in exact.operations if op is not gone]))
    ends = [op for op in told(whole.history) if op[2] != "invoke"]
    later = [op for op in ends if op[0] > gone.at_s * 1e9]
    return len(set(map(repr, later)) & set(map(repr, told(fewer.history)))) / len(later)


def test_without_one_operation_the_others_meet_the_chance_that_they_met():
    exact = run_judged(drawing(short("leader cut off", 3), "by-moment")).exact
    assert unchanged(exact) > 0.9 > 0.2 > unchanged(drawing(exact, "in-turn"))
