"""Rounds: the leader's numbered questions "do you still follow me?", and what their answers prove.

Every heartbeat asks in a round of its own, and a read can ask at once. Once a majority has answered round r, this node
was the only leader that could commit anything at the moment when r was asked. Three things are built on that: reads
confirmed by a majority (`reads.py`), the lease (`lease.py`), and how fresh a follower knows itself to be, told here.

A follower cannot tell from a message how old it is: it may have lain in a buffer while the process stood still. So
freshness is counted from something the follower did itself:

    follower answers round 5 at its time t ──▶ leader has the answer, and asks round 6 ──▶ a majority answers round 6
    ◀── the leader's next message says "your answer to round 5 is vouched for", with its commit index

As round 6 was asked after t, and was answered by a majority, the leader had at t at most what it has now, and nobody
else acknowledged anything in between. So once all up to that commit index is applied, the follower has everything
that was acknowledged before t: its lag is the time since t, by its own clock alone.
"""

from __future__ import annotations

from .configuration import MILLISECOND_NS
from .messages import AppendRequest
from .state import Progress, State

ROUNDS_MAX = 1024
"""How many unanswered rounds are remembered; an answer to an older one renews nothing."""


def begin(state: State) -> None:
    """Ask the next round, as leader; the caller sends it."""
    state.round += 1
    state.round_sent[state.round] = (state.now_ns, state.lease_clock_ns())
    state.log_ends.append((state.now_ns, state.log.last_index))
    if len(state.round_sent) > ROUNDS_MAX:
        del state.round_sent[next(iter(state.round_sent))]
    _vouch(state)


def on_answer(state: State, progress: Progress, answered: int) -> None:
    """A follower answered a round."""
    progress.round = max(progress.round, answered)
    if progress.to_vouch is None and progress.round > progress.vouched_round:
        progress.to_vouch = (progress.round, state.round + 1)
    _vouch(state)


def confirmed(state: State) -> int:
    """The latest round that a majority has answered."""
    own, followers = state.configuration.name, state.followers
    # A leader that is being removed leads on until that is committed, but no longer counts.
    answered = [state.round if member == own else followers[member].round for member in state.members]
    answered.sort()
    return answered[-state.majority]


def lag_ms(state: State, index: int) -> int:
    """How long ago, at most, this leader's log ended at `index`, to the next heartbeat; 0 when it still does."""
    if index >= state.log.last_index or not state.log_ends:
        return 0
    since_ns = state.log_ends[0][0]
    for at_ns, end in reversed(state.log_ends):
        if end <= index:
            since_ns = at_ns
            break
    return (state.now_ns - since_ns) // MILLISECOND_NS


# ── freshness ────────────────────────────────────────────────────────────────────────────────────────────────────────


def on_question(state: State, asked: int) -> None:
    """A follower notes when it first heard of a round, which is not later than its answer."""
    if not state.rounds_heard or asked > state.rounds_heard[-1][0]:
        state.rounds_heard.append((asked, state.now_ns))


def on_vouched(state: State, message: AppendRequest) -> None:
    """A follower learns that one of its answers is vouched for."""
    vouched_ns = None
    while state.rounds_heard and state.rounds_heard[0][0] <= message.vouched_round:
        _, vouched_ns = state.rounds_heard.popleft()
    # A target that moves on with every message might never be reached: one is waited for before the next is taken.
    if vouched_ns is not None and state.fresher is None:
        state.fresher = (message.commit_index, vouched_ns)
    on_applied(state)


def on_applied(state: State) -> None:
    """See whether what was to be applied is."""
    if state.fresher is not None and state.applied()[1] >= state.fresher[0]:
        state.fresh_ns = max(state.fresh_ns, state.fresher[1])
        state.fresher = None


def is_fresh(state: State) -> bool:
    """Whether everything that was acknowledged more than `max_lag_ms` ago is applied here."""
    return state.now_ns - state.fresh_ns <= state.configuration.max_lag_ms * MILLISECOND_NS


def _vouch(state: State) -> None:
    """Vouch for the answers after which a round was asked and answered; the leader itself is as fresh as that round."""
    if not state.leads_and_knows():
        return
    latest = confirmed(state)
    if latest in state.round_sent:
        state.fresh_ns = max(state.fresh_ns, state.round_sent[latest][0])
    for progress in state.followers.values():
        if progress.to_vouch is not None and latest >= progress.to_vouch[1]:
            progress.vouched_round, progress.to_vouch = progress.to_vouch[0], None
