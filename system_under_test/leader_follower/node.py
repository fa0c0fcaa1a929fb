"""The node as a pure machine: an event in, effects out.

No input or output, no clock, no asyncio, no randomness but what it is handed: equal events give equal effects. Every
boundary between effects is a place where a crash may fall, and the tests let it.

    >>> node = Node(Configuration("n1", ("n1",)), chance, HardState(), [])
    >>> node.handle(Start(), now_ns=0)
    []

The driver (`server.py`, or a test) owes it: effects carried out in order; `SaveHardState` durable before what follows
it; `Persisted` after appended entries are durable; `Tick` once `next_deadline_ns()` has come; `Flush` soon after
`wants_flush()`.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import (
    answers,
    changes,
    election,
    fencing,
    forwarding,
    membership,
    paxos,
    reads,
    replication,
    snapshots,
    transfer,
    writes,
)
from . import status as statuses
from .configuration import Configuration
from .log import Log
from .machine import Chance
from .messages import (
    NOTHING,
    AcceptAnswer,
    AcceptRequest,
    AppendAnswer,
    AppendRequest,
    Decided,
    DiskFull,
    Effect,
    Entry,
    Event,
    Flush,
    Forward,
    ForwardAnswer,
    Message,
    Persisted,
    PrepareAnswer,
    PrepareRequest,
    Received,
    Request,
    Snapshot,
    SnapshotAnswer,
    SnapshotRequest,
    StandNow,
    Start,
    Tick,
    Vote,
    VoteAnswer,
    VoteRequest,
)
from .state import State


class Node:
    """One node of the store. `state` is for looking at."""

    def __init__(
        self,
        configuration: Configuration,
        random: Chance,
        generation: int = 0,
        vote: Vote = None,
        entries: Iterable[Entry] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        log = Log(entries, NOTHING if snapshot is None else snapshot.version)
        self.state = State(configuration, random, log, generation, vote, durable_index=log.last_index)
        if snapshot is None:
            membership.begin(self.state)
        else:
            snapshots.begin(self.state, snapshot)
        # A node may have persisted entries of a generation whose number it never had to save by itself.
        behind = generation < log.last_version()[0]
        assert not behind or not configuration.fences or configuration.bug, "the log is ahead of the generation"

    def handle(self, event: Event, now_ns: int, wall_ns: int = 0) -> list[Effect]:
        """What is to be done, in order, because of this event."""
        state = self.state
        state.now_ns, state.wall_ns = now_ns, wall_ns
        # In the order of how often they come; `match` would take their fields out one by one.
        if isinstance(event, Received):
            source, message = event
            if source in state.configuration.peers:
                self._receive(source, message)
        elif isinstance(event, Request):
            self._ask(event)
        elif isinstance(event, Flush):
            if state.replication_due:
                replication.flush(state)
            if state.reads_next:
                reads.start_round(state)
        elif isinstance(event, Persisted):
            self._persisted(*event)
        elif isinstance(event, Tick):
            writes.expire(state)
            forwarding.expire(state)
            reads.expire(state)
            election.tick(state)
        elif isinstance(event, Start):
            election.start(state)
        elif isinstance(event, DiskFull):
            state.disk_full = event.full
        effects, state.effects = state.effects, []
        return effects

    def next_deadline_ns(self) -> int:
        """When to send the next `Tick`."""
        state = self.state
        if state.role == "leader":
            own = min(state.heartbeat_deadline_ns, state.quorum_deadline_ns, state.autopilot_due_ns)
        else:
            own = state.election_deadline_ns
        if state.transfer is not None:
            own = min(own, state.transfer.deadline_ns)
        if state.joining is not None:
            own = min(own, state.joining.deadline_ns)
        for queue in (state.reads_next, state.reads_in_round, state.reads_by_token):
            if queue and queue[0].deadline_ns < own:
                own = queue[0].deadline_ns
        if state.writes:
            own = min(own, writes.next_deadline_ns(state))
        if state.passed_on:
            own = min(own, forwarding.next_deadline_ns(state))
        return own

    def wants_flush(self) -> bool:
        """Whether something is held back until the batch is over."""
        state = self.state
        return state.replication_due or (
            bool(state.reads_next) and not state.reads_in_round and reads.may_start_round(state)
        )

    def _receive(self, source: str, message: Message) -> None:
        state = self.state
        if isinstance(message, AppendRequest):
            replication.on_append(state, source, message)
        elif isinstance(message, AppendAnswer):
            replication.on_answer(state, source, message)
            if state.transfer is not None:
                transfer.on_progress(state)
            if state.joining is not None:
                changes.on_progress(state)
        elif isinstance(message, SnapshotRequest):
            replication.on_snapshot(state, source, message)
        elif isinstance(message, SnapshotAnswer):
            replication.on_snapshot_answer(state, source, message)
        elif isinstance(message, Forward):
            forwarding.on_forward(state, source, message)
        elif isinstance(message, ForwardAnswer):
            forwarding.on_answer(state, message)
        elif state.configuration.election != "none":
            self._elect(source, message)

    def _elect(self, source: str, message: Message) -> None:
        """Votes of Raft's are trials only under `paxos`, and its ballots mean nothing under `raft`."""
        by_paxos = self.state.configuration.election == "paxos"
        match message:
            case VoteRequest() if message.trial or not by_paxos:
                election.on_vote_request(self.state, source, message)
            case VoteAnswer() if message.trial or not by_paxos:
                election.on_vote_answer(self.state, source, message)
            case StandNow():
                election.on_stand_now(self.state, source, message)
            case PrepareRequest() if by_paxos:
                paxos.on_prepare(self.state, source, message)
            case PrepareAnswer() if by_paxos:
                paxos.on_prepare_answer(self.state, source, message)
            case AcceptRequest() if by_paxos:
                paxos.on_accept(self.state, source, message)
            case AcceptAnswer() if by_paxos:
                paxos.on_accept_answer(self.state, source, message)
            case Decided() if by_paxos:
                paxos.on_decided(self.state, message)

    def _ask(self, request: Request) -> None:
        match request.f:
            case "read":
                reads.on_read(self.state, request)
            case "status":
                answers.served(
                    self.state, request.reference, "ok", statuses.of(self.state), self.state.log.last_version()
                )
            case _ if fencing.refuses(self.state, request):
                pass
            case "transfer":
                transfer.on_transfer(self.state, request)
            case "add-node" | "remove-node":
                changes.on_change(self.state, request)
            case _ if self.state.configuration.forward and self.state.role != "leader":
                forwarding.pass_on(self.state, request)
            case _:
                writes.take(self.state, request.reference, writes.command_in(request))

    def _persisted(self, generation: int, index: int) -> None:
        """Entries up to here are durable, unless they were replaced since."""
        state = self.state
        if not state.log.matches(generation, index):
            return
        state.durable_index = max(state.durable_index, index)
        if state.role == "leader":
            replication.advance_commit(state)
        elif state.answer_due:
            state.answer_due = state.durable_index < state.verified_index
            replication.acknowledge(state)
