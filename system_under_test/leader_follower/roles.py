"""Becoming a follower, and what a leader owes its clients when it stops being one."""

from __future__ import annotations

from . import answers, transfer
from .messages import SaveHardState
from .state import NEVER_NS, State


def become_follower(state: State, generation: int, leader: str | None) -> None:
    """Follow in `generation`, not below the present one; of a newer one, first forget the vote, durably."""
    assert generation >= state.generation, f"generation {generation} after {state.generation}"
    if generation > state.generation:
        state.generation, state.vote = generation, None
        save_hard_state(state)
    if state.role == "leader":
        _resign(state, leader)
    state.role = "follower"
    follow(state, leader)
    restart_election_timer(state)


def follow(state: State, leader: str | None) -> None:
    """Take `leader` for the leader. What was known to equal an earlier leader's log says nothing of this one's."""
    if leader not in (None, state.leader):
        state.note(f"following {leader} in generation {state.generation}")
    state.leader = leader
    state.first_leader = state.first_leader or leader
    state.verified_index, state.answer_due, state.round_seen = 0, False, 0
    state.rounds_heard.clear()
    if leader is not None:
        state.known_generation = state.generation
        state.proposal = None
        transfer.on_leader(state)


def save_hard_state(state: State) -> None:
    """Want generation and vote made durable before anything that follows."""
    state.effects.append(SaveHardState(state.generation, state.vote))


def restart_election_timer(state: State) -> None:
    """Stand for election after a silence of one to two election timeouts, drawn anew each time."""
    if state.configuration.election == "none":
        state.election_deadline_ns = NEVER_NS
        return
    timeout_ns = state.configuration.election_timeout_ns
    state.election_deadline_ns = state.now_ns + timeout_ns + int(state.random.random() * timeout_ns)


def _resign(state: State, leader: str | None) -> None:
    """Stop leading. A waiting write may yet be committed by the next leader: nobody knows. A read had no effect."""
    state.note(f"no longer leader of generation {state.generation}; {len(state.writes)} writes left open")
    state.leader = leader
    for write in state.writes.values():
        answers.doubtful(state, write.reference, "leader-changed")
    for waiting in state.reads_next + state.reads_in_round:
        answers.refused(state, waiting.request.reference, "not-leader")
    state.writes, state.reads_next, state.reads_in_round = {}, [], []
    state.followers = {}
    state.round_sent.clear()
    state.log_ends.clear()
    state.lease_until_ns, state.lease_released = -NEVER_NS, False
    if state.joining is not None:
        answers.refused(state, state.joining.reference, "leader-changed")
        state.joining = None
    state.heartbeat_deadline_ns = state.quorum_deadline_ns = NEVER_NS
    state.replication_due = False
