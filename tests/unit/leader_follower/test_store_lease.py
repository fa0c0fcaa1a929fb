"""Leases, and the reads that rest on rounds: lease, leader-local and bounded; rule by rule, and in whole schedules."""

import pytest
from store_pump import MS, Pump
from test_store_core import elect, kinds, make

from system_under_test.leader_follower import lease, rounds
from system_under_test.leader_follower.messages import (
    AppendAnswer,
    AppendRequest,
    Entry,
    Flush,
    Persisted,
    PrepareRequest,
    Received,
    Reply,
    Request,
    Start,
    Tick,
    VoteAnswer,
    VoteRequest,
)

READS = ("write", "cas", "lease", "bounded", "leader", "session")


def heartbeat(generation=1, number=1, vouched=0, commit=0, entries=(), previous=(0, 0)):
    return AppendRequest(generation, *previous, list(entries), commit, number, vouched)


def leader(**options):
    """n1 of three, with an entry of its own committed at 455 ms by the answer of n2 to round 1, asked at 452 ms."""
    node = make(**{"lease": "monotonic"} | options)
    generation = elect(node)
    node.handle(Persisted(generation, 1), 453 * MS)
    node.handle(Received("n2", AppendAnswer(generation, True, 1, 1)), 455 * MS)
    return node


def told(node, mode, time_ms, wall_ms=0):
    effects = node.handle(Request((1, 1), "read", "x", mode=mode), time_ms * MS, wall_ms * MS)
    return [reply.answer.get("error", reply.answer["status"]) for reply in kinds(effects, Reply)]


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("drift", [0.0, 0.1, 0.4])
def test_never_do_two_hold_a_lease_while_clocks_are_as_good_as_they_are_said_to_be(drift):
    held = 0
    for seed in range(50):
        options = {"lease_ms": 300, "drift_ppm": int(drift * 1_000_000), "max_lag_ms": 250, "modes": READS}
        pump = Pump(seed, lease="monotonic", drift=drift, **options).run()
        pump.check_end()
        held += pump.held
        assert not pump.lost()
    assert held > 1000


def test_two_hold_a_lease_when_clocks_drift_more_than_is_said():
    found = []
    for seed in range(60):
        try:
            Pump(seed, lease="monotonic", drift=0.4, drift_ppm=0, lease_ms=300, crashes=False).run()
        except AssertionError as error:
            found.append(str(error))
    assert found
    assert all("both hold a lease" in message for message in found)


def test_two_hold_a_lease_that_is_measured_on_wall_clocks_when_these_jump():
    found = []
    for seed in range(30):
        try:
            Pump(seed, lease="wall", jumps_ms=3000, modes=READS, max_lag_ms=200).run()
        except AssertionError as error:
            found.append(str(error))
    assert any("both hold a lease" in message for message in found)


def test_jumps_of_wall_clocks_do_nothing_to_a_lease_on_the_monotonic_one():
    for seed in range(30):
        Pump(seed, lease="monotonic", jumps_ms=3000, modes=READS, max_lag_ms=200).run().check_end()


def test_bounded_reads_are_served_and_refused_and_never_beyond_the_bound():
    answers = []
    for seed in range(40):
        pump = Pump(seed, max_lag_ms=150, modes=("write", "write", "bounded")).run()
        pump.check_end()
        answers += [one.get("error", one["status"]) for one in pump.told if one["mode"] == "bounded"]
    assert answers.count("ok") > 200 < answers.count("too-stale")


def promises_nothing(patch):
    patch.setattr(lease, "promise", lambda state: None)


def promise_forgotten_by_a_restart(patch):
    patch.setattr(lease, "start", lambda state: None)


def counts_from_the_answer(patch):
    def renew(state):
        if state.configuration.lease != "off":
            state.lease_until_ns = state.now_ns + state.configuration.lease_ns

    patch.setattr(lease, "renew", renew)


def follower_trusts_the_hour_of_arrival(patch):
    def on_vouched(state, message):
        state.fresher = (message.commit_index, state.now_ns)
        rounds.on_applied(state)

    patch.setattr(rounds, "on_vouched", on_vouched)


@pytest.mark.parametrize(
    ("mistake", "options"),
    [
        (promises_nothing, {"lease_ms": 600}),
        (promise_forgotten_by_a_restart, {"lease_ms": 1000, "election_timeout_ms": 60, "modes": ("write", "lease")}),
        (counts_from_the_answer, {"lease_ms": 300}),
        (follower_trusts_the_hour_of_arrival, {"modes": ("write", "bounded"), "max_lag_ms": 70}),
    ],
)
def test_the_schedules_find(mistake, options, monkeypatch):
    mistake(monkeypatch)
    for seed in range(400):
        try:
            Pump(seed, **{"lease": "monotonic", "heartbeat_ms": 20} | options).run()
        except AssertionError:
            return
    pytest.fail(f"{mistake.__name__} was not found in 400 schedules")


# ── the follower's promise ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("trial", [True, False])
def test_nobody_is_voted_for_while_the_leader_has_a_promise(trial):
    node = make("n2", lease="monotonic", lease_ms=400)
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat()), 100 * MS)
    request = VoteRequest(2, 5, 5, trial)
    (refusal,) = node.handle(Received("n3", request), 499 * MS)
    assert refusal.message == VoteAnswer(1, False, trial)
    assert node.state.generation == 1
    assert node.handle(Received("n3", request), 500 * MS)[-1].message.granted


def test_a_ballot_is_refused_while_the_leader_has_a_promise():
    node = make("n2", lease="monotonic", lease_ms=400, election="paxos")
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat()), 100 * MS)
    (refusal,) = node.handle(Received("n3", PrepareRequest(2, 1, 0, 0)), 499 * MS)
    assert (refusal.message.granted, node.state.generation) == (False, 1)
    assert node.handle(Received("n3", PrepareRequest(2, 1, 0, 0)), 500 * MS)[-1].message.granted


def test_nobody_stands_while_the_leader_has_a_promise():
    node = make("n2", lease="monotonic", lease_ms=2000)
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat()), 100 * MS)
    for time_ms in range(150, 2100, 50):
        assert node.handle(Tick(), time_ms * MS) == []
    assert node.handle(Tick(), 2100 * MS)
    assert node.state.role == "pre-candidate"


def test_a_node_that_restarts_holds_back_for_a_whole_lease():
    node = make("n2", lease="monotonic", lease_ms=400, generation=3)
    node.handle(Start(), 10 * MS)
    (refusal,) = node.handle(Received("n3", VoteRequest(4, 5, 5, False)), 409 * MS)
    assert not refusal.message.granted
    assert node.handle(Received("n3", VoteRequest(4, 5, 5, False)), 410 * MS)[-1].message.granted


def test_a_promise_may_be_broken_when_that_leader_let_its_lease_go_and_only_then():
    node = make("n2", lease="monotonic", lease_ms=400)
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat(generation=2)), 100 * MS)
    (refusal,) = node.handle(Received("n3", VoteRequest(3, 5, 5, False, 1)), 110 * MS)
    assert not refusal.message.granted
    assert node.handle(Received("n3", VoteRequest(3, 5, 5, False, 2)), 111 * MS)[-1].message.granted


# ── the leader's trust ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lease_counts_from_the_question_and_is_shortened_by_the_drift():
    node = leader(lease_ms=300, drift_ppm=100_000)
    trusted_ms = 300 * 900_000 // 1_100_000
    assert node.state.lease_until_ns == 452 * MS + node.state.configuration.trusted_lease_ns
    assert told(node, "lease", 452 + trusted_ms) == ["ok"]
    assert told(node, "lease", 452 + trusted_ms + 1) == []


def test_without_a_lease_in_force_a_majority_is_asked():
    node = leader(lease_ms=300)
    assert told(node, "lease", 900) == []
    assert node.wants_flush()
    node.handle(Flush(), 901 * MS)
    effects = node.handle(Received("n3", AppendAnswer(1, True, 1, 2)), 902 * MS)
    assert [reply.answer["status"] for reply in kinds(effects, Reply)] == ["ok"]


def test_a_new_leader_does_not_serve_by_lease_before_it_has_committed_something():
    node = make(lease="monotonic")
    generation = elect(node)
    node.handle(Received("n2", AppendAnswer(generation, True, 0, 1)), 453 * MS)
    assert lease.holds(node.state)
    assert told(node, "lease", 454) == []


def test_a_lease_that_is_off_is_told():
    node = leader(lease="off")
    assert told(node, "lease", 456) == ["no-lease"]


def test_in_async_a_leader_without_a_lease_refuses_instead_of_asking():
    node = leader(replication="async", lease_ms=300)
    assert told(node, "lease", 600) == ["ok"]
    assert told(node, "lease", 900) == ["no-lease"]


def test_a_wall_clock_that_is_set_back_makes_the_lease_longer():
    node = make(lease="wall", lease_ms=300)
    node.handle(Start(), 0, 0)
    node.handle(Tick(), 450 * MS, 9000 * MS)
    node.handle(Received("n2", VoteAnswer(1, True, True)), 451 * MS, 9001 * MS)
    node.handle(Received("n2", VoteAnswer(1, True, False)), 452 * MS, 9002 * MS)
    node.handle(Persisted(1, 1), 453 * MS, 9003 * MS)
    node.handle(Received("n2", AppendAnswer(1, True, 1, 1)), 455 * MS, 9005 * MS)
    assert told(node, "lease", 1000, 8000) == ["ok"]
    assert told(node, "lease", 1000, 9550) == []


# ── local and bounded reads ──────────────────────────────────────────────────────────────────────────────────────────


def test_leader_local_reads_ask_nobody_and_are_refused_by_followers():
    assert told(leader(), "leader-local", 5000) == ["ok"]
    node = make("n2")
    node.handle(Start(), 0)
    assert told(node, "leader-local", 1) == ["not-leader"]


def test_a_follower_is_as_fresh_as_its_latest_answer_that_is_vouched_for():
    node = make("n2", max_lag_ms=200)
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat(number=1)), 100 * MS)
    node.handle(Received("n1", heartbeat(number=2)), 150 * MS)
    assert told(node, "bounded", 151) == ["too-stale"]
    node.handle(Received("n1", heartbeat(number=3, vouched=1)), 200 * MS)
    assert told(node, "bounded", 300) == ["ok"]
    assert told(node, "bounded", 301) == ["too-stale"]


def test_a_vouched_answer_counts_once_everything_committed_then_is_applied():
    node = make("n2", max_lag_ms=500)
    node.handle(Start(), 0)
    node.handle(Received("n1", heartbeat(number=1)), 100 * MS)
    first = Entry(1, 1, ["write", "x", 5])
    node.handle(Received("n1", heartbeat(number=2, vouched=1, commit=2, entries=[first])), 150 * MS)
    assert told(node, "bounded", 151) == ["too-stale"]
    second = Entry(1, 2, ["write", "x", 6])
    node.handle(Received("n1", heartbeat(number=2, commit=2, entries=[second], previous=(1, 1))), 160 * MS)
    assert told(node, "bounded", 161) == ["ok"]


def test_messages_that_lay_in_a_buffer_make_nobody_fresh():
    node = make("n2", max_lag_ms=200)
    node.handle(Start(), 0)
    for number, at_ms in ((1, 100), (2, 150)):
        node.handle(Received("n1", heartbeat(number=number)), at_ms * MS)
    node.handle(Received("n1", heartbeat(number=3, vouched=2)), 5000 * MS)
    assert told(node, "bounded", 5001) == ["too-stale"]


def test_the_leader_vouches_for_an_answer_after_a_majority_answered_a_later_round():
    node = leader()
    progress = node.state.followers["n2"]
    assert (progress.vouched_round, progress.to_vouch) == (0, (1, 2))
    for send in node.handle(Tick(), 502 * MS):
        assert (send.message.round, send.message.vouched_round) == (2, 0)
    node.handle(Received("n3", AppendAnswer(1, True, 1, 2)), 503 * MS)
    assert progress.vouched_round == 1
    vouched = {send.to: send.message.vouched_round for send in node.handle(Tick(), 553 * MS)}
    assert vouched == {"n2": 1, "n3": 0}


def test_a_leader_alone_is_as_fresh_as_its_latest_round():
    node = make(nodes=("n1",), election="none", max_lag_ms=200)
    node.handle(Start(), 0)
    node.handle(Persisted(1, 1), 1)
    node.handle(Tick(), 50 * MS)
    assert told(node, "bounded", 250) == ["ok"]
    assert told(node, "bounded", 251) == ["too-stale"]
