"""What a leader does with a command before its entry is in the log, when a planted bug lets it decide too early.

Everything about keys is decided when an entry is applied, by every node alike (`store.py`). The bugs here decide on
what the leader has applied when it is asked, and put the outcome into the log instead of the question: so what else is
on its way through the log is overlooked.

>>> taken(state, ["cas", "x", 5, 6])                                   # x holds 5, and cas-outside-log is in force
['write', 'x', 6]

Without a bug every command is taken as it is.
"""

from __future__ import annotations

from typing import Any

from . import answers
from .messages import Entry, Reference
from .objects import same
from .state import State


def taken(state: State, command: list[Any]) -> list[Any]:
    """The command that goes into the log for the one that was asked."""
    if command[0] == "once" and state.has_bug("duplicate-on-retry"):
        command = command[3]
    if command[0] == "cas" and state.has_bug("cas-outside-log"):
        return _compared_now(state, command)
    if command[0] == "increment" and state.has_bug("increment-outside-log"):
        return _added_now(state, command)
    if command[0] == "release" and state.has_bug("lock-released-by-other"):
        return _released_by_anybody(state, command)
    return command


def _compared_now(state: State, command: list[Any]) -> list[Any]:
    _, key, old, new = command
    return ["write", key, new] if same(state.store.read(key)[0], old) else command


def _added_now(state: State, command: list[Any]) -> list[Any]:
    _, key, delta = command
    found = state.store.read(key)[0]
    return ["write", key, (found or 0) + delta] if found is None or type(found) is int else command


def _released_by_anybody(state: State, command: list[Any]) -> list[Any]:
    holder = state.store.read(command[1])[0]
    return ["release", command[1], holder[1]] if isinstance(holder, list) and len(holder) == 2 else command


def answered(state: State, reference: Reference, entry: Entry) -> bool:
    """Whether the client got its answer already, before the entry is committed."""
    if entry.command is None or entry.command[0] != "dequeue" or not state.has_bug("dequeue-outside-log"):
        return False
    queue = state.store.read(entry.command[1])[0]
    if not isinstance(queue, list) or not queue:
        return False
    answers.served(state, reference, "ok", queue[0], entry.version())
    return True
