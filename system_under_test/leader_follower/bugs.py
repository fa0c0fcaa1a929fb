"""Planted bugs: each is one safeguard of the store that can be switched off by name.

    splitbrain run --bug no-fencing --nemesis partition --target leader
    splitbrain bugs --only no-fencing

A harness that has never seen a bug is not known to see any. So every safeguard of the store that a test could miss has
a name here, the report of a real system in which that safeguard was missing, and the setting in which its absence has
to show. `splitbrain bugs` searches for each of them, and in the same settings on the store as it should be, where
nothing may be found.

At the safeguard stands one line, `if configuration.has_bug("no-fencing")`, and a bug that is not named in the option
`bug` is not reachable. Where one safeguard stands behind another, the sentence of the bug says that both are off.

>>> BUGS["no-fencing"].setting
'leader cut off'

Limits: what is planted is one known mistake at a time, in this store. That all are found says that such mistakes would
be found under these workloads and faults; it says nothing of mistakes that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """Workload, faults and switches under which a search runs; the same for the bug and for the correct store.

    Attributes:
        workload: its registered name; nodes: how many.
        nemesis, target, partition, combine: as in a plan.
        options: switches of the store and of the workload, by name; world: of the simulated world.
        interval_s, duration_s: mean pause between faults, and mean length of one.
        time_limit_s, quiet_s, rate, concurrency: as in a plan.
        recovery_s_max: the longest that recovery from a fault may take; None: any.
    """

    workload: str = "register"
    nodes: int = 3
    nemesis: tuple[str, ...] = ("partition", "kill")
    target: str = "random"
    partition: str = "auto"
    combine: bool = False
    options: tuple[tuple[str, str | int | bool], ...] = ()
    world: tuple[tuple[str, str | int | float | bool], ...] = ()
    interval_s: float = 0.2
    duration_s: float = 0.35
    time_limit_s: float = 6.0
    quiet_s: float = 1.5
    rate: float = 120.0
    concurrency: int = 6
    recovery_s_max: float | None = None


_QUICK = (("heartbeat_ms", 20), ("election_timeout_ms", 100), ("wait_ms", 300))
"""Fail-over in a fraction of a second, so that a short run sees several."""
_LEASE = (("read", "lease"), ("lease", "monotonic"), ("lease_ms", 400))
"""Leases that are longer than an election takes."""
_PILOTED = (("autopilot_ms", 60),)
"""Members that are removed when they have been silent for three heartbeats."""
_CONTESTED = (("heartbeat_ms", 15), ("election_timeout_ms", 60), ("wait_ms", 300))
"""Nodes that start together and stand within a few milliseconds of each other."""


def _often(workload: str, nemesis: tuple[str, ...], target: str = "leader", **others: Any) -> Setting:
    """Short faults in quick succession, with quick fail-over."""
    options = (*_QUICK, *others.pop("options", ()))
    return Setting(workload=workload, nemesis=nemesis, target=target, options=options, **others)


SETTINGS: dict[str, Setting] = {
    "leader cut off": _often("register", ("partition",)),
    "leader cut off, members replaced": _often("register", ("partition",), options=_PILOTED),
    "leader killed, busy": _often("register", ("kill",), rate=800.0, concurrency=10, time_limit_s=2.5, duration_s=0.2),
    "cuts and kills": _often("register", ("partition", "kill"), "random", combine=True),
    "contested elections": Setting(
        nemesis=("kill",), target="all", options=_CONTESTED, interval_s=0.15, duration_s=0.05, time_limit_s=4.0
    ),
    "power cuts": _often("register", ("power",), "majority", duration_s=0.1),
    "one key, no faults": Setting(
        nemesis=(), options=(("keys", 1),), rate=1500.0, concurrency=8, time_limit_s=0.5, quiet_s=0.3
    ),
    "sessions": _often("session", ("partition", "kill"), "random", combine=True, options=(("read", "session"),)),
    "sessions, leader cut off": _often("session", ("partition",), options=(("read", "session"),)),
    "sessions, halves of five": _often(
        "session", ("partition",), nodes=5, partition="halves", options=(("read", "session"),)
    ),
    "leader cut off, hardly any load": _often(
        "register",
        ("partition",),
        options=(("keys", 1),),
        interval_s=0.01,
        duration_s=0.22,
        time_limit_s=20.0,
        rate=30.0,
    ),
    "leader deaf or mute": _often("register", ("partition",), partition="one-way"),
    "leader cut off and killed": _often("register", ("partition", "kill"), combine=True, concurrency=10),
    "snapshots": _often("register", ("kill",), "majority", options=(("snapshot_entries", 10),), rate=300.0),
    "sessions, snapshots": _often(
        "session",
        ("kill",),
        "random",
        options=(("snapshot_entries", 20), ("read", "session")),
        interval_s=0.1,
        duration_s=0.1,
        time_limit_s=4.0,
        rate=300.0,
    ),
    "transactions": _often("txn", ("kill",), time_limit_s=2.0),
    "leases": _often("register", ("partition",), options=_LEASE),
    "leases, clocks": _often("register", ("partition", "clock"), "random", combine=True, options=_LEASE, rate=300.0),
    "counters": _often("counter", ("kill",), rate=500.0, time_limit_s=2.0),
    "counters retried": _often("counter", ("kill",), options=(("exactly_once", True),), time_limit_s=4.0),
    "leader cut off now and then, one client": _often(
        "register",
        ("partition",),
        recovery_s_max=1.5,
        concurrency=1,
        interval_s=2.0,
        duration_s=0.1,
        time_limit_s=20.0,
        quiet_s=0.5,
        rate=20.0,
    ),
    "sets, disks that misread": _often(
        "set",
        ("kill",),
        "all",
        world=(("flipped_reads", 0.1),),
        interval_s=0.3,
        duration_s=0.05,
        time_limit_s=5.0,
    ),
    "queues": _often("queue", ("kill",), rate=500.0, time_limit_s=2.0),
    "locks": _often("lock", ("kill",), rate=300.0, time_limit_s=2.0),
}


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug.

    Attributes:
        name: as given to `--bug`.
        safeguard: one sentence: what is switched off.
        made_by: the real system, and the report in which this mistake is told.
        setting: in `SETTINGS`, where it has to show.
    """

    name: str
    safeguard: str
    made_by: str
    setting: str


_ALL = (
    Bug(
        "no-fencing",
        "Followers take what any leader sends, and a leader resigns neither for a newer one nor without a majority.",
        "Redis Sentinel: a demoted master kept taking writes beside the new one (Jepsen, Redis, 2013)",
        "leader cut off",
    ),
    Bug(
        "apply-before-commit",
        "A follower applies what it receives, and does not wait until the leader says that it is committed.",
        "MongoDB: reads showed writes that were later rolled back (Jepsen, MongoDB stale reads, 2015)",
        "sessions, halves of five",
    ),
    Bug(
        "reordered-apply",
        "A follower that has several committed entries to apply applies the newest first.",
        "MySQL: parallel appliers without slave_preserve_commit_order commit in another order than the source",
        "sessions",
    ),
    Bug(
        "divergent-tail-kept",
        "A follower whose log disagrees with the leader's keeps its own entries.",
        "Apache Kafka: replicas diverged after fail-over, truncating by high watermark only (KIP-101, 2016)",
        "sessions, leader cut off",
    ),
    Bug(
        "ack-on-receive",
        "A follower acknowledges entries when it receives them, before they are on its disk.",
        "NATS JetStream: acknowledged before fsync, lost on coordinated power failure (Jepsen, NATS 2.12.1, 2025)",
        "power cuts",
    ),
    Bug(
        "minority-quorum",
        "A majority is half of the nodes, rounded down.",
        "akka-raft: quorum computed wrongly (Scott et al., Minimizing Faulty Executions, NSDI 2016)",
        "contested elections",
    ),
    Bug(
        "no-up-to-date-check",
        "A voter gives its vote to a candidate whose log lacks entries that its own has.",
        "Apache Kafka: unclean election of a replica that was behind (Jepsen, Kafka, 2013)",
        "cuts and kills",
    ),
    Bug(
        "longest-log-wins",
        "A voter compares lengths of logs only, not the generations of their last entries.",
        "MongoDB: protocol version 0 elected by newest timestamp, without terms (Jepsen, MongoDB 3.4.0-rc3, 2017)",
        "leader cut off and killed",
    ),
    Bug(
        "votes-twice",
        "A voter gives its vote to everybody who asks in a generation.",
        "Zeebe: two leaders elected in one term (camunda issue 5356, 2020)",
        "contested elections",
    ),
    Bug(
        "vote-not-persisted",
        "Generation and vote are not on disk: a node that starts anew knows of none.",
        "PySyncObj: term and vote began anew with every start, and logs diverged (PySyncObj pull request 202, 2026)",
        "contested elections",
    ),
    Bug(
        "trial-votes-counted",
        "Answers to a trial election (pre-vote) that come late count as votes in the real one.",
        "Canonical raft (dqlite): pre-vote results taken for votes (canonical/raft issue 196, 2021)",
        "contested elections",
    ),
    Bug(
        "old-generation-counted",
        "A leader begins with no entry of its own, and commits an older leader's entries once a majority has them.",
        "PySyncObj: entries of older terms committed by counting (PySyncObj issue 169, 2022)",
        "leader cut off, hardly any load",
    ),
    Bug(
        "read-without-confirmation",
        "A leader serves reads from what it has, without asking a majority, and goes on when no majority answers.",
        "etcd and Consul: stale reads from a deposed leader (Jepsen, etcd and Consul, 2014)",
        "leader cut off",
    ),
    Bug(
        "read-before-own-entry",
        "A new leader serves reads at once, before it has committed an entry of its own generation.",
        "Consul: stale consistent reads while a new leader replays its log (consul issue 2644, 2017)",
        "leader killed, busy",
    ),
    Bug(
        "token-ignored",
        "A session read is served at once, whatever the session's token says.",
        "MongoDB: causal sessions below majority concern broke session guarantees (Jepsen, MongoDB 3.6.4, 2018)",
        "sessions",
    ),
    Bug(
        "token-without-generation",
        "A session read waits only until the node's log is as long as its token says: no generation, nothing applied.",
        "Apache Kafka: positions compared by offset, without leader epoch (KIP-320, 2018)",
        "sessions",
    ),
    Bug(
        "stale-hints",
        "A node names the first leader that it followed, whoever leads now, and clients follow such hints without end.",
        "CockroachDB: hints to a leader that had crashed, followed in an endless loop (cockroach issue 3163, 2015)",
        "leader cut off now and then, one client",
    ),
    Bug(
        "cas-outside-log",
        "The leader compares when it is asked, with what is applied by then, and logs a plain write.",
        "MariaDB Galera: lost updates in a healthy cluster (Jepsen, MariaDB Galera Cluster 12.1.2, 2026)",
        "one key, no faults",
    ),
    Bug(
        "doubt-told-as-refusal",
        "A write that is in the log of a leader that steps down, or waits too long, is answered as never done.",
        "Redis-Raft: writes told as failed were seen later (Jepsen, Redis-Raft 1b3fbf6, 2020)",
        "leader deaf or mute",
    ),
    Bug(
        "ack-before-fsync",
        "An entry counts as durable when it is written, before it is synced.",
        "NATS JetStream: synced every two minutes, acknowledged at once (Jepsen, NATS 2.12.1, 2025)",
        "power cuts",
    ),
    Bug(
        "torn-tail-accepted",
        "A torn frame at the end of the log is not cut away, and new ones are written after it.",
        "LevelDB: logs damaged by appends that a crash had torn (Pillai et al., All File Systems, OSDI 2014)",
        "power cuts",
    ),
    Bug(
        "checksum-ignored",
        "A node that starts does not compare the checksums of its log and its snapshot.",
        "Redis: damaged append-only files were loaded and sent to replicas (Ganesan et al., FAST 2017)",
        "sets, disks that misread",
    ),
    Bug(
        "increment-outside-log",
        "The leader adds to what is applied when it is asked, and logs the sum.",
        "MariaDB Galera: increments lost in a healthy cluster (Jepsen, MariaDB Galera Cluster 12.1.2, 2026)",
        "counters",
    ),
    Bug(
        "duplicate-on-retry",
        "A request that a client repeats is not recognised by its number, and done again.",
        "Apache Kafka: producers' retries appended twice before idempotent producers (KIP-98, 2016)",
        "counters retried",
    ),
    Bug(
        "dequeue-outside-log",
        "The leader hands out the head of a queue when it is asked, before the entry that removes it is committed.",
        "RabbitMQ: a queue's one message, used as a mutex, held by several (Jepsen, RabbitMQ, 2014)",
        "queues",
    ),
    Bug(
        "lock-released-by-other",
        "A lock is released by whoever asks, whatever token is shown.",
        "Redis: locks deleted by clients that no longer held them (Redis documentation, distributed locks)",
        "locks",
    ),
    Bug(
        "partial-transaction",
        "The last key that a transaction wrote changes only after the next entry.",
        "MongoDB: read skew, transactions seen in part (Jepsen, MongoDB 4.2.6, 2020)",
        "transactions",
    ),
    Bug(
        "snapshot-loses-last-entry",
        "A snapshot says that it holds one entry more than it does.",
        "Redis-Raft: logs and snapshots that did not fit together (RedisLabs raft issue 49, 2021)",
        "snapshots",
    ),
    Bug(
        "snapshot-wrong-generation",
        "A node that starts with a snapshot takes its last entry for one of the node's present generation.",
        "CCF: the index of a snapshot was given the term of the node that began with it (CCF issue 2648, 2021)",
        "sessions, snapshots",
    ),
    Bug(
        "changes-overlap",
        "A change of the membership is begun while another one is not committed.",
        "Redis-Raft: several changes of the configuration under way at once (redisraft pull request 20, 2020)",
        "leader cut off, members replaced",
    ),
    Bug(
        "lease-too-long",
        "A leader trusts its lease four times as long as its followers promised.",
        "YugabyteDB: stale reads by a leader whose lease was over (yugabyte-db issue 16, 2018)",
        "leases",
    ),
    Bug(
        "lease-on-wall-clock",
        "Leases are measured on wall clocks, which jump.",
        "TiKV: leader leases were not measured on a monotonic clock (tikv issue 964, 2016)",
        "leases, clocks",
    ),
    Bug(
        "lease-not-honoured",
        "Followers help to elect another leader although they promised the old one a lease.",
        "Consul: a deposed leader could serve stale reads in its lease (consul issue 54, 2014)",
        "leases",
    ),
)

BUGS: dict[str, Bug] = {bug.name: bug for bug in _ALL}
"""Every planted bug by its name."""


def refuse_unknown(names: Iterable[str]) -> None:
    """ValueError names the first that is not planted."""
    for name in sorted(names):
        if name not in BUGS:
            raise ValueError(f"there is no planted bug {name!r}; `splitbrain bugs --list` names them")
