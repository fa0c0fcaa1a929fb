"""Shapes of partitions: from nodes to one-way cuts, and to words.

>>> from harness.streams import Streams
>>> shape = draw("isolate", ("n1", "n2", "n3"), ("n1",), Streams(0).stream("faults"))
>>> shape.detail, sorted(shape.cuts)[:2]
('n1 | n2 n3', [('n1', 'n2'), ('n1', 'n3')])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from harness.protocols import Cut
from harness.streams import Random

SHAPES: Final = ("auto", "halves", "random-halves", "isolate", "blocks", "majorities-ring", "bridge", "one-way")


@dataclass(frozen=True)
class Shape:
    """One partition: whom it is aimed at, in words, and the cuts that make it."""

    nodes: tuple[str, ...]
    detail: str
    cuts: tuple[Cut, ...]


def draw(kind: str, nodes: Sequence[str], aimed: Sequence[str], random: Random) -> Shape:
    """A partition of that kind; `aimed` nodes end up on the smaller or the lonely side, as far as the kind allows.

    - halves: in cluster order, the first half against the rest; aimed nodes first.
    - random-halves: as halves, in random order.
    - blocks: three or more, none of which sees another; how many is drawn, nodes are dealt out one by one.
    - isolate: the aimed nodes together against all others (one drawn node when none is aimed at).
    - majorities-ring: every node sees a majority, no two the same one.
    - bridge: two halves that only one node connects; an aimed node is the bridge.
    - one-way: nobody hears the aimed nodes, or they hear nobody: drawn.
    """
    if kind == "isolate":
        return _split(nodes, aimed or random.sample(nodes, 1))
    if kind == "one-way":
        return _one_way(nodes, aimed or random.sample(nodes, 1), deaf=random.random() < 0.5)
    rest = [node for node in nodes if node not in aimed]
    if kind != "halves":
        random.shuffle(rest)
    order = [node for node in nodes if node in aimed] + rest
    if kind == "blocks":
        return _blocks(nodes, order, random.randint(min(3, len(nodes)), len(nodes)))
    if kind == "bridge":
        return _bridge(nodes, order[0], order[1:])
    if kind == "majorities-ring":
        return _majorities_ring(nodes, order)
    return _split(nodes, order[: len(nodes) // 2])


def exactly(cuts: Iterable[Cut], nodes: Sequence[str]) -> Shape:
    """The partition of exactly these cuts."""
    wanted = tuple(cuts)
    cutters = {source for source, _ in wanted}
    return Shape(
        tuple(node for node in nodes if node in cutters),
        ", ".join(f"{source}→{destination}" for source, destination in wanted),
        wanted,
    )


def _split(nodes: Sequence[str], side: Iterable[str]) -> Shape:
    left = [node for node in nodes if node in set(side)]
    right = [node for node in nodes if node not in left]
    return Shape(tuple(left), f"{' '.join(left)} | {' '.join(right)}", _both_ways(left, right))


def _blocks(nodes: Sequence[str], order: Sequence[str], count: int) -> Shape:
    """The first block is that of the first in order, who is aimed at if anybody is."""
    blocks = [[node for node in nodes if node in order[place::count]] for place in range(count)]
    cuts = (cut for a, b in combinations(blocks, 2) for cut in _both_ways(a, b))
    return Shape(tuple(blocks[0]), " | ".join(" ".join(block) for block in blocks), tuple(cuts))


def _one_way(nodes: Sequence[str], aimed: Sequence[str], deaf: bool) -> Shape:
    lonely = [node for node in nodes if node in aimed]
    others = [node for node in nodes if node not in aimed]
    if deaf:
        return Shape(tuple(lonely), f"{' '.join(lonely)} cannot hear", tuple((o, n) for n in lonely for o in others))
    return Shape(tuple(lonely), f"nobody hears {' '.join(lonely)}", tuple((n, o) for n in lonely for o in others))


def _bridge(nodes: Sequence[str], middle: str, others: Sequence[str]) -> Shape:
    half = len(others) // 2
    left = [node for node in nodes if node in others[:half]]
    right = [node for node in nodes if node in others[half:]]
    return Shape((middle,), f"{' '.join(left)} | {' '.join(right)}, both see {middle}", _both_ways(left, right))


def _majorities_ring(nodes: Sequence[str], order: Sequence[str]) -> Shape:
    """Each node keeps its nearest neighbours around a ring, as many as a majority needs."""
    count = len(order)
    reach = (count // 2 + 1) // 2
    ring = combinations(enumerate(order), 2)
    apart = [(a, b) for (i, a), (j, b) in ring if min((i - j) % count, (j - i) % count) > max(reach, 1)]
    if count == 3:  # A ring of three has only neighbours: the smallest one is a chain.
        apart = [(order[0], order[2])]
    cuts = tuple(cut for a, b in apart for cut in ((a, b), (b, a)))
    return Shape(tuple(nodes), f"ring of majorities {' '.join(order)}", cuts)


def _both_ways(left: Iterable[str], right: Sequence[str]) -> tuple[Cut, ...]:
    return tuple(cut for a in left for b in right for cut in ((a, b), (b, a)))
