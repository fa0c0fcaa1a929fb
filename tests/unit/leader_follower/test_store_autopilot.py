"""The autopilot: who falls silent is removed, who is there again is taken back, one change at a time."""

import pytest
from store_pump import MS, Pump
from test_store_core import kinds, make
from test_store_membership import hold, leader

from system_under_test.leader_follower.messages import Append, AppendAnswer, Received, Reply, Send, Tick

THREE = ("n1", "n2", "n3")
OPTIONS = {"nodes": THREE, "members": "", "autopilot_ms": 200}


def heard(node, name, time_ms):
    return node.handle(Received(name, AppendAnswer(node.state.generation, True, 1, 1)), time_ms * MS)


def changes(effects):
    return [entry.command for append in kinds(effects, Append) for entry in append.entries if entry.command]


def ticked(node, *times_ms):
    return [command for time_ms in times_ms for command in changes(node.handle(Tick(), time_ms * MS))]


def test_a_member_that_is_silent_for_so_long_is_removed_and_another_is_not():
    node = leader(**OPTIONS)
    heard(node, "n2", 640)
    heard(node, "n3", 460)
    assert ticked(node, 645, 660) == [], "n3 was heard 200 ms ago"
    assert ticked(node, 761) == [["remove-node", "n3"]]
    assert node.state.members == ("n1", "n2")


def test_of_two_silent_members_only_one_is_removed_until_that_is_committed():
    node = leader(**OPTIONS)
    assert len(ticked(node, 700, 801, 902, 1003)) == 1
    assert node.state.is_changing()


def test_with_the_bug_a_leader_alone_removes_everybody_else_and_is_its_own_majority():
    node = leader(**OPTIONS, bug="changes-overlap")
    assert len(ticked(node, 700)) == 2
    hold(node, node.state.log.last_index, "n1", time_ms=705)
    assert (node.state.members, node.state.commit_index) == (("n1",), node.state.log.last_index)


def test_who_is_no_member_is_invited_and_becomes_one_when_it_comes():
    node = leader(**OPTIONS | {"members": "n1,n2"})
    heard(node, "n2", 650)
    effects = node.handle(Tick(), 660 * MS)
    assert node.state.joining.name == "n3"
    assert "n3" in {send.to for send in kinds(effects, Send)}
    effects = heard(node, "n3", 670)
    assert changes(effects) == [["add-node", "n3"]]
    hold(node, node.state.log.last_index, "n1", "n2", time_ms=680)
    assert node.state.members == THREE
    assert not node.state.is_changing()


def test_nobody_is_told_what_the_leader_asked_of_itself():
    node = leader(**OPTIONS | {"members": "n1,n2"}, wait_ms=100)
    heard(node, "n2", 650)
    node.handle(Tick(), 660 * MS)
    assert node.state.joining.deadline_ns == 760 * MS
    assert kinds(node.handle(Tick(), 761 * MS), Reply) == [], "n3 did not come in time"


def test_it_is_off_unless_it_is_asked_for():
    node = leader(nodes=THREE, members="")
    assert ticked(node, 700, 1500) == []
    with pytest.raises(ValueError, match=r"autopilot_ms \(40\) must be above heartbeat_ms \(50\)"):
        make(autopilot_ms=40, heartbeat_ms=50)


@pytest.mark.parametrize("election", ["raft", "paxos"])
def test_random_schedules_keep_every_promise_while_it_changes_members(election):
    changed = 0
    for seed in range(12):
        pump = Pump(seed, nodes=5, election=election, autopilot_ms=80).run()
        pump.check_end()
        changed += max(len(host.node.state.memberships) for host in pump.hosts.values()) - 1
    assert changed > 20
