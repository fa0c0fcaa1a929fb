"""Taking up leadership, and giving it up when a majority is not there any more.

Check-quorum: a leader that has not heard from a majority for an election timeout (and for the length of a lease, if
there are any: before that nobody else can be elected) steps down, so that its clients look elsewhere. In `async`
replication it does not: it needs nobody to go on, goes on, and loses on return what it acknowledged meanwhile. That is
what asynchronous systems do, and what this mode is here to show.
"""

from __future__ import annotations

from . import autopilot
from .replication import append_as_leader, broadcast
from .roles import become_follower
from .state import NEVER_NS, Progress, State


def become_leader(state: State) -> None:
    """Lead: begin with an entry of one's own, by which everything before it gets committed too."""
    configuration = state.configuration
    state.role, state.leader = "leader", configuration.name
    state.known_generation = state.barred_generation = state.generation
    state.proposal = None
    state.election_deadline_ns = NEVER_NS
    state.round = 0
    state.followers = {
        peer: Progress(state.log.last_index + 1, heard_ns=state.now_ns) for peer in state.other_members()
    }
    if configuration.election != "none" and configuration.replication != "async":
        state.quorum_deadline_ns = state.now_ns + configuration.quorum_timeout_ns
    autopilot.begin(state)
    state.note(f"leader of generation {state.generation}, log ends at {state.log.last_version()}")
    if not state.has_bug("old-generation-counted"):
        append_as_leader(state, None)
    broadcast(state)


def check_quorum(state: State) -> bool:
    """Step down unless a majority was heard from in the last timeout."""
    # The majority's weakest member decides how long leadership is still vouched for.
    own, followers = state.configuration.name, state.followers
    heard_ns = [state.now_ns if member == own else followers[member].heard_ns for member in state.members]
    state.quorum_deadline_ns = sorted(heard_ns)[-state.majority] + state.configuration.quorum_timeout_ns
    if state.has_bug("read-without-confirmation") or state.has_bug("no-fencing"):
        state.quorum_deadline_ns = max(state.quorum_deadline_ns, state.now_ns + state.configuration.heartbeat_ns)
    if state.quorum_deadline_ns > state.now_ns:
        return True
    state.note("not heard from a majority: stepping down")
    become_follower(state, state.generation, None)
    return False
