"""Writes and compare-and-sets: into the leader's log, and answered when their entry is applied."""

from __future__ import annotations

from . import answers, replication
from .messages import Request
from .state import State, WaitingWrite

WAITING_WRITES = 4096


def on_write(state: State, request: Request) -> None:
    """Append to the log and let the client wait, or refuse before anything is done."""
    if state.role != "leader":
        answers.refused(state, request.reference, "not-leader")
    elif state.disk_full:
        answers.refused(state, request.reference, "disk-full")
    elif len(state.writes) >= WAITING_WRITES:
        answers.refused(state, request.reference, "busy")
    else:
        arguments = [request.value] if request.f == "write" else list(request.value)
        entry = replication.append_as_leader(state, [request.f, request.key, *arguments])
        deadline_ns = state.now_ns + state.configuration.wait_ns
        state.writes[entry.index] = WaitingWrite(deadline_ns, entry.generation, request.reference)


def expire(state: State) -> None:
    """Tell clients that waited too long that their write is in the log, but not known to be committed."""
    while state.writes and (deadline_ns := next_deadline_ns(state)) and deadline_ns[0] <= state.now_ns:
        waiting = state.writes.pop(next(iter(state.writes)))
        answers.indeterminate(state, waiting.reference, "not-replicated")


def next_deadline_ns(state: State) -> list[int]:
    """When the oldest waiting write expires; they wait in order of index, hence of deadline."""
    return [next(iter(state.writes.values())).deadline_ns] if state.writes else []
