"""Autopilot: the leader itself removes members that fell silent, and takes back who is there again (`--autopilot-ms`).

As an operator would, one change at a time (`changes.py`): the member that was longest silent, for more than
`autopilot_ms`, is removed; when nobody is silent, one that is no member is invited. A cluster of five that loses two
of its nodes, one after the other, so goes on as three, and may lose another.

    n1 leads n1 n2 n3 │ n3 silent: remove-node n3 │ n1 n2 │ n3 invited, comes, and is brought up to date │ n1 n2 n3

Nobody waits for the outcome: it shows in the log and in `status`. That this is safe rests on `changes.py` alone: a
leader that was cut off may try to remove everybody else, and gets no further than the first, which it cannot commit.

Limits: it goes down to a leader alone, where a cautious operator would stop at three.
"""

from __future__ import annotations

from . import changes
from .messages import NOBODY, Request
from .state import NEVER_NS, State


def begin(state: State) -> None:
    """A leader begins: give everybody time to be heard."""
    period_ns = state.configuration.autopilot_ns
    state.autopilot_due_ns = state.now_ns + period_ns if period_ns else NEVER_NS


def tick(state: State) -> None:
    """Look whether somebody is to be invited or removed."""
    if state.role != "leader" or state.now_ns < state.autopilot_due_ns:
        return
    period_ns = state.configuration.autopilot_ns
    state.autopilot_due_ns = state.now_ns + period_ns // 2
    for name in _silent(state, period_ns):
        changes.on_change(state, Request(NOBODY, "remove-node", name))
    strangers = [node for node in state.configuration.nodes if node not in state.members]
    if strangers:
        # By chance, so that one that does not come keeps nobody away for good.
        invited = strangers[int(state.random.random() * len(strangers))]
        changes.on_change(state, Request(NOBODY, "add-node", invited))


def _silent(state: State, period_ns: int) -> list[str]:
    """The members that were not heard for so long, the longest silent first."""
    heard_ns = {name: state.followers[name].heard_ns for name in state.other_members()}
    silent = [name for name in heard_ns if state.now_ns - heard_ns[name] > period_ns]
    return sorted(silent, key=lambda name: (heard_ns[name], name))
