"""Snapshots: the state in place of the log that led to it, on this node's own disk and for followers that fell behind.

- One is taken after every `snapshot_entries` applied entries. It holds the state machine, the clients' sessions and the
  membership as of its index. The log in memory then begins after the one before: followers that are a little behind
  still get entries.
- A follower whose next entry the leader's log has no more gets the leader's snapshot, in parts, one at a time. Each is
  answered; a heartbeat sends again the one that is due. When all have come it replaces log and state in one step, and
  is acknowledged once it is on the disk.
- What a snapshot stands for is committed, so it is never taken back, except where committed entries may be: then
  nothing but the beginning can be gone back to, and the node begins anew from what the leader has.

Limits: state and file are encoded at once, between two events: a state of 1 MB takes 0.17 s, most of it for the
checksum. A state of several MB outlasts a short election timeout.
"""

from __future__ import annotations

import json

from . import membership
from .log import Log
from .messages import NOTHING, SaveSnapshot, Snapshot, SnapshotAnswer, SnapshotRequest
from .state import Incoming, Membership, Progress, State
from .store import Store

PART_CHARACTERS = 128 * 1024
"""Of the state, in one message; as JSON within JSON it may take twice that."""


def begin(state: State, snapshot: Snapshot) -> None:
    """Take up a snapshot, and go on with the log after it."""
    state.snapshot = snapshot
    state.commit_index = snapshot.version[1]
    restore(state)
    if state.has_bug("snapshot-wrong-generation"):
        state.store.applied = state.log.base = (state.generation, snapshot.version[1])
    known = Membership(snapshot.members_version, snapshot.members) if snapshot.members else None
    membership.begin(state, snapshot.version[1], known)


def restore(state: State) -> None:
    """Make the state again as of the latest snapshot."""
    state.store = Store()
    if state.snapshot.state:
        state.store.load(json.loads(state.snapshot.state))


def take_if_due(state: State) -> None:
    """Take one, if enough was applied since the last."""
    most, (_, before) = state.configuration.snapshot_entries, state.snapshot.version
    if most == 0 or state.applied()[1] - before < most:
        return
    known = membership.membership_at(state, state.applied()[1])
    data = state.store.dump()
    if state.has_bug("snapshot-loses-last-entry") and state.log.last_index > state.applied()[1]:
        data["applied"] = [*state.log.entry(state.applied()[1] + 1).version()]
    text = json.dumps(data, separators=(",", ":"))
    state.snapshot = Snapshot(tuple(data["applied"]), known.version, known.members, text)
    state.log.release(before)
    state.effects.append(SaveSnapshot(state.snapshot, False))


def replace_by(state: State, snapshot: Snapshot) -> None:
    """Give up log and state for a snapshot. Nothing counts as durable before it is on the disk."""
    lost = state.applied()[1] - snapshot.version[1]
    if lost > 0:
        state.rolled_back += lost
        state.note(f"{lost} applied entries after {snapshot.version[1]} are not in the leader's log: taken back")
    state.log = Log(base=snapshot.version)
    begin(state, snapshot)
    state.incoming = None
    state.durable_index = 0
    state.verified_index = snapshot.version[1]
    state.answer_due = True
    state.effects.append(SaveSnapshot(snapshot, True))
    state.note(f"log and state replaced by a snapshot at {snapshot.version}")


def begin_anew(state: State) -> None:
    """Go back to the beginning: what is covered by the snapshot is not in the leader's log."""
    replace_by(state, Snapshot(NOTHING, NOTHING, state.configuration.first_members, ""))


def may_be_taken_back(state: State) -> bool:
    """Whether, in this configuration, a leader may lack what was committed."""
    configuration = state.configuration
    unsafe = configuration.replication == "async" or not configuration.fences
    return unsafe or configuration.fsync != "always" or configuration.bug != ""


def request(state: State, progress: Progress) -> SnapshotRequest:
    """The part that this follower is to get next."""
    if progress.sending is None:
        progress.sending, progress.snapshot_offset = state.snapshot, 0
    snapshot = progress.sending
    start = progress.snapshot_offset
    end = start + PART_CHARACTERS
    members, last = list(snapshot.members), end >= len(snapshot.state)
    part = snapshot.state[start:end]
    return SnapshotRequest(
        state.generation, *snapshot.version, *snapshot.members_version, members, start, part, last, state.round
    )


def on_part(state: State, source: str, message: SnapshotRequest) -> None:
    """Keep a part, or say which one is wanted; with the last one, install the whole."""
    version = (message.at_generation, message.at_index)
    if state.incoming is None or state.incoming.version != version:
        state.incoming = Incoming(version)
    incoming = state.incoming
    if message.offset == incoming.received:
        incoming.parts.append(message.data)
        incoming.received += len(message.data)
        if message.last:
            members_version = (message.members_generation, message.members_index)
            replace_by(state, Snapshot(version, members_version, tuple(message.members), "".join(incoming.parts)))
            return
    state.send(source, SnapshotAnswer(state.generation, message.at_index, incoming.received, message.round))
