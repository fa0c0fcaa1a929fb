"""The pure node under hundreds of random schedules, and proof that a broken one would be noticed."""

import pytest
from store_pump import MS, Pump

from system_under_test.leader_follower import election, reads, replication, roles
from system_under_test.leader_follower.configuration import Configuration
from system_under_test.leader_follower.messages import (
    AppendAnswer,
    AppendRequest,
    DiskFull,
    Entry,
    Flush,
    Persisted,
    Received,
    Reply,
    Request,
    SaveHardState,
    Send,
    Start,
    Tick,
    VoteAnswer,
    VoteRequest,
)
from system_under_test.leader_follower.node import Node


class Half:
    def random(self):
        return 0.5


def kinds(effects, kind):
    return [effect for effect in effects if isinstance(effect, kind)]


def make(name="n1", nodes=("n1", "n2", "n3"), entries=(), generation=0, vote=None, **options):
    return Node(Configuration(name, nodes, **options), Half(), generation, vote, entries)


def elect(node):
    """Bring a node of three to lead, by the votes of n2; returns the generation."""
    node.handle(Start(), 0)
    node.handle(Tick(), 450 * MS)
    node.handle(Received("n2", VoteAnswer(node.state.generation + 1, True, True)), 451 * MS)
    node.handle(Received("n2", VoteAnswer(node.state.generation, True, False)), 452 * MS)
    assert node.state.role == "leader"
    return node.state.generation


# ── random schedules ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", range(6))
def test_quorum_keeps_every_promise(block):
    for seed in range(block * 50, block * 50 + 50):
        Pump(seed, nodes=5 if seed % 10 == 0 else 3).run().check_end()


def test_sync_keeps_every_promise_and_acknowledges_only_what_all_hold():
    acknowledged = 0
    for seed in range(60):
        pump = Pump(seed, replication="sync").run()
        pump.check_end()
        acknowledged += sum(told["status"] == "ok" and told["f"] == "write" for told in pump.told)
    assert acknowledged > 100


def test_much_happens_in_those_schedules():
    pumps = [Pump(seed).run() for seed in range(40)]
    told = [one for pump in pumps for one in pump.told]
    for status in ("ok", "mismatch", "refused", "indeterminate"):
        assert sum(one["status"] == status for one in told) > 10, status
    assert any(one.get("error") == "not-caught-up" for one in told)
    assert sum(one["f"] == "read" and one["mode"] == "leader" and one["status"] == "ok" for one in told) > 100
    assert sum(len(pump.leaders) > 2 for pump in pumps) > 10, "few changes of leader"


def test_async_loses_acknowledged_writes_but_ends_in_one_log():
    lost = rolled_back = 0
    for seed in range(60):
        pump = Pump(seed, safe=False, replication="async").run()
        lost += len(pump.lost())
        rolled_back += sum(host.node.state.rolled_back for host in pump.hosts.values())
        assert len({host.node.state.log.last_version() for host in pump.hosts.values()}) == 1
    assert lost > 0
    assert rolled_back > 0


def test_without_fencing_a_write_gets_lost_even_in_quorum_mode():
    lost = sum(len(Pump(seed, safe=False, fencing=False).run().lost()) for seed in range(150))
    assert lost > 0


def test_a_fixed_leader_leads_for_ever():
    for seed in range(30):
        pump = Pump(seed, election="none").run()
        pump.check_end()
        assert set(pump.leaders.values()) == {"n1"}


def test_equal_seeds_give_equal_runs():
    one, other = (Pump(11).run() for _ in range(2))
    assert (one.told, one.applied, one.sequence) == (other.told, other.applied, other.sequence)


# ── each safeguard, taken away, is missed ────────────────────────────────────────────────────────────────────────────


def no_up_to_date_check(patch):
    patch.setattr(election, "_is_up_to_date", lambda state, message: True)


def vote_not_saved(patch):
    patch.setattr(election, "save_hard_state", lambda state: None)
    patch.setattr(roles, "save_hard_state", lambda state: None)


def reads_unconfirmed(patch):
    def start_round(state):
        waiting, state.reads_next = state.reads_next, []
        for one in waiting:
            reads._serve(state, one.request)

    patch.setattr(reads, "start_round", start_round)


def acknowledged_before_durable(patch):
    def acknowledge(state):
        if state.leader is not None:
            state.send(state.leader, AppendAnswer(state.generation, True, state.verified_index, state.round_seen))

    patch.setattr(replication, "acknowledge", acknowledge)


def follower_applies_too_early(patch):
    original = replication._take_entries

    def take(state, message):
        taken = original(state, message)
        state.commit_index = max(state.commit_index, state.verified_index)
        replication.apply_committed(state)
        return taken

    patch.setattr(replication, "_take_entries", take)


def token_ignored(patch):
    patch.setattr(reads, "_satisfied", lambda state, request: request.mode == "session")


@pytest.mark.parametrize(
    "mistake",
    [
        no_up_to_date_check,
        vote_not_saved,
        reads_unconfirmed,
        acknowledged_before_durable,
        follower_applies_too_early,
        token_ignored,
    ],
)
def test_the_schedules_find(mistake, monkeypatch):
    mistake(monkeypatch)
    for seed in range(400):
        try:
            Pump(seed).run().check_end()
        except AssertionError:
            return
    pytest.fail(f"{mistake.__name__} was not found in 400 schedules")


# ── single rules ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_candidate_first_asks_on_trial_and_raises_nothing():
    node = make()
    node.handle(Start(), 0)
    effects = node.handle(Tick(), 450 * MS)
    assert effects == [Send(peer, VoteRequest(1, 0, 0, True)) for peer in ("n2", "n3")]
    assert node.state.generation == 0


def test_a_vote_is_saved_before_it_is_given_and_given_once():
    node = make()
    node.handle(Start(), 0)
    first = node.handle(Received("n2", VoteRequest(3, 0, 0, False)), 1)
    assert first[-2:] == [SaveHardState(3, "n2"), Send("n2", VoteAnswer(3, True, False))]
    assert node.handle(Received("n3", VoteRequest(3, 0, 0, False)), 2) == [Send("n3", VoteAnswer(3, False, False))]


def test_no_trial_vote_while_a_leader_is_heard():
    node = make()
    node.handle(Start(), 0)
    node.handle(Received("n2", AppendRequest(1, 0, 0, [], 0, 0)), 10 * MS)
    assert node.handle(Received("n3", VoteRequest(2, 0, 0, True)), 300 * MS) == [Send("n3", VoteAnswer(1, False, True))]
    assert node.handle(Received("n3", VoteRequest(2, 0, 0, True)), 311 * MS) == [Send("n3", VoteAnswer(2, True, True))]


def test_an_entry_of_an_old_generation_is_not_committed_by_counting():
    """The case of figure 8 in the Raft paper."""
    node = make(entries=[Entry(1, 1, ["write", "x", 1])], generation=1)
    generation = elect(node)
    node.handle(Persisted(generation, 2), 453 * MS)
    node.handle(Received("n2", AppendAnswer(generation, True, 1, 0)), 454 * MS)
    assert node.state.commit_index == 0
    node.handle(Received("n2", AppendAnswer(generation, True, 2, 0)), 455 * MS)
    assert node.state.commit_index == 2


def test_a_leader_read_waits_for_an_entry_of_its_own_generation_and_a_round():
    node = make()
    generation = elect(node)
    assert node.handle(Request((1, 1), "read", "x"), 453 * MS) == []
    assert not node.wants_flush()
    node.handle(Persisted(generation, 1), 454 * MS)
    node.handle(Received("n2", AppendAnswer(generation, True, 1, 0)), 455 * MS)
    assert node.wants_flush()
    asked = kinds(node.handle(Flush(), 456 * MS), Send)
    assert {send.message.round for send in asked} == {2}
    stale = node.handle(Received("n3", AppendAnswer(generation, True, 0, 1)), 457 * MS)
    assert not kinds(stale, Reply)
    answered = kinds(node.handle(Received("n2", AppendAnswer(generation, True, 1, 2)), 458 * MS), Reply)
    assert [reply.answer["status"] for reply in answered] == ["ok"]


def test_a_leader_read_in_async_mode_asks_nobody_but_waits_until_what_it_has_is_committed():
    node = make(replication="async")
    generation = elect(node)
    assert node.handle(Request((1, 1), "read", "x"), 453 * MS) == []
    assert not node.wants_flush()
    node.handle(Persisted(generation, 1), 454 * MS)
    assert node.wants_flush()
    effects = node.handle(Flush(), 455 * MS)
    assert [reply.answer["status"] for reply in kinds(effects, Reply)] == ["ok"]
    assert not kinds(effects, Send)


def test_a_follower_read_is_answered_at_once_by_anybody_and_a_leader_read_only_by_a_leader():
    node = make()
    generation = elect(node)

    def told(mode):
        return [
            r.answer["status"] for r in kinds(node.handle(Request((1, 1), "read", "x", mode=mode), 454 * MS), Reply)
        ]

    assert (told("follower"), told("leader")) == (["ok"], [])
    node.handle(Received("n3", AppendRequest(generation + 1, 0, 0, [], 0, 0)), 455 * MS)
    assert (told("follower"), told("leader")) == (["ok"], ["refused"])


@pytest.mark.parametrize(("replication", "steps_down"), [("quorum", True), ("sync", True), ("async", False)])
def test_a_leader_that_hears_nobody(replication, steps_down):
    node = make(replication=replication)
    elect(node)
    for time_ms in range(460, 1000, 20):
        node.handle(Tick(), time_ms * MS)
    assert (node.state.role != "leader") is steps_down


def test_a_leader_that_resigns_leaves_writes_open_and_refuses_reads():
    node = make()
    generation = elect(node)
    node.handle(Request((1, 1), "write", "x", 5), 453 * MS)
    node.handle(Request((1, 2), "read", "x"), 453 * MS)
    effects = node.handle(Received("n3", AppendRequest(generation + 1, 0, 0, [], 0, 0)), 454 * MS)
    told = {reply.reference[1]: reply.answer["status"] for reply in kinds(effects, Reply)}
    assert told == {1: "indeterminate", 2: "refused"}


@pytest.mark.parametrize("fencing", [True, False])
def test_fencing(fencing):
    node = make("n2", fencing=fencing)
    node.handle(Start(), 0)
    node.handle(Received("n3", AppendRequest(5, 0, 0, [], 0, 0)), 1)
    stale = AppendRequest(4, 0, 0, [Entry(4, 1, None)], 0, 0)
    effects = node.handle(Received("n1", stale), 2)
    if fencing:
        assert effects == [Send("n1", AppendAnswer(5, False, 0, 0))]
    assert node.state.log.last_index == (0 if fencing else 1)


def sent(effects, to):
    return [
        (send.message.previous_index, [entry.index for entry in send.message.entries])
        for send in kinds(effects, Send)
        if send.to == to and isinstance(send.message, AppendRequest)
    ]


def test_writes_of_one_turn_go_in_one_message_and_the_next_does_not_wait_for_its_answer():
    node = make()
    generation = elect(node)
    node.handle(Received("n2", AppendAnswer(generation, True, 1, 1)), 453 * MS)
    for number in (1, 2):
        assert sent(node.handle(Request((1, number), "write", "x", number), 454 * MS), "n2") == []
    assert sent(node.handle(Flush(), 454 * MS), "n2") == [(1, [2, 3])]
    node.handle(Request((1, 3), "write", "x", 3), 455 * MS)
    effects = node.handle(Flush(), 455 * MS)
    assert sent(effects, "n2") == [(3, [4])], "2 and 3 are on their way, and not acknowledged yet"
    assert sent(effects, "n3") == [], "n3 has not been heard: what it has is not known"


def test_a_divergent_tail_is_replaced():
    old = [Entry(1, 1, None), Entry(1, 2, ["write", "x", 1]), Entry(1, 3, ["write", "x", 2])]
    node = make("n2", entries=old, generation=1)
    node.handle(Start(), 0)
    new = [Entry(2, 2, None)]
    node.handle(Received("n1", AppendRequest(2, 1, 1, new, 0, 0)), 1)
    assert node.state.log.last_version() == (2, 2)
    assert node.state.durable_index == 1
    effects = node.handle(Persisted(2, 2), 2)
    assert effects == [Send("n1", AppendAnswer(2, True, 2, 0))]


def test_a_token_of_an_older_generation_is_not_compared_by_index():
    """A deposed leader has applied (1, 9); a token of (2, 5) must wait there, although 9 > 5."""
    entries = [Entry(1, index, None) for index in range(1, 10)]
    node = make("n2", entries=entries, generation=1)
    node.handle(Start(), 0)
    node.handle(Received("n1", AppendRequest(1, 1, 9, [], 9, 0)), 1)
    assert node.state.applied() == (1, 9)
    assert node.handle(Request((1, 1), "read", "x", mode="session", token=(2, 5)), 2) == []
    assert kinds(node.handle(Request((1, 2), "read", "x", mode="session", token=(1, 9)), 3), Reply)
    expired = kinds(node.handle(Tick(), 1003 * MS), Reply)
    assert [reply.answer["error"] for reply in expired] == ["not-caught-up"]


def test_a_full_disk_refuses_writes_and_followers_go_on_hearing_heartbeats():
    node = make()
    elect(node)
    node.handle(DiskFull(True), 453 * MS)
    refused = kinds(node.handle(Request((1, 1), "write", "x", 5), 454 * MS), Reply)
    assert [reply.answer["error"] for reply in refused] == ["disk-full"]
    follower = make("n2")
    follower.handle(Start(), 0)
    follower.handle(DiskFull(True), 1)
    effects = follower.handle(Received("n1", AppendRequest(1, 0, 0, [Entry(1, 1, None)], 0, 0)), 2)
    assert kinds(effects, Send) == [Send("n1", AppendAnswer(1, True, 0, 0))]
    assert follower.state.log.last_index == 0


def test_a_write_that_waits_too_long_is_left_open():
    node = make(replication="sync")
    generation = elect(node)
    node.handle(Request((1, 1), "write", "x", 5), 453 * MS)
    replies = []
    for time_ms in range(460, 1500, 20):
        node.handle(Received("n2", AppendAnswer(generation, True, 2, 0)), time_ms * MS)
        replies += kinds(node.handle(Tick(), time_ms * MS), Reply)
    assert [(reply.answer["status"], reply.answer["error"]) for reply in replies] == [
        ("indeterminate", "not-replicated")
    ]


def test_cas_is_decided_where_it_is_applied_and_tells_true_from_one():
    node = make(nodes=("n1",), election="none")
    node.handle(Start(), 0)
    node.handle(Persisted(1, 1), 1)
    node.handle(Request((1, 1), "write", "x", 1), 2)
    node.handle(Request((1, 2), "cas", "x", [True, 5]), 2)
    node.handle(Request((1, 3), "cas", "x", [1, 6]), 2)
    replies = kinds(node.handle(Persisted(1, 4), 3), Reply)
    assert [(r.answer["status"], r.answer["value"], r.answer["version"]) for r in replies] == [
        ("ok", 1, (1, 2)),
        ("mismatch", 1, (1, 2)),
        ("ok", 6, (1, 4)),
    ]
