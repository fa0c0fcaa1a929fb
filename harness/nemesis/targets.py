"""Which nodes a fault hits. Resolved when the fault fires, because "the leader" moves.

>>> from harness.streams import Streams
>>> resolve("n2,n1", ("n1", "n2", "n3"), None, Streams(0).stream("faults"))
('n1', 'n2')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from harness.errors import PlanError, nearest
from harness.history.circumstances import OLD_LEADER
from harness.history.holders import LOCK_HOLDER
from harness.protocols import Cut
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
FOLLOWER: Final = re.compile(r"follower-([1-9][0-9]?)")
"""One of those who do not lead, by its place among them in cluster order."""
NAMED: Final = ("none", "one", "minority", "minority-third", "majority", "leader", "followers", "all", "random", *ROLES)


def validate(target: str, nodes: Sequence[str]) -> None:
    """Refuse a target that no cluster of these nodes has.

    Raises:
        PlanError: naming what is wrong and what is known.
    """
    if target in NAMED:
        return
    for name in target.split(","):
        if name not in nodes and not _is_follower(target, nodes):
            raise PlanError(f"Target {target!r}: there is no node or group {name!r}.{nearest(name, [*NAMED, *nodes])}")


def validate_end(name: str, nodes: Sequence[str]) -> None:
    """Refuse an end of a cut that is neither a node nor a role that one node has.

    Raises:
        PlanError: naming it and what is known.
    """
    if name not in ("leader", *ROLES, *nodes) and not _is_follower(name, nodes):
        raise PlanError(f"A cut's end {name!r} is no node.{nearest(name, ['leader', *ROLES, 'follower-1', *nodes])}")


def _is_follower(name: str, nodes: Sequence[str]) -> bool:
    found = FOLLOWER.fullmatch(name)
    return found is not None and int(found[1]) < len(nodes)


def resolve_cuts(cuts: Iterable[Cut], nodes: Sequence[str], scene: Scene) -> tuple[Cut, ...] | str:
    """The cuts with the nodes that have the roles now in place of these; or the first role that nobody has."""
    found = []
    for cut in cuts:
        ends = [name if name in nodes else _who(name, nodes, scene) for name in cut]
        for name, end in zip(cut, ends, strict=True):
            if end is None:
                return name
        found.append((str(ends[0]), str(ends[1])))
    return tuple(found)


def _who(name: str, nodes: Sequence[str], scene: Scene) -> str | None:
    if name == "leader":
        return scene.leader
    return scene.roles.get(name) if name in ROLES else _follower(name, nodes, scene.leader)


def _follower(name: str, nodes: Sequence[str], leader: str | None) -> str | None:
    found = FOLLOWER.fullmatch(name)
    if found is None or leader is None:
        return None
    others = [node for node in nodes if node != leader]
    return others[int(found[1]) - 1] if int(found[1]) <= len(others) else None


def resolve(
    target: str, nodes: Sequence[str], leader: str | None, random: Random, roles: Mapping[str, str] = NOBODY
) -> tuple[str, ...]:
    """The nodes meant by a target, in cluster order. Empty when it means nobody (as "leader" while there is none).

    "minority" is the largest one, "minority-third" less than a third but one at least, "majority" the smallest one,
    "random" any non-empty subset; "follower-2" is the second in cluster order of those who do not lead, while somebody
    does; "old-leader" is who led before the one who leads now, as far as faults that were aimed have seen;
    "lock-holder" is where the client is served that holds a lock
    (`harness.history.holders`).
    """
    count = len(nodes)
    match target:
        case "none":
            chosen: Sequence[str] = ()
        case "one":
            chosen = random.sample(nodes, 1)
        case "minority":
            chosen = random.sample(nodes, (count - 1) // 2)
        case "minority-third":
            chosen = random.sample(nodes, max(1, (count - 1) // 3))
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
        case _ if target not in nodes and FOLLOWER.fullmatch(target):
            one = _follower(target, nodes, leader)
            chosen = () if one is None else (one,)
        case _:
            chosen = target.split(",")
    return tuple(node for node in nodes if node in chosen)
