"""Abstract states of a cluster: what tells one situation from another, whatever the values and times.

A state is, for each node, its role, how many generations behind it is, and how much of the log it lacks and has not
committed, in powers of four; and the kinds of faults in force. It is looked at whenever a node logs something, and now
and then when one syncs its disk. Nodes count as a bag: which of them it is does not matter.

Also told: under which circumstances each kind of fault struck, as (kind, role of whom it hit, phase); roles and phases
are those of `harness.history.circumstances`, as the history tells them, or by what nodes exposed where it does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from harness.history.circumstances import (
    ELECTING,
    FOLLOWER,
    LEADER,
    RECOVERING,
    STEADY,
    Circumstance,
    never_exercised,
    struck,
)
from harness.history.faults import FaultWindow, fault_windows
from harness.op import Op
from harness.protocols import Cluster, ObservesNodes

SYNCS_PER_LOOK: Final = 16
LOOKS_MAX: Final = 4000
__all__ = ["Circumstance", "Looker", "abstract_states", "circumstances", "never_exercised", "situation"]

Look = tuple[int, dict[str, Mapping[str, Any]]]
"""When, in nanoseconds of the nodes' clock, and what each node exposed."""


class Looker:
    """Looks at a cluster's nodes as they run."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.looks: list[Look] = []
        self._now_ns = now_ns
        self._syncs = 0

    def begin(self, cluster: Cluster) -> None:
        """From now on; where nodes cannot be observed there is nothing to see."""
        if isinstance(cluster, ObservesNodes):
            observed, nodes = cluster, cluster.nodes

            def look(_node: str, event: str, _text: str) -> None:
                if event != "log":
                    self._syncs += event == "sync"
                    if event != "sync" or self._syncs % SYNCS_PER_LOOK:
                        return
                if len(self.looks) < LOOKS_MAX:
                    self.looks.append((self._now_ns(), {node: dict(observed.observe(node)) for node in nodes}))

            cluster.listen(look)


def abstract_states(looks: Sequence[Look], events: Sequence[Op], started_ns: int) -> frozenset[str]:
    """The different states that were seen, each as 12 hexadecimal digits."""
    windows = fault_windows(events)
    return frozenset(_abstract(seen, _in_force(windows, at_ns - started_ns)) for at_ns, seen in looks)


def situation(seen: Mapping[str, Mapping[str, Any]]) -> str:
    """The abstract state of what the nodes expose, whatever faults are in force."""
    return _abstract(seen, ())


def circumstances(
    looks: Sequence[Look], events: Sequence[Op], started_ns: int, recovering_ns: int
) -> frozenset[Circumstance]:
    """Under which circumstances faults struck."""
    windows = fault_windows(events)
    found = set(struck(windows))
    for window in (one for one in windows if not one.phase):
        before = [seen for at_ns, seen in looks if at_ns - started_ns <= window.start_ns]
        seen = before[-1] if before else {}
        lifted = any(
            other.stop_ns is not None and 0 <= window.start_ns - other.stop_ns < recovering_ns for other in windows
        )
        led = any(state.get("role") == "leader" for state in seen.values())
        phase = RECOVERING if lifted else STEADY if led else ELECTING
        roles = {seen.get(node, {}).get("role", "down") for node in window.nodes}
        found |= {(window.kind, LEADER if role == LEADER else FOLLOWER, phase) for role in roles}
    return frozenset(found)


def _in_force(windows: Sequence[FaultWindow], at_ns: int) -> tuple[str, ...]:
    return tuple(
        sorted(
            f"{window.kind}/{len(window.nodes)}"
            for window in windows
            if window.start_ns <= at_ns and (window.stop_ns is None or at_ns <= window.stop_ns)
        )
    )


def _abstract(seen: Mapping[str, Mapping[str, Any]], in_force: tuple[str, ...]) -> str:
    generations = [state["generation"] for state in seen.values() if "generation" in state]
    ends = [state["last_index"] for state in seen.values() if "last_index" in state]
    newest, longest = max(generations, default=0), max(ends, default=0)
    nodes = sorted(
        (
            str(state.get("role", "down")),
            min(newest - state.get("generation", newest), 3),
            _bucket(longest - state.get("last_index", longest)),
            _bucket(state.get("last_index", 0) - state.get("commit_index", 0)),
        )
        for state in seen.values()
    )
    return hashlib.sha256(repr((nodes, in_force)).encode()).hexdigest()[:12]


def _bucket(count: int) -> int:
    """0, 1, 2 to 4, 5 to 16, ...: powers of four."""
    return (max(0, count).bit_length() + 1) // 2
