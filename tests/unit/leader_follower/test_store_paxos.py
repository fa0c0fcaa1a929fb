"""Election by Paxos: the acceptor's and the proposer's rules one by one, and whole schedules."""

import pytest
from store_pump import MS, Pump
from test_store_core import kinds, make

from system_under_test.leader_follower import paxos
from system_under_test.leader_follower.hard_state import load_hard_state, save_hard_state
from system_under_test.leader_follower.messages import (
    AcceptAnswer,
    AcceptRequest,
    AppendRequest,
    Decided,
    Entry,
    PrepareAnswer,
    PrepareRequest,
    Received,
    SaveHardState,
    Send,
    Start,
    Tick,
    VoteAnswer,
    VoteRequest,
)
from system_under_test.leader_follower.state import Promise


def node(name="n1", **more):
    one = make(name, election="paxos", **more)
    one.handle(Start(), 0)
    return one


def sent(effects):
    return [(effect.to, effect.message) for effect in kinds(effects, Send)]


def promise(number, generation=1, accepted=(0, "", ""), version=(0, 0)):
    return PrepareAnswer(generation, number, True, number, *accepted, *version)


def proposer(**more):
    """n1 of three, which a pre-vote let propose; in ballot 1 of generation 1."""
    one = node(**more)
    one.handle(Tick(), 450 * MS)
    effects = one.handle(Received("n2", VoteAnswer(one.state.generation + 1, True, True)), 451 * MS)
    return one, effects


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lease", ["off", "monotonic"])
def test_paxos_keeps_every_promise(lease):
    led = set()
    for seed in range(80):
        pump = Pump(seed, nodes=5 if seed % 8 == 0 else 3, election="paxos", lease=lease).run()
        pump.check_end()
        led |= {(seed, generation) for generation in pump.leaders}
    assert len(led) > 160


def test_who_proposes_need_not_be_who_leads():
    named = 0
    for seed in range(30):
        pump = Pump(seed, election="paxos").run()
        for name, host in pump.hosts.items():
            proposer, leader = host.vote[3:] if host.vote else ("", "")
            named += leader not in ("", proposer, name) and pump.leaders.get(host.generation) == leader
    assert named > 3


def names_the_shortest_log(patch):
    patch.setattr(paxos, "choose", lambda promises, _: min(promises, key=lambda name: promises[name].version))


def forgets_what_it_accepted(patch):
    patch.setattr(paxos, "acceptor", lambda state: (paxos.NO_BALLOT, paxos.NO_BALLOT, ""))


def names_itself_whatever_was_accepted(patch):
    patch.setattr(paxos, "choose", lambda promises, proposer: proposer)


@pytest.mark.parametrize(
    "mistake", [names_the_shortest_log, forgets_what_it_accepted, names_itself_whatever_was_accepted]
)
def test_the_schedules_find(mistake, monkeypatch):
    mistake(monkeypatch)
    for seed in range(400):
        try:
            Pump(seed, election="paxos").run().check_end()
        except AssertionError:
            return
    pytest.fail(f"{mistake.__name__} was not found in 400 schedules")


# ── the acceptor ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_promise_is_durable_before_it_is_given_and_tells_where_the_log_ends():
    one = node("n2", entries=[Entry(1, 1, None)], generation=1)
    effects = one.handle(Received("n1", PrepareRequest(2, 3, 0, 0)), 1)
    saved, answer = effects[-2:]
    assert saved == SaveHardState(2, [3, "n1", 0, "", ""])
    assert answer == Send("n1", PrepareAnswer(2, 3, True, 3, 0, "", "", 1, 1))


def test_a_smaller_ballot_is_refused_and_told_the_larger():
    one = node("n2")
    one.handle(Received("n3", PrepareRequest(1, 5, 0, 0)), 1)
    assert sent(one.handle(Received("n1", PrepareRequest(1, 4, 0, 0)), 2)) == [
        ("n1", PrepareAnswer(1, 4, False, 5, 0, "", "", 0, 0))
    ]
    assert sent(one.handle(Received("n1", AcceptRequest(1, 4, "n1")), 3)) == [("n1", AcceptAnswer(1, 4, False))]


def test_what_was_accepted_is_told_to_later_ballots_and_survives_a_restart():
    one = node("n2")
    one.handle(Received("n1", PrepareRequest(1, 1, 0, 0)), 1)
    effects = one.handle(Received("n1", AcceptRequest(1, 1, "n3")), 2)
    assert effects == [SaveHardState(1, [1, "n1", 1, "n1", "n3"]), Send("n1", AcceptAnswer(1, 1, True))]
    again = node("n2", generation=1, vote=effects[0].vote)
    ((_, told),) = sent(again.handle(Received("n3", PrepareRequest(1, 2, 0, 0)), 1))
    assert (told.accepted_number, told.accepted_by, told.leader) == (1, "n1", "n3")


def test_what_is_kept_on_disk_is_read_back_as_it_was():
    from memory_disk import MemoryDisk

    disk = MemoryDisk()
    save_hard_state(disk, 4, [3, "n1", 2, "n2", "n3"])
    assert load_hard_state(disk) == (4, [3, "n1", 2, "n2", "n3"])


def test_an_older_generation_is_refused_and_told_the_newer():
    one = node("n2", generation=7)
    ((_, told),) = sent(one.handle(Received("n1", PrepareRequest(6, 9, 0, 0)), 1))
    assert (told.generation, told.granted) == (7, False)


def test_who_promised_takes_no_entries_of_older_leaders():
    one = node("n2")
    one.handle(Received("n1", PrepareRequest(2, 1, 0, 0)), 1)
    one.handle(Received("n3", AppendRequest(1, 0, 0, [Entry(1, 1, None)], 0, 0)), 2)
    assert one.state.log.last_index == 0


def test_a_proposer_that_knows_fewer_changes_of_the_membership_is_refused():
    one = node("n2", entries=[Entry(1, 1, ["remove-node", "n3"])], generation=1)
    ((_, told),) = sent(one.handle(Received("n3", PrepareRequest(2, 1, 0, 0)), 1))
    assert not told.granted
    ((_, told),) = sent(one.handle(Received("n1", PrepareRequest(2, 1, 1, 1)), 2))
    assert told.granted


def test_a_vote_of_rafts_on_disk_bars_the_node_from_that_generation():
    one = node("n2", generation=3, vote="n1")
    ((_, told),) = sent(one.handle(Received("n3", PrepareRequest(3, 8, 0, 0)), 1))
    assert not told.granted
    ((_, told),) = sent(one.handle(Received("n3", PrepareRequest(4, 1, 0, 0)), 2))
    assert told.granted


# ── the proposer ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_proposal_goes_prepare_accept_decided():
    one, effects = proposer()
    assert sent(effects) == [(peer, PrepareRequest(1, 1, 0, 0)) for peer in ("n2", "n3")]
    effects = one.handle(Received("n2", promise(1)), 452 * MS)
    assert kinds(effects, SaveHardState) == [SaveHardState(1, [1, "n1", 1, "n1", "n1"])]
    assert sent(effects) == [(peer, AcceptRequest(1, 1, "n1")) for peer in ("n2", "n3")]
    effects = one.handle(Received("n3", AcceptAnswer(1, 1, True)), 453 * MS)
    assert sent(effects)[:2] == [(peer, Decided(1, "n1")) for peer in ("n2", "n3")]
    assert one.state.role == "leader"


def test_the_most_up_to_date_of_those_who_promised_is_named():
    one, _ = proposer()
    effects = one.handle(Received("n2", promise(1, version=(0, 4))), 452 * MS)
    assert {message.leader for _, message in sent(effects)} == {"n2"}
    effects = one.handle(Received("n2", AcceptAnswer(1, 1, True)), 453 * MS)
    assert sent(effects) == [(peer, Decided(1, "n2")) for peer in ("n2", "n3")]
    assert one.state.role == "follower"


def test_what_may_be_decided_already_is_named_again():
    one, _ = proposer()
    effects = one.handle(Received("n2", promise(1, accepted=(0, "n0", "n3"), version=(0, 9))), 452 * MS)
    assert {message.leader for _, message in sent(effects)} == {"n3"}


def test_of_several_accepted_the_largest_ballot_counts():
    promises = {
        "n1": Promise((2, "n1"), "n1", (1, 1)),
        "n2": Promise((2, "n2"), "n3", (1, 1)),
        "n3": Promise((0, ""), "", (1, 9)),
    }
    assert paxos.choose(promises, "n1") == "n3"


def test_a_refused_ballot_is_repeated_in_the_same_generation_above_the_one_that_stood_in_the_way():
    one, _ = proposer()
    one.handle(Received("n2", PrepareAnswer(1, 1, False, 6, 0, "", "", 0, 0)), 452 * MS)
    one.handle(Tick(), 1000 * MS)
    effects = one.handle(Received("n3", VoteAnswer(1, True, True)), 1001 * MS)
    assert sent(effects)[0] == ("n2", PrepareRequest(1, 7, 0, 0))


def test_after_a_decision_the_next_generation_is_tried():
    one, _ = proposer()
    one.handle(Received("n2", Decided(1, "n2")), 452 * MS)
    effects = one.handle(Tick(), 1100 * MS)
    assert sent(effects)[0] == ("n2", VoteRequest(2, 0, 0, True))


def test_late_answers_to_an_earlier_ballot_are_not_counted():
    one, _ = proposer()
    one.handle(Tick(), 1000 * MS)
    one.handle(Received("n3", VoteAnswer(1, True, True)), 1001 * MS)
    assert one.state.proposal.number == 2
    assert not kinds(one.handle(Received("n2", promise(1)), 1002 * MS), Send)
    assert not kinds(one.handle(Received("n2", AcceptAnswer(1, 1, True)), 1003 * MS), Send)


def test_who_is_named_by_others_begins_to_lead_when_told():
    one = node("n2")
    one.handle(Received("n1", PrepareRequest(1, 1, 0, 0)), 1)
    one.handle(Received("n1", Decided(1, "n2")), 2)
    assert (one.state.role, one.state.generation) == ("leader", 1)


def test_nobody_leads_a_generation_twice():
    restarted = node("n2", generation=1, vote=[1, "n1", 1, "n1", "n2"])
    restarted.handle(Received("n1", Decided(1, "n2")), 2)
    assert restarted.state.role == "follower"
    deposed = node("n2")
    deposed.handle(Received("n1", Decided(1, "n2")), 1)
    for time_ms in range(50, 700, 50):
        deposed.handle(Tick(), time_ms * MS)
    assert deposed.state.role != "leader"
    deposed.handle(Received("n1", Decided(1, "n2")), 701 * MS)
    assert deposed.state.role != "leader"


def test_votes_of_raft_mean_nothing_under_paxos_nor_ballots_under_raft():
    one = node("n2")
    assert one.handle(Received("n1", VoteRequest(1, 0, 0, False)), 1) == []
    other = make("n2")
    other.handle(Start(), 0)
    assert other.handle(Received("n1", PrepareRequest(1, 1, 0, 0)), 1) == []
