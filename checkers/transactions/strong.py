"""Parallel snapshot isolation, snapshot isolation and serializability: by the graph of versions, or by search.

Where the order of all versions is known, their edges decide: see `dependencies`, `graph` and `cycles`. Without any
cycle there is a serial order, which proves every level at once. Where it is not (registers that are written without
being read before), `solver` looks for one. For snapshot isolation and its like that includes the versions of lists that
nobody read: two transactions that appended to one list must not overlap, whichever came first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from checkers.transactions.cycles import RT, SO, Cycle, Link, weakest_cycles
from checkers.transactions.dependencies import RW, THROUGH, Edges, dependencies, final_writes, versions_of
from checkers.transactions.facts import Facts
from checkers.transactions.graph import UNIT, barriers, components, converge, sessions
from checkers.transactions.levels import REAL_TIME, SERIAL, SESSION, SNAPSHOT, Level
from checkers.transactions.solver import Pair, Problem, Proof
from checkers.transactions.table import Ints
from harness.history.operations import NEVER

PARTS_MAX = 100


@dataclass
class Outcome:
    """Rows in a serial order; or starts and commits; or versions; or cycles; or a proof; or why nothing is known."""

    serial: Ints | None = None
    schedule: list[tuple[int, bool]] = field(default_factory=list)
    pairs: list[Pair] | None = None
    cycles: list[Cycle] = field(default_factory=list)
    proof: Proof | None = None
    why_not: str = ""


class Strong:
    """One history; several levels may be asked for."""

    def __init__(self, facts: Facts, real_time: bool, spent: Callable[[], bool] = bool) -> None:
        self.facts, self.table, self.spent = facts, facts.table, spent
        self.real_time = real_time
        self.versions = versions_of(facts)
        self.edges, self.hubs = dependencies(facts, self.versions)
        self.complete = bool(self.versions.known.all())
        self.rows = np.flatnonzero(facts.happened)

    # ── by the graph ─────────────────────────────────────────────────────────────────────────────────────────────────

    def serial(self, order: int) -> tuple[Ints | None, list[Ints]]:
        """A serial order of what happened along all edges that are known and an order; or the components."""
        n, table = len(self.table), self.table
        start = np.concatenate([table.invoke * UNIT, np.zeros(self.hubs, np.int64)])
        source, target = self.edges.source, self.edges.target
        latest = None
        if order == REAL_TIME:
            latest = np.full(n + self.hubs, NEVER)
            ended = np.flatnonzero(table.response != NEVER)
            latest[ended] = table.response[ended] * UNIT
        elif order == SESSION:
            source, target = (np.concatenate(both) for both in zip((source, target), self._sessions, strict=True))
        times, settled = converge(source, target, start, latest)
        if settled:
            rows = np.argsort(times[:n], kind="stable")
            return rows[self.facts.happened[rows]], []
        if order == REAL_TIME:
            one, other, moments = barriers(table.invoke[self.rows], table.response[self.rows])
            numbers = np.concatenate([self.rows, n + self.hubs + np.arange(len(moments))])
            source, target = np.concatenate([source, numbers[one]]), np.concatenate([target, numbers[other]])
            start = np.concatenate([start, moments * UNIT - 1])
            times = start
        rows, parts = components(source, target, times)
        if parts:
            return None, parts
        rows = rows[rows < n]
        return rows[self.facts.happened[rows]], []

    @cached_property
    def weak_edges(self) -> Edges:
        """Only what holds for the weak levels too: they may lose updates."""
        return dependencies(self.facts, versions_of(self.facts, neighbours=False))[0]

    @cached_property
    def _sessions(self) -> tuple[Ints, Ints]:
        one, other = sessions(self.table.session[self.rows], self.table.response[self.rows])
        return self.rows[one], self.rows[other]

    def judge(self, level: Level) -> Outcome:
        """Judge one level."""
        serial, parts = self.serial(level.order)
        if parts:
            found = [
                cycle
                for part in parts[:PARTS_MAX]
                for cycle in weakest_cycles(part, self._among(part), self.table, level.strength, level.order)
            ]
            if found or level.strength == SERIAL:
                return Outcome(cycles=found)
        elif self.complete:
            return Outcome(serial=serial)
        return self._search(level)

    def _among(self, part: Ints) -> Edges:
        """The edges within a component, hubs included."""
        inside = np.zeros(len(self.table) + self.hubs, bool)
        inside[part[part < len(inside)]] = True
        chosen = inside[self.edges.source] & inside[self.edges.target]
        e = self.edges
        return Edges(e.source[chosen], e.target[chosen], e.kind[chosen], e.first[chosen], e.then[chosen])

    # ── by search ────────────────────────────────────────────────────────────────────────────────────────────────────

    def problem(self, level: Level) -> Problem:
        """What is known and what is not, over the rows that happened."""
        place = np.full(len(self.table) + self.hubs, -1)
        place[self.rows] = np.arange(len(self.rows))
        links = [
            Link(int(place[link.source]), int(place[link.target]), link.kind, link.first, link.then)
            for link in self._links()
        ]
        extra = 0
        if level.order == SESSION:
            links += [Link(int(place[a]), int(place[b]), SO, -1, -1) for a, b in zip(*self._sessions, strict=True)]
        elif level.order == REAL_TIME:
            one, other, moments = barriers(self.table.invoke[self.rows], self.table.response[self.rows])
            extra = len(moments)
            links += [
                Link(a, b, RT if a < len(self.rows) else THROUGH, -1, -1)
                for a, b in zip(one.tolist(), other.tolist(), strict=True)
            ]
        pairs, readers, known = self._pairs(place, level)
        return Problem(len(self.rows), level.strength, links + known, pairs, readers, extra, self._ranks(), self.spent)

    def _ranks(self) -> list[int]:
        """By row that happened: its place in real time, or in its session where that is not known."""
        if self.real_time:
            return list(range(len(self.rows)))
        seen: dict[int, int] = {}
        ranks = []
        for session in self.table.session[self.rows].tolist():
            seen[session] = seen.get(session, 0) + 1
            ranks.append(seen[session])
        return ranks

    def _links(self) -> Iterator[Link]:
        """Edges as links, without hubs."""
        n = len(self.table)
        readers: dict[int, list[tuple[int, int]]] = {}
        writers: dict[int, list[tuple[int, int]]] = {}
        for source, target, kind, first, then in zip(*(column.tolist() for column in self.edges), strict=True):
            if kind == THROUGH:
                writers.setdefault(source, []).append((target, then))
            elif target >= n:
                readers.setdefault(target, []).append((source, first))
            else:
                yield Link(source, target, kind, first, then)
        for hub, sources in readers.items():
            for source, first in sources:
                for target, then in writers[hub]:
                    yield Link(source, target, RW, first, then)

    def _pairs(self, place: Ints, level: Level) -> tuple[list[Pair], dict[int, list[tuple[int, int]]], list[Link]]:
        """Pairs of versions in unknown order; who read which version; what readers of the initial state tell."""
        facts, txn, key_of = self.facts, self.table.step_txn, self.table.step_key
        writes = final_writes(facts)
        writes = writes[~self.versions.known[key_of[writes]]]
        unseen = self.versions.unseen if level.strength <= SNAPSHOT else facts.unseen[:0]
        by_key: dict[int, list[int]] = {}
        for step in [*writes.tolist(), *unseen.tolist()]:
            by_key.setdefault(int(key_of[step]), []).append(step)
        pairs = [
            Pair(int(place[txn[one]]), int(place[txn[other]]), one, other)
            for steps in by_key.values()
            for one, other in combinations(steps, 2)
        ]
        readers: dict[int, list[tuple[int, int]]] = {}
        known: list[Link] = []
        step, version, _ = facts.reads
        chosen = ~self.versions.known[key_of[step]]
        for read, made in zip(step[chosen].tolist(), version[chosen].tolist(), strict=True):
            row = int(place[txn[read]])
            if made >= 0:
                readers.setdefault(int(facts.last_change[facts.group[made]]), []).append((row, read))
                continue
            for write in by_key.get(int(key_of[read]), ()):
                if txn[write] != txn[read]:
                    known.append(Link(row, int(place[txn[write]]), RW, read, write))
        return pairs, readers, known

    def _search(self, level: Level) -> Outcome:
        """Look for an order; first for one that keeps more than is asked for: there are fewer to choose from."""
        most = REAL_TIME if self.real_time else SESSION
        if level.order < most:
            found = self._found(Level(level.name, level.strength, most))
            if found.proof is None and not found.why_not:
                return found
        return self._found(level)

    def _found(self, level: Level) -> Outcome:
        problem = self.problem(level)
        found = problem.solve()
        if isinstance(found, str):
            return Outcome(why_not=found)
        if isinstance(found, Proof):
            return Outcome(proof=self._with_rows(found, problem.rows))
        rows = self.rows
        schedule = [(int(rows[row]), commits) for row, commits in problem.schedule(found)]
        pairs = [Pair(int(rows[p.one]), int(rows[p.other]), p.first, p.then) for p in found]
        if level.strength == SERIAL:
            return Outcome(serial=np.array([row for row, _ in schedule], np.int64))
        return Outcome(schedule=schedule, pairs=pairs)

    def _with_rows(self, proof: Proof, count: int) -> Proof:
        """A proof over rows of the table, without barriers."""
        rows = self.rows.tolist()

        def pair(one: Pair) -> Pair:
            return Pair(rows[one.one], rows[one.other], one.first, one.then)

        def cycle(of: Cycle) -> Cycle:
            return Cycle(tuple(_without_barriers(of.links, count, rows)))

        return Proof(
            tuple((pair(decided), cycle(why)) for decided, why in proof.decisions),
            None if proof.cycle is None else cycle(proof.cycle),
            None if proof.split is None else pair(proof.split),
            tuple(self._with_rows(part, count) for part in proof.both),
        )

    def version_orders(self, pairs: list[Pair]) -> list[tuple[int, list[int]]]:
        """For each key, who changed it, in order: what is known, and the rest by pairs."""
        txn, key_of = self.table.step_txn.tolist(), self.table.step_key.tolist()
        found: dict[int, list[int]] = {}
        for step in self.versions.order.tolist():
            rows = found.setdefault(key_of[step], [])
            if not rows or rows[-1] != txn[step]:
                rows.append(txn[step])
        after: dict[int, dict[int, int]] = {}
        for step in self.versions.unseen.tolist():
            after.setdefault(key_of[step], {}).setdefault(txn[step], 0)
        for one in pairs:
            counts = after.setdefault(key_of[one.first], {})
            counts[one.other] = counts.get(one.other, 0) + 1
            counts.setdefault(one.one, 0)
        for write in final_writes(self.facts).tolist():
            if not self.versions.known[key_of[write]]:
                after.setdefault(key_of[write], {}).setdefault(txn[write], 0)
        for key, counts in after.items():
            found.setdefault(key, []).extend(sorted(counts, key=counts.__getitem__))
        return list(found.items())


def _without_barriers(links: tuple[Link, ...], count: int, rows: list[int]) -> Iterator[Link]:
    turn = next((i for i, link in enumerate(links) if link.source < count), 0)
    source = -1
    for link in links[turn:] + links[:turn]:
        source = link.source if link.source < count else source
        if link.target < count:
            kind = link.kind if link.source < count else RT
            yield Link(rows[source], rows[link.target], kind, link.first, link.then)
