"""Followers that pass a client's command on to the leader, and its answer back (`--forward true`).

At most once, like everything here. A follower passes a command on once, to the leader of its present generation, and
waits `wait_ms`, or until it follows another; then the outcome is open, for the command may still arrive. With fencing
the leader takes it only in that same generation: a refusal can then be trusted, and what was late for one reign is not
done in another. A message that the network doubled is known by its number, which each life of a follower begins to
count at a place drawn by chance.

Limits: reads are not passed on. A leader that was started anew knows no numbers of its former life; that life's
messages it gets on no connection, and in a generation that is over.
"""

from __future__ import annotations

from . import answers, writes
from .messages import Forward, ForwardAnswer, Request
from .state import State, WaitingWrite

PASSED_ON_MAX = 4096
TAKEN_MAX = 16384
"""How many of the commands that came last are known again."""
NUMBERS = 1 << 52


def pass_on(state: State, request: Request) -> None:
    """Send a client's command to the leader, and let the client wait."""
    if state.leader in (None, state.configuration.name):
        answers.refused(state, request.reference, "not-leader")
    elif len(state.passed_on) >= PASSED_ON_MAX:
        answers.refused(state, request.reference, "busy")
    else:
        if state.last_number == 0:
            state.last_number = int(state.random.random() * NUMBERS)
        state.last_number += 1
        deadline_ns = state.now_ns + state.configuration.wait_ns
        state.passed_on[state.last_number] = WaitingWrite(deadline_ns, state.generation, request.reference)
        state.send(str(state.leader), Forward(state.generation, state.last_number, writes.command_in(request)))


def on_forward(state: State, source: str, message: Forward) -> None:
    """A follower passes a command on: take it, unless it was taken already."""
    name = (source, message.number)
    if name in state.taken:
        return
    state.taken[name] = None
    if len(state.taken) > TAKEN_MAX:
        del state.taken[next(iter(state.taken))]
    if message.generation == state.generation or not state.configuration.fences:
        writes.take(state, name, message.command)
    else:
        answers.refused(state, name, "not-leader")


def on_answer(state: State, message: ForwardAnswer) -> None:
    """The leader answers: tell the client, if it still waits."""
    waiting = state.passed_on.pop(message.number, None)
    if waiting is not None:
        answers.relayed(state, waiting.reference, message.answer)


def expire(state: State) -> None:
    """Tell clients that waited too long, or for a leader that is no more, that it was asked, and did not answer."""
    while state.passed_on and next_deadline_ns(state) <= state.now_ns:
        waiting = state.passed_on.pop(next(iter(state.passed_on)))
        answers.indeterminate(state, waiting.reference, "leader-silent")


def next_deadline_ns(state: State) -> int:
    """When the oldest command passed on expires, if there is one: now, if its leader is followed no more.

    They wait in order of number, hence of deadline and of generation.
    """
    oldest = next(iter(state.passed_on.values()))
    followed = state.leader is not None and oldest.generation == state.generation
    return oldest.deadline_ns if followed else state.now_ns
