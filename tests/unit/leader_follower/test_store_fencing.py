"""A client that knows of a newer generation fences the node that it asks, and no more than that."""

import pytest
from scripted_nodes import OK
from store_pump import MS, Pump
from test_store_client import refused, told
from test_store_core import elect, kinds, make
from test_store_forwarding import follower, passed_on

from system_under_test.leader_follower.messages import Reply, Request, Start
from system_under_test.leader_follower.requests import BadRequest, parse_request

FENCED = [("refused", "older-generation")]


def asked(node, generation, f="write", value=5):
    """What a node does when it is asked by a client that knows of this generation."""
    return node.handle(Request((1, 1), f, "x", value, generation=generation), 460 * MS)


def errors(effects):
    return [(reply.answer["status"], reply.answer.get("error")) for reply in kinds(effects, Reply)]


@pytest.mark.parametrize(("f", "value"), [("write", 5), ("delete", None), ("open", None), ("transfer", None)])
def test_a_leader_that_is_asked_with_a_newer_generation_refuses_and_steps_down(f, value):
    node = make()
    generation = elect(node)
    end = node.state.log.last_index
    assert errors(asked(node, generation + 1, f, value)) == FENCED
    assert (node.state.role, node.state.leader, node.state.log.last_index) == ("follower", None, end)
    assert node.state.generation == generation, "only elections make generations"


def test_it_leaves_the_writes_open_that_wait():
    node = make()
    generation = elect(node)
    node.handle(Request((1, 7), "write", "x", 5), 455 * MS)
    heard = {reply.reference[1]: reply.answer["status"] for reply in kinds(asked(node, generation + 1), Reply)}
    assert heard == {7: "indeterminate", 1: "refused"}


@pytest.mark.parametrize("newer", [0, -1])
def test_a_leader_goes_on_where_the_client_knows_of_nothing_newer(newer):
    node = make()
    generation = elect(node)
    assert errors(asked(node, generation + newer)) == []
    assert node.state.role == "leader"


@pytest.mark.parametrize("switch", [{"fencing": False}, {"bug": "no-fencing"}])
def test_without_fencing_it_takes_the_write(switch):
    node = make(**switch)
    generation = elect(node)
    end = node.state.log.last_index
    assert errors(asked(node, generation + 1)) == []
    assert (node.state.role, node.state.log.last_index) == ("leader", end + 1)


def test_a_leader_for_ever_refuses_and_goes_on():
    node = make(election="none")
    node.handle(Start(), 0)
    assert errors(asked(node, node.state.generation + 1)) == FENCED
    assert node.state.role == "leader"


def test_a_read_is_not_fenced_as_a_round_confirms_it():
    node = make()
    generation = elect(node)
    assert errors(asked(node, generation + 1, "read", None)) == []
    assert node.state.role == "leader"


def test_a_follower_passes_nothing_on_to_a_leader_that_is_known_to_be_over():
    node = follower()
    assert passed_on(asked(node, 4)) != []
    effects = asked(node, 5)
    assert (errors(effects), passed_on(effects)) == (FENCED, [])
    assert node.state.leader == "n2", "who leads its own generation, it still knows"


@pytest.mark.parametrize("generation", [-1, 1.5, "2", True, 1 << 80])
def test_a_generation_that_is_none_is_refused(generation):
    with pytest.raises(BadRequest, match="generation must be"):
        parse_request(1, {"id": 1, "f": "write", "key": "x", "value": 1, "generation": generation})


def test_a_client_says_the_newest_generation_that_any_answer_told_of():
    _, heard = told(OK, ops=2)
    assert [request.get("generation") for _, request in heard] == [None, 2]
    hint = {**refused("not-leader", "n3"), "generation": 7}
    _, heard = told({"n1": hint, "n3": OK})
    assert [request.get("generation") for _, request in heard] == [None, 7]


@pytest.mark.parametrize("options", [{"fencing": False}, {"bug": "no-fencing"}])
def test_without_fencing_a_client_says_none(options):
    _, heard = told(OK, ops=2, options=options)
    assert not any("generation" in request for _, request in heard)


def test_with_a_read_a_client_says_none():
    _, heard = told(OK, "read", None, ops=2)
    assert not any("generation" in request for _, request in heard)


def test_a_hint_to_the_leader_of_an_older_generation_is_not_followed():
    answers = iter([OK, {**refused("not-leader", "n3"), "generation": 1}])
    ops, heard = told(lambda node, _: OK if node == "n2" else {"node": "n1", **next(answers)}, ops=3)
    assert [(op.type, op.error) for op in ops] == [("ok", None), ("fail", "not-leader: n3"), ("ok", None)]
    assert [node for node, _ in heard] == ["n1", "n1", "n2"]


def test_who_is_fenced_is_asked_no_more():
    ops, heard = told({"n1": refused("older-generation"), "n2": OK}, ops=2)
    assert [(op.type, op.error) for op in ops] == [("fail", "older-generation"), ("ok", None)]
    assert [node for node, _ in heard] == ["n1", "n2"]


def test_hints_in_a_circle_are_left_behind_at_the_next_operation():
    circle = {"n1": refused("not-leader", "n3"), "n3": refused("not-leader", "n1"), "n2": OK}
    ops, heard = told(circle, ops=2)
    assert [(op.type, op.error) for op in ops] == [("fail", "not-leader: n3"), ("ok", None)]
    assert [node for node, _ in heard] == ["n1", "n3", "n1", "n2"]


def test_with_the_planted_bug_a_client_follows_them_until_its_time_is_over():
    circle = {"n1": refused("not-leader", "n3"), "n3": refused("not-leader", "n1"), "n2": OK}
    (op,), heard = told(circle, "read", None, options={"bug": "stale-hints"})
    assert op.error.startswith("timeout")
    assert len(heard) > 10 and {node for node, _ in heard} == {"n1", "n3"}


def test_clients_fence_in_random_schedules_and_every_promise_is_kept():
    fenced = 0
    for seed in range(300, 360):
        pump = Pump(seed).run()
        pump.check_end()
        fenced += pump.fenced
    assert fenced > 0
