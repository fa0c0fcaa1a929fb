"""Which transaction must precede which, as far as lists and real time tell, and cycles of that.

    ww   A's element stands in a list before B's; or A's was read there, and B's was not yet read by anybody
    wr   B read something that A wrote
    rw   A read a key without something that B wrote to it
    rt   A was over before B began

A transaction in doubt takes part if something that it wrote was read: then all of it happened. Without a cycle, any
order along these is a proof: the lists grow in it as they were read.

Real time is a chain of barriers, one per completion, so that it takes two edges per transaction and not their square.
A cycle is found in a strongly connected part, and then tightened: among its own transactions the shortest is taken, by
all that is known of each pair.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import networkx as nx

from checkers.objects.calls import named
from checkers.objects.transaction import Transaction
from checkers.sessions.accesses import token_of
from harness.history.operations import NEVER

STARTS_MAX: Final = 50
"""From so many transactions of a part without a cycle of two a shorter cycle is looked for."""

_WHY: Final = {
    "ww": "whose element comes later in{key}",
    "wr": "which read what it wrote to{key}",
    "rw": "which wrote to{key} what it did not find there",
    "rt": "which began after it was over",
}


class Edge(NamedTuple):
    """`first` must precede `then`."""

    first: Transaction
    then: Transaction
    kind: str
    key: Any

    def why(self) -> str:
        """In words, of `then`."""
        return _WHY[self.kind].format(key=f" key{named(self.key)}")


class Cycle(NamedTuple):
    """Edges, each from where the one before ends; named as the field does."""

    name: str
    edges: tuple[Edge, ...]


@dataclass
class Dependencies:
    """Transactions that happened, and what is known of their order.

    Attributes:
        places: (key, element) → its place in the longest list that was read; makers: who wrote it.
        unseen: by key, who appended what nobody read; writers: by key, who wrote plainly.
        graph: who comes directly after whom; transactions by invocation, barriers are negative.
    """

    txns: list[Transaction]
    places: dict[tuple[Hashable, Hashable], int] = field(default_factory=dict)
    makers: dict[tuple[Hashable, Hashable], Transaction] = field(default_factory=dict)
    unseen: dict[Hashable, list[Transaction]] = field(default_factory=dict)
    writers: dict[Hashable, list[Transaction]] = field(default_factory=dict)
    longest: dict[Hashable, list[Transaction]] = field(default_factory=dict)
    graph: dict[int, dict[int, None]] = field(default_factory=dict)

    @classmethod
    def of(cls, txns: Sequence[Transaction]) -> Dependencies:
        """Of a history in which every element has one maker, and all lists of a key begin one another."""
        seen = {(token_of(key), token_of(value)) for txn in txns if txn.ok for key, value in txn.seen()}
        known = cls([txn for txn in txns if txn.ok or (not txn.failed and seen & set(txn.change_tokens))])
        for txn in known.txns:
            known.makers.update(dict.fromkeys(txn.change_tokens, txn))
        known._find_places()
        known._add_edges()
        known._add_real_time()
        return known

    def _find_places(self) -> None:
        lists: dict[Hashable, list[Any]] = {}
        for txn in self.txns:
            for key, base in txn.lists():
                if len(base) >= len(lists.setdefault(token_of(key), [])):
                    lists[token_of(key)] = base
        for key, elements in lists.items():
            tokens = [token_of(element) for element in elements]
            self.places.update({(key, token): place for place, token in enumerate(tokens)})
            self.longest[key] = [self.makers[key, token] for token in tokens]
        for txn in self.txns:
            for (f, _, _), change in zip(txn.changes, txn.change_tokens, strict=True):
                if f == "w":
                    self.writers.setdefault(change[0], []).append(txn)
                elif change not in self.places:
                    self.unseen.setdefault(change[0], []).append(txn)

    def _add_edges(self) -> None:
        self.graph.update({txn.invoke: {} for txn in self.txns})
        for key, makers in self.longest.items():
            for one, other in pairwise(makers):
                self._add(one, other)
            for other in self.unseen.get(key, ()) if makers else ():
                self._add(makers[-1], other)
        for reader in self.txns:
            for key, (_, base) in reader.bases.items():
                makers = self.longest.get(key, [])
                if base:
                    self._add(makers[len(base) - 1], reader)
                later = makers[len(base) : len(base) + 1] or self.unseen.get(key, [])
                for other in later if base else [*later, *self.writers.get(key, ())]:
                    self._add(reader, other)
            for key, (_, value) in reader.values.items():
                if (key, token_of(value)) in self.makers:
                    self._add(self.makers[key, token_of(value)], reader)

    def _add(self, first: Transaction, then: Transaction) -> None:
        if first is not then:
            self.graph[first.invoke][then.invoke] = None

    def _add_real_time(self) -> None:
        ends = [(txn.response, txn) for txn in self.txns if txn.response != NEVER]
        barrier = 0
        for moment, txn in sorted([*((txn.invoke, txn) for txn in self.txns), *ends], key=lambda event: event[0]):
            if moment == txn.invoke:
                if barrier:
                    self.graph[barrier][txn.invoke] = None
                continue
            self.graph[txn.invoke][barrier - 1] = None
            if barrier:
                self.graph[barrier][barrier - 1] = None
            barrier -= 1
            self.graph[barrier] = {}

    # ── no cycle: an order ───────────────────────────────────────────────────────────────────────────────────────────

    def order(self) -> list[int]:
        """Invocations, in an order along everything that is known, by version where that leaves a choice.

        What is in a cycle, or comes after one, is left out.
        """
        ranks = self._ranks()
        waiting = dict.fromkeys(self.graph, 0)
        for successors in self.graph.values():
            for node in successors:
                waiting[node] += 1
        ready = [(ranks.get(node, (-1,)), node) for node, number in waiting.items() if not number]
        heapq.heapify(ready)
        found = []
        while ready:
            _, node = heapq.heappop(ready)
            if node >= 0:
                found.append(node)
            for other in self.graph[node]:
                waiting[other] -= 1
                if not waiting[other]:
                    heapq.heappush(ready, (ranks.get(other, (-1,)), other))
        return found

    def _ranks(self) -> dict[int, tuple[int, ...]]:
        """Versions, where the system tells them; what is in doubt comes just before the first that read it."""
        if any(txn.ok and txn.version is None for txn in self.txns):
            return {txn.invoke: (txn.invoke,) for txn in self.txns}
        ranks: dict[int, tuple[int, ...]] = {}
        for reader in self.txns:
            if reader.version is not None:
                ranks[reader.invoke] = (*reader.version, 1)
                for key, value in reader.seen():
                    maker = self.makers[token_of(key), token_of(value)]
                    if maker.version is None:
                        before = (*reader.version, 0)
                        ranks[maker.invoke] = min(ranks.get(maker.invoke, before), before)
        return ranks

    # ── cycles ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def cycles(self) -> Iterator[Cycle]:
        """One short cycle of every part that has one."""
        by_invoke = {txn.invoke: txn for txn in self.txns}
        edges = ((node, other) for node, successors in self.graph.items() for other in successors)
        for part in nx.strongly_connected_components(nx.DiGraph(edges)):
            inside = sorted(node for node in part if node >= 0)
            if len(inside) > 1:
                yield self._named(self._cycle_of_two(inside, by_invoke) or self._shortest(part, inside, by_invoke))

    def _cycle_of_two(self, inside: Sequence[int], by_invoke: dict[int, Transaction]) -> tuple[Edge, ...]:
        """Two transactions that must each precede the other, rather without real time; () if there are none."""
        found: tuple[Edge, ...] = ()
        for node in inside:
            for other in self.graph[node]:
                if other >= 0:
                    there = self.between(by_invoke[node], by_invoke[other])
                    back = self.between(by_invoke[other], by_invoke[node])
                    if there and back and "rt" not in (there.kind, back.kind):
                        return (there, back)
                    found = found or ((there, back) if there and back else ())
        return found

    def _shortest(self, part: set[int], inside: Sequence[int], by_invoke: dict[int, Transaction]) -> tuple[Edge, ...]:
        step = -(-len(inside) // STARTS_MAX)
        loops = (self._loop(part, start) for start in inside[::step])
        nodes = [node for node in min(loops, key=len) if node >= 0]
        return self._tightened([by_invoke[node] for node in nodes])

    def _loop(self, part: set[int], start: int) -> list[int]:
        """The shortest way from a node back to itself."""
        came_from: dict[int, int] = {}
        todo = deque([start])
        while todo:
            node = todo.popleft()
            for other in self.graph[node]:
                if other == start:
                    way = [node]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return way[::-1]
                if other in part and other not in came_from:
                    came_from[other] = node
                    todo.append(other)
        raise AssertionError(f"no way from event {start} back to itself")

    def _tightened(self, txns: Sequence[Transaction]) -> tuple[Edge, ...]:
        """The shortest cycle among some transactions, by everything that is known of each pair."""
        known: nx.DiGraph[int] = nx.DiGraph()
        edges: dict[tuple[int, int], Edge] = {}
        for i, one in enumerate(txns):
            for j, other in enumerate(txns):
                edge = self.between(one, other) if i != j else None
                if edge is not None:
                    known.add_edge(i, j)
                    edges[i, j] = edge
        back = []
        for i, j in edges:
            if nx.has_path(known, j, i):
                back.append([i, *nx.shortest_path(known, j, i)])
        nodes = min(back, key=len)
        return tuple(edges[i, j] for i, j in pairwise(nodes))

    def between(self, first: Transaction, then: Transaction) -> Edge | None:
        """Why one must precede another, if it must."""
        for key, token in first.change_tokens:
            if key in then.bases and self.places.get((key, token), NEVER) < len(then.bases[key][1]):
                return Edge(first, then, "wr", then.bases[key][0])
            if key in then.values and token_of(then.values[key][1]) == token:
                return Edge(first, then, "wr", then.values[key][0])
        for (f, key, _), change in zip(then.changes, then.change_tokens, strict=True):
            base = first.bases.get(change[0])
            if base is not None and self.places.get(change, NEVER) >= len(base[1]) and not (f == "w" and base[1]):
                return Edge(first, then, "rw", key)
            same = [self.places.get(other, NEVER) for other in first.change_tokens if other[0] == change[0]]
            if f == "append" and same and min(same) < self.places.get(change, NEVER):
                return Edge(first, then, "ww", key)
        return Edge(first, then, "rt", None) if first.response < then.invoke else None

    def _named(self, edges: tuple[Edge, ...]) -> Cycle:
        kinds = sorted(edge.kind for edge in edges)
        if kinds == ["rw", "wr"]:
            return Cycle("fractured-read", edges)
        if kinds == ["rt", "rw"]:
            [missed] = [edge for edge in edges if edge.kind == "rw"]
            shown = any(change in self.places for change in missed.then.change_tokens)
            return Cycle("stale-read" if shown else "lost-write", edges)
        reads = kinds.count("rw")
        name = "G-single" if reads == 1 else "G2-item" if reads else "G1c" if "wr" in kinds else "G0"
        return Cycle(name + ("-realtime" if "rt" in kinds else ""), edges)
