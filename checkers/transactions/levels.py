"""Isolation levels, and which of them implies which.

A level is a strength (which anomalies it rules out) and an order that it must agree with besides: none, the order of
each session, or real time. One level implies another if it is at least as strong and keeps at least as much order, so

    strict-serializable → strong-session-serializable → serializable → snapshot-isolation → read-uncommitted
    strong-session-snapshot-isolation → parallel-snapshot-isolation → causal → read-atomic → read-committed

A plain `serializable` system may forget what a session did before; so it is not causal. Read committed, read atomic,
causal and parallel snapshot isolation keep the order of sessions by definition (Biswas and Enea, OOPSLA 2019; Cerone,
Bernardi and Gotsman, CONCUR 2015); the others are those of Adya (2000), with the names that Elle and Jepsen use.

Limits: there are no predicates here, so that repeatable read and serializable are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NO_ORDER, SESSION, REAL_TIME = 0, 1, 2
UNCOMMITTED, COMMITTED, ATOMIC, CAUSAL, PARALLEL, SNAPSHOT, SERIAL = range(7)


@dataclass(frozen=True)
class Level:
    """An isolation level: see the module docstring."""

    name: str
    strength: int
    order: int

    def implies(self, other: Level) -> bool:
        """Whether whatever keeps this level keeps the other."""
        return self.strength >= other.strength and self.order >= other.order


LEVELS: Final = tuple(
    Level(*row)
    for row in (
        ("read-uncommitted", UNCOMMITTED, NO_ORDER),
        ("read-committed", COMMITTED, SESSION),
        ("read-atomic", ATOMIC, SESSION),
        ("causal", CAUSAL, SESSION),
        ("parallel-snapshot-isolation", PARALLEL, SESSION),
        ("snapshot-isolation", SNAPSHOT, NO_ORDER),
        ("strong-session-snapshot-isolation", SNAPSHOT, SESSION),
        ("strong-snapshot-isolation", SNAPSHOT, REAL_TIME),
        ("serializable", SERIAL, NO_ORDER),
        ("strong-session-serializable", SERIAL, SESSION),
        ("strict-serializable", SERIAL, REAL_TIME),
    )
)
"""Weakest first: no level stands before one that it implies."""
BY_NAME: Final = {level.name: level for level in LEVELS}
OTHER_NAMES: Final = {
    "strong-serializable": "strict-serializable",
    "repeatable-read": "serializable",
    "strong-session-repeatable-read": "strong-session-serializable",
    "causal-cerone": "causal",
}
STRICT: Final = BY_NAME["strict-serializable"]
STRONG_SESSION: Final = BY_NAME["strong-session-serializable"]


def level_of(names: str | Iterable[str]) -> Level | None:
    """The first level of those names that there is, by any name of it; None without one."""
    for name in (names,) if isinstance(names, str) else names:
        found = BY_NAME.get(OTHER_NAMES.get(name, name))
        if found is not None:
            return found
    return None


def broken_by(strength: int, order: int) -> list[Level]:
    """What falls with an anomaly that the levels of this strength and order rule out."""
    return [level for level in LEVELS if level.strength >= strength and level.order >= order]


def weakest(levels: Iterable[Level]) -> list[Level]:
    """Those that imply none of the others."""
    found = list(levels)
    return [one for one in found if not any(one.implies(other) for other in found if other is not one)]
