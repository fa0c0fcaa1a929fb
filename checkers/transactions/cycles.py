"""Cycles of transactions each of which must come before the next: the weakest kinds that a component holds.

    G0              only ww                              broken with it: read uncommitted and all above
    G1c             ww and wr                            read committed
    G-single        one rw                               parallel snapshot isolation
    G-nonadjacent   several rw, no two of them in a row  snapshot isolation
    G2-item         any                                  serializable

Each may have edges of session order ("-process") or of real time ("-realtime") besides; then it breaks only levels that
keep that order. A component is searched for the kinds in this order, and without, with session order, with real time;
of each search the shortest cycle is taken (Adya, 2000; the table is that of Elle, VLDB 2020).

Whether a kind exists is decided by components and reachability, not by trying; breadth-first search then finds the way.
Limits: in a component of more than EXACT_MAX transactions only a short cycle is shown, and weaker kinds may be missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from checkers.transactions.dependencies import RW, THROUGH, UP, WR, WW, Edges
from checkers.transactions.graph import barriers, sessions
from checkers.transactions.levels import (
    COMMITTED,
    NO_ORDER,
    PARALLEL,
    REAL_TIME,
    SERIAL,
    SESSION,
    SNAPSHOT,
    UNCOMMITTED,
)
from checkers.transactions.table import Ints, Table

if TYPE_CHECKING:
    import networkx as nx  # takes a while to load, and is wanted only where something is wrong

SO, RT = 4, 5
EXACT_MAX: Final = 12_000
STARTS_MAX: Final = 64
PRODUCT_MAX: Final = 100_000
NAMES: Final = {
    UNCOMMITTED: "G0",
    COMMITTED: "G1c",
    PARALLEL: "G-single",
    SNAPSHOT: "G-nonadjacent",
    SERIAL: "G2-item",
}
SUFFIXES: Final = {NO_ORDER: "", SESSION: "-process", REAL_TIME: "-realtime"}
WORDS: Final = {WW: "ww", UP: "ww", WR: "wr", RW: "rw", SO: "so", RT: "rt"}


class Link(NamedTuple):
    """Transaction `source` must come before `target`: rows, kind, and the steps that show it (-1 without)."""

    source: int
    target: int
    kind: int
    first: int
    then: int


@dataclass(frozen=True)
class Cycle:
    """Links, each from where the one before ends."""

    links: tuple[Link, ...]

    @property
    def strength(self) -> int:
        """Of the levels that rule it out."""
        anti = [link.kind == RW for link in self.links]
        if not any(anti):
            if any(link.kind == UP for link in self.links):
                return PARALLEL
            return COMMITTED if any(link.kind == WR for link in self.links) else UNCOMMITTED
        if sum(anti) == 1:
            return PARALLEL
        return SERIAL if any(a and b for a, b in zip(anti, anti[1:] + anti[:1], strict=True)) else SNAPSHOT

    @property
    def order(self) -> int:
        """Which order those levels must keep."""
        kinds = {link.kind for link in self.links}
        return REAL_TIME if RT in kinds else SESSION if SO in kinds else NO_ORDER

    @property
    def name(self) -> str:
        """As the field calls it."""
        return NAMES[self.strength] + SUFFIXES[self.order]


Arc = tuple[int, int, int, int]
"""Target, kind, and the steps that show it."""


@dataclass
class Part:
    """A component: nodes are its transactions, and after those barriers of real time.

    Attributes:
        rows: of the transactions; arcs: by node.
    """

    rows: list[int]
    arcs: list[list[Arc]] = field(default_factory=list)

    @classmethod
    def of(cls, members: Ints, edges: Edges, table: Table, order: int) -> Part:
        """The component of these rows and hubs, with edges of this order and no other."""
        n = len(table)
        members = np.sort(members[members < n])
        part = cls(members.tolist(), [[] for _ in members])
        inside = np.zeros(int(max(edges.source.max(initial=0), edges.target.max(initial=0), n)) + 1, bool)
        inside[members] = True
        inside[n:] = True
        chosen = np.flatnonzero(inside[edges.source] & inside[edges.target])
        into: dict[int, list[tuple[int, int]]] = {}
        out: dict[int, list[tuple[int, int]]] = {}
        place = {row: node for node, row in enumerate(part.rows)}
        for source, target, kind, first, then in zip(*(column[chosen].tolist() for column in edges), strict=True):
            if kind == THROUGH:
                out.setdefault(source, []).append((place[target], then))
            elif target >= n:
                into.setdefault(target, []).append((place[source], first))
            else:
                part.arcs[place[source]].append((place[target], kind, first, then))
        for hub, readers in into.items():
            part._spread(readers, out.get(hub, []))
        part._add_order(table, members, order)
        return part

    def _spread(self, readers: list[tuple[int, int]], writers: list[tuple[int, int]]) -> None:
        """Replace a hub by edges; if those were too many, by some that keep everything connected."""
        few = len(readers) * len(writers) > PRODUCT_MAX
        for place, (source, first) in enumerate(readers):
            for target, then in writers[:1] if few and place else writers:
                self.arcs[source].append((target, RW, first, then))

    def _add_order(self, table: Table, members: Ints, order: int) -> None:
        if order == SESSION:
            for one, other in zip(*sessions(table.session[members], table.response[members]), strict=True):
                self.arcs[int(one)].append((int(other), SO, -1, -1))
        if order == REAL_TIME:
            sources, targets, moments = barriers(table.invoke[members], table.response[members])
            self.arcs += [[] for _ in moments]
            k = len(members)
            for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
                self.arcs[source].append((target, RT if source < k else THROUGH, -1, -1))

    # ── does it hold a kind ──────────────────────────────────────────────────────────────────────────────────────────

    def cycle(self, strength: int) -> Cycle | None:
        """The shortest cycle of a kind that this strength rules out, and weaker ones do not; None without."""
        if strength in (UNCOMMITTED, COMMITTED):
            return self._plain({WW, SO, RT, THROUGH} | ({WR} if strength == COMMITTED else set()))
        if len(self.arcs) > EXACT_MAX and strength < SERIAL:
            return None
        if strength == PARALLEL:
            plain = self._plain({WW, WR, UP, SO, RT, THROUGH})
            if plain is not None:
                return plain
            candidates = self._single()
        elif strength == SNAPSHOT:
            candidates = self._nonadjacent()
        else:
            candidates = [(n, arc) for n, arcs in enumerate(self.arcs) for arc in arcs if arc[1] == RW]
        step = max(1, -(-len(candidates) // STARTS_MAX))
        found = self._shortest(self._back(node, arc, strength) for node, arc in candidates[::step])
        return found or self._shortest(self._back(node, arc, strength) for node, arc in candidates)

    def _plain(self, kinds: set[int]) -> Cycle | None:
        """A short cycle of these kinds."""
        import networkx as nx

        tangles = [c for c in nx.strongly_connected_components(self._graph(kinds)) if len(c) > 1]
        starts = [node for tangle in tangles for node in sorted(tangle)[:STARTS_MAX] if node < len(self.rows)]
        return self._shortest(self._back(node, None, kinds) for node in starts[: 4 * STARTS_MAX])

    def _graph(self, kinds: Iterable[int]) -> nx.DiGraph[int]:
        import networkx as nx

        wanted = set(kinds)
        return nx.DiGraph((n, arc[0]) for n, arcs in enumerate(self.arcs) for arc in arcs if arc[1] in wanted)

    def _single(self) -> list[tuple[int, Arc]]:
        """rw edges whose end leads back to their beginning without another rw. There is no cycle without rw."""
        import networkx as nx

        graph = self._graph({WW, WR, UP, SO, RT, THROUGH})
        reach = [1 << node for node in range(len(self.arcs))]
        for node in reversed(list(nx.topological_sort(graph))):
            for other in graph.successors(node):
                reach[node] |= reach[other]
        return [
            (node, arc)
            for node, arcs in enumerate(self.arcs)
            for arc in arcs
            if arc[1] == RW and reach[arc[0]] >> node & 1
        ]

    def _nonadjacent(self) -> list[tuple[int, Arc]]:
        """rw edges on a cycle of halves of nodes: rw leads from beginning to end, all else from end to beginning."""
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        for node, arcs in enumerate(self.arcs):
            graph.add_edge(2 * node, 2 * node + 1)
            graph.add_edges_from(
                (2 * node, 2 * arc[0] + 1) if arc[1] == RW else (2 * node + 1, 2 * arc[0]) for arc in arcs
            )
        label: dict[int, int] = {}
        for number, tangle in enumerate(nx.strongly_connected_components(graph)):
            label.update(dict.fromkeys(tangle, number))
        return [
            (node, arc)
            for node, arcs in enumerate(self.arcs)
            for arc in arcs
            if arc[1] == RW and label[2 * node] == label[2 * arc[0] + 1]
        ]

    # ── the way ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _shortest(self, found: Iterator[Cycle | None]) -> Cycle | None:
        best = None
        for cycle in found:
            if cycle is not None and (best is None or len(cycle.links) < len(best.links)):
                best = cycle
                if len(cycle.links) == 2:
                    break
        return best

    def _back(self, start: int, arc: Arc | None, kinds: set[int] | int) -> Cycle | None:
        """A shortest way from a node back to itself, beginning with an arc if there is one.

        Args:
            kinds: which arcs may be taken; or a strength: PARALLEL no further rw, SNAPSHOT none in a row, SERIAL all.
        """
        first = (start if arc is None else arc[0], arc is not None)
        came: dict[tuple[int, bool], tuple[tuple[int, bool], Arc]] = {}
        queue = deque([first])
        while queue:
            state = queue.popleft()
            for other in self.arcs[state[0]]:
                if not _allowed(other[1], state[1], kinds):
                    continue
                after = (other[0], kinds == SNAPSHOT and other[1] == RW)
                if other[0] == start and not after[1]:
                    came[after] = (state, other)
                    return self._told(start, arc, first, after, came)
                if after not in came and after != first:
                    came[after] = (state, other)
                    queue.append(after)
        return None

    def _told(
        self,
        start: int,
        arc: Arc | None,
        first: tuple[int, bool],
        last: tuple[int, bool],
        came: dict[tuple[int, bool], tuple[tuple[int, bool], Arc]],
    ) -> Cycle:
        way: list[tuple[int, Arc]] = []
        state = last
        while not way or state != first:
            before, step = came[state]
            way.append((before[0], step))
            state = before
        if arc is not None:
            way.append((start, arc))
        return Cycle(tuple(self._links(way[::-1])))

    def _links(self, way: list[tuple[int, Arc]]) -> Iterator[Link]:
        """Without barriers: from the transaction before them to the one after them."""
        k = len(self.rows)
        turn = next(i for i, (node, _) in enumerate(way) if node < k)
        source = -1
        for node, (target, kind, first, then) in way[turn:] + way[:turn]:
            source = node if node < k else source
            if target < k:
                yield Link(self.rows[source], self.rows[target], kind if node < k else RT, first, then)


def _allowed(kind: int, after_rw: bool, kinds: set[int] | int) -> bool:
    if isinstance(kinds, set):
        return kind in kinds
    return kind != RW or kinds == SERIAL or (kinds == SNAPSHOT and not after_rw)


def weakest_cycles(members: Ints, edges: Edges, table: Table, strength: int, order: int) -> list[Cycle]:
    """The weakest cycle of a component, and those that are weaker in one way and stronger in the other.

    Args:
        strength, order: of the level that is asked for; nothing beyond is looked for.
    """
    found: list[Cycle] = []
    bound = strength + 1
    for which in range(order + 1):
        part = Part.of(members, edges, table, which)
        for kind in NAMES:
            if kind >= bound:
                break
            cycle = part.cycle(kind)
            if cycle is not None:
                found.append(cycle)
                bound = kind
                break
    return found
