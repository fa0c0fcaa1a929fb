"""What a client is told. Three kinds, and a client may trust the difference:

- `ok`: it happened (`mismatch`, with the current value, for a compare-and-set that was decided, and not done; `failed`,
  with the reason, for any other operation that was: "empty", "held", "wrong-type", ...);
- `refused`: it did not happen and never will;
- `indeterminate`: it may have happened, or may yet.

Every one names the node and, where it served something, the version and the position up to which the node has applied.
"""

from __future__ import annotations

from typing import Any

from .messages import NOBODY, ForwardAnswer, Reference, Reply, Version
from .sessions import EXPIRED, FORGOTTEN, TOO_LATE, Outcome
from .state import State


def served(state: State, reference: Reference, status: str, value: Any, version: Version) -> None:
    """Answer with a value, its version and the node's applied position."""
    answer = {"status": status, "value": value, "version": version, "applied": state.applied()}
    _reply(state, reference, answer)


def decided(state: State, reference: Reference, outcome: Outcome) -> None:
    """Answer what became of an entry."""
    if outcome.error in (EXPIRED, FORGOTTEN, TOO_LATE):
        indeterminate(state, reference, outcome.error)
    elif outcome.error in (None, "mismatch"):
        served(state, reference, outcome.error or "ok", outcome.value, outcome.version)
    else:
        answer = {"status": "failed", "error": outcome.error, "value": outcome.value, "version": outcome.version}
        _reply(state, reference, {**answer, "applied": state.applied()})


def refused(state: State, reference: Reference, error: str) -> None:
    """Answer that nothing was done and never will be, with a hint to the leader where one is known, and of when."""
    leader = state.first_leader if state.has_bug("stale-hints") else state.leader
    answer = {"status": "refused", "error": error, "leader": leader}
    _reply(state, reference, answer if leader is None else {**answer, "generation": state.generation})


def doubtful(state: State, reference: Reference, error: str) -> None:
    """Answer about a write that is in the log, and that the next leader may or may not have."""
    if state.has_bug("doubt-told-as-refusal"):
        refused(state, reference, error)
    else:
        indeterminate(state, reference, error)


def indeterminate(state: State, reference: Reference, error: str) -> None:
    """Answer that the outcome is open."""
    _reply(state, reference, {"status": "indeterminate", "error": error, "leader": state.leader})


def relayed(state: State, reference: Reference, answer: dict[str, Any]) -> None:
    """Answer what the leader answered to a command that was passed on to it."""
    to, number = reference
    if isinstance(to, str):
        state.send(to, ForwardAnswer(number, answer))
    elif reference != NOBODY:
        state.effects.append(Reply((to, number), answer))


def _reply(state: State, reference: Reference, answer: dict[str, Any]) -> None:
    answer["node"] = state.configuration.name
    relayed(state, reference, answer)
