"""Followers that pass commands on: what the client is told, and that nothing is taken twice."""

import asyncio

import pytest
from loopback import LoopCluster, do
from store_pump import MS, Pump
from test_store_core import elect, kinds, make

from system_under_test.leader_follower.connection import ask_once
from system_under_test.leader_follower.messages import (
    AppendRequest,
    Forward,
    ForwardAnswer,
    Received,
    Reply,
    Request,
    Send,
    Start,
    Tick,
)
from system_under_test.leader_follower.system import SYSTEM

ASK = Request((1, 5), "increment", "x", 3, session=(12, 1))
COMMAND = ["once", 12, 1, ["increment", "x", 3]]


def follower(**options):
    """n1, which follows n2 in generation 4."""
    node = make(**{"forward": True} | options)
    node.handle(Start(), 0)
    node.handle(Received("n2", AppendRequest(4, 0, 0, [], 0, 1)), MS)
    return node


def passed_on(effects):
    return [effect for effect in kinds(effects, Send) if isinstance(effect.message, Forward)]


def answered(effects):
    return [effect.message for effect in kinds(effects, Send) if isinstance(effect.message, ForwardAnswer)]


def test_a_follower_passes_a_command_on_and_the_answer_back():
    node = follower()
    (sent,) = passed_on(node.handle(ASK, 2 * MS))
    assert (sent.to, sent.message.generation, sent.message.command) == ("n2", 4, COMMAND)
    answer = {"status": "ok", "value": 3, "node": "n2"}
    reply = node.handle(Received("n2", ForwardAnswer(sent.message.number, answer)), 3 * MS)
    assert kinds(reply, Reply) == [Reply((1, 5), answer)]
    assert node.handle(Received("n2", ForwardAnswer(sent.message.number, answer)), 4 * MS) == []


def test_a_command_that_the_leader_does_not_answer_is_left_open():
    node = follower(wait_ms=200)
    assert passed_on(node.handle(ASK, 2 * MS))
    assert node.next_deadline_ns() == 202 * MS
    (reply,) = kinds(node.handle(Tick(), 202 * MS), Reply)
    assert (reply.answer["status"], reply.answer["error"]) == ("indeterminate", "leader-silent")
    assert node.handle(Received("n2", ForwardAnswer(node.state.last_number, {"status": "ok"})), 203 * MS) == []


def test_a_command_is_left_open_as_soon_as_another_leads():
    node = follower()
    assert passed_on(node.handle(ASK, 2 * MS))
    node.handle(Received("n3", AppendRequest(5, 0, 0, [], 0, 1)), 9 * MS)
    assert node.next_deadline_ns() == 9 * MS
    (reply,) = kinds(node.handle(Tick(), 9 * MS), Reply)
    assert (reply.answer["status"], reply.answer["error"]) == ("indeterminate", "leader-silent")


def test_without_a_leader_or_the_switch_a_command_is_refused():
    lost = make(forward=True)
    lost.handle(Start(), 0)
    for node in (lost, follower(forward=False)):
        effects = node.handle(ASK, 2 * MS)
        assert passed_on(effects) == []
        assert [reply.answer["error"] for reply in kinds(effects, Reply)] == ["not-leader"]


def test_reads_are_not_passed_on():
    effects = follower().handle(Request((1, 5), "read", "x"), 2 * MS)
    assert [reply.answer["error"] for reply in kinds(effects, Reply)] == ["not-leader"]


def test_a_follower_holds_no_more_than_so_many(monkeypatch):
    monkeypatch.setattr("system_under_test.leader_follower.forwarding.PASSED_ON_MAX", 2)
    node = follower()
    effects = [node.handle(ASK._replace(reference=(1, number)), 2 * MS) for number in range(3)]
    assert [len(passed_on(one)) for one in effects] == [1, 1, 0]
    assert [reply.answer["error"] for reply in kinds(effects[2], Reply)] == ["busy"]


def test_the_leader_takes_what_is_passed_on_once_however_often_it_comes():
    node = make()
    generation = elect(node)
    before = node.state.log.last_index
    for _ in range(3):
        node.handle(Received("n2", Forward(generation, 77, COMMAND)), 500 * MS)
    assert node.state.log.last_index == before + 1
    assert node.state.log.entry(before + 1).command == COMMAND
    node.handle(Received("n3", Forward(generation, 77, COMMAND)), 500 * MS)
    assert node.state.log.last_index == before + 2


@pytest.mark.parametrize("off", [-1, 1])
def test_what_was_meant_for_another_reign_is_refused(off):
    node = make()
    generation = elect(node)
    before = node.state.log.last_index
    (answer,) = answered(node.handle(Received("n2", Forward(generation + off, 77, COMMAND)), 500 * MS))
    assert (answer.number, answer.answer["status"], answer.answer["error"]) == (77, "refused", "not-leader")
    assert node.state.log.last_index == before


def test_what_a_resigning_leader_had_taken_for_another_is_left_open_there_too():
    node = make()
    generation = elect(node)
    node.handle(Received("n2", Forward(generation, 77, COMMAND)), 500 * MS)
    effects = node.handle(Received("n3", AppendRequest(generation + 1, 0, 0, [], 0, 1)), 501 * MS)
    assert [(one.number, one.answer["status"]) for one in answered(effects)] == [(77, "indeterminate")]


def test_random_schedules_with_forwarding_keep_every_promise():
    through = 0
    for seed in range(60):
        pump = Pump(seed, forward=True).run()
        pump.check_end()
        through += sum(told["status"] == "ok" and told["node"] != told["home"] for told in pump.told)
    assert through > 100


def test_every_node_takes_writes_and_they_are_the_leaders():
    async def run():
        async with LoopCluster(forward=True) as cluster:
            leader = await SYSTEM.leader(cluster)
            for number, name in enumerate(cluster.nodes, 1):
                client = cluster.client(name)
                told = await do(client, "increment", value=1)
                assert (told.type, told.value, told.node) == ("ok", number, leader)
                await client.close()
            other = next(name for name in cluster.nodes if name != leader)
            answer = await ask_once(cluster.address(other), {"f": "dequeue", "key": "x"}, 2)
            assert (answer["status"], answer["error"], answer["node"]) == ("failed", "wrong-type", leader)

    asyncio.run(run())
