"""The vocabulary of the store: what nodes say to each other, what happens to a node, and what it wants done.

All are named tuples of plain values: cheap to make, printable, and JSON arrays on the wire as they stand.

    event ──▶ Node.handle(event, now_ns) ──▶ [effect, ...]

A generation (Raft's term) numbers the reign of a leader; an entry is named by its generation and its index in the log.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Version = tuple[int, int]
"""(generation, log index), compared lexicographically; (0, 0) is before everything."""
Reference = tuple[int, int]
"""(connection, request id): whom a reply is for. The machine never looks inside."""
Command = list[Any] | None
"""["write", key, value], ["cas", key, old, new], or None: the entry by which a new leader begins."""

NOTHING: Version = (0, 0)


class Entry(NamedTuple):
    """One entry of the log."""

    generation: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used
    command: Command

    def version(self) -> Version:
        """The entry's name."""
        return (self.generation, self.index)


# ── between nodes ────────────────────────────────────────────────────────────────────────────────────────────────────


class VoteRequest(NamedTuple):
    """ "May I lead in this generation?" With `trial`, "would you let me?" (pre-vote: nobody's generation changes)."""

    generation: int
    last_generation: int
    last_index: int
    trial: bool


class VoteAnswer(NamedTuple):
    """The answer; `generation` is the one asked for when granted, else the voter's own."""

    generation: int
    granted: bool
    trial: bool


class AppendRequest(NamedTuple):
    """Entries that follow (`previous_generation`, `previous_index`); without entries, a heartbeat.

    `commit_index` is how far the leader's log is committed. `round` numbers the leader's latest question "do you still
    follow me?", by which reads are confirmed.
    """

    generation: int
    previous_generation: int
    previous_index: int
    entries: list[Entry]
    commit_index: int
    round: int


class AppendAnswer(NamedTuple):
    """`matched`: the follower's log equals the leader's up to `index`, durably. Otherwise: try again after `index`."""

    generation: int
    matched: bool
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used
    round: int


Message = VoteRequest | VoteAnswer | AppendRequest | AppendAnswer

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
    """A client asks. `value` is the argument: the value to write, or [old, new]. `mode` and `token` are for reads."""

    reference: Reference
    f: str
    key: Any = None
    value: Any = None
    mode: str = "leader"
    token: Version = NOTHING


Event = Start | Tick | Flush | Received | Persisted | DiskFull | Request

# ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SaveHardState(NamedTuple):
    """Make this durable before any later effect is carried out."""

    generation: int
    vote: str | None


class Append(NamedTuple):
    """Add to the write-ahead log; report `Persisted`. An entry replaces whatever stood at its index and after it."""

    entries: list[Entry]


class Send(NamedTuple):
    """Send to a peer; may be lost, late or twice."""

    to: str
    message: Message


class Reply(NamedTuple):
    """Answer a client."""

    reference: Reference
    answer: dict[str, Any]


class Note(NamedTuple):
    """One line for the node's log."""

    text: str


Effect = SaveHardState | Append | Send | Reply | Note
