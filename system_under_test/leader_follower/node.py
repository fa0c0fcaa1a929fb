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
from typing import Any

from . import answers, election, reads, replication, writes
from .configuration import MILLISECOND_NS, Configuration
from .log import Log
from .machine import Chance
from .messages import (
    AppendAnswer,
    AppendRequest,
    DiskFull,
    Effect,
    Entry,
    Event,
    Flush,
    Message,
    Persisted,
    Received,
    Request,
    Start,
    Tick,
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
        vote: str | None = None,
        entries: Iterable[Entry] = (),
    ) -> None:
        log = Log(entries)
        self.state = State(configuration, random, log, generation, vote, durable_index=log.last_index)
        # A node may have persisted entries of a generation whose number it never had to save by itself.
        assert generation >= log.last_version()[0] or not configuration.fencing, "the log is ahead of the generation"

    def handle(self, event: Event, now_ns: int) -> list[Effect]:
        """What is to be done, in order, because of this event."""
        state = self.state
        state.now_ns = now_ns
        match event:
            case Received(source, message):
                self._receive(source, message)
            case Request():
                self._ask(event)
            case Flush():
                if state.replication_due:
                    replication.flush(state)
                reads.start_round(state)
            case Persisted(generation, index):
                self._persisted(generation, index)
            case Tick():
                writes.expire(state)
                reads.expire(state)
                election.tick(state)
            case Start():
                election.start(state)
            case DiskFull(full):
                state.disk_full = full
        effects, state.effects = state.effects, []
        return effects

    def next_deadline_ns(self) -> int:
        """When to send the next `Tick`."""
        state = self.state
        if state.role == "leader":
            own = min(state.heartbeat_deadline_ns, state.quorum_deadline_ns)
        else:
            own = state.election_deadline_ns
        return min([own, *reads.next_deadline_ns(state), *writes.next_deadline_ns(state)])

    def wants_flush(self) -> bool:
        """Whether something is held back until the batch is over."""
        state = self.state
        return state.replication_due or (
            bool(state.reads_next) and not state.reads_in_round and state.leads_and_knows()
        )

    def _receive(self, source: str, message: Message) -> None:
        if source not in self.state.configuration.peers:
            return
        match message:
            case AppendRequest():
                replication.on_append(self.state, source, message)
            case AppendAnswer():
                replication.on_answer(self.state, source, message)
            case VoteRequest() if self.state.configuration.election == "raft":
                election.on_vote_request(self.state, source, message)
            case VoteAnswer() if self.state.configuration.election == "raft":
                election.on_vote_answer(self.state, source, message)

    def _ask(self, request: Request) -> None:
        match request.f:
            case "read":
                reads.on_read(self.state, request)
            case "status":
                answers.served(self.state, request.reference, "ok", status(self.state), self.state.log.last_version())
            case _:
                writes.on_write(self.state, request)

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


def status(state: State) -> dict[str, Any]:
    """What people and programs want to know of a node. Lag is in entries, `heard_ms` is how long ago."""
    followers = {
        name: {
            "match_index": progress.match_index,
            "lag": state.log.last_index - progress.match_index,
            "heard_ms": (state.now_ns - progress.heard_ns) // MILLISECOND_NS,
        }
        for name, progress in state.followers.items()
    }
    return {
        "role": state.role,
        "generation": state.generation,
        "leader": state.leader,
        "ready": state.leads_and_knows(),
        "applied": state.applied(),
        "commit_index": state.commit_index,
        "durable_index": state.durable_index,
        "last_index": state.log.last_index,
        "disk_full": state.disk_full,
        "rolled_back": state.rolled_back,
        "followers": followers,
    }
