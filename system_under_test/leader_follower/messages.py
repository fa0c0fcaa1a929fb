"""The vocabulary of the store: what nodes say to each other, what happens to a node, and what it wants done.

All are named tuples of plain values: cheap to make, printable, and JSON arrays on the wire as they stand.

    event ──▶ Node.handle(event, now_ns) ──▶ [effect, ...]

A generation (Raft's term) numbers the reign of a leader; an entry is named by its generation and its index in the log.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Version = tuple[int, int]
"""(generation, log index), compared lexicographically; (0, 0) is before everything."""
Reference = tuple[int | str, int]
"""Whom a reply is for: (connection, request id), or (node, number) of a command that a follower passed on."""
NOBODY: Reference = (0, 0)
"""For a request of the node's own: connections are counted from 1."""
Command = list[Any] | None
"""["write", key, value], ["cas", key, old, new], ... (`commands.py`); None: the entry by which a new leader begins."""

NOTHING: Version = (0, 0)
Vote = str | list[Any] | None
"""What is kept of elections in the present generation: under `raft` who got the vote, under `paxos` what was promised
and accepted: [number, proposer, number, proposer, leader]."""


made: Any = tuple.__new__
"""`made(Send, (to, message))`: a named tuple of fields that were counted. Its own `__new__` is a function in Python and
four times as slow, which shows where every message passes."""


class Entry(NamedTuple):
    """One entry of the log."""

    generation: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used
    command: Command

    def version(self) -> Version:
        """The entry's name."""
        return (self.generation, self.index)


class Snapshot(NamedTuple):
    """What the log up to `version` amounts to; of version (0, 0): nothing yet."""

    version: Version
    members_version: Version
    """The entry by which the members are what they are."""
    members: tuple[str, ...]
    state: str
    """`Store.dump()` as JSON, in ASCII; empty: the state in the beginning."""


# ── between nodes ────────────────────────────────────────────────────────────────────────────────────────────────────


class VoteRequest(NamedTuple):
    """ "May I lead in this generation?" With `trial`, "would you let me?" (pre-vote: nobody's generation changes)."""

    generation: int
    last_generation: int
    last_index: int
    trial: bool
    released: int = 0
    """The generation whose leader let its lease go for this candidate; 0: none did."""


class VoteAnswer(NamedTuple):
    """The answer; `generation` is the one asked for when granted, else the voter's own."""

    generation: int
    granted: bool
    trial: bool


class PrepareRequest(NamedTuple):
    """Paxos, phase 1: "who leads this generation?", asked in the ballot (`number`, sender)."""

    generation: int
    number: int
    members_generation: int
    members_index: int
    """The entry by which the proposer knows who the members are."""
    released: int = 0
    """As in a VoteRequest."""


class PrepareAnswer(NamedTuple):
    """Granted: no smaller ballot will be answered, this is what was accepted so far (0 and empty: nothing), and the
    acceptor's log ends there. Refused: `promised_number` was promised already, or the generation is over."""

    generation: int
    number: int
    granted: bool
    promised_number: int
    accepted_number: int
    accepted_by: str
    leader: str
    last_generation: int
    last_index: int


class AcceptRequest(NamedTuple):
    """Paxos, phase 2: "accept this leader for the generation", in the ballot (`number`, sender)."""

    generation: int
    number: int
    leader: str


class AcceptAnswer(NamedTuple):
    """Whether it was accepted."""

    generation: int
    number: int
    granted: bool


class Decided(NamedTuple):
    """A majority accepted: this is the generation's leader, and can be no other."""

    generation: int
    leader: str


class StandNow(NamedTuple):
    """The leader of this generation hands over: stand for election at once; its lease is let go."""

    generation: int


class AppendRequest(NamedTuple):
    """Entries that follow (`previous_generation`, `previous_index`); without entries, a heartbeat.

    `commit_index` is how far the leader's log is committed. `round` numbers the leader's latest question "do you still
    follow me?", by which reads are confirmed. `vouched_round` is the latest answer of this follower after which a
    majority was still seen to follow, so that `commit_index` covers all that was acknowledged before that answer.
    """

    generation: int
    previous_generation: int
    previous_index: int
    entries: list[Entry]
    commit_index: int
    round: int
    vouched_round: int = 0


class AppendAnswer(NamedTuple):
    """`matched`: the follower's log equals the leader's up to `index`, durably. Otherwise: try again after `index`."""

    generation: int
    matched: bool
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used
    round: int


class SnapshotRequest(NamedTuple):
    """A part of the leader's snapshot, for a follower whose next entry the leader's log has no more.

    `data` stands at `offset` of the snapshot's state; `last` says that there is no more. `round` as above.
    """

    generation: int
    at_generation: int
    at_index: int
    members_generation: int
    members_index: int
    members: list[str]
    offset: int
    data: str
    last: bool
    round: int


class SnapshotAnswer(NamedTuple):
    """The follower has so many characters of that snapshot: the next part is wanted from there on."""

    generation: int
    at_index: int
    received: int
    round: int


class Forward(NamedTuple):
    """A follower passes a client's command on to the leader of this generation (`forwarding.py`)."""

    generation: int
    number: int
    command: list[Any]


class ForwardAnswer(NamedTuple):
    """What the client is to be told about that number."""

    number: int
    answer: dict[str, Any]


Message = (
    VoteRequest
    | VoteAnswer
    | PrepareRequest
    | PrepareAnswer
    | AcceptRequest
    | AcceptAnswer
    | Decided
    | StandNow
    | AppendRequest
    | AppendAnswer
    | SnapshotRequest
    | SnapshotAnswer
    | Forward
    | ForwardAnswer
)

# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Start(NamedTuple):
    """The node is up, with what it had on disk."""


class Tick(NamedTuple):
    """Time has passed, at least up to `Node.next_deadline_ns()`."""


class Flush(NamedTuple):
    """A batch of events is over: send and confirm now what was held back to go together."""


class Received(NamedTuple):
    """A message came in."""

    source: str
    message: Message


class Persisted(NamedTuple):
    """All that was appended up to this entry is as durable as the fsync policy makes it."""

    generation: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used


class DiskFull(NamedTuple):
    """The disk began (or ceased) to refuse data."""

    full: bool


class Request(NamedTuple):
    """A client asks. `value` is the argument: the value to write, or [old, new], ... (`commands.py`).

    `mode` and `token` are for reads. The others are for the rest: which session asks, and the number of its request;
    and the newest generation of which the client knows, 0 for none (`fencing.py`).
    """

    reference: Reference
    f: str
    key: Any = None
    value: Any = None
    mode: str = "leader"
    token: Version = NOTHING
    session: tuple[int, int] | None = None
    generation: int = 0


Event = Start | Tick | Flush | Received | Persisted | DiskFull | Request

# ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SaveHardState(NamedTuple):
    """Make this durable before any later effect is carried out."""

    generation: int
    vote: Vote


class Append(NamedTuple):
    """Add to the write-ahead log; report `Persisted`. An entry replaces whatever stood at its index and after it."""

    entries: list[Entry]


class SaveSnapshot(NamedTuple):
    """Keep this snapshot, and let go of the log up to it. With `replaces`, let go of the whole log, also of what was
    appended and not yet written: the log goes on after the snapshot; report `Persisted`."""

    snapshot: Snapshot
    replaces: bool


class Send(NamedTuple):
    """Send to a peer; may be lost, late or twice."""

    to: str
    message: Message


class Reply(NamedTuple):
    """Answer a client: (connection, request id)."""

    reference: tuple[int, int]
    answer: dict[str, Any]


class Note(NamedTuple):
    """One line for the node's log."""

    text: str


Effect = SaveHardState | Append | SaveSnapshot | Send | Reply | Note
