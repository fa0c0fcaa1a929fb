"""Election: Raft's (Ongaro and Ousterhout 2014, 5.2, 5.4.1), with pre-vote (Ongaro 2014, 9.6) and check-quorum (6.2).

A follower that has not heard from a leader for one to two election timeouts first asks whether it would be elected
(pre-vote), so that a node that was cut off does not depose a working leader when it comes back; then it raises the
generation, votes for itself, makes both durable and asks for votes. A voter has one vote a generation, gives it only to
a candidate whose log is at least as up to date as its own, and makes it durable before it says so.

Check-quorum: a leader that has not heard from a majority for an election timeout steps down, so that its clients look
elsewhere. In `async` replication it does not: it needs nobody to go on, goes on, and loses on return what it
acknowledged meanwhile. That is what asynchronous systems do, and what this mode is here to show.

Election `none`: the first node leads for ever; each of its starts is a generation of its own.
"""

from __future__ import annotations

from .messages import VoteAnswer, VoteRequest
from .replication import append_as_leader, broadcast
from .roles import become_follower, restart_election_timer, save_hard_state
from .state import NEVER_NS, Progress, State


def start(state: State) -> None:
    """Begin as a follower; the fixed leader begins to lead."""
    restart_election_timer(state)
    if state.configuration.election == "none" and state.configuration.name == state.configuration.nodes[0]:
        _raise_generation(state)
        _become_leader(state)


def tick(state: State) -> None:
    """Stand for election after silence; as leader send heartbeats and see whether a majority is still there."""
    if state.role == "leader":
        if state.now_ns >= state.quorum_deadline_ns and not _check_quorum(state):
            return
        if state.now_ns >= state.heartbeat_deadline_ns:
            broadcast(state)
    elif state.now_ns >= state.election_deadline_ns:
        _stand(state, trial=True)


def on_vote_request(state: State, source: str, message: VoteRequest) -> None:
    """Somebody stands for election."""
    if message.trial:
        granted = message.generation > state.generation and _is_up_to_date(state, message) and not _has_leader(state)
        generation = message.generation if granted else state.generation
        state.send(source, VoteAnswer(generation, granted, True))
        return
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
    granted = message.generation == state.generation and state.vote in (None, source) and _is_up_to_date(state, message)
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
    wanted = ("pre-candidate", state.generation + 1) if message.trial else ("candidate", state.generation)
    if (state.role, message.generation) == wanted:
        state.votes.add(source)
        _count_votes(state)


def _stand(state: State, trial: bool) -> None:
    """Ask for votes: on trial in the next generation, or for real in one of one's own."""
    if not trial:
        _raise_generation(state)
        state.note(f"standing for election in generation {state.generation}")
    state.role = "pre-candidate" if trial else "candidate"
    state.leader = None
    state.votes = {state.configuration.name}
    restart_election_timer(state)
    generation = state.generation + 1 if trial else state.generation
    for peer in state.configuration.peers:
        state.send(peer, VoteRequest(generation, *state.log.last_version(), trial))
    _count_votes(state)


def _count_votes(state: State) -> None:
    if len(state.votes) < state.configuration.majority:
        return
    if state.role == "pre-candidate":
        _stand(state, trial=False)
    else:
        _become_leader(state)


def _raise_generation(state: State) -> None:
    state.generation, state.vote = state.generation + 1, state.configuration.name
    save_hard_state(state)


def _become_leader(state: State) -> None:
    """Lead: begin with an entry of one's own, by which everything before it gets committed too."""
    state.role, state.leader = "leader", state.configuration.name
    state.election_deadline_ns = NEVER_NS
    state.round = 0
    state.followers = {
        peer: Progress(state.log.last_index + 1, heard_ns=state.now_ns) for peer in state.configuration.peers
    }
    if state.configuration.election != "none" and state.configuration.replication != "async":
        state.quorum_deadline_ns = state.now_ns + state.configuration.election_timeout_ns
    state.note(f"leader of generation {state.generation}, log ends at {state.log.last_version()}")
    append_as_leader(state, None)
    broadcast(state)


def _check_quorum(state: State) -> bool:
    """Step down unless a majority was heard from in the last election timeout."""
    timeout_ns = state.configuration.election_timeout_ns
    heard = sorted((progress.heard_ns for progress in state.followers.values()), reverse=True)
    others = state.configuration.majority - 1
    # The majority's weakest member decides how long leadership is still vouched for.
    vouched_ns = heard[others - 1] if others else state.now_ns
    if state.now_ns - vouched_ns >= timeout_ns:
        state.note("no majority in reach: stepping down")
        become_follower(state, state.generation, None)
        return False
    state.quorum_deadline_ns = vouched_ns + timeout_ns
    return True


def _is_up_to_date(state: State, message: VoteRequest) -> bool:
    return (message.last_generation, message.last_index) >= state.log.last_version()


def _has_leader(state: State) -> bool:
    """Whether a leader was heard of lately (or is oneself), so that no election is called for."""
    silence_ns = state.now_ns - state.leader_heard_ns
    return state.role == "leader" or silence_ns < state.configuration.election_timeout_ns
