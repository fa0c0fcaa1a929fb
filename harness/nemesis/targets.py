"""Which nodes a fault hits. Resolved when the fault fires, because "the leader" moves.

>>> from harness.streams import Streams
>>> resolve("n2,n1", ("n1", "n2", "n3"), None, Streams(0).stream("faults"))
('n1', 'n2')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from harness.errors import PlanError, nearest
from harness.history.circumstances import OLD_LEADER
from harness.history.holders import LOCK_HOLDER
from harness.streams import Random


@dataclass(frozen=True)
class Scene:
    """What a nemesis is told before it acts.

    Attributes:
        leader: who leads now; None when nobody does, or when it does not matter.
        struck: nodes whose process another fault holds: a second blow there could be neither proven nor lifted.
        dark: those of them that have no power: nothing that is sent to them or from them arrives, cut or not.
        roles: who else is known by a name, as "old-leader".
        taken: nodes of which another fault has set the very thing that this one would set.
    """

    leader: str | None = None
    struck: frozenset[str] = frozenset()
    dark: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=lambda: NOBODY)
    taken: frozenset[str] = frozenset()


NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
ROLES: Final = (OLD_LEADER, LOCK_HOLDER)
NAMED: Final = ("none", "one", "minority", "majority", "leader", "followers", "all", "random", *ROLES)


def validate(target: str, nodes: Sequence[str]) -> None:
    """Refuse a target that no cluster of these nodes has.

    Raises:
        PlanError: naming what is wrong and what is known.
    """
    if target in NAMED:
        return
    for name in target.split(","):
        if name not in nodes:
            raise PlanError(f"Target {target!r}: there is no node or group {name!r}.{nearest(name, [*NAMED, *nodes])}")


def resolve(
    target: str, nodes: Sequence[str], leader: str | None, random: Random, roles: Mapping[str, str] = NOBODY
) -> tuple[str, ...]:
    """The nodes meant by a target, in cluster order. Empty when it means nobody (as "leader" while there is none).

    "minority" is the largest one, "majority" the smallest one, "random" any non-empty subset; "old-leader" is who led
    before the one who leads now, as far as faults that were aimed have seen; "lock-holder" is where the client is
    served that holds a lock (`harness.history.holders`).
    """
    count = len(nodes)
    match target:
        case "none":
            chosen: Sequence[str] = ()
        case "one":
            chosen = random.sample(nodes, 1)
        case "minority":
            chosen = random.sample(nodes, (count - 1) // 2)
        case "majority":
            chosen = random.sample(nodes, count // 2 + 1)
        case "leader":
            chosen = () if leader is None else (leader,)
        case "followers":
            chosen = tuple(node for node in nodes if node != leader)
        case "all":
            chosen = nodes
        case "old-leader" | "lock-holder":
            chosen = (roles[target],) if target in roles else ()
        case "random":
            chosen = random.sample(nodes, random.randint(1, count))
        case _:
            chosen = target.split(",")
    return tuple(node for node in nodes if node in chosen)
