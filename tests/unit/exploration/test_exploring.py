"""What an exploration draws, learns, and says about its numbers."""

import io
import math
from itertools import pairwise
from types import SimpleNamespace

import pytest

from harness.exploration import templates
from harness.exploration.bandit import Bandit
from harness.exploration.states import abstract_states, circumstances, never_exercised
from harness.exploration.statistics import interval, upper_bound
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.schedule.checking import check_lists
from harness.streams import Streams
from reports.exploration import Grid
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")


@pytest.mark.parametrize("name", templates.TEMPLATES)
def test_every_template_draws_faults_that_can_be_carried_out(name):
    for seed in range(20):
        faults = templates.draw(name, templates.Draw(NODES, 0.1, 2.0, Streams(seed).stream("t")))
        assert 0 < len(faults) <= templates.FAULTS_MAX + 1
        check_lists(Plan(nodes=3, faults=faults), SYSTEM, observed=True)
        assert {fault.kind for fault in faults} <= templates.TEMPLATES[name][0]
        assert all(fault.duration_s <= 1.0 for fault in faults)


def test_every_kind_of_fault_has_a_template_and_every_template_with_its_kinds_is_feasible():
    from harness.nemesis.catalogue import FAULTS

    assert {kind for kinds, _ in templates.TEMPLATES.values() for kind in kinds} == set(FAULTS)
    assert all(templates.feasible((kind,)) for kind in FAULTS)


def test_a_swizzle_cuts_link_by_link_and_heals_in_another_order():
    faults = templates.draw("swizzled-cuts", templates.Draw(NODES, 0.1, 2.0, Streams(4).stream("t")))
    cuts = [set(fault.cuts) for fault in faults]
    grown = max(range(len(cuts)), key=lambda place: len(cuts[place]))
    assert grown >= 1 and all(one < other for one, other in pairwise(cuts[: grown + 1]))
    assert all(one > other for one, other in pairwise(cuts[grown:])) and len(cuts[-1]) == 1


def test_three_blocks_of_five_nodes_leave_no_majority():
    nodes = ("n1", "n2", "n3", "n4", "n5")
    for seed in range(10):
        for fault in templates.draw("split-in-three", templates.Draw(nodes, 0.1, 2.0, Streams(seed).stream("t"))):
            sees = {node: {other for other in nodes if (node, other) not in fault.cuts} for node in nodes}
            assert max(len(block) for block in sees.values()) == 2


def test_lengths_are_spread_over_orders_of_magnitude():
    source = templates.Draw(NODES, 0.1, 100.0, Streams(1).stream("t"))
    lengths = [source.lasting_s() for _ in range(500)]
    assert min(lengths) < 0.015 and max(lengths) > 1.5
    assert 200 < sum(length < math.sqrt(0.01 * 2.0) for length in lengths) < 300


def test_only_templates_of_permitted_kinds_are_feasible():
    assert "clock" not in templates.feasible(("partition", "kill"))
    assert "kill-in-partition" not in templates.feasible(("kill",))


def test_the_bandit_prefers_what_brings_new_states_and_keeps_trying_the_rest():
    bandit = Bandit(["good", "bad"])
    for _ in range(30):
        bandit.learn("good", True)
        bandit.learn("bad", False)
    random = Streams(3).stream("bandit")
    chosen = [bandit.choose(random) for _ in range(300)]
    assert chosen.count("good") > 280
    assert bandit.means()["good"] > 0.9 > 0.1 > bandit.means()["bad"]


def test_the_bound_of_clean_runs_is_the_rule_of_three():
    for runs in (10, 100, 20_000):
        assert upper_bound(0, runs) == pytest.approx(1 - 0.05 ** (1 / runs))
        assert upper_bound(0, runs) < 3 / runs
    assert upper_bound(0, 0) == 1.0


def test_the_interval_is_that_of_clopper_and_pearson():
    assert interval(1, 10) == pytest.approx((0.002529, 0.445016), abs=1e-5)  # published tables
    assert interval(5, 5) == pytest.approx((0.478176, 1.0), abs=1e-5)
    assert interval(0, 5) == pytest.approx((0.0, 0.521824), abs=1e-5)


def look(at_ns, *nodes):
    return at_ns, {f"n{place}": state for place, state in enumerate(nodes)}


def node(role, generation=1, last=10, commit=10):
    return {"role": role, "generation": generation, "last_index": last, "commit_index": commit}


FAULT = {"fault": "kill-1", "kind": "kill", "nodes": ["n1"], "detail": "n1", "proven": True}
EVENTS = [
    Op(0, 100, NEMESIS, "invoke", "start-kill"),
    Op(1, 110, NEMESIS, "ok", "start-kill", value=FAULT),
    Op(2, 500, NEMESIS, "invoke", "stop-kill"),
    Op(3, 510, NEMESIS, "ok", "stop-kill", value=FAULT),
]


def test_states_that_differ_only_in_which_node_and_how_far_they_came_are_one():
    looks = [
        look(0, node("leader"), node("follower")),
        look(50, node("follower", 7, 99, 99), node("leader", 7, 99, 99)),
    ]
    assert len(abstract_states(looks, EVENTS, 0)) == 1
    assert len(abstract_states([*looks, look(200, node("leader"), node("follower"))], EVENTS, 0)) == 2
    assert len(abstract_states([*looks, look(50, node("leader"), node("follower", last=2))], EVENTS, 0)) == 2


def test_under_which_circumstances_a_fault_struck():
    assert circumstances([look(90, node("follower"), node("leader"))], EVENTS, 0, 10) == {("kill", "leader", "steady")}
    assert circumstances([look(90, node("leader"), node("follower"))], EVENTS, 0, 10) == {
        ("kill", "follower", "steady")
    }
    assert circumstances([look(90, node("follower"), {})], EVENTS, 0, 10) == {("kill", "follower", "electing")}
    assert len(never_exercised(["kill"], [("kill", "leader", "steady")])) == 10


def test_the_grid_has_a_sign_for_each_run_and_a_letter_for_each_failure():
    out = io.StringIO()
    grid = Grid(out)
    one, other = SimpleNamespace(guarantee="g", name="a"), SimpleNamespace(guarantee="g", name="b")
    for outcome, differs, anomalies in (
        ("valid", "", ()),
        ("violation", "", (one,)),
        ("violation", "", (other,)),
        ("violation", "", (one,)),
        ("vacuous", "", ()),
        ("harness", "", ()),
        ("valid", "event 3", ()),
    ):
        grid.add(SimpleNamespace(outcome=outcome, differs=differs, anomalies=anomalies))
    grid.end()
    assert out.getvalue().startswith("·ABA?!≠")
    assert "A  a (g)" in out.getvalue() and "B  b (g)" in out.getvalue()
