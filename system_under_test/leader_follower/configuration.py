"""The switches of one node, checked once when it starts.

>>> Configuration.from_options("n2", ("n1", "n2", "n3"), {"replication": "sync"}).acknowledgements
3

What each switch promises:

- `replication`: whose disks hold a write before it is committed and its client answered: `sync` all nodes',
  `quorum` a majority's, `async` the leader's alone.
- `election`: `raft`, or `none`: the first node leads for ever.
- `fencing`: whether replication messages of an older generation are refused. Without it a deposed leader's entries
  are taken, and two leaders overwrite each other.
- `fsync`: `always` before anything is said to be durable, `interval` every `fsync_interval_ms`, `never`: when the
  operating system likes. Generation and vote are synced whatever this says: without that no election is safe.
- `wait_ms`: how long a client's request may wait inside the node before it is told that it waited in vain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

CHOICES: dict[str, tuple[str, ...]] = {
    "replication": ("sync", "async", "quorum"),
    "election": ("raft", "none"),
    "fsync": ("always", "interval", "never"),
}
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings of a node; `nodes` lists the whole cluster in the same order everywhere."""

    name: str
    nodes: tuple[str, ...]
    replication: str = "quorum"
    election: str = "raft"
    fsync: str = "always"
    fencing: bool = True
    heartbeat_ms: int = 50
    election_timeout_ms: int = 300
    fsync_interval_ms: int = 100
    wait_ms: int = 1000

    def __post_init__(self) -> None:
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
        if self.fsync_interval_ms <= 0 or self.wait_ms <= 0:
            raise ValueError("fsync_interval_ms and wait_ms must be positive")

    @classmethod
    def from_options(cls, name: str, nodes: Sequence[str], options: Mapping[str, Any]) -> Configuration:
        """Take the options that concern the server, leaving the rest; ValueError names a bad one."""
        known = {field.name for field in fields(cls)} - {"name", "nodes"}
        return cls(name, tuple(nodes), **{key: options[key] for key in sorted(known & set(options))})

    @property
    def peers(self) -> tuple[str, ...]:
        """The other nodes."""
        return tuple(node for node in self.nodes if node != self.name)

    @property
    def majority(self) -> int:
        """The least number of nodes of which any two such groups share one."""
        return len(self.nodes) // 2 + 1

    @property
    def acknowledgements(self) -> int:
        """How many nodes, the leader included, must hold an entry before it is committed."""
        return {"sync": len(self.nodes), "async": 1, "quorum": self.majority}[self.replication]

    @property
    def election_timeout_ns(self) -> int:
        """Shortest silence after which a follower stands for election."""
        return self.election_timeout_ms * MILLISECOND_NS

    @property
    def heartbeat_ns(self) -> int:
        """Longest silence of a leader."""
        return self.heartbeat_ms * MILLISECOND_NS

    @property
    def wait_ns(self) -> int:
        """Longest stay of a client's request inside the node."""
        return self.wait_ms * MILLISECOND_NS
