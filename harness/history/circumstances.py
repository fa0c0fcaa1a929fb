"""Under which circumstances faults struck: whom, in which role, and in which phase of the cluster.

The completion of an injection tells them, as they were when the fault fired:

    {"fault": "kill-3", "nodes": ["n1", "n4"], "roles": ["leader", "follower"], "phase": "steady", ...}

A role is "leader", "old-leader" (it led before the one who leads now, or believes that it leads still) or "follower".
A phase is the first of these that is so:

    electing      nobody who answers leads
    catching up   a node that the leader hears lacks what others have had for CATCHING_UP_MS
    recovering    another fault was lifted less than RECOVERING_S ago
    steady        none of these

A circumstance is (kind of fault, role, phase). A fault counts once for each role that it hit, and only if it is proven.

Limits: the word of nodes that answer, a moment before the fault took hold. A system that does not say who catches up
(`harness.protocols.TellsSituation`) has no such phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

from harness.history.faults import FaultWindow

LEADER: Final = "leader"
OLD_LEADER: Final = "old-leader"
FOLLOWER: Final = "follower"
ROLES: Final = (LEADER, OLD_LEADER, FOLLOWER)
ELECTING: Final = "electing"
CATCHING_UP: Final = "catching up"
RECOVERING: Final = "recovering"
STEADY: Final = "steady"
PHASES: Final = (STEADY, ELECTING, CATCHING_UP, RECOVERING)
CATCHING_UP_MS: Final = 250
RECOVERING_S: Final = 2.0

Circumstance = tuple[str, str, str]
"""Kind of fault, role of whom it hit, phase."""


@dataclass(frozen=True)
class Situation:
    """What a cluster's nodes say of themselves.

    Attributes:
        leader: who leads; None when nobody who answers does.
        claimants: others who believe that they lead.
        catching_up: nodes that lack what others have had for a while, and are being told.
    """

    leader: str | None
    claimants: frozenset[str] = frozenset()
    catching_up: frozenset[str] = frozenset()

    def role(self, node: str, led_before: str | None = None) -> str:
        """What a node is; `led_before` led before the one who leads now."""
        if node == self.leader:
            return LEADER
        return OLD_LEADER if node in self.claimants or node == led_before else FOLLOWER

    def phase(self, lifted_s_ago: float | None) -> str:
        """What the cluster is at; `lifted_s_ago`: how long ago the last fault was lifted."""
        if self.leader is None:
            return ELECTING
        if self.catching_up:
            return CATCHING_UP
        return RECOVERING if lifted_s_ago is not None and lifted_s_ago < RECOVERING_S else STEADY


def possible(kinds: Collection[str]) -> list[Circumstance]:
    """Every circumstance that there can be: while nobody leads no leader can be hit."""
    return [one for one in product(sorted(kinds), ROLES, PHASES) if one[1:] != (LEADER, ELECTING)]


def struck(windows: Iterable[FaultWindow]) -> Counter[Circumstance]:
    """How many proven faults struck under which circumstances; faults that do not tell are not counted."""
    found: Counter[Circumstance] = Counter()
    for window in windows:
        if window.injected_proven and window.phase:
            found.update({(window.kind, role, window.phase) for role in window.roles})
    return found


def never_exercised(kinds: Collection[str], found: Iterable[Circumstance]) -> list[Circumstance]:
    """The circumstances under which no fault struck."""
    seen = set(found)
    return [one for one in possible(kinds) if one not in seen]
