"""Transfer: the leader hands over to a node that it is told, without waiting for anybody to miss it.

(Ongaro 2014, 3.10.) While a transfer is under way the leader takes no writes. When the target's log is as long as its
own, it lets its lease go, and tells the target to stand at once; whoever promised the leader a lease may then vote
for the target, which says whose lease was let go. A target that does not make it within an election timeout is given
up: the leader goes on, without a lease for the rest of its generation, as votes may still be under way.

The client is told `ok` by the old leader once it follows the new one, a refusal when somebody else came to lead, and
that the outcome is open when nobody did in time.
"""

from __future__ import annotations

from . import answers, lease
from .messages import Request, StandNow
from .state import State, Transfer


def on_transfer(state: State, request: Request) -> None:
    """Begin a transfer, or refuse it."""
    target = request.key
    if state.role != "leader":
        answers.refused(state, request.reference, "not-leader")
    elif state.configuration.election == "none":
        answers.refused(state, request.reference, "no-elections")
    elif target not in state.members:
        answers.refused(state, request.reference, f"no-member: {target}")
    elif state.transfer is not None:
        answers.refused(state, request.reference, "transfer-in-progress")
    elif target == state.configuration.name:
        answers.served(state, request.reference, "ok", target, state.log.last_version())
    else:
        state.note(f"handing over to {target}")
        deadline_ns = state.now_ns + state.configuration.election_timeout_ns
        state.transfer = Transfer(str(target), deadline_ns, request.reference)
        on_progress(state)


def on_progress(state: State) -> None:
    """Tell the target to stand, once it has everything."""
    if state.transfer is None or state.role != "leader":
        return
    target = state.transfer.target
    if target not in state.followers or state.followers[target].match_index < state.log.last_index:
        return
    lease.release(state)
    state.send(target, StandNow(state.generation))


def on_leader(state: State) -> None:
    """Whoever used to lead hears of a leader: answer whoever asked for the transfer."""
    if state.transfer is None or state.leader is None:
        return
    transfer, state.transfer = state.transfer, None
    if state.leader == transfer.target:
        answers.served(state, transfer.reference, "ok", transfer.target, state.applied())
    else:
        answers.refused(state, transfer.reference, f"other-leader: {state.leader}")


def expire(state: State) -> None:
    """Give up a transfer that takes too long."""
    if state.transfer is not None and state.now_ns >= state.transfer.deadline_ns:
        transfer, state.transfer = state.transfer, None
        state.note(f"handing over to {transfer.target} did not succeed in time")
        answers.indeterminate(state, transfer.reference, "not-transferred")
