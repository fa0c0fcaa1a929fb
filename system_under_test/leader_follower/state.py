"""Everything that one node knows, in one place; the concerns are functions over it.

What is on disk (`generation`, `vote`, and the log up to `durable_index`) survives a crash; the rest starts anew. A node
that restarts knows nothing of what was committed: it serves nothing but the beginning until a leader tells it more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .configuration import Configuration
from .log import Log
from .machine import Chance
from .messages import NOTHING, Effect, Message, Note, Reference, Request, Send, Snapshot, Version, Vote, made
from .store import Store

Role = Literal["follower", "pre-candidate", "candidate", "leader"]
NEVER_NS = 1 << 62
NO_SNAPSHOT = Snapshot(NOTHING, NOTHING, (), "")
LOG_ENDS = 1200
"""A minute of heartbeats."""
Ballot = tuple[int, str]
"""(number, proposer), compared as such."""


class Waiting(NamedTuple):
    """A client's request that cannot be answered yet, and when it will be told so."""

    deadline_ns: int
    request: Request


class WaitingWrite(NamedTuple):
    """A write in the log that is not yet committed."""

    deadline_ns: int
    generation: int
    reference: Reference


class Membership(NamedTuple):
    """The members from an entry on; of version (0, 0) those that the cluster began with."""

    version: Version
    members: tuple[str, ...]


class Transfer(NamedTuple):
    """A leadership that is being handed over; while it is, no writes are taken."""

    target: str
    deadline_ns: int
    reference: Reference


class Joining(NamedTuple):
    """A node that is brought up to date before it becomes a member."""

    name: str
    deadline_ns: int
    reference: Reference


@dataclass(slots=True)
class Proposal:
    """What a candidate in a Paxos election knows; see `paxos.py`."""

    number: int
    promises: dict[str, Promise] = field(default_factory=dict)
    leader: str = ""
    """The value proposed; empty before a majority has promised."""
    accepted: set[str] = field(default_factory=set)


class Promise(NamedTuple):
    """What an acceptor told: the ballot and value it accepted last, and where its log ends."""

    accepted: Ballot
    leader: str
    version: Version


@dataclass(slots=True)
class Incoming:
    """A snapshot that comes in parts."""

    version: Version
    parts: list[str] = field(default_factory=list)
    received: int = 0


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
    vouched_round: int = 0
    """The latest answer of it after which a majority still followed: it may count itself fresh up to there."""
    sending: Snapshot | None = None
    """The snapshot that is being sent to it, to its end, though there may be a later one."""
    snapshot_offset: int = 0
    """How much of that it has."""
    to_vouch: tuple[int, int] | None = None
    """(its answer, the round that a majority must answer) before the former can be vouched for."""


@dataclass(slots=True)
class State:
    """One node's knowledge. `effects` collects what is to be done; `now_ns` is the time of the event in hand."""

    configuration: Configuration
    random: Chance
    log: Log
    generation: int
    vote: Vote
    store: Store = field(default_factory=Store)
    effects: list[Effect] = field(default_factory=list)
    now_ns: int = 0
    wall_ns: int = 0
    """The wall clock at that moment; nothing but the lease `wall` looks at it, which is its mistake."""
    memberships: list[Membership] = field(default_factory=list)
    """What the log says of the members, oldest first."""

    snapshot: Snapshot = NO_SNAPSHOT
    """The latest: from it, and the log after it, the state can be made again."""
    incoming: Incoming | None = None
    """As a follower: what has come of the leader's snapshot."""

    role: Role = "follower"
    leader: str | None = None
    first_leader: str | None = None
    """The first that was followed since the start, for a planted bug."""
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
    proposal: Proposal | None = None
    """As a candidate in a Paxos election."""
    ballot_floor: int = 0
    """The largest ballot number met in this generation."""
    known_generation: int = 0
    """The latest generation of which it is known that its leader was decided, or that was there at the start."""
    barred_generation: int = 0
    """Up to here this node may not lead: it may have led already, and have forgotten what it said."""

    promised_until_ns: int = -NEVER_NS
    """On the lease's clock: until then this node elects nobody."""
    promised_generation: int = 0
    """Whose leader has that promise."""
    fresh_ns: int = -NEVER_NS
    """Everything acknowledged before this moment is applied here."""
    fresher: tuple[int, int] | None = None
    """(index to be applied, the moment up to which that makes this node fresh)."""
    rounds_heard: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOG_ENDS))
    """As a follower: (round, when it was first heard of)."""

    followers: dict[str, Progress] = field(default_factory=dict)
    heartbeat_deadline_ns: int = NEVER_NS
    quorum_deadline_ns: int = NEVER_NS
    replication_due: bool = False
    round: int = 0
    round_sent: dict[int, tuple[int, int]] = field(default_factory=dict)
    """As a leader: when a round was asked, on the node's clock and on the lease's."""
    reads_round: int = 0
    """The round that confirms `reads_in_round`."""
    lease_until_ns: int = -NEVER_NS
    """On the lease's clock: until then nobody else is elected."""
    lease_released: bool = False
    """A lease that was let go for a transfer is not taken again in the same generation."""
    log_ends: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOG_ENDS))
    """As a leader: (when, where the log ended), to tell a follower's lag in time."""
    transfer: Transfer | None = None
    joining: Joining | None = None
    autopilot_due_ns: int = NEVER_NS
    """As a leader: when it next looks whom to remove and whom to invite."""
    writes: dict[int, WaitingWrite] = field(default_factory=dict)
    taken: dict[tuple[str, int], None] = field(default_factory=dict)
    """The commands that followers passed on lately: none is taken twice."""
    passed_on: dict[int, WaitingWrite] = field(default_factory=dict)
    """As a follower: clients whose command was passed on to the leader, by its number."""
    last_number: int = 0
    reads_next: list[Waiting] = field(default_factory=list)
    """Leader reads that wait for a confirmation round to begin."""
    reads_in_round: list[Waiting] = field(default_factory=list)
    """Leader reads that wait for the present round's answers."""
    reads_by_token: list[Waiting] = field(default_factory=list)

    def send(self, to: str, message: Message) -> None:
        """Want a message sent."""
        self.effects.append(made(Send, (to, message)))

    def note(self, text: str) -> None:
        """Want a line logged."""
        self.effects.append(Note(text))

    def has_bug(self, name: str) -> bool:
        """Whether a planted bug is in force (`bugs.py`)."""
        return self.configuration.bug != "" and self.configuration.has_bug(name)

    @property
    def members(self) -> tuple[str, ...]:
        """The cluster as the newest entry of the log that changes it says, committed or not (Ongaro 2014, 4.1)."""
        return self.memberships[-1].members

    def is_changing(self) -> bool:
        """Whether the newest change of the membership is not known to be committed."""
        return self.memberships[-1].version[1] > self.commit_index

    @property
    def majority(self) -> int:
        """How many members make one."""
        return self.configuration.majority(len(self.members))

    def lease_clock_ns(self) -> int:
        """The clock by which leases are measured."""
        return self.wall_ns if self.configuration.trusts_walls else self.now_ns

    def is_member(self) -> bool:
        """Whether this node is one."""
        return self.configuration.name in self.members

    def other_members(self) -> list[str]:
        """All members but this node."""
        own = self.configuration.name
        return [member for member in self.memberships[-1].members if member != own]

    def applied(self) -> Version:
        """Name of the last applied entry."""
        return self.store.applied

    def leads_and_knows(self) -> bool:
        """Whether this is a leader that has committed an entry of its own generation, so knows all that is committed.

        Before that, entries of earlier leaders may be committed without its knowing (Raft, Ongaro 2014, 6.4).
        """
        if self.role != "leader":
            return False
        if self.has_bug("old-generation-counted") and self.commit_index == self.log.last_index:
            return True
        return self.log.generation_at(self.commit_index) == self.generation
