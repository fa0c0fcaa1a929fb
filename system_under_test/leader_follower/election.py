"""Election: who stands, when, and Raft's way of voting (Ongaro and Ousterhout 2014, 5.2, 5.4.1); Paxos': `paxos.py`.

A follower that has not heard from a leader for one to two election timeouts first asks whether it would be elected
(pre-vote: Ongaro 2014, 9.6), so that a node that was cut off does not depose a working leader when it comes back. If
a majority says so, it stands for real. Under `raft` it raises the generation, votes for itself, makes both durable and
asks for votes. A voter has one vote a generation, gives it only to a candidate whose log is at least as up to date as
its own, and makes it durable before it says so.

Whoever promised the leader a lease neither votes nor stands, and takes no notice of a newer generation, until that
promise is over (`lease.py`). Votes are given to whoever asks, since who asks may know of newer members
(`membership.py`); they are counted by the candidate's newest idea of who the members are.

Election `none`: the first node leads for ever; each of its starts is a generation of its own.
"""

from __future__ import annotations

from . import autopilot, changes, lease, paxos, transfer
from .leading import become_leader, check_quorum
from .messages import StandNow, VoteAnswer, VoteRequest
from .replication import broadcast
from .roles import become_follower, restart_election_timer, save_hard_state
from .state import State


def start(state: State) -> None:
    """Begin as a follower; the fixed leader begins to lead."""
    state.known_generation = state.barred_generation = state.generation
    restart_election_timer(state)
    lease.start(state)
    if state.configuration.election == "none" and state.configuration.name == state.configuration.nodes[0]:
        _raise_generation(state)
        become_leader(state)


def tick(state: State) -> None:
    """Stand for election after silence; as leader send heartbeats and see whether a majority is still there."""
    transfer.expire(state)
    changes.expire(state)
    autopilot.tick(state)
    if state.role == "leader":
        if state.now_ns >= state.quorum_deadline_ns and not check_quorum(state):
            return
        if state.now_ns >= state.heartbeat_deadline_ns:
            broadcast(state)
    elif state.now_ns >= state.election_deadline_ns:
        # Who is not a member may still have to stand: the others may need its log until its removal is committed.
        if not (state.is_member() or state.is_changing()) or lease.is_promised(state):
            # Looked at again soon, and not when the promise should be over: a wall clock may jump until then.
            state.election_deadline_ns = state.now_ns + state.configuration.heartbeat_ns
        else:
            _stand(state, trial=True)


def on_vote_request(state: State, source: str, message: VoteRequest) -> None:
    """Somebody stands for election."""
    promised = lease.is_promised(state, message.released)
    if message.trial:
        granted = _is_electable(state, message) and not _has_leader(state) and not promised
        generation = message.generation if granted else state.generation
        state.send(source, VoteAnswer(generation, granted, True))
        return
    if promised:
        state.send(source, VoteAnswer(state.generation, False, False))
        return
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
    free = state.vote in (None, source) or state.has_bug("votes-twice")
    granted = message.generation == state.generation and free and _is_up_to_date(state, message)
    if granted:
        if state.vote is None:
            state.vote = source
            save_hard_state(state)
        restart_election_timer(state)
    state.send(source, VoteAnswer(state.generation, granted, False))


def on_vote_answer(state: State, source: str, message: VoteAnswer) -> None:
    """A vote, or a refusal, which may tell of a newer generation."""
    if not message.granted:
        if message.generation > state.generation:
            become_follower(state, message.generation, None)
        return
    wanted = ("pre-candidate", _next_generation(state)) if message.trial else ("candidate", state.generation)
    late = message.trial and state.has_bug("trial-votes-counted") and state.role == "candidate"
    if (state.role, message.generation) == wanted or (late and message.generation == state.generation):
        state.votes.add(source)
        _count_votes(state)


def on_stand_now(state: State, source: str, message: StandNow) -> None:
    """The leader hands over to this node: stand without asking first whether there is a leader."""
    if (message.generation, source, state.role) == (state.generation, state.leader, "follower") and state.is_member():
        _stand(state, trial=False, released=message.generation)


def _stand(state: State, trial: bool, released: int = 0) -> None:
    """Ask for votes: on trial in the next generation, or for real in one of one's own."""
    if not trial and state.configuration.election == "paxos":
        paxos.propose(state, released)
        return
    if not trial:
        _raise_generation(state)
        state.note(f"standing for election in generation {state.generation}")
    state.role = "pre-candidate" if trial else "candidate"
    state.leader = None
    state.votes = {state.configuration.name}
    restart_election_timer(state)
    generation = _next_generation(state) if trial else state.generation
    for peer in state.other_members():
        state.send(peer, VoteRequest(generation, *state.log.last_version(), trial, released))
    _count_votes(state)


def _count_votes(state: State) -> None:
    if len(state.votes.intersection(state.members)) < state.majority:
        return
    if state.role == "pre-candidate":
        _stand(state, trial=False)
    else:
        become_leader(state)


def _next_generation(state: State) -> int:
    return paxos.next_generation(state) if state.configuration.election == "paxos" else state.generation + 1


def _raise_generation(state: State) -> None:
    state.generation, state.vote = state.generation + 1, state.configuration.name
    save_hard_state(state)


def _is_electable(state: State, message: VoteRequest) -> bool:
    """Whether a trial would succeed: under `paxos` the candidate need only know the members as well as this node."""
    if state.configuration.election == "paxos":
        known = (message.last_generation, message.last_index) >= state.memberships[-1].version
        return message.generation >= state.generation and known
    return message.generation > state.generation and _is_up_to_date(state, message)


def _is_up_to_date(state: State, message: VoteRequest) -> bool:
    if state.has_bug("no-up-to-date-check"):
        return True
    if state.has_bug("longest-log-wins"):
        return message.last_index >= state.log.last_index
    return (message.last_generation, message.last_index) >= state.log.last_version()


def _has_leader(state: State) -> bool:
    """Whether a leader was heard of lately (or is oneself), so that no election is called for."""
    silence_ns = state.now_ns - state.leader_heard_ns
    return state.role == "leader" or silence_ns < state.configuration.election_timeout_ns
