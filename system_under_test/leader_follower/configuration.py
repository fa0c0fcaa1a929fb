"""The switches of one node, checked once when it starts.

>>> Configuration.from_options("n2", ("n1", "n2", "n3"), {"replication": "sync"}).acknowledgements(5)
5

What each switch promises:

- `replication`: whose disks hold a write before it is committed and its client answered: `sync` all nodes',
  `quorum` a majority's, `async` the leader's alone.
- `election`: `raft`, `paxos` (who leads a generation is decided by single-decree Paxos), or `none`: the first node
  leads for ever.
- `lease`: whether followers promise the leader not to elect another for `lease_ms`, on the clock named. The leader
  trusts that promise for a shorter time, so that it still holds if every clock is wrong by `drift_ppm`.
- `read`: in which mode the clients of the harness read; see `reads.py`. `max_lag_ms` is for the mode `bounded`.
- `members`: the nodes that the cluster begins with, with commas; the others wait to be added. Empty: all.
- `fencing`: whether replication messages of an older generation are refused, and writes of clients that know of a newer
  one (`fencing.py`). Without it a deposed leader's entries are taken, and two leaders overwrite each other.
- `fsync`: `always` before anything is said to be durable, `interval` every `fsync_interval_ms`, `never`: when the
  operating system likes. Generation and vote are synced whatever this says: without that no election is safe.
- `wait_ms`: how long a client's request may wait inside the node before it is told that it waited in vain.
- `snapshot_entries`: how many applied entries make a snapshot due; 0: never. `segment_bytes`: size of a log segment.
- `autopilot_ms`: how long a member may be silent before the leader itself removes it; 0: for ever (`autopilot.py`).
- `forward`: whether followers pass writes on to the leader instead of refusing them with its name (`forwarding.py`).
- `exactly_once`: whether the clients of the harness repeat a write that is in doubt. Nodes know a session's request by
  its number whatever this says (`sessions.py`).
- `bug`: names of planted bugs with commas between them (see `bugs.py`): each switches off one safeguard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from .bugs import refuse_unknown

CHOICES: dict[str, tuple[str, ...]] = {
    "replication": ("sync", "async", "quorum"),
    "election": ("raft", "paxos", "none"),
    "lease": ("off", "monotonic", "wall"),
    "read": ("leader", "lease", "leader-local", "follower", "session", "bounded"),
    "fsync": ("always", "interval", "never"),
}
MILLISECOND_NS = 1_000_000
MILLION = 1_000_000
HEARTBEATS_OF_LAG = 3
"""A follower learns how fresh it is from a question, an answer and the next question: that much lag is always there."""


@dataclass(frozen=True)
class Configuration:
    """Settings of a node; `nodes` lists the whole cluster in the same order everywhere."""

    name: str
    nodes: tuple[str, ...]
    replication: str = "quorum"
    election: str = "raft"
    lease: str = "off"
    read: str = "leader"
    fsync: str = "always"
    fencing: bool = True
    heartbeat_ms: int = 50
    election_timeout_ms: int = 300
    fsync_interval_ms: int = 100
    wait_ms: int = 1000
    lease_ms: int = 250
    drift_ppm: int = 1000
    max_lag_ms: int = 500
    snapshot_entries: int = 0
    segment_bytes: int = 16 << 20
    members: str = ""
    autopilot_ms: int = 0
    forward: bool = False
    exactly_once: bool = False
    bug: str = ""

    def __post_init__(self) -> None:
        refuse_unknown(self.bugs)
        if self.name not in self.nodes or len(set(self.nodes)) != len(self.nodes):
            raise ValueError(f"node {self.name!r} must be one of the distinct nodes {', '.join(self.nodes)}")
        for option, choices in CHOICES.items():
            if getattr(self, option) not in choices:
                raise ValueError(f"{option} is {getattr(self, option)!r}; it must be one of {', '.join(choices)}")
        if not 0 < self.heartbeat_ms < self.election_timeout_ms:
            raise ValueError(
                f"heartbeat_ms ({self.heartbeat_ms}) must be positive and below"
                f" election_timeout_ms ({self.election_timeout_ms})"
            )
        for option in ("fsync_interval_ms", "wait_ms", "max_lag_ms", "segment_bytes"):
            if getattr(self, option) <= 0:
                raise ValueError(f"{option} must be positive")
        if self.snapshot_entries < 0:
            raise ValueError("snapshot_entries must be positive, or 0 for no snapshots")
        if self.autopilot_ms != 0 and self.autopilot_ms <= self.heartbeat_ms:
            raise ValueError(
                f"autopilot_ms ({self.autopilot_ms}) must be above heartbeat_ms ({self.heartbeat_ms}), or 0 for no"
                " autopilot: nobody is heard more often than that"
            )
        self._check_members()
        self._check_lease()
        if self.read == "bounded" and self.max_lag_ms <= HEARTBEATS_OF_LAG * self.heartbeat_ms:
            raise ValueError(
                f"max_lag_ms ({self.max_lag_ms}) must be above {HEARTBEATS_OF_LAG} times heartbeat_ms"
                f" ({self.heartbeat_ms}): no follower can know that it is fresher than that"
            )

    def _check_members(self) -> None:
        strangers = [member for member in self.first_members if member not in self.nodes]
        if strangers or len(set(self.first_members)) != len(self.first_members):
            raise ValueError(f"members is {self.members!r}; it must name some of {', '.join(self.nodes)}, each once")
        if self.election == "none" and self.nodes[0] not in self.first_members:
            raise ValueError(f"members must name {self.nodes[0]}, which leads for ever with election none")

    def _check_lease(self) -> None:
        if not 0 <= self.drift_ppm < MILLION:
            raise ValueError(f"drift_ppm ({self.drift_ppm}) must be at least 0 and below a million")
        if self.lease == "off":
            if self.read == "lease":
                raise ValueError("read is 'lease', but lease is 'off'; choose lease monotonic or wall")
            return
        if self.election == "none":
            raise ValueError(f"lease is {self.lease!r}, but with election none there is nobody whom it would hold back")
        if self.trusted_lease_ns <= self.heartbeat_ns:
            raise ValueError(
                f"lease_ms ({self.lease_ms}), shortened for drift_ppm ({self.drift_ppm}), must be above heartbeat_ms"
                f" ({self.heartbeat_ms}), which renews it"
            )

    @classmethod
    def from_options(cls, name: str, nodes: Sequence[str], options: Mapping[str, Any]) -> Configuration:
        """Take the options that concern the server, leaving the rest; ValueError names a bad one."""
        known = {field.name for field in fields(cls)} - {"name", "nodes"}
        return cls(name, tuple(nodes), **{key: options[key] for key in sorted(known & set(options))})

    @cached_property
    def bugs(self) -> frozenset[str]:
        """The planted bugs that are in force; none unless named."""
        return frozenset(name for name in self.bug.split(",") if name)

    def has_bug(self, name: str) -> bool:
        """Whether this safeguard is switched off on purpose."""
        return self.bug != "" and name in self.bugs

    @cached_property
    def fences(self) -> bool:
        """Whether older generations are refused."""
        return self.fencing and not self.has_bug("no-fencing")

    @cached_property
    def trusts_walls(self) -> bool:
        """Whether leases are measured on wall clocks, which is a mistake; nothing else looks at one."""
        return self.lease == "wall" or self.has_bug("lease-on-wall-clock")

    @cached_property
    def peers(self) -> tuple[str, ...]:
        """The other nodes that there are addresses for, members or not."""
        return tuple(node for node in self.nodes if node != self.name)

    @cached_property
    def first_members(self) -> tuple[str, ...]:
        """Whom the cluster begins with."""
        return tuple(self.members.split(",")) if self.members else self.nodes

    def majority(self, members: int) -> int:
        """The least number of that many members of which any two such groups share one."""
        return max(1, members // 2) if self.bug and self.has_bug("minority-quorum") else members // 2 + 1

    def acknowledgements(self, members: int) -> int:
        """How many of that many members, the leader included, must hold an entry before it is committed."""
        if self.replication == "quorum":
            return self.majority(members)
        return members if self.replication == "sync" else 1

    @cached_property
    def election_timeout_ns(self) -> int:
        """Shortest silence after which a follower stands for election."""
        return self.election_timeout_ms * MILLISECOND_NS

    @cached_property
    def heartbeat_ns(self) -> int:
        """Longest silence of a leader."""
        return self.heartbeat_ms * MILLISECOND_NS

    @cached_property
    def wait_ns(self) -> int:
        """Longest stay of a client's request inside the node."""
        return self.wait_ms * MILLISECOND_NS

    @cached_property
    def autopilot_ns(self) -> int:
        """Longest silence of a member before it is removed; 0: any."""
        return self.autopilot_ms * MILLISECOND_NS

    @cached_property
    def lease_ns(self) -> int:
        """How long a follower holds back, on its own clock, after it heard the leader."""
        return self.lease_ms * MILLISECOND_NS

    @cached_property
    def trusted_lease_ns(self) -> int:
        """How long the leader counts on that, on its own clock.

        With clocks that gain or lose at most d, the follower's time lasts at least lease / (1 + d) and the leader's at
        most trusted / (1 - d): the second is never longer than the first.
        """
        longer = 4 if self.has_bug("lease-too-long") else 1
        return longer * self.lease_ns * (MILLION - self.drift_ppm) // (MILLION + self.drift_ppm)

    @cached_property
    def quorum_timeout_ns(self) -> int:
        """How long a leader goes on without hearing from a majority: while nobody else can be elected, it may."""
        return max(self.election_timeout_ns, *((self.lease_ns, self.trusted_lease_ns) if self.lease != "off" else (0,)))
