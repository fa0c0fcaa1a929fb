"""The fault surfaces and the control below them, on nodes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_nodes import MemoryLimits, MemoryNodes

from harness.docker_ground.net import IptablesNet, answered, pinged
from harness.docker_ground.processes import ContainerProcesses, ServerProcesses
from harness.docker_ground.rules import Faults, rules
from harness.errors import InfrastructureError, RemoteError
from harness.protocols import LinkShape

NODES = ("n1", "n2", "n3")
LINKS = [(source, destination) for source in NODES for destination in NODES if source != destination]


@pytest.fixture
def nodes() -> MemoryNodes:
    return MemoryNodes(NODES)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_rules_replace_the_chain_as_a_whole() -> None:
    addresses = {"n1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}
    none = b"*filter\n:SPLITBRAIN - [0:0]\nCOMMIT\n*raw\n:SPLITBRAIN - [0:0]\nCOMMIT\n"
    assert rules(Faults(), "n1", addresses) == none
    faults = Faults(
        cut=frozenset({("n3", "n1"), ("n2", "n1"), ("n1", "n2")}),
        reset=frozenset({("n2", "n1")}),
        ports=frozenset({(("n3", "n1"), 7000, False), (("n2", "n1"), 7000, True)}),
        queued=frozenset({("n2", "n1"), ("n1", "n3")}),
    )
    assert rules(faults, "n1", addresses).decode().split("\n")[2:-2] == [
        "-A SPLITBRAIN -s 10.0.0.2 -j DROP",
        "-A SPLITBRAIN -s 10.0.0.3 -j DROP",
        "-A SPLITBRAIN -s 10.0.0.2 -p tcp -j REJECT --reject-with tcp-reset",
        "-A SPLITBRAIN -s 10.0.0.2 -j DROP",
        "-A SPLITBRAIN -s 10.0.0.2 -p tcp --dport 7000 -j REJECT --reject-with tcp-reset",
        "-A SPLITBRAIN -s 10.0.0.3 -p tcp --dport 7000 -j DROP",
        "COMMIT",
        "*raw",
        ":SPLITBRAIN - [0:0]",
        "-A SPLITBRAIN -s 10.0.0.2 -j NFQUEUE --queue-num 7 --queue-bypass",
    ]


def test_a_fault_of_one_kind_leaves_those_of_others_in_force(nodes: MemoryNodes) -> None:
    net = IptablesNet(nodes.control())
    run(net.cut([("n1", "n2")]))
    run(net.resets([("n3", "n2")]))
    run(net.cut_port([("n1", "n3")], 7000))
    run(net.shape({("n1", "n2"): LinkShape(delay_ms=5)}))
    run(net.clog([("n3", "n2")]))
    assert nodes.queues["n2"] == {"10.0.0.1": {"delay_ms": 5.0}, "10.0.0.3": {"hold": True}}
    assert [len(nodes.rules[node]) for node in NODES] == [0, 5, 1]
    run(net.shape({}))
    assert nodes.queues["n2"] == {"10.0.0.3": {"hold": True}}
    run(net.heal())
    run(net.clog([]))
    assert (nodes.queues["n2"], len(nodes.rules["n2"]), len(nodes.rules["n3"])) == ({}, 2, 1)
    for lift in (net.resets([]), net.cut_port([], 7000)):
        run(lift)
    assert nodes.rules == {node: [] for node in NODES}


def test_packets_are_not_handed_to_a_queue_that_does_not_answer(nodes: MemoryNodes) -> None:
    nodes.silent.add("n2")
    net = IptablesNet(nodes.control())
    with pytest.raises(RemoteError):
        run(net.shape({("n1", "n2"): LinkShape(loss=0.5)}))
    nodes.silent.clear()
    run(net.heal())
    assert nodes.rules["n2"] == []


def test_pings_are_told_by_their_numbers() -> None:
    said = "64 bytes from 10.0.0.2: icmp_seq={} ttl=64 time={} ms\n"
    assert pinged(said.format(1, 0.05) + said.format(3, 20), 4) == [0.05, None, 20.0, None]


def test_of_a_ping_that_is_answered_twice_the_first_answer_counts_and_both_are_told() -> None:
    said = "64 bytes from 10.0.0.2: icmp_seq={} ttl=64 time={} ms{}\n"
    output = said.format(2, 9, "") + said.format(1, 7, "") + said.format(1, 8, " (DUP!)")
    assert pinged(output, 2) == [7.0, 9.0]
    assert answered(output) == [2, 1, 1]


@settings(max_examples=20, deadline=None)
@given(rounds=st.lists(st.sets(st.sampled_from(LINKS)), min_size=1, max_size=3))
def test_exactly_the_last_cuts_are_in_force_whatever_was_before(rounds: list[set[tuple[str, str]]]) -> None:
    nodes = MemoryNodes(NODES)
    net = IptablesNet(nodes.control())
    for cuts in rounds:
        run(net.cut(cuts))
    in_force = {(s, d) for s, d in LINKS if nodes.addresses[s] in nodes.dropped[d]}
    assert in_force == rounds[-1]
    run(net.heal())
    assert nodes.dropped == {key: set() for key in NODES}


def test_probes_tell_which_way_is_cut_and_leave_nothing_behind(nodes: MemoryNodes) -> None:
    net = IptablesNet(nodes.control())
    run(net.cut([("n1", "n2")]))
    assert [run(net.reaches("n1", "n2")), run(net.reaches("n2", "n1"))] == [False, True]
    assert nodes.heard == {key: set() for key in NODES}


def test_no_two_probes_are_alike(nodes: MemoryNodes) -> None:
    """An old probe that arrives late must not pass for a new one."""
    control = nodes.control()
    sent: list[str] = []
    deliver = nodes.send_probe
    nodes.send_probe = lambda source, probe, *rest: (sent.append(probe), deliver(source, probe, *rest))[1]
    for _ in range(3):
        assert run(IptablesNet(control).reaches("n1", "n2"))
    assert len(set(sent)) == 3


def test_healing_reaches_every_node_that_can_be_reached(nodes: MemoryNodes) -> None:
    net = IptablesNet(nodes.control())
    run(net.cut(LINKS))
    nodes.silent.add("n1")
    with pytest.raises(RemoteError, match=r"^n1: `iptables-restore"):
        run(net.heal())
    assert nodes.dropped == {"n1": {"10.0.0.2", "10.0.0.3"}, "n2": set(), "n3": set()}


def test_processes_start_each_node_with_its_own_command_once(nodes: MemoryNodes) -> None:
    processes = ContainerProcesses(
        ServerProcesses(nodes.control(), {node: ["serve", node, "a b"] for node in NODES}), MemoryLimits()
    )
    for node in ("n1", "n1", "n2"):
        run(processes.start(node))
    assert nodes.started == [("n1", ["serve", "n1", "a b"]), ("n2", ["serve", "n2", "a b"])]
    assert [run(processes.state(node)) for node in NODES] == ["running", "running", "stopped"]


def test_processes_pause_resume_and_kill(nodes: MemoryNodes) -> None:
    processes = ContainerProcesses(
        ServerProcesses(nodes.control(), {node: ["serve"] for node in NODES}), MemoryLimits()
    )
    run(processes.start("n1"))
    seen = []
    for verb in ("pause", "resume", "kill", "resume", "pause"):
        run(getattr(processes, verb)("n1"))
        seen.append(run(processes.state("n1")))
    assert seen == ["paused", "running", "stopped", "stopped", "stopped"]


def test_a_state_that_is_none_is_an_error_and_no_evidence(nodes: MemoryNodes) -> None:
    nodes.states["n1"] = "confused"
    with pytest.raises(InfrastructureError, match="n1: asked for its server's state, it said 'confused'"):
        run(ServerProcesses(nodes.control(), {}).state("n1"))


def test_a_node_whose_container_ended_is_told_as_that(nodes: MemoryNodes) -> None:
    control = nodes.control()
    run(control.run("n2", ["rm", "-"]))
    nodes.dead["n2"] = "exit code 137, out of memory"
    with pytest.raises(InfrastructureError) as caught:
        run(control.check("n2", ["rm", "-"]))
    assert str(caught.value) == "n2: its container does not run any more (exit code 137, out of memory)."


def test_a_silent_node_whose_container_runs_is_told_as_silent(nodes: MemoryNodes) -> None:
    nodes.silent.add("n3")
    with pytest.raises(RemoteError, match=r"^n3: .*cannot connect"):
        run(nodes.control().run("n3", ["rm", "-"]))


def test_what_may_be_done_twice_survives_a_lost_connection(nodes: MemoryNodes) -> None:
    control = nodes.control()
    nodes.hiccups = {"n1", "n2"}
    assert run(ServerProcesses(control, {}).state("n1")) == nodes.states["n1"]
    assert run(IptablesNet(control).reaches("n1", "n2"))
    assert nodes.hiccups == set()


def test_what_may_not_be_done_twice_is_not(nodes: MemoryNodes) -> None:
    nodes.hiccups = {"n1"}
    with pytest.raises(RemoteError, match="lost meanwhile"):
        run(nodes.control().run("n1", ["rm", "-"]))


def test_the_engine_is_not_asked_about_nodes_that_answer(nodes: MemoryNodes) -> None:
    control = nodes.control()
    for _ in range(5):
        run(control.run("n1", ["rm", "-"]))
    assert nodes.asked_engine == 1  # before the first connection
    with pytest.raises(RemoteError, match="exit status 127"):
        run(control.check("n1", ["no-such-program"]))
    assert nodes.asked_engine == 1
