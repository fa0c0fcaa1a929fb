"""Is there an order of the versions that nobody told, so that no forbidden cycle remains?

For two writers of a key either comes first: a before b means an edge a → b, and one from every reader of a's version to
b. Whichever would close a cycle that the level forbids is impossible, so the other holds; this is repeated until
nothing follows any more. Then the rest is put along the order found, which mostly fits; if not, one pair is tried both
ways, and so on. (A generalized polygraph: Papadimitriou, 1979; Cobra, OSDI 2020; PolySI, VLDB 2023; restated.)

Serializability forbids cycles in the graph of transactions. Snapshot isolation forbids those without two rw in a row,
which are the cycles of a graph in which a transaction is two nodes, its start and its commit: rw leads from a start to
a commit, everything else from a commit to a start. Parallel snapshot isolation forbids at most one rw.

The answer "there is none" is a proof: decisions each of which is justified by a cycle that its opposite would close,
then a cycle, or a pair for both of whose orders a proof follows.

Limits: the problem is NP-complete. TRIES_MAX rounds and NODES_MAX transactions bound it; beyond, nothing is decided.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from checkers.transactions.cycles import Cycle, Link
from checkers.transactions.dependencies import RW, WW
from checkers.transactions.levels import PARALLEL, SNAPSHOT

NODES_MAX: Final = 12_000
PAIRS_MAX: Final = 2_000_000
TRIES_MAX: Final = 3_000
DIVES_MAX: Final = 300
DEPTH_MAX: Final = 200
CYCLES_MAX: Final = 100


class Pair(NamedTuple):
    """Two writers of a key: rows, and the steps that wrote."""

    one: int
    other: int
    first: int
    then: int

    def swapped(self) -> Pair:
        """The other way round."""
        return Pair(self.other, self.one, self.then, self.first)


@dataclass(frozen=True)
class Decision:
    """A pair whose first comes first; because the opposite would close this cycle, or as an assumption (None)."""

    pair: Pair
    round: int
    links: tuple[int, ...] = ()
    assumed: bool = False


@dataclass(frozen=True)
class Proof:
    """That there is no order: see the module docstring.

    Attributes:
        decisions: (pair, cycle that its opposite would close; the closing link is its first).
        split: a pair that comes either way; both: a proof for each.
    """

    decisions: tuple[tuple[Pair, Cycle], ...]
    cycle: Cycle | None = None
    split: Pair | None = None
    both: tuple[Proof, ...] = ()

    def cycles(self) -> Iterator[Cycle]:
        """All that it rests on."""
        yield from (cycle for _, cycle in self.decisions)
        if self.cycle is not None:
            yield self.cycle
        for part in self.both:
            yield from part.cycles()

    def last_cycle(self) -> Cycle:
        """The cycle to show; of a split, of its first case."""
        return self.cycle if self.cycle is not None else self.both[0].last_cycle()


@dataclass
class Problem:
    """What is known of an order, and what is not.

    Attributes:
        rows: how many transactions; extra: further nodes, for real time.
        links: known; RW links are anti-dependencies, all others dependencies. `extra` nodes have links of their own.
        ranks: by row; who probably came early. It decides nothing, but a good guess saves time.
        pairs: whose order is not known; readers: (row, step) of those who read what a step wrote.
    """

    rows: int
    strength: int
    links: list[Link]
    pairs: list[Pair]
    readers: dict[int, list[tuple[int, int]]]
    extra: int = 0
    ranks: Sequence[int] = ()
    spent: Callable[[], bool] = bool

    def solve(self) -> list[Pair] | Proof | str:
        """Pairs in their order; or a proof that there is none; or why nothing was decided."""
        if self.rows > NODES_MAX or len(self.pairs) > PAIRS_MAX:
            return (
                f"{self.rows:,} transactions with {len(self.pairs):,} pairs of versions in unknown order are too many"
            )
        return _Search(self).run(_State(list(self.pairs)))

    def schedule(self, pairs: list[Pair]) -> list[tuple[int, bool]]:
        """(row, whether it commits), along all links and pairs; for snapshot isolation starts are there too."""
        search = _Search(self)
        for pair in pairs:
            for link in search.new_links(pair):
                search.add(link, None)
        order = search.order()
        assert order is not None
        if not search.split:
            return [(node, True) for node in order if node < self.rows]
        return [(node // 2, bool(node % 2)) for node in order if node < 2 * self.rows]


@dataclass
class _State:
    """A place in the search."""

    open: list[Pair]
    decisions: list[Decision] = field(default_factory=list)
    depth: int = 0


class _Search:
    """Graph and search; links of later decisions are taken back when a try failed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.split = problem.strength == SNAPSHOT
        self.vis = problem.strength == PARALLEL
        self.nodes = problem.rows * (2 if self.split else 1) + problem.extra
        self.links: list[Link] = []
        self.rounds: list[int] = []
        self.made_by: list[Decision | None] = []
        self.drawn: list[bool] = []
        self.arcs: list[list[tuple[int, int]]] = [[] for _ in range(self.nodes)]
        self.round, self.tries = 0, 0
        self.reach: list[int] = []
        self.masks: dict[int, int] = {}
        ranks = problem.ranks or [0] * problem.rows
        self.ranks = ([rank for rank in ranks for _ in "sc"] if self.split else list(ranks)) + [0] * problem.extra
        if self.split:
            for row in range(problem.rows):
                self.arcs[2 * row].append((2 * row + 1, -1))
        for link in problem.links:
            self.add(link, None)

    # ── the graph ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, row: int) -> int:
        if not self.split:
            return row
        return 2 * row if row < self.problem.rows else row + self.problem.rows

    def _end(self, row: int) -> int:
        if not self.split:
            return row
        return 2 * row + 1 if row < self.problem.rows else row + self.problem.rows

    def _ends(self, link: Link) -> tuple[int, int]:
        if link.kind == RW:
            return self._begin(link.source), self._end(link.target)
        return self._end(link.source), self._begin(link.target)

    def add(self, link: Link, decision: Decision | None) -> None:
        """Take a link in."""
        number = len(self.links)
        self.links.append(link)
        self.rounds.append(self.round)
        self.made_by.append(decision)
        source, target = self._ends(link)
        # What is reached anyhow needs no arc of its own.
        drawn = not (self.vis and link.kind == RW) and not (self.reach and self.reach[source] >> target & 1)
        self.drawn.append(drawn)
        if drawn:
            self.arcs[source].append((target, number))

    def _forget(self, count: int) -> None:
        """Take back all links from a number on."""
        while len(self.links) > count:
            link = self.links.pop()
            self.rounds.pop()
            self.made_by.pop()
            if self.drawn.pop():
                self.arcs[self._ends(link)[0]].pop()
        self.reach = []

    def order(self) -> list[int] | None:
        """Nodes in an order along all arcs, by rank where that leaves a choice; or None."""
        waits = [0] * self.nodes
        for arcs in self.arcs:
            for target, _ in arcs:
                waits[target] += 1
        ranks = self.ranks
        ready = [(ranks[node], node) for node in range(self.nodes) if not waits[node]]
        heapq.heapify(ready)
        found = []
        while ready:
            node = heapq.heappop(ready)[1]
            found.append(node)
            for target, _ in self.arcs[node]:
                waits[target] -= 1
                if not waits[target]:
                    heapq.heappush(ready, (ranks[target], target))
        return found if len(found) == self.nodes else None

    def _close(self, order: list[int]) -> None:
        """Which nodes each node leads to, as bits."""
        reach = [0] * self.nodes
        for node in reversed(order):
            bits = 1 << node
            for target, _ in self.arcs[node]:
                if not bits >> target & 1:
                    bits |= reach[target]
            reach[node] = bits
        self.reach = reach

    def _central(self, order: list[int]) -> list[int]:
        """An order along all arcs in which each node has as many before it as it must, and after it likewise."""
        back = [0] * self.nodes
        for node in order:
            bits = back[node] | 1 << node
            for target, _ in self.arcs[node]:
                back[target] |= bits
        heights = [b.bit_count() - r.bit_count() for b, r in zip(back, self.reach, strict=True)]
        return sorted(order, key=heights.__getitem__)

    def _readers(self, step: int) -> int:
        """Nodes of the readers of a version, as bits."""
        mask = self.masks.get(step)
        if mask is None:
            mask = 0
            for row, _ in self.problem.readers.get(step, ()):
                mask |= 1 << self._begin(row)
            self.masks[step] = mask
        return mask

    def _impossible(self, pair: Pair) -> bool:
        """Whether its order would close a forbidden cycle."""
        if self.reach[self._begin(pair.other)] >> self._end(pair.one) & 1:
            return True
        mask = self._readers(pair.first)
        if not mask:
            return False
        return bool(self.reach[self._end(pair.other)] & mask & ~(1 << self._begin(pair.other)))

    def new_links(self, pair: Pair) -> Iterator[Link]:
        """What a pair in this order means."""
        yield Link(pair.one, pair.other, WW, pair.first, pair.then)
        for row, step in self.problem.readers.get(pair.first, ()):
            if row not in (pair.other, pair.one):
                yield Link(row, pair.other, RW, step, pair.then)

    def _decide(self, state: _State, pair: Pair, assumed: bool = False) -> None:
        decision = Decision(pair, self.round, (), assumed)
        state.decisions.append(decision)
        for link in self.new_links(pair):
            self.add(link, decision)

    # ── the search ───────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, state: _State) -> list[Pair] | Proof | str:
        """Solve from a state on."""
        first_decision = len(state.decisions)
        order = self._saturate(state)
        if order is None:
            return self._proof(state, first_decision)
        if self._fits(state, order):
            place = {node: number for number, node in enumerate(order)}
            return [decision.pair for decision in state.decisions] + [self._along(p, place) for p in state.open]
        if not state.depth:
            found = self._dive(state)
            if found is not None:
                return found
        self.tries += 1
        if self.tries > TRIES_MAX or state.depth > DEPTH_MAX or self.problem.spent():
            return f"{len(state.open):,} pairs of versions are left whose order was not found"
        return self._try(state, first_decision, order)

    def _dive(self, state: _State) -> list[Pair] | None:
        """Try to put all pairs along the order, many at a time, taking back what does not fit; None if that fails."""
        before = len(self.links)
        dive = _State(state.open[:], state.decisions[:])
        batch, tries = max(1, len(dive.open) // 2), 0
        order = self._saturate(dive)
        while order is not None and tries < DIVES_MAX and not self.problem.spent():
            order = self._central(order)
            if self._fits(dive, order):
                place = {node: number for number, node in enumerate(order)}
                found = [d.pair for d in dive.decisions] + [self._along(pair, place) for pair in dive.open]
                self._forget(before)
                return found
            tries += 1
            place = {node: number for number, node in enumerate(order)}
            chosen = sorted((self._along(pair, place) for pair in dive.open), key=lambda p: place[self._end(p.other)])
            links, reach, child = len(self.links), self.reach, _State(chosen[batch:], dive.decisions[:])
            self.round += 1
            for pair in chosen[:batch]:
                self._decide(child, pair, assumed=True)
            after = self._saturate(child)
            if after is None:
                self._forget(links)
                self.reach = reach
                if batch > 1:
                    batch = max(1, batch // 4)
                    continue
                child = _State(chosen[1:], dive.decisions[:])
                self._decide(child, chosen[0].swapped(), assumed=True)
                after = self._saturate(child)
            batch *= 2
            dive, order = child, after
        self._forget(before)
        return None

    def _try(self, state: _State, first_decision: int, order: list[int]) -> list[Pair] | Proof | str:
        place = {node: number for number, node in enumerate(order)}
        pair = self._along(state.open[len(state.open) // 2], place)
        failed: list[Proof] = []
        for choice in (pair, pair.swapped()):
            links = len(self.links)
            self.round += 1
            rest = [other for other in state.open if other not in (pair, pair.swapped())]
            child = _State(rest, state.decisions[:], state.depth + 1)
            self._decide(child, choice, assumed=True)
            found = self.run(child)
            if not isinstance(found, Proof):
                return found
            failed.append(found)
            self._forget(links)
        needed = self._justified(d for proof in failed for cycle in proof.cycles() for d in self._makers(cycle))
        own = {id(decision) for decision in state.decisions[first_decision:]}
        return Proof(tuple(self._told(d) for d in needed if id(d) in own), None, pair, tuple(failed))

    def _along(self, pair: Pair, place: dict[int, int]) -> Pair:
        return pair if place[self._end(pair.one)] < place[self._end(pair.other)] else pair.swapped()

    def _saturate(self, state: _State) -> list[int] | None:
        """Decide what follows; an order of the nodes, or None where there is a forbidden cycle."""
        while True:
            order = self.order()
            if order is None:
                return None
            self._close(order)
            if self.vis and any(self._crosses(link) for link in self.links):
                return None
            self.round += 1
            still: list[Pair] = []
            for pair in state.open:
                if self._impossible(pair.swapped()):
                    self._decide(state, pair)
                elif self._impossible(pair):
                    self._decide(state, pair.swapped())
                else:
                    still.append(pair)
            if len(still) == len(state.open):
                return order
            state.open = still

    def _crosses(self, link: Link) -> bool:
        return link.kind == RW and bool(self.reach[link.target] >> link.source & 1)

    def _fits(self, state: _State, order: list[int]) -> bool:
        """Whether the open pairs can be put along an order."""
        place = {node: number for number, node in enumerate(order)}
        links, reach = len(self.links), self.reach
        for pair in state.open:
            for link in self.new_links(self._along(pair, place)):
                self.add(link, None)
        found = self.order()
        fits = found is not None
        if found is not None and self.vis:
            self._close(found)
            fits = not any(self._crosses(link) for link in self.links)
        self._forget(links)
        self.reach = reach
        return fits

    # ── proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _proof(self, state: _State, first_decision: int) -> Proof:
        cycle = self._cycle()
        own = {id(decision) for decision in state.decisions[first_decision:]}
        needed = self._justified(self._makers(cycle))
        return Proof(tuple(self._told(decision) for decision in needed if id(decision) in own), cycle)

    def _makers(self, cycle: Cycle) -> list[Decision]:
        """The decisions that a cycle rests on."""
        wanted = set(cycle.links)
        return [
            decision
            for link, decision in zip(self.links, self.made_by, strict=True)
            if decision is not None and link in wanted
        ]

    def _justified(self, decisions: Iterable[Decision]) -> list[Decision]:
        """These decisions and all that they rest on, earlier ones first."""
        found: dict[int, Decision] = {}
        waiting = list(decisions)
        while waiting:
            decision = waiting.pop()
            if id(decision) not in found:
                found[id(decision)] = decision
                if not decision.assumed:
                    waiting += self._makers(self._told(decision)[1])
        return sorted((d for d in found.values() if not d.assumed), key=lambda d: d.round)

    def _told(self, decision: Decision) -> tuple[Pair, Cycle]:
        """A decision, and the cycle that its opposite would close."""
        for link in self.new_links(decision.pair.swapped()):
            source, target = self._ends(link)
            way = self._way(target, source, decision.round)
            if way is not None:
                return decision.pair, Cycle((link, *way))
        raise AssertionError(f"no reason for {decision}")

    def _way(self, source: int, target: int, before_round: int) -> tuple[Link, ...] | None:
        """A shortest way along links that were there before a round."""
        came: dict[int, tuple[int, int]] = {}
        queue = deque([source])
        while queue:
            node = queue.popleft()
            if node == target:
                links = []
                while node != source:
                    node, number = came[node]
                    if number >= 0:
                        links.append(self.links[number])
                return tuple(links[::-1])
            for other, number in self.arcs[node]:
                if other not in came and other != source and (number < 0 or self.rounds[number] < before_round):
                    came[other] = (node, number)
                    queue.append(other)
        return None

    def _cycle(self) -> Cycle:
        """A shortest forbidden cycle, of those through each of some links."""
        best: Cycle | None = None
        order, found = self.order(), 0
        for link in self.links:
            if order is not None and link.kind != RW:
                continue
            source, target = self._ends(link)
            if order is None and self.vis and link.kind == RW:
                continue
            way = self._way(target, source, self.round + 1)
            found += way is not None
            if way is not None and (best is None or len(way) + 1 < len(best.links)):
                best = Cycle((link, *way))
            if best is not None and (len(best.links) == 2 or found > CYCLES_MAX):
                break
        assert best is not None
        return best
