"""Everything that one node knows, in one place; the concerns are functions over it.

What is on disk (`generation`, `vote`, and the log up to `durable_index`) survives a crash; the rest starts anew. A node
that restarts knows nothing of what was committed: it serves nothing but the beginning until a leader tells it more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .configuration import Configuration
from .log import Log
from .machine import Chance
from .messages import Effect, Message, Note, Reference, Request, Send, Version
from .store import Store

Role = Literal["follower", "pre-candidate", "candidate", "leader"]
NEVER_NS = 1 << 62


class Waiting(NamedTuple):
    """A client's request that cannot be answered yet, and when it will be told so."""

    deadline_ns: int
    request: Request


class WaitingWrite(NamedTuple):
    """A write in the log that is not yet committed."""

    deadline_ns: int
    generation: int
    reference: Reference


@dataclass(slots=True)
class Progress:
    """What the leader knows of one follower."""

    next_index: int
    """The next entry to send."""
    match_index: int = 0
    """Up to here the follower's log is known to be durable and equal to the leader's."""
    probing: bool = True
    """Whether the two logs' last common entry is still sought: then one message at a time."""
    round: int = 0
    """The latest confirmation round that it answered."""
    heard_ns: int = 0
    """When it was last heard from."""


@dataclass(slots=True)
class State:
    """One node's knowledge. `effects` collects what is to be done; `now_ns` is the time of the event in hand."""

    configuration: Configuration
    random: Chance
    log: Log
    generation: int
    vote: str | None
    store: Store = field(default_factory=Store)
    effects: list[Effect] = field(default_factory=list)
    now_ns: int = 0

    role: Role = "follower"
    leader: str | None = None
    commit_index: int = 0
    durable_index: int = 0
    disk_full: bool = False
    rolled_back: int = 0
    """Entries that were applied and then taken back, since the start: never in a safe configuration."""

    election_deadline_ns: int = NEVER_NS
    leader_heard_ns: int = -NEVER_NS
    verified_index: int = 0
    """As a follower: up to here the log is known to equal the present leader's."""
    answer_due: bool = False
    """As a follower: new entries wait for the disk before they are acknowledged."""
    round_seen: int = 0
    votes: set[str] = field(default_factory=set)

    followers: dict[str, Progress] = field(default_factory=dict)
    heartbeat_deadline_ns: int = NEVER_NS
    quorum_deadline_ns: int = NEVER_NS
    replication_due: bool = False
    round: int = 0
    writes: dict[int, WaitingWrite] = field(default_factory=dict)
    reads_next: list[Waiting] = field(default_factory=list)
    """Leader reads that wait for a confirmation round to begin."""
    reads_in_round: list[Waiting] = field(default_factory=list)
    """Leader reads that wait for the present round's answers."""
    reads_by_token: list[Waiting] = field(default_factory=list)

    def send(self, to: str, message: Message) -> None:
        """Want a message sent."""
        self.effects.append(Send(to, message))

    def note(self, text: str) -> None:
        """Want a line logged."""
        self.effects.append(Note(text))

    def applied(self) -> Version:
        """Name of the last applied entry."""
        return self.store.applied

    def leads_and_knows(self) -> bool:
        """Whether this is a leader that has committed an entry of its own generation, so knows all that is committed.

        Before that, entries of earlier leaders may be committed without its knowing (Raft, Ongaro 2014, 6.4).
        """
        return self.role == "leader" and self.log.generation_at(self.commit_index) == self.generation
