"""Lease: a leader may count on being the only one for a while, and serve reads without asking anybody.

Whoever hears a leader promises it, for `lease_ms` on its own clock, to help nobody else to be elected: it neither
votes nor stands nor promises a ballot, whatever generation asks. The leader reckons from the moment when it *asked*
the round that a majority answered, which is before any of those promises was made, and trusts it for a shorter time,
so that it ends first even if all clocks are wrong by `drift_ppm` in the worst way:

    leader    asks r ├──────── lease · (1 − d) / (1 + d) ────────┤ reads locally until here
    follower          hears r ├─────────────────── lease ────────────────────┤ helps to elect another from here on

Any majority that elects shares a node with that majority; that node's promise is over by then, so the leader's trust
is, too. A node that restarts does not know what it promised, and holds back for one whole lease.

A leader that hands over lets its lease go first, for the rest of its generation, and says so (`released`): then alone
may the promise be broken.

`wall` measures all this on wall clocks, as many systems did, and shows why not: a jump at a follower ends its promise
early, a jump back at the leader makes its trust last longer, and two nodes serve reads.

Limits: what is assumed is that no monotonic clock gains or loses more than `drift_ppm`, and that such a clock goes on
while its process stands still (it does not on a machine that is suspended, unless it counts that time too).
"""

from __future__ import annotations

from . import rounds
from .messages import Request
from .state import NEVER_NS, State

# ── the follower's side ──────────────────────────────────────────────────────────────────────────────────────────────


def start(state: State) -> None:
    """After a restart: hold back as if everything had been promised just before the crash."""
    if state.generation > 0:
        promise(state)


def promise(state: State) -> None:
    """The leader of this generation was heard."""
    if state.configuration.lease != "off":
        state.promised_until_ns = state.lease_clock_ns() + state.configuration.lease_ns
        state.promised_generation = state.generation


def is_promised(state: State, released: int = 0) -> bool:
    """Whether this node must not help to elect anybody, unless its promise was to a leader that let go."""
    if state.configuration.lease == "off":
        return False
    # Who led the released generation could be elected, so the leases of all generations before it were over.
    if released and released >= state.promised_generation:
        return False
    if state.has_bug("lease-not-honoured"):
        return False
    # No promise is longer than a lease: what seems to be one was made before a wall clock was set back.
    return 0 < state.promised_until_ns - state.lease_clock_ns() <= state.configuration.lease_ns


# ── the leader's side ────────────────────────────────────────────────────────────────────────────────────────────────


def renew(state: State) -> None:
    """A majority may have answered another round."""
    if state.configuration.lease == "off" or state.lease_released:
        return
    sent = state.round_sent.get(rounds.confirmed(state))
    if sent is not None:
        state.lease_until_ns = sent[1] + state.configuration.trusted_lease_ns


def holds(state: State) -> bool:
    """Whether nobody else can lead now, as far as the clocks can be trusted."""
    return state.role == "leader" and not state.lease_released and state.lease_clock_ns() < state.lease_until_ns


def release(state: State) -> None:
    """Let the lease go, for good in this generation: whoever is told of that may be elected at once."""
    state.lease_released = True
    state.lease_until_ns = -NEVER_NS


def serves(state: State, request: Request) -> bool:
    """Whether a read may be served by the lease, with all that was acknowledged by leaders before."""
    return request.mode == "lease" and holds(state) and state.leads_and_knows()
