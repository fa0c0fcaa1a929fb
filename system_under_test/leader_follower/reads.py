"""Reads, in six modes:

- `leader`: linearizable. A read is served after a majority, asked later than the read came in, still follows this
  leader, and not before the leader has committed an entry of its own generation (ReadIndex: Ongaro 2014, 6.4). One
  round of questions serves all reads that came before it. With `async` replication the leader asks nobody, as it asks
  nobody about writes either: a deposed leader that has not noticed goes on serving what it has.
- `lease`: linearizable as far as clocks can be trusted. The leader serves at once while its lease holds (`lease.py`);
  while it does not, as `leader`, and in `async`, where nobody is asked, it is refused, "no-lease".
- `leader-local`: whoever takes itself for the leader answers at once; a deposed leader that has not noticed, too.
- `follower`: whoever is asked answers at once from what it has applied; arbitrarily stale.
- `session`: as `follower`, once the node has applied at least the position that the client's token names; refused,
  "not-caught-up", when that takes longer than `wait_ms`.
- `bounded`: as `follower`, by a node that knows itself to have everything that was acknowledged more than `max_lag_ms`
  ago (`rounds.py`); refused otherwise, "too-stale". In `async` a leader that was cut off acknowledges writes that the
  others never see: the bound is then about the leader that is followed.

What a token means. It is the largest (generation, index) that the session was shown, and is compared as a pair with
the name of the last applied entry. Along any one log both parts only grow, so as long as committed entries stay
committed (`quorum`, `sync`), "applied >= token" says exactly that the entry of the token is among those applied.
Comparing indexes alone would be wrong: a deposed leader may hold a longer log of an older generation. In `async` an
acknowledged entry can be lost; then a later generation satisfies its token although the write is gone. No comparison
can bring it back: a token is no promise of durability.
"""

from __future__ import annotations

from . import answers, lease, replication, rounds
from .configuration import CHOICES
from .messages import Request
from .state import State, Waiting

MODES = CHOICES["read"]
LEADERS_MODES = ("leader", "lease", "leader-local")
"""What only a leader serves."""
WAITING_READS = 4096


def on_read(state: State, request: Request) -> None:
    """Serve a read, or let it wait."""
    if request.mode in LEADERS_MODES and state.role != "leader":
        answers.refused(state, request.reference, "not-leader")
    elif request.mode == "lease" and not _has_lease_or_can_ask(state):
        answers.refused(state, request.reference, "no-lease")
    elif request.mode == "bounded" and not rounds.is_fresh(state):
        answers.refused(state, request.reference, "too-stale")
    elif _is_served_at_once(state, request):
        _serve(state, request)
    elif len(state.reads_next) + len(state.reads_by_token) >= WAITING_READS:
        answers.refused(state, request.reference, "busy")
    else:
        queue = state.reads_by_token if request.mode == "session" else state.reads_next
        queue.append(Waiting(state.now_ns + state.configuration.wait_ns, request))


def start_round(state: State) -> None:
    """Ask all followers whether they still follow, on behalf of every read that waits."""
    if state.reads_in_round or not state.reads_next or not may_start_round(state):
        return
    early = not state.leads_and_knows()
    if state.configuration.replication == "async" or early or state.has_bug("read-without-confirmation"):
        _serve_all(state, state.reads_next)
        state.reads_next = []
        return
    state.reads_in_round, state.reads_next = state.reads_next, []
    replication.broadcast(state)
    state.reads_round = state.round
    confirm(state)


def may_start_round(state: State) -> bool:
    """Whether this leader knows all that is committed, so that a confirmation is worth something."""
    early = state.role == "leader" and state.has_bug("read-before-own-entry")
    return early or state.leads_and_knows()


def confirm(state: State) -> None:
    """Serve the round's reads once a majority has answered it: all that was committed before is applied by then."""
    if not state.reads_in_round:
        return
    if rounds.confirmed(state) >= state.reads_round:
        confirmed, state.reads_in_round = state.reads_in_round, []
        _serve_all(state, confirmed)


def on_applied(state: State) -> None:
    """Serve the session reads whose token is reached."""
    if not state.reads_by_token:
        return
    waiting, state.reads_by_token = state.reads_by_token, []
    for one in waiting:
        if _satisfied(state, one.request):
            _serve(state, one.request)
        else:
            state.reads_by_token.append(one)


def expire(state: State) -> None:
    """Refuse the reads that waited too long."""
    for queue, error in (
        (state.reads_next, "unconfirmed"),
        (state.reads_in_round, "unconfirmed"),
        (state.reads_by_token, "not-caught-up"),
    ):
        while queue and queue[0].deadline_ns <= state.now_ns:
            answers.refused(state, queue.pop(0).request.reference, error)


def _has_lease_or_can_ask(state: State) -> bool:
    """In `async` nobody is asked: there a lease read is served by the lease or not at all."""
    if state.configuration.replication == "async":
        return lease.holds(state)
    return state.configuration.lease != "off"


def _is_served_at_once(state: State, request: Request) -> bool:
    """Whether nothing needs to be waited for; a lease that does not hold is made up for by asking a majority."""
    if request.mode in ("follower", "leader-local", "bounded"):
        return True
    return lease.serves(state, request) or _satisfied(state, request)


def _satisfied(state: State, request: Request) -> bool:
    if state.has_bug("token-without-generation"):
        return request.mode == "session" and state.log.last_index >= request.token[1]
    reached = state.applied() >= request.token or state.has_bug("token-ignored")
    return request.mode == "session" and reached


def _serve_all(state: State, reads: list[Waiting]) -> None:
    for waiting in reads:
        _serve(state, waiting.request)


def _serve(state: State, request: Request) -> None:
    value, version = state.store.read(request.key)
    answers.served(state, request.reference, "ok", value, version)
