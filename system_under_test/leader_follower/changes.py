"""Changing the membership: one node added or removed at a time, through the log (see `membership.py`).

    {"id": 1, "f": "add-node", "key": "n4"}        ok once the entry is committed; the value is the node

A change is refused while another one is not committed: two at once could leave two majorities that share nobody. It is
also refused before the leader has committed an entry of its own generation: an uncommitted change of an earlier leader
may be about to come back (Ongaro, raft-dev, 2015). A node to be added is first brought up to date as a follower that
does not count, so that the cluster does not wait for it once it does.

The leader may remove itself: it leads on, not counting itself, until the removal is committed, and steps down then.
The last member cannot be removed.
"""

from __future__ import annotations

from . import answers, replication
from .messages import Reference, Request
from .state import Joining, Progress, State, WaitingWrite

CLOSE_ENTRIES = 64
"""A joining node that lacks no more than this counts as up to date."""


def on_change(state: State, request: Request) -> None:
    """Begin to add or remove a node, or refuse it."""
    refusal = _refusal(state, request)
    if refusal is not None:
        answers.refused(state, request.reference, refusal)
    elif request.f == "remove-node":
        _append(state, "remove-node", request.key, request.reference)
    else:
        deadline_ns = state.now_ns + state.configuration.wait_ns
        state.joining = Joining(request.key, deadline_ns, request.reference)
        state.followers[request.key] = Progress(state.log.last_index + 1, heard_ns=state.now_ns)
        state.note(f"bringing {request.key} up to date")
        replication.broadcast(state)


def on_progress(state: State) -> None:
    """Add the joining node once it is up to date."""
    joining = state.joining
    if joining is None or state.role != "leader":
        return
    progress = state.followers[joining.name]
    if not progress.probing and state.log.last_index - progress.match_index <= CLOSE_ENTRIES:
        state.joining = None
        _append(state, "add-node", joining.name, joining.reference)


def expire(state: State) -> None:
    """Give up on a node that does not come."""
    if state.joining is not None and state.now_ns >= state.joining.deadline_ns:
        joining, state.joining = state.joining, None
        del state.followers[joining.name]
        answers.refused(state, joining.reference, "not-caught-up")


def _refusal(state: State, request: Request) -> str | None:
    """Why not, in a word; None when it can be."""
    name = request.key
    if state.role != "leader":
        return "not-leader"
    if state.disk_full:
        return "disk-full"
    if state.transfer is not None:
        return "transfer-in-progress"
    if not state.leads_and_knows():
        return "not-ready"
    if state.joining is not None or (state.is_changing() and not state.has_bug("changes-overlap")):
        return "change-in-progress"
    if request.f == "add-node":
        if name not in state.configuration.nodes:
            return f"no-address: {name}"
        return f"member-already: {name}" if name in state.members else None
    if name not in state.members:
        return f"no-member: {name}"
    return "last-member" if len(state.members) == 1 else None


def _append(state: State, f: str, name: str, reference: Reference) -> None:
    entry = replication.append_as_leader(state, [f, name])
    deadline_ns = state.now_ns + state.configuration.wait_ns
    state.writes[entry.index] = WaitingWrite(deadline_ns, entry.generation, reference)
