"""Read committed, read atomic and causal: which order of commits the reads force, and whether there is one.

By Biswas and Enea (OOPSLA 2019) a history keeps such a level if there is one order of all transactions along sessions,
reads and known versions in which, whenever t3 reads key x from t1 and t2 is another that wrote x and that t3 could see,
t2 comes before t1. What t3 could see depends on the level:

    read committed   who it read from before, step by step
    read atomic      who it read from at all, and who came before it in its session
    causal           who leads to it by any way of reads and sessions

Every such demand is one edge, t2 → t1; there is an order if and only if the edges have no cycle, and no demand is one
to come before the initial state. For causal, the last writer of x in each session, of what t3 could see, says all: it
is found with vector clocks and binary search. Source: AWDIT (PLDI 2025), restated.

A list counts as a register here: to read it is to read what its last element's transaction left.
Limits: exact where every value is written once. Clocks take transactions times sessions; CLOCKS_MAX bounds that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from checkers.transactions.cycles import SO, Cycle, Link
from checkers.transactions.dependencies import RW, WR, WW, Edges
from checkers.transactions.facts import Facts
from checkers.transactions.graph import UNIT, components, converge
from checkers.transactions.levels import CAUSAL, COMMITTED, UNCOMMITTED, Level
from checkers.transactions.table import Ints
from harness.history.operations import OK

CM: Final = 6
"""The kind of a forced edge; its steps are a write by t2 and the read by t3."""
CLOCKS_MAX: Final = 400_000_000
STARTS_MAX: Final = 64


class Read(NamedTuple):
    """A read: its step, the key, and the transaction that made what it found, -1 for the initial state."""

    step: int
    key: int
    maker: int


@dataclass
class Judged:
    """What became of it: an order, or cycles; `ways` shows for each forced edge how t3 could see t2."""

    order: Ints | None = None
    cycles: list[Cycle] = field(default_factory=list)
    ways: dict[Link, tuple[Link, ...]] = field(default_factory=dict)
    why_not: str = ""


class Weak:
    """One history, looked at for one of the weak levels."""

    def __init__(self, facts: Facts, edges: Edges, level: Level) -> None:
        self.facts, self.level, self.table = facts, level, facts.table
        self.txn = facts.table.step_txn
        self.n = len(self.table)
        self.links: dict[tuple[int, int], Link] = {}
        self.visible: dict[tuple[int, int], Link] = {}
        self.after: dict[int, list[Link]] = {}
        self.judged = Judged()
        wanted = edges.kind == WW
        if level.strength > UNCOMMITTED:
            wanted |= edges.kind == WR
        for source, target, kind, first, then in zip(*(column[wanted].tolist() for column in edges), strict=True):
            self._add(Link(source, target, kind, first, then))
        if level.strength > UNCOMMITTED:
            self._sessions()
            self._reads()

    def _add(self, link: Link) -> None:
        if link.source != link.target:
            self.links.setdefault((link.source, link.target), link)
            if link.kind in (WR, SO):
                self.visible.setdefault((link.source, link.target), link)

    def _sessions(self) -> None:
        """Rows of each session; one in doubt is at the end of its own, for nothing comes after it."""
        self.session: dict[int, list[int]] = {}
        self.before: dict[int, int] = {}
        last: dict[int, int] = {}
        for row in np.flatnonzero(self.facts.happened).tolist():
            code = int(self.table.session[row])
            if code in last:
                self.before[row] = last[code]
                self._add(Link(last[code], row, SO, -1, -1))
            if self.table.status[row] == OK:
                self.session.setdefault(code, []).append(row)
                last[code] = row
            else:
                self.session[-1 - row] = [row]

    def _reads(self) -> None:
        step, version, _ = self.facts.reads
        order = np.argsort(step)
        keys = self.table.step_key[step[order]].tolist()
        txns = self.txn[step[order]].tolist()
        makers = np.where(version[order] >= 0, self.txn[version[order]], -1).tolist()
        self.reads: dict[int, list[Read]] = {}
        for one, key, txn, maker in zip(step[order].tolist(), keys, txns, makers, strict=True):
            self.reads.setdefault(txn, []).append(Read(one, key, maker))
        changes = self.facts.last_change[self.facts.has_change]
        changes = changes[self.facts.happened[self.txn[changes]]]
        self.writes: dict[int, dict[int, int]] = {}
        for change, txn, key in zip(
            changes.tolist(), self.txn[changes].tolist(), self.table.step_key[changes].tolist(), strict=True
        ):
            self.writes.setdefault(txn, {})[key] = change

    # ── what the levels demand ───────────────────────────────────────────────────────────────────────────────────────

    def judge(self) -> Judged:
        """Find an order, or cycles."""
        if self.level.strength == CAUSAL:
            self._causal()
        elif self.level.strength > UNCOMMITTED:
            for reader in self.reads:
                (self._committed if self.level.strength == COMMITTED else self._atomic)(reader)
        if not self.judged.cycles and not self.judged.why_not:
            self._settle()
        return self.judged

    def _demand(self, seen: int, reader: int, read: Read, way: tuple[Link, ...] = ()) -> None:
        """`seen` could be seen by `reader` and wrote what it read: so it comes before who made that."""
        change = self.writes.get(seen, {}).get(read.key)
        if change is None or seen in (read.maker, reader):
            return
        if read.maker < 0:
            way = way or self._way(seen, reader)
            self.judged.cycles.append(Cycle((*way, Link(reader, seen, RW, read.step, change))))
            return
        link = Link(seen, read.maker, CM, change, read.step)
        if (seen, read.maker) not in self.links:
            self._add(link)
            if way:
                self.judged.ways[link] = way

    def _committed(self, reader: int) -> None:
        seen: dict[int, Link] = {}
        for read in self.reads[reader]:
            for maker, link in seen.items():
                self._demand(maker, reader, read, (link,))
            if read.maker >= 0 and read.maker != reader:
                seen.setdefault(read.maker, self._wr(read, reader))

    def _wr(self, read: Read, reader: int) -> Link:
        return Link(read.maker, reader, WR, self.writes[read.maker].get(read.key, -1), read.step)

    def _atomic(self, reader: int) -> None:
        reads = self.reads[reader]
        by_key: dict[int, list[Read]] = {}
        for read in reads:
            by_key.setdefault(read.key, []).append(read)
        seen = {read.maker: self._wr(read, reader) for read in reads if read.maker not in (-1, reader)}
        for maker, link in seen.items():
            wrote = self.writes.get(maker, {})
            for key in wrote if len(wrote) < len(by_key) else by_key:
                for read in by_key.get(key, ()) if key in wrote else ():
                    self._demand(maker, reader, read, (link,))
        for read in reads:
            earlier = self._last_of_session(reader, read.key)
            if earlier is not None:
                self._demand(earlier, reader, read, (Link(earlier, reader, SO, -1, -1),))

    def _last_of_session(self, reader: int, key: int) -> int | None:
        """Who wrote a key last in the session before."""
        if not hasattr(self, "_writers"):
            self._writers = self._writers_by_session()
        code = int(self.table.session[reader])
        rows = self._writers.get((key, code), [])
        place = bisect_left(rows, reader)
        return rows[place - 1] if place else None

    def _writers_by_session(self) -> dict[tuple[int, int], list[int]]:
        found: dict[tuple[int, int], list[int]] = {}
        for code, rows in self.session.items():
            for row in rows:
                for key in self.writes.get(row, ()):
                    found.setdefault((key, code), []).append(row)
        return found

    def _causal(self) -> None:
        order = self._along(self.visible.values())
        if order is None:
            return
        codes = {code: place for place, code in enumerate(self.session)}
        if self.n * len(codes) > CLOCKS_MAX:
            self.judged.why_not = f"{self.n:,} transactions of {len(codes):,} sessions are too many for causal order"
            return
        clocks = self._clocks(order, codes)
        by_key: dict[int, list[tuple[int, list[int], list[int]]]] = {}
        place_of = {row: place for rows in self.session.values() for place, row in enumerate(rows)}
        for (key, code), rows in self._writers_by_session().items():
            by_key.setdefault(key, []).append((codes[code], [place_of[row] for row in rows], rows))
        for reader, reads in self.reads.items():
            clock = clocks[reader].tolist()
            for read in reads:
                for session, places, rows in by_key.get(read.key, ()):
                    if clock[session]:
                        place = bisect_left(places, clock[session])
                        if place:
                            self._demand(rows[place - 1], reader, read)

    def _clocks(self, order: Ints, codes: dict[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        """How many transactions of each session lead to each transaction, itself aside."""
        clocks = np.zeros((self.n, len(codes)), np.int32)
        own = {row: (codes[code], place) for code, rows in self.session.items() for place, row in enumerate(rows)}
        before: dict[int, set[int]] = {}
        for source, target in self.visible:
            before.setdefault(target, set()).add(source)
        for row in order.tolist():
            clock = clocks[row]
            for source in before.get(row, ()):
                np.maximum(clock, clocks[source], out=clock)
                session, place = own[source]
                clock[session] = max(clock[session], place + 1)
        return clocks

    # ── order or cycle ───────────────────────────────────────────────────────────────────────────────────────────────

    def _along(self, links: Iterable[Link]) -> Ints | None:
        """All rows in an order along some links; None, and cycles noted, where there is none."""
        chosen = list(links)
        source = np.array([link.source for link in chosen], np.int64)
        target = np.array([link.target for link in chosen], np.int64)
        times, _ = converge(source, target, np.arange(self.n) * UNIT)
        order, tangles = components(source, target, times)
        if not tangles:
            return order
        self.after = {}
        for link in chosen:
            self.after.setdefault(link.source, []).append(link)
        for tangle in tangles:
            inside = set(tangle.tolist())
            starts = sorted(inside)[:STARTS_MAX]
            self.judged.cycles.append(min((self._round(start, inside) for start in starts), key=lambda c: len(c.links)))
        for cycle in self.judged.cycles:
            for link in cycle.links:
                if link.kind == CM and link not in self.judged.ways:
                    self.judged.ways[link] = self._way(link.source, int(self.txn[link.then]))
        return None

    def _settle(self) -> None:
        order = self._along(self.links.values())
        if order is not None:
            self.judged.order = order[self.facts.happened[order]]

    def _round(self, start: int, inside: set[int]) -> Cycle:
        """A shortest cycle through a row."""
        return Cycle(self._path(start, start, self.after, inside))

    def _way(self, source: int, target: int) -> tuple[Link, ...]:
        """A shortest way of reads and sessions."""
        after: dict[int, list[Link]] = {}
        for link in self.visible.values():
            after.setdefault(link.source, []).append(link)
        return self._path(source, target, after, None)

    def _path(
        self, source: int, target: int, after: dict[int, list[Link]], inside: set[int] | None
    ) -> tuple[Link, ...]:
        came: dict[int, Link] = {}
        queue = deque([source])
        while queue:
            for link in after.get(queue.popleft(), ()):
                if link.target == target:
                    return tuple(self._told(link, source, came))
                if link.target not in came and (inside is None or link.target in inside):
                    came[link.target] = link
                    queue.append(link.target)
        raise AssertionError(f"no way from row {source} to row {target}")

    def _told(self, link: Link, source: int, came: dict[int, Link]) -> Iterator[Link]:
        way = [link]
        while way[-1].source != source:
            way.append(came[way[-1].source])
        return reversed(way)
