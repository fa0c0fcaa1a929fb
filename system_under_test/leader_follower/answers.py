"""What a client is told. Three kinds, and a client may trust the difference:

- `ok` it happened (`mismatch` for a compare-and-set that was decided, and not done);
- `refused`: it did not happen and never will;
- `indeterminate`: it may have happened, or may yet.

Every one names the node and, where it served something, the version and the position up to which the node has applied.
"""

from __future__ import annotations

from typing import Any

from .messages import Reference, Reply, Version
from .state import State


def served(state: State, reference: Reference, status: str, value: Any, version: Version) -> None:
    """Answer with a value, its version and the node's applied position."""
    answer = {"status": status, "value": value, "version": version, "applied": state.applied()}
    _reply(state, reference, answer)


def refused(state: State, reference: Reference, error: str) -> None:
    """Answer that nothing was done and never will be, with a hint to the leader where one is known."""
    _reply(state, reference, {"status": "refused", "error": error, "leader": state.leader})


def indeterminate(state: State, reference: Reference, error: str) -> None:
    """Answer that the outcome is open."""
    _reply(state, reference, {"status": "indeterminate", "error": error, "leader": state.leader})


def _reply(state: State, reference: Reference, answer: dict[str, Any]) -> None:
    answer["node"] = state.configuration.name
    state.effects.append(Reply(reference, answer))
