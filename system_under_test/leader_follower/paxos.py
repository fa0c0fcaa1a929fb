"""Election by Paxos: the identity of a generation's leader is agreed on by single-decree Paxos (Lamport 2001).

Every generation is an instance of its own. Whoever finds the leader silent proposes, in a ballot (number, own name):

    proposer                                      acceptors, each on its own disk first
    prepare(generation, ballot)      ──▶          promise: no smaller ballot any more; tells what it accepted so far,
                                     ◀──          and where its log ends
    a majority promised: the leader is what was accepted in the largest ballot among them; if nothing was,
    the one of them whose log is most up to date (the proposer where it is as good)
    accept(generation, ballot, leader)  ──▶       accepted, unless a larger ballot was promised
    a majority accepted: decided     ──▶          everybody; the leader takes up its work

The up-to-date requirement, which Raft's voters enforce, is met by whom the proposer may name. To promise in a
generation is to enter it: an acceptor takes no entries of older leaders from then on (fencing), so what it told of its
log covers every older entry that it acknowledged. A committed entry is on a majority of disks, which shares a node with
the majority that promised; the most up-to-date log among these has that entry (Raft's argument, 5.4.3). Whatever a
later ballot finds accepted was named in the same generation in this same way. So the proposer need not be up to date
itself, and nothing need be fetched. It must only know the members as well as each who promises: two ballots of one
generation that counted by memberships two changes apart could have majorities that share nobody.

- Promises are about one generation; state of an older one is never needed again, as its messages are refused. What is
  durable is `State.vote`: [promised number, proposer, accepted number, proposer, leader].
- A node that restarted takes up no leadership of the generation in which it woke (`barred_generation`): it may have led
  it before, and forgotten entries of it that others saw; or had named entries that it then lost.
- A ballot that comes to nothing is repeated in the same generation with a larger number; once a generation is known to
  be decided, or was there when the node started, the next one is tried.

Limits: a leader that was decided on and died before it could begin costs one more election timeout.
"""

from __future__ import annotations

from . import lease
from .leading import become_leader
from .messages import AcceptAnswer, AcceptRequest, Decided, PrepareAnswer, PrepareRequest
from .roles import become_follower, restart_election_timer, save_hard_state
from .state import Ballot, Promise, Proposal, State

NO_BALLOT: Ballot = (0, "")


def next_generation(state: State) -> int:
    """The generation in which this node would propose now."""
    return state.generation + (state.known_generation >= state.generation)


def propose(state: State, released: int = 0) -> None:
    """Phase 1: ask for promises, one's own first."""
    generation = next_generation(state)
    if generation > state.generation:
        state.generation, state.vote, state.ballot_floor = generation, None, 0
    promised, accepted, leader = acceptor(state)
    number = max(promised[0], state.ballot_floor) + 1
    name = state.configuration.name
    _keep(state, (number, name), accepted, leader)
    state.note(f"proposing in generation {generation}, ballot {number}")
    state.role, state.leader = "candidate", None
    state.proposal = Proposal(number, {name: Promise(accepted, leader, state.log.last_version())})
    restart_election_timer(state)
    _to_others(state, PrepareRequest(generation, number, *state.memberships[-1].version, released))
    _count_promises(state)


def on_prepare(state: State, source: str, message: PrepareRequest) -> None:
    """Promise, unless generation, members or ballot of the proposer are outdated, or the leader holds a lease."""
    newer = message.generation > state.generation
    outdated = (message.members_generation, message.members_index) < state.memberships[-1].version
    if message.generation < state.generation or outdated or (newer and lease.is_promised(state, message.released)):
        state.send(source, _refusal(state, message, 0))
        return
    if newer:
        become_follower(state, message.generation, None)
    promised, accepted, leader = acceptor(state)
    ballot = (message.number, source)
    if ballot < promised:
        state.send(source, _refusal(state, message, promised[0]))
        return
    _yield_to(state, ballot)
    _keep(state, ballot, accepted, leader)
    version = state.log.last_version()
    state.send(
        source, PrepareAnswer(state.generation, message.number, True, message.number, *accepted, leader, *version)
    )


def on_prepare_answer(state: State, source: str, message: PrepareAnswer) -> None:
    """A promise, or a refusal, which tells of a newer generation or a larger ballot."""
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
        return
    proposal = _proposal(state, message.generation, message.number)
    if proposal is None:
        return
    if not message.granted:
        state.ballot_floor = max(state.ballot_floor, message.promised_number)
        return
    accepted = (message.accepted_number, message.accepted_by)
    proposal.promises[source] = Promise(accepted, message.leader, (message.last_generation, message.last_index))
    _count_promises(state)


def on_accept(state: State, source: str, message: AcceptRequest) -> None:
    """Accept a leader, unless the generation is over or a larger ballot was promised."""
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
    ballot = (message.number, source)
    granted = message.generation == state.generation and ballot >= acceptor(state)[0]
    if granted:
        _yield_to(state, ballot)
        _keep(state, ballot, ballot, message.leader)
    state.send(source, AcceptAnswer(state.generation, message.number, granted))


def on_accept_answer(state: State, source: str, message: AcceptAnswer) -> None:
    """An acceptor accepted, or not."""
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
        return
    proposal = _proposal(state, message.generation, message.number)
    if proposal is not None and message.granted:
        proposal.accepted.add(source)
        _count_accepted(state)


def on_decided(state: State, message: Decided) -> None:
    """The generation has a leader; if that is this node, it begins."""
    if message.generation > state.generation:
        become_follower(state, message.generation, None)
    if message.generation == state.generation:
        _learn(state, message.leader)


def acceptor(state: State) -> tuple[Ballot, Ballot, str]:
    """What this node promised and accepted in this generation: two ballots, and a leader."""
    if state.vote is None:
        return NO_BALLOT, NO_BALLOT, ""
    if isinstance(state.vote, str):  # A vote of Raft's: what came of that election is not known here.
        return (1 << 62, ""), NO_BALLOT, ""
    promised, promised_by, accepted, accepted_by, leader = state.vote
    return (promised, promised_by), (accepted, accepted_by), leader


# ── the proposer ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _count_promises(state: State) -> None:
    """Once a majority has promised: phase 2, with the leader whom the promises leave to be named."""
    proposal = state.proposal
    assert proposal is not None
    promises = {name: promise for name, promise in proposal.promises.items() if name in state.members}
    if proposal.leader or len(promises) < state.majority:
        return
    ballot: Ballot = (proposal.number, state.configuration.name)
    if acceptor(state)[0] > ballot:  # Promised elsewhere meanwhile: this ballot is dead.
        return
    proposal.leader = choose(promises, state.configuration.name)
    proposal.accepted = {state.configuration.name}
    _keep(state, ballot, ballot, proposal.leader)
    _to_others(state, AcceptRequest(state.generation, proposal.number, proposal.leader))
    _count_accepted(state)


def choose(promises: dict[str, Promise], proposer: str) -> str:
    """Whom a proposer has to name: what may be decided already, else the most up-to-date of those who promised.

    >>> choose({"n1": Promise((0, ""), "", (3, 7)), "n2": Promise((0, ""), "", (3, 9))}, "n1")
    'n2'
    >>> choose({"n1": Promise((0, ""), "", (3, 7)), "n2": Promise((4, "n3"), "n3", (3, 9))}, "n1")
    'n3'
    """
    latest = max(promises.values(), key=lambda promise: promise.accepted)
    if latest.leader:
        return latest.leader
    return max(promises, key=lambda name: (promises[name].version, name == proposer, name))


def _count_accepted(state: State) -> None:
    proposal = state.proposal
    assert proposal is not None
    if len(proposal.accepted.intersection(state.members)) >= state.majority:
        _to_others(state, Decided(state.generation, proposal.leader))
        _learn(state, proposal.leader)


def _learn(state: State, leader: str) -> None:
    """A leader was decided for this generation."""
    state.known_generation = state.generation
    if state.role == "leader" or state.leader is not None:
        return
    state.proposal = None
    if leader == state.configuration.name and state.generation > state.barred_generation:
        become_leader(state)
    elif state.role != "follower":
        become_follower(state, state.generation, None)


def _proposal(state: State, generation: int, number: int) -> Proposal | None:
    """The proposal that an answer is about, if it still matters."""
    proposal = state.proposal
    ours = state.role == "candidate" and generation == state.generation
    return proposal if ours and proposal is not None and proposal.number == number else None


# ── the acceptor ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _keep(state: State, promised: Ballot, accepted: Ballot, leader: str) -> None:
    """Make it durable before anything is said."""
    state.vote = [*promised, *accepted, leader]
    save_hard_state(state)


def _yield_to(state: State, ballot: Ballot) -> None:
    """Another's ballot is under way: give it time, and give up one's own."""
    if state.role in ("candidate", "pre-candidate"):
        become_follower(state, state.generation, None)
    elif state.role == "follower":
        restart_election_timer(state)
    state.ballot_floor = max(state.ballot_floor, ballot[0])


def _refusal(state: State, message: PrepareRequest, promised_number: int) -> PrepareAnswer:
    return PrepareAnswer(state.generation, message.number, False, promised_number, 0, "", "", 0, 0)


def _to_others(state: State, message: PrepareRequest | AcceptRequest | Decided) -> None:
    for peer in state.other_members():
        state.send(peer, message)
