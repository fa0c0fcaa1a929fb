"""Declares an object of its own, a queue that is full at two elements, and judges a history of it.

    .venv/bin/python examples/small_queue.py

Two offers were accepted and nothing was taken, so the third offer cannot have been accepted.
"""

from __future__ import annotations

from typing import Any

from checkers.linearizability import Linearizability
from checkers.models import IMPOSSIBLE, UNKNOWN, Call, Model
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op


def step(state: tuple[Any, ...], call: Call) -> Any:
    """The state after a call, or IMPOSSIBLE."""
    if call.f == "offer":
        accepted = len(state) < 2
        if call.result is not UNKNOWN and call.result != accepted:
            return IMPOSSIBLE
        return (*state, call.argument) if accepted else state
    if not state or (call.result is not UNKNOWN and call.result != state[0]):
        return IMPOSSIBLE
    return state[1:]


SMALL_QUEUE = Model("small-queue", ("offer", "take"), step, initial=(), summary="holds two: offer, take")


def offers(elements: str, accepted: bool) -> History:
    """One client that offers elements, one after another, and is told the same each time."""
    events = []
    for element in elements:
        events.append(Op(len(events), process=0, f="offer", value=element))
        events.append(Op(len(events), process=0, type="ok", f="offer", value=accepted))
    return History(Header(splitbrain=1), events)


if __name__ == "__main__":
    for history in (offers("ab", accepted=True), offers("abc", accepted=True)):
        verdict = Linearizability(SMALL_QUEUE).check(history, Budget(60))
        problems = verify(history, verdict, SMALL_QUEUE)
        print(verdict.answer, *(anomaly.sentence for anomaly in verdict.anomalies), *problems)
