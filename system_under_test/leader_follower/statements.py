"""The statements of the Leader and Followers pattern, each with the runs that show it.

A scenario is a named row of `splitbrain matrix leader-follower`; a statement compares figures of a few of them. The
settings of each scenario are those that show it best: a fixed leader and one paused follower for "one slow node blocks
the cluster", a leader that is cut off again and again for "loses acknowledged writes on failover".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.matrix.figures import Figures
from harness.matrix.promise import Scenario, Statement
from harness.plan import Setting

SAFE: Final[dict[str, Setting]] = {
    "replication": "quorum",
    "election": "raft",
    "lease": "off",
    "read": "leader",
    "fsync": "always",
    "fencing": True,
}
"""The defaults: what a configuration is like where a scenario does not say otherwise."""
MODES: Final = ("sync", "quorum", "async")
BLOCKED_SHARE: Final = 0.2
"""Below this share of its usual rate of writes, a cluster counts as blocked; above its complement it does not."""

_FAILOVER: Final[dict[str, Any]] = {"target": "leader", "interval_s": 0.7, "duration_s": 0.9}
_DEPOSED: Final[dict[str, Any]] = {
    "target": "leader",
    "nodes": 3,
    "interval_s": 0.3,
    "duration_s": 0.6,
    "time_limit_s": 12.0,
    "rate": 400.0,
}
"""Many short reigns and many reads: an old leader resigns soon, so it has little time to serve what is stale."""
_SLOW: Final[dict[str, Any]] = {"target": "n3", "interval_s": 0.7, "duration_s": 0.9}
_RIVALS: Final[dict[str, Any]] = {
    "target": "leader",
    "interval_s": 2.0,
    "duration_s": 0.9,
    "op_timeout_s": 0.01,
    "time_limit_s": 9.0,
}
"""So little patience that some clients give up on the old leader, look elsewhere, and find the new one."""
_SET_CLOCKS: Final[dict[str, Any]] = {
    "target": "followers",
    "interval_s": 0.5,
    "duration_s": 1.2,
    "combine": True,
    "time_limit_s": 15.0,
}
"""The followers are cut off, and their clocks jump ahead: what they promised the leader is over before it thinks so."""
_LAG: Final[dict[str, Any]] = {"target": "random", "interval_s": 0.7, "duration_s": 0.9}


def _with(**switches: Setting) -> dict[str, Setting]:
    return {**SAFE, **switches}


SCENARIOS: Final = (
    *(
        Scenario(name=f"{mode} at rest", workload="register", configuration=_with(replication=mode, election="none"))
        for mode in MODES
    ),
    *(
        Scenario(
            name=f"{mode} with one node paused",
            workload="register",
            configuration=_with(replication=mode, election="none"),
            faults=("pause",),
            settings=_SLOW,
        )
        for mode in MODES
    ),
    *(
        Scenario(
            name=f"{mode} with the leader cut off",
            workload="register",
            configuration=_with(replication=mode),
            faults=("partition",),
            settings=_FAILOVER,
            docker=mode != "sync",
        )
        for mode in MODES
    ),
    Scenario(
        name="quorum with a minority killed",
        workload="register",
        configuration=_with(),
        faults=("kill",),
        settings={"target": "minority", "nodes": 5, "interval_s": 0.7, "duration_s": 0.9},
        docker=True,
    ),
    *(
        Scenario(
            name=f"{read} reads",
            workload="session",
            configuration=_with(read=read),
            faults=("partition",),
            settings=_LAG,
            docker=True,
        )
        for read in ("follower", "session")
    ),
    *(
        Scenario(
            name=f"{read} reads of a leader cut off",
            workload="register",
            configuration=_with(read=read),
            faults=("partition",),
            settings=_DEPOSED,
        )
        for read in ("leader", "leader-local")
    ),
    *(
        Scenario(
            name=f"lease on the {clock} clock",
            workload="register",
            configuration=_with(read="lease", lease=clock),
            faults=("clock", "partition"),
            settings=_SET_CLOCKS,
            options={"lease_ms": 1500},
        )
        for clock in ("monotonic", "wall")
    ),
    *(
        Scenario(
            name=f"two leaders {word} fencing",
            workload="register",
            configuration=_with(replication="async", fencing=word == "with"),
            faults=("partition",),
            settings=_RIVALS,
        )
        for word in ("with", "without")
    ),
    *(
        Scenario(
            name=f"power loss with fsync {policy}",
            workload="register",
            configuration=_with(fsync=policy),
            faults=("power",),
            settings={"target": "all", "interval_s": 0.7, "duration_s": 0.7},
        )
        for policy in ("always", "never")
    ),
)


def _loses(name: str, figures: Mapping[str, Figures]) -> str:
    one = figures[name]
    return f"{name}: {one.lost:,} of {one.acked:,} acknowledged writes lost"


def _sync_is_slow(figures: Mapping[str, Figures]) -> tuple[bool, str]:
    names = [f"{mode} at rest" for mode in MODES]
    slow, middle, fast = (figures[name].write_ms_p50 for name in names)
    told = ", ".join(f"{mode} {figures[f'{mode} at rest'].write_ms_p50:.1f} ms" for mode in MODES)
    return fast < middle < slow, f"half of the writes acknowledged within: {told}"


def _sync_blocks(figures: Mapping[str, Figures]) -> tuple[bool, str]:
    names = [f"{mode} with one node paused" for mode in MODES]
    shares = [figures[name].acked_per_s_in_faults / max(figures[name].acked_per_s_outside, 1e-9) for name in names]
    told = ", ".join(
        f"{mode} {figures[name].acked_per_s_in_faults:.0f} (otherwise {figures[name].acked_per_s_outside:.0f})"
        for mode, name in zip(MODES, names, strict=True)
    )
    shown = shares[0] < BLOCKED_SHARE and min(shares[1:]) > 1 - BLOCKED_SHARE
    return shown, f"writes acknowledged per second while one node of three is paused: {told}"


def _loses_nothing(mode: str) -> Statement:
    name = f"{mode} with the leader cut off"
    words = {"sync": "Synchronous replication", "quorum": "Replication to a majority"}[mode]
    return Statement(
        f"{words} loses no acknowledged write.",
        (name,),
        lambda figures: (figures[name].lost == 0 and figures[name].acked > 0, _loses(name, figures)),
    )


def _loses_on_failover(figures: Mapping[str, Figures]) -> tuple[bool, str]:
    name = "async with the leader cut off"
    return figures[name].lost > 0, _loses(name, figures)


def _survives(figures: Mapping[str, Figures]) -> tuple[bool, str]:
    name = "quorum with a minority killed"
    one = figures[name]
    told = f"{_loses(name, figures)}; the longest time without any answer was {one.unavailable_s_max:.2f} s"
    return one.lost == 0 and one.acked_per_s_in_faults > 0, told


def _breaks(*pairs: tuple[str, str]) -> Any:
    """Shown when every one of these rows has a run that broke that guarantee."""

    def judge(figures: Mapping[str, Figures]) -> tuple[bool, str]:
        told = [f"{guarantee} broken in {_seen(figures[name], guarantee)} runs" for name, guarantee in pairs]
        return all(figures[name].broken.get(guarantee, 0) for name, guarantee in pairs), "; ".join(told)

    return judge


def _keeps(name: str, *guarantees: str) -> Any:
    """Shown when no run of that row broke any of these guarantees."""

    def judge(figures: Mapping[str, Figures]) -> tuple[bool, str]:
        told = [f"{guarantee} broken in {_seen(figures[name], guarantee)} runs" for guarantee in guarantees]
        return not any(figures[name].broken.get(guarantee, 0) for guarantee in guarantees), "; ".join(told)

    return judge


def _seen(figures: Figures, guarantee: str) -> str:
    return f"{figures.broken.get(guarantee, 0)} of {figures.runs}"


def _contrast(kept: str, broken: str, guarantee: str) -> Any:
    """Shown when the first row keeps what some run of the second breaks."""

    def judge(figures: Mapping[str, Figures]) -> tuple[bool, str]:
        told = "; ".join(
            f"{name}: {guarantee} broken in {_seen(figures[name], guarantee)} runs" for name in (kept, broken)
        )
        return not figures[kept].broken.get(guarantee) and bool(figures[broken].broken.get(guarantee)), told

    return judge


def _two_leaders(figures: Mapping[str, Figures]) -> tuple[bool, str]:
    names = [f"two leaders {word} fencing" for word in ("with", "without")]
    fenced, unfenced = (figures[name].deposed_acks_clear for name in names)
    told = (
        "writes that a deposed leader acknowledged though it could be told, a second or more after the partition was"
        f" healed: {fenced:,} with fencing, {unfenced:,} without"
    )
    return fenced == 0 < unfenced, told


STATEMENTS: Final = (
    Statement(
        "Synchronous replication has the highest latency, asynchronous the lowest.",
        tuple(f"{mode} at rest" for mode in MODES),
        _sync_is_slow,
    ),
    Statement(
        "One slow node blocks a cluster that replicates synchronously, and no other.",
        tuple(f"{mode} with one node paused" for mode in MODES),
        _sync_blocks,
    ),
    _loses_nothing("sync"),
    _loses_nothing("quorum"),
    Statement(
        "Asynchronous replication loses acknowledged writes when the leader fails.",
        ("async with the leader cut off",),
        _loses_on_failover,
    ),
    Statement("A majority survives the loss of a minority.", ("quorum with a minority killed",), _survives),
    Statement(
        "Reads from followers break read-your-writes and monotonic reads.",
        ("follower reads",),
        _breaks(("follower reads", "read-your-writes"), ("follower reads", "monotonic-reads")),
    ),
    Statement(
        "A version that the client carries restores both.",
        ("session reads",),
        _keeps("session reads", "read-your-writes", "monotonic-reads"),
    ),
    Statement(
        "Without fencing two leaders are accepted.",
        tuple(f"two leaders {word} fencing" for word in ("with", "without")),
        _two_leaders,
    ),
    Statement(
        "A leader that does not ask whether it still leads serves stale reads.",
        ("leader reads of a leader cut off", "leader-local reads of a leader cut off"),
        _contrast("leader reads of a leader cut off", "leader-local reads of a leader cut off", "linearizability"),
    ),
    Statement(
        "A lease keeps a second leader away, but not on a clock that can be set.",
        ("lease on the monotonic clock", "lease on the wall clock"),
        _contrast("lease on the monotonic clock", "lease on the wall clock", "linearizability"),
    ),
    Statement(
        "Only what is synced before it is acknowledged survives a loss of power.",
        ("power loss with fsync always", "power loss with fsync never"),
        _contrast("power loss with fsync always", "power loss with fsync never", "durability"),
    ),
)
