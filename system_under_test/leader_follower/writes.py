"""Commands of clients: into the leader's log, and answered when their entry is applied."""

from __future__ import annotations

from typing import Any

from . import answers, replication, shortcuts
from .commands import command_of, once
from .messages import Reference, Request
from .state import State, WaitingWrite

WAITING_WRITES = 4096


def command_in(request: Request) -> list[Any]:
    """The command that a client's request asks for."""
    return once(request.session, command_of(request.f, request.key, request.value))


def take(state: State, reference: Reference, command: list[Any]) -> None:
    """Append to the log and let the client wait, or refuse before anything is done."""
    if state.role != "leader":
        answers.refused(state, reference, "not-leader")
    elif state.transfer is not None:
        answers.refused(state, reference, "transferring")
    elif state.disk_full:
        answers.refused(state, reference, "disk-full")
    elif len(state.writes) >= WAITING_WRITES:
        answers.refused(state, reference, "busy")
    else:
        command = shortcuts.taken(state, command)
        entry = replication.append_as_leader(state, command)
        deadline_ns = state.now_ns + state.configuration.wait_ns
        if not shortcuts.answered(state, reference, entry):
            state.writes[entry.index] = WaitingWrite(deadline_ns, entry.generation, reference)


def expire(state: State) -> None:
    """Tell clients that waited too long that their write is in the log, but not known to be committed."""
    while state.writes and next_deadline_ns(state) <= state.now_ns:
        waiting = state.writes.pop(next(iter(state.writes)))
        answers.doubtful(state, waiting.reference, "not-replicated")


def next_deadline_ns(state: State) -> int:
    """When the oldest waiting write expires, if there is one; they wait in order of index, hence of deadline."""
    return next(iter(state.writes.values())).deadline_ns
