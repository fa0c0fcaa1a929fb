"""Changing the members, handing over leadership, and what the status tells of both."""

import pytest
from store_pump import MS, Pump
from test_store_core import elect, kinds, make

from system_under_test.leader_follower import membership
from system_under_test.leader_follower.messages import (
    AppendAnswer,
    AppendRequest,
    Decided,
    Entry,
    Persisted,
    Received,
    Reply,
    Request,
    Send,
    StandNow,
    Start,
    Tick,
    VoteAnswer,
    VoteRequest,
)
from system_under_test.leader_follower.status import of

FOUR = ("n1", "n2", "n3", "n4")


def leader(nodes=FOUR, members="n1,n2,n3", **options):
    """n1, which has committed an entry of its own."""
    node = make(nodes=nodes, members=members, **options)
    generation = elect(node)
    node.handle(Persisted(generation, 1), 453 * MS)
    node.handle(Received("n2", AppendAnswer(generation, True, 1, 1)), 455 * MS)
    return node


def ask(node, f, name, time_ms=460, number=1):
    effects = node.handle(Request((1, number), f, name), time_ms * MS)
    return told(effects), effects


def told(effects):
    return [reply.answer.get("error", reply.answer["status"]) for reply in kinds(effects, Reply)]


def hold(node, index, *names, time_ms=470):
    """The leader's log is durable up to `index` at these nodes, itself among them if it is named."""
    effects = []
    for name in names:
        if name == node.state.configuration.name:
            effects += node.handle(Persisted(node.state.log.generation_at(index), index), time_ms * MS)
        else:
            answer = AppendAnswer(node.state.generation, True, index, 1)
            effects += node.handle(Received(name, answer), time_ms * MS)
    return effects


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("election", "lease"), [("raft", "off"), ("raft", "monotonic"), ("paxos", "monotonic")])
def test_every_promise_is_kept_while_members_and_leaders_are_changed(election, lease):
    changed = 0
    for seed in range(60):
        options = {"election": election, "lease": lease, "modes": ("write", "cas", "leader", "session")}
        pump = Pump(seed, nodes=5, members="n1,n2,n3", changes=True, **options).run()
        pump.check_end()
        changed += pump.changed
    assert changed > 60


def change_takes_hold_when_committed(patch):
    """A node goes by the members of the committed part of its log: two changes may then be under way."""
    patch.setattr(membership, "on_appended", lambda state, entries: None)

    def on_applied(state):
        committed = state.log.entry(state.commit_index)
        if membership.is_change(committed.command) and committed.version() != state.memberships[-1].version:
            members = membership._changed(state.members, committed.command)
            state.memberships.append(membership.Membership(committed.version(), members))

    patch.setattr(membership, "on_applied", on_applied)


def two_changes_at_once(patch):
    from system_under_test.leader_follower.state import State

    patch.setattr(State, "is_changing", lambda state: False)


@pytest.mark.parametrize("mistake", [change_takes_hold_when_committed, two_changes_at_once])
def test_the_schedules_find(mistake, monkeypatch):
    mistake(monkeypatch)
    for seed in range(400):
        try:
            Pump(seed, nodes=5, members="n1,n2,n3", changes=True).run().check_end()
        except (AssertionError, KeyError):
            return
    pytest.fail(f"{mistake.__name__} was not found in 400 schedules")


# ── adding and removing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_node_is_brought_up_to_date_then_added_and_told_when_that_is_committed():
    node = leader()
    answers, effects = ask(node, "add-node", "n4")
    assert answers == []
    assert {send.to for send in kinds(effects, Send)} == {"n2", "n3", "n4"}
    assert node.state.members == ("n1", "n2", "n3")
    hold(node, 1, "n4")
    assert node.state.members == FOUR
    assert node.state.log.entry(2).command == ["add-node", "n4"]
    assert told(hold(node, 2, "n1", "n2")) == []
    assert told(hold(node, 2, "n3")) == ["ok"]
    assert node.state.majority == 3


def test_a_node_that_does_not_come_is_given_up():
    node = leader()
    ask(node, "add-node", "n4")
    answers = []
    for time_ms in range(480, 1500, 20):
        node.handle(Received("n2", AppendAnswer(1, True, 1, 1)), time_ms * MS)
        answers += told(node.handle(Tick(), time_ms * MS))
    assert answers == ["not-caught-up"]
    assert "n4" not in node.state.followers
    assert ask(node, "add-node", "n4", 1501)[0] == []


@pytest.mark.parametrize(
    ("f", "name", "error"),
    [
        ("add-node", "n9", "no-address: n9"),
        ("add-node", "n2", "member-already: n2"),
        ("remove-node", "n4", "no-member: n4"),
        ("transfer", "n4", "no-member: n4"),
        ("add-node", None, "no-address: None"),
    ],
)
def test_what_cannot_be_is_refused(f, name, error):
    assert ask(leader(), f, name)[0] == [error]


@pytest.mark.parametrize("f", ["add-node", "remove-node", "transfer"])
def test_only_a_leader_changes_anything(f):
    node = make(nodes=FOUR)
    node.handle(Start(), 0)
    assert ask(node, f, "n2")[0] == ["not-leader"]


def test_one_change_at_a_time():
    node = leader()
    ask(node, "remove-node", "n3")
    assert ask(node, "remove-node", "n2", number=2)[0] == ["change-in-progress"]
    assert told(hold(node, 2, "n1", "n2")) == ["ok"]
    ask(node, "add-node", "n4", number=3)
    assert ask(node, "add-node", "n3", number=4)[0] == ["change-in-progress"]


def test_no_change_before_the_leader_has_committed_something_itself():
    node = make(nodes=FOUR, members="n1,n2,n3")
    elect(node)
    assert ask(node, "remove-node", "n3")[0] == ["not-ready"]


def test_the_last_member_stays():
    node = make(nodes=("n1", "n2"), members="n1", election="none")
    node.handle(Start(), 0)
    node.handle(Persisted(1, 1), 1 * MS)
    assert ask(node, "remove-node", "n1")[0] == ["last-member"]


def test_a_leader_that_removes_itself_does_not_count_itself_and_steps_down_when_it_is_done():
    node = leader()
    ask(node, "remove-node", "n1")
    assert told(hold(node, 2, "n1", "n2")) == []
    assert node.state.role == "leader"
    assert told(hold(node, 2, "n3")) == ["ok"]
    assert node.state.role == "follower"
    for time_ms in range(500, 3000, 50):
        assert node.handle(Tick(), time_ms * MS) == []


def test_who_is_removed_is_let_go_and_its_answers_are_not_counted():
    node = leader()
    ask(node, "remove-node", "n3")
    hold(node, 2, "n1", "n2")
    assert set(node.state.followers) == {"n2"}
    node.handle(Request((1, 2), "write", "x", 5), 480 * MS)
    assert told(hold(node, 3, "n1", "n3")) == []
    assert told(hold(node, 3, "n2")) == ["ok"]


def test_who_may_be_removed_stands_as_long_as_its_removal_is_not_committed_and_does_not_count_itself():
    entries = [Entry(1, 1, None), Entry(1, 2, ["remove-node", "n1"])]
    node = make(entries=entries, generation=1)
    node.handle(Start(), 0)
    assert {send.to for send in kinds(node.handle(Tick(), 450 * MS), Send)} == {"n2", "n3"}
    node.handle(Received("n2", VoteAnswer(2, True, True)), 451 * MS)
    assert node.state.role == "pre-candidate"
    node.handle(Received("n3", VoteAnswer(2, True, True)), 452 * MS)
    assert node.state.role == "candidate"


def test_who_waits_to_be_added_does_not_stand():
    node = make("n4", nodes=FOUR, members="n1,n2,n3")
    node.handle(Start(), 0)
    for time_ms in range(100, 3000, 100):
        assert node.handle(Tick(), time_ms * MS) == []


def test_a_change_that_is_replaced_is_taken_back():
    entries = [Entry(1, 1, None), Entry(1, 2, ["add-node", "n4"])]
    node = make("n2", nodes=FOUR, members="n1,n2,n3", entries=entries, generation=1)
    node.handle(Start(), 0)
    assert node.state.members == FOUR
    assert membership.membership_at(node.state, 1).members == ("n1", "n2", "n3")
    node.handle(Received("n3", AppendRequest(2, 1, 1, [Entry(2, 2, None)], 0, 1)), 1)
    assert node.state.members == ("n1", "n2", "n3")


def test_sync_waits_for_all_members_and_no_others():
    node = leader(replication="sync")
    hold(node, 1, "n3")
    node.handle(Request((1, 2), "write", "x", 5), 480 * MS)
    assert told(hold(node, 2, "n1", "n2")) == []
    assert told(hold(node, 2, "n3")) == ["ok"]


# ── handing over ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_leader_hands_over_to_who_has_everything_and_lets_its_lease_go_first():
    node = leader(lease="monotonic")
    node.handle(Request((1, 2), "write", "x", 5), 456 * MS)
    answers, effects = ask(node, "transfer", "n2")
    assert (answers, kinds(effects, Send)) == ([], [])
    assert node.state.lease_until_ns > 460 * MS
    assert ask(node, "write", "x", number=3)[0] == ["transferring"]
    assert ask(node, "transfer", "n3", number=4)[0] == ["transfer-in-progress"]
    effects = hold(node, 2, "n1", "n2")
    assert Send("n2", StandNow(1)) in effects
    assert node.state.lease_released and node.state.lease_until_ns < 0
    node.handle(Received("n2", VoteRequest(2, 1, 2, False, 1)), 480 * MS)
    assert told(node.handle(Received("n2", AppendRequest(2, 1, 2, [], 0, 1)), 490 * MS)) == ["ok"]


def test_who_is_told_to_stand_does_so_without_a_trial():
    node = make("n2")
    node.handle(Start(), 0)
    node.handle(Received("n1", AppendRequest(1, 0, 0, [], 0, 1)), 1)
    assert node.handle(Received("n3", StandNow(1)), 2) == []
    sent = kinds(node.handle(Received("n1", StandNow(1)), 3), Send)
    assert [send.message for send in sent] == [VoteRequest(2, 0, 0, False, 1)] * 2


def test_handing_over_works_by_paxos():
    node = make("n2", election="paxos", lease="monotonic")
    node.handle(Start(), 0)
    node.handle(Received("n1", AppendRequest(1, 0, 0, [], 0, 1)), 1)
    sent = kinds(node.handle(Received("n1", StandNow(1)), 3), Send)
    assert {(send.message.generation, send.message.released) for send in sent} == {(2, 1)}
    node.handle(Received("n3", Decided(2, "n2")), 4)
    assert node.state.role == "leader"


def test_handing_over_that_takes_too_long_is_given_up_and_left_open():
    node = leader(lease="monotonic")
    hold(node, 1, "n1", "n2")
    ask(node, "transfer", "n2")
    answers = []
    for time_ms in range(480, 900, 20):
        node.handle(Received("n2", AppendAnswer(1, True, 1, 3)), time_ms * MS)
        answers += told(node.handle(Tick(), time_ms * MS))
    assert answers == ["not-transferred"]
    assert node.state.role == "leader"
    assert node.state.lease_until_ns < 0, "votes may be under way: no lease again in this generation"
    assert ask(node, "write", "x", 900)[0] == []


def test_somebody_else_comes_to_lead():
    node = leader()
    ask(node, "transfer", "n2")
    assert told(node.handle(Received("n3", AppendRequest(2, 1, 1, [], 0, 1)), 480 * MS)) == ["other-leader: n3"]


def test_a_leader_that_is_told_to_hand_over_to_itself_has_done_so():
    assert ask(leader(), "transfer", "n1")[0] == ["ok"]


# ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_status_tells_each_followers_health_and_progress():
    node = leader()
    node.handle(Tick(), 500 * MS)
    node.handle(Request((1, 2), "write", "x", 5), 510 * MS)
    node.handle(Tick(), 550 * MS)
    hold(node, 2, "n1", "n2", time_ms=580)
    node.handle(Tick(), 600 * MS)
    status = of(node.state)
    assert status["followers"]["n2"] == {"match_index": 2, "lag": 0, "lag_ms": 0, "heard_ms": 20, "member": True}
    behind = status["followers"]["n3"]
    assert (behind["match_index"], behind["lag"], behind["heard_ms"]) == (0, 2, 148)
    assert 90 <= behind["lag_ms"] <= 148, "entry 1 was appended 148 ms ago"
    assert (status["role"], status["leader"], status["generation"]) == ("leader", "n1", 1)
    assert status["members"] == ("n1", "n2", "n3")


def test_the_status_of_a_follower_tells_whom_it_follows_and_how_fresh_it_is():
    node = make("n2")
    node.handle(Start(), 0)
    node.handle(Received("n1", AppendRequest(1, 0, 0, [], 0, 1)), 100 * MS)
    assert of(node.state)["lag_ms"] is None
    node.handle(Received("n1", AppendRequest(1, 0, 0, [], 0, 2, 1)), 160 * MS)
    status = of(node.state)
    assert (status["role"], status["leader"], status["lag_ms"], status["followers"]) == ("follower", "n1", 60, {})
