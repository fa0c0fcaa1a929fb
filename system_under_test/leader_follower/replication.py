"""Replication: the leader's log is sent to the followers, agreed on, committed and applied.

The rules are Raft's (Ongaro and Ousterhout 2014, section 5.3), with these of our own:

- Messages are pipelined: the leader counts on their arrival and goes on; a follower that misses one says so, and the
  leader seeks their last common entry anew, one message at a time (`Progress.probing`). Heartbeats carry the same
  question, so a lost message costs at most one heartbeat.
- A follower acknowledges entries when they are on its disk, one answer for all that one sync covered.
- The commit point depends on the mode. The leader's durable index (`async`), or up to where a majority (`quorum`)
  or all nodes (`sync`) have durably matched; and only at an entry of the leader's own generation (5.4.2). A follower's
  commit point is the leader's, as far as its log is known to equal the leader's.
- In `async` a committed and applied entry may exist on the leader alone. When another node leads, such entries are
  taken back: cut from the log, and the state rebuilt without them. The same happens with fencing off, or when disks
  forgot what they had acknowledged. In a safe configuration it cannot happen; `State.rolled_back` counts.
- Fencing: a message of an older generation is refused, and a leader that meets a newer one resigns. With fencing off
  neither happens: followers take whatever any leader sends, and a leader ignores the messages of others.
"""

from __future__ import annotations

from . import answers, lease, membership, reads, rounds, snapshots
from .messages import Append, AppendAnswer, AppendRequest, Entry, SnapshotAnswer, SnapshotRequest, made
from .roles import become_follower, follow, restart_election_timer
from .state import Progress, State

BATCH_ENTRIES = 256
BATCH_BYTES = 256 * 1024
WINDOW_ENTRIES = 4096
"""How far the leader runs ahead of a follower's acknowledgements."""

# ── the leader's side ────────────────────────────────────────────────────────────────────────────────────────────────


def append_as_leader(state: State, command: list[object] | None) -> Entry:
    """Put a command at the end of the leader's log."""
    entry = Entry(state.generation, state.log.last_index + 1, command)
    state.log.extend([entry])
    state.effects.append(Append([entry]))
    membership.on_appended(state, [entry])
    state.replication_due = True
    return entry


def broadcast(state: State) -> None:
    """Send every follower what it lacks, or a heartbeat; in any case a new round's question."""
    rounds.begin(state)
    lease.renew(state)
    for name, progress in state.followers.items():
        _send_append(state, name, progress)
    state.replication_due = False
    state.heartbeat_deadline_ns = state.now_ns + state.configuration.heartbeat_ns


def flush(state: State) -> None:
    """Send new entries to the followers that are keeping up."""
    state.replication_due = False
    for name, progress in state.followers.items():
        if not progress.probing and progress.next_index <= state.log.last_index and _has_room(progress):
            _send_append(state, name, progress)


def on_answer(state: State, source: str, message: AppendAnswer) -> None:
    """A follower tells how far its log equals this leader's."""
    fencing = state.configuration.fences
    if fencing and message.generation > state.generation:
        become_follower(state, message.generation, None)
        return
    if state.role != "leader" or (fencing and message.generation != state.generation):
        return
    progress = state.followers.get(source)
    if progress is None:  # removed, and not told yet
        return
    progress.heard_ns = state.now_ns
    rounds.on_answer(state, progress, message.round)
    lease.renew(state)
    if message.matched:
        _on_matched(state, source, progress, min(message.index, state.log.last_index))
    else:
        _on_mismatched(state, source, progress, message.index)
    if state.reads_in_round:
        reads.confirm(state)


def on_snapshot_answer(state: State, source: str, message: SnapshotAnswer) -> None:
    """A follower tells how much of the snapshot it has. A repeated answer is no reason to send again."""
    fenced = state.configuration.fences and message.generation != state.generation
    if fenced or state.role != "leader" or source not in state.followers:
        return
    progress = state.followers[source]
    progress.heard_ns = state.now_ns
    rounds.on_answer(state, progress, message.round)
    lease.renew(state)
    sending = progress.sending
    if sending is not None and message.at_index == sending.version[1] and message.received != progress.snapshot_offset:
        progress.snapshot_offset = message.received
        _send_append(state, source, progress)
    reads.confirm(state)


def advance_commit(state: State) -> None:
    """Commit, as leader, what enough nodes hold."""
    index = state.durable_index
    if state.configuration.replication != "async":
        own, followers = state.configuration.name, state.followers
        held = [index if member == own else followers[member].match_index for member in state.members]
        held.sort()
        index = held[-state.configuration.acknowledgements(len(held))]
    if index <= state.commit_index:
        return
    if state.log.generation_at(index) == state.generation or state.has_bug("old-generation-counted"):
        state.commit_index = index
        apply_committed(state)


def _on_matched(state: State, source: str, progress: Progress, index: int) -> None:
    progress.probing, progress.sending = False, None
    progress.match_index = max(progress.match_index, index)
    progress.next_index = max(progress.next_index, progress.match_index + 1)
    advance_commit(state)
    if progress.next_index <= state.log.last_index and _has_room(progress):
        _send_append(state, source, progress)


def _on_mismatched(state: State, source: str, progress: Progress, index: int) -> None:
    """Go back. That a follower matched once proves nothing if its disk forgot: so the match index may fall."""
    progress.match_index = min(progress.match_index, index)
    next_index = min(progress.next_index, index + 1)
    if progress.probing and next_index == progress.next_index:
        return
    progress.probing, progress.next_index = True, next_index
    _send_append(state, source, progress)


def _has_room(progress: Progress) -> bool:
    return progress.next_index - progress.match_index <= WINDOW_ENTRIES


def _send_append(state: State, to: str, progress: Progress) -> None:
    previous = progress.next_index - 1
    if previous < state.log.base[1]:
        progress.probing = True
        state.send(to, snapshots.request(state, progress))
        return
    entries = state.log.batch(progress.next_index, BATCH_ENTRIES, BATCH_BYTES) if _has_room(progress) else []
    at = state.log.generation_at(previous)
    vouched = progress.vouched_round
    fields = (state.generation, at, previous, entries, state.commit_index, state.round, vouched)
    state.send(to, made(AppendRequest, fields))
    if not progress.probing:
        progress.next_index += len(entries)


# ── the follower's side ──────────────────────────────────────────────────────────────────────────────────────────────


def on_append(state: State, source: str, message: AppendRequest) -> None:
    """A leader sends entries or a heartbeat."""
    if not _accept_leader(state, source, message.generation):
        return
    rounds.on_question(state, message.round)
    message = _after_base(state, message)
    if not state.log.matches(message.previous_generation, message.previous_index):
        state.send(source, AppendAnswer(state.generation, False, _retry_after(state, message), message.round))
        return
    state.round_seen = max(state.round_seen, message.round)
    taken = _take_entries(state, message)
    commit_index = min(message.commit_index, state.verified_index)
    if state.has_bug("apply-before-commit"):
        commit_index = state.verified_index
    if commit_index > state.commit_index:
        state.commit_index = commit_index
        apply_committed(state)
    rounds.on_vouched(state, message)
    if not taken or state.has_bug("ack-on-receive"):
        acknowledge(state)


def on_snapshot(state: State, source: str, message: SnapshotRequest) -> None:
    """A leader sends a part of its snapshot. Who has the entry that it ends with, has all that it stands for."""
    if not _accept_leader(state, source, message.generation):
        return
    rounds.on_question(state, message.round)
    known = state.verified_index >= message.at_index or state.log.matches(message.at_generation, message.at_index)
    if not known and message.at_index > state.log.base[1] and state.disk_full:
        return
    if not known and (message.at_index > state.log.base[1] or snapshots.may_be_taken_back(state)):
        snapshots.on_part(state, source, message)
        return
    state.round_seen = max(state.round_seen, message.round)
    state.verified_index = max(state.verified_index, message.at_index)
    if message.at_index > state.commit_index:
        state.commit_index = message.at_index
        apply_committed(state)
    acknowledge(state)


def acknowledge(state: State) -> None:
    """Tell the leader how far the log equals its own, durably."""
    if state.leader is None or state.role != "follower":
        return
    index = min(state.verified_index, state.durable_index)
    if state.has_bug("ack-on-receive"):
        index = state.verified_index
    state.send(state.leader, made(AppendAnswer, (state.generation, True, index, state.round_seen)))


def _accept_leader(state: State, source: str, generation: int) -> bool:
    """Fencing: whether this generation's leader is to be obeyed."""
    if state.configuration.fences:
        if generation < state.generation:
            state.send(source, AppendAnswer(state.generation, False, 0, 0))
            return False
        if generation == state.generation and state.role == "leader":
            assert state.configuration.bug, f"two leaders in generation {generation}"
            return False
    elif state.role == "leader":
        return False
    if generation > state.generation or state.role != "follower":
        become_follower(state, max(generation, state.generation), source)
    elif source != state.leader:
        follow(state, source)
    state.leader_heard_ns = state.now_ns
    lease.promise(state)
    restart_election_timer(state)
    return True


def _after_base(state: State, message: AppendRequest) -> AppendRequest:
    """The part of the message that comes after this log's base. What the base stands for is committed, and so in every
    leader's log; where that is not certain, and the message does not show it, this node begins anew."""
    generation, base = state.log.base
    skipped = base - message.previous_index
    if skipped < 0 or state.log.matches(message.previous_generation, message.previous_index):
        return message
    shown = 0 < skipped <= len(message.entries) and message.entries[skipped - 1].generation == generation
    if not shown and state.verified_index < base and snapshots.may_be_taken_back(state):
        snapshots.begin_anew(state)
        return message
    state.verified_index = max(state.verified_index, base)
    return message._replace(previous_generation=generation, previous_index=base, entries=message.entries[skipped:])


def _retry_after(state: State, message: AppendRequest) -> int:
    """A place to look for the last common entry: the log's end, or before the whole generation that disagrees."""
    if state.log.last_index < message.previous_index:
        return state.log.last_index
    return state.log.first_of_generation(message.previous_index) - 1


def _take_entries(state: State, message: AppendRequest) -> bool:
    """Add what is new, if anything; where an entry disagrees, the leader is right and replaces all from there on."""
    known = message.previous_index
    for entry in message.entries:
        if state.log.generation_at(entry.index) != entry.generation and not _keeps_own(state, entry):
            break
        known = entry.index
    new = message.entries[known - message.previous_index :]
    state.verified_index = max(state.verified_index, known)
    if not new or state.disk_full:
        return False
    if known < state.snapshot.version[1]:
        snapshots.begin_anew(state)
        return True
    if known < state.log.last_index:
        _truncate_after(state, known)
    state.log.extend(new)
    state.effects.append(Append(new))
    membership.on_appended(state, new)
    state.verified_index = state.log.last_index
    state.answer_due = True
    return True


def _keeps_own(state: State, entry: Entry) -> bool:
    """Whether a planted bug lets an entry stand that disagrees with the leader's."""
    return state.has_bug("divergent-tail-kept") and entry.index <= state.log.last_index


def _truncate_after(state: State, index: int) -> None:
    """Drop the divergent tail; take back what was applied of it (see the module docstring)."""
    lost = state.log.last_index - index
    state.log.truncate_after(index)
    membership.on_truncated(state, index)
    state.durable_index = min(state.durable_index, index)
    state.verified_index = min(state.verified_index, index)
    state.commit_index = min(state.commit_index, index)
    applied = state.applied()[1]
    if applied > index:
        state.rolled_back += applied - index
        state.note(f"{applied - index} applied entries after {index} are not in the leader's log: taken back")
        snapshots.restore(state)
        apply_committed(state)
    state.note(f"dropped {lost} entries after {index} that the leader does not have")


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def apply_committed(state: State) -> None:
    """Apply up to the commit point, in order, and answer whoever waited for it."""
    first = state.applied()[1] + 1
    reordered = state.role != "leader" and state.has_bug("reordered-apply")
    state.store.tears = state.has_bug("partial-transaction")
    for index in range(first, state.commit_index + 1):
        entry = state.log.entry(index)
        if reordered:
            entry = entry._replace(command=state.log.entry(state.commit_index - (index - first)).command)
        outcome = state.store.apply(entry)
        waiting = state.writes.pop(entry.index, None)
        if waiting is None:
            continue
        assert waiting.generation == entry.generation, f"a client waits for another entry at {entry.index}"
        answers.decided(state, waiting.reference, outcome)
    rounds.on_applied(state)
    reads.on_applied(state)
    membership.on_applied(state)
    snapshots.take_if_due(state)
