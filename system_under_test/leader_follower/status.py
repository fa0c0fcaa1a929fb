"""What a node says of itself, to people and to programs: the answer to `{"f": "status"}`.

role, generation, leader, ready     who leads, and whether this node does and has committed something itself
members, commit_index, ...          the cluster as this node's log has it, and how far its log is what
lag_ms                              how old what it serves may be, by what it knows (null: it does not know)
lease_ms                            as leader: for how long its lease holds on
followers                           as leader, by node: match_index (up to there its log is known to be equal and
                                    durable), lag (entries that it lacks), lag_ms (how long ago, at most, the log
                                    ended where the follower is), heard_ms (how long ago it was heard), member
"""

from __future__ import annotations

from typing import Any

from . import lease, rounds
from .configuration import MILLISECOND_NS
from .state import State


def of(state: State) -> dict[str, Any]:
    """The whole status as JSON-able data."""
    known = state.fresh_ns >= 0
    held_ns = state.lease_until_ns - state.lease_clock_ns() if lease.holds(state) else 0
    return {
        "role": state.role,
        "generation": state.generation,
        "leader": state.leader,
        "ready": state.leads_and_knows(),
        "applied": state.applied(),
        "commit_index": state.commit_index,
        "durable_index": state.durable_index,
        "last_index": state.log.last_index,
        "snapshot_index": state.snapshot.version[1],
        "disk_full": state.disk_full,
        "rolled_back": state.rolled_back,
        "members": state.members,
        "lag_ms": (state.now_ns - state.fresh_ns) // MILLISECOND_NS if known else None,
        "lease_ms": held_ns // MILLISECOND_NS,
        "transferring_to": None if state.transfer is None else state.transfer.target,
        "joining": None if state.joining is None else state.joining.name,
        "followers": {name: _follower(state, name) for name in state.followers},
    }


def summary(state: State) -> dict[str, Any]:
    """What tells one state of a node from another, for whoever explores them."""
    return {
        "role": state.role,
        "generation": state.generation,
        "last_index": state.log.last_index,
        "commit_index": state.commit_index,
    }


def _follower(state: State, name: str) -> dict[str, Any]:
    progress = state.followers[name]
    return {
        "match_index": progress.match_index,
        "lag": state.log.last_index - progress.match_index,
        "lag_ms": rounds.lag_ms(state, progress.match_index),
        "heard_ms": (state.now_ns - progress.heard_ns) // MILLISECOND_NS,
        "member": name in state.members,
    }
