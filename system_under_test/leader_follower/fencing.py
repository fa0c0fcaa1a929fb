"""Fencing by clients: who is asked for a write by a client that knows of a newer generation is no leader any more.

Answers tell a client of generations: those of the entries that it was shown, and that of a leader to whom it was sent.
With each write it says the newest of them. A node whose own is older refuses the write, and steps down if it led: so a
client that was served by the new leader fences the old one, which may be cut off from all the other nodes.

    >>> refuses(state, Request((1, 1), "write", "x", 5, generation=state.generation + 1))
    True

The node does not take the client's number for its own: only elections make generations, and what a client says may be
wrong. A leader that steps down for a wrong number is elected anew, in a generation of its own. With `--election none`
there is one generation, and a leader that steps down would never come back: there the write is refused, and no more.

Limits: clients are believed, as in all that they ask. With `--fencing false` nobody looks at what they say.
"""

from __future__ import annotations

from . import answers
from .messages import Request
from .roles import become_follower
from .state import State

FENCED = "older-generation"


def refuses(state: State, request: Request) -> bool:
    """Refuse a write whose client knows of a newer generation than this node; whether that was so."""
    if not state.configuration.fences or request.generation <= state.generation:
        return False
    if state.role == "leader" and state.configuration.election != "none":
        state.note(f"a client knows of generation {request.generation}, newer than {state.generation}")
        become_follower(state, state.generation, None)
    answers.refused(state, request.reference, FENCED)
    return True
