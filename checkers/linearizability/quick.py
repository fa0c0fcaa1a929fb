"""The zones of all registers of a history at once, in whole-column operations: proves most registers right.

The rules are those of `zones`, which decides one register step by step and finds words for what is wrong. Here all
steps of all registers go through them together. What comes out right has its order; where something is wrong, the few
chains that are involved are cut out, and `zones` looks at them alone. Chains do not care for others: what is wrong
among these is wrong in the whole, and nothing else is.

    zones = Quick.of(columns)
    zones.orders[place]      the rows of a register in a legal order
    zones.suspects[place]    the rows of chains that contradict each other; () where nothing can be said

Limits: about SUSPECTS contradictions of a register are looked at, those that show first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.linearizability.register import CAS, NO_VALUE, NOT, READ, Columns
from harness.history.operations import NEVER
from harness.history.values import ranks

Numbers = NDArray[np.int64]
Marks = NDArray[np.bool_]
SUSPECTS: Final = 20
_NEVER_ENDS: Final = 1 << 40


@dataclass
class Quick:
    """See the module docstring. `place` is that of a register in the history."""

    orders: dict[int, Numbers] = field(default_factory=dict)
    suspects: dict[int, Numbers] = field(default_factory=dict)

    @staticmethod
    def of(columns: Columns) -> Quick:
        """Judge all registers."""
        found = Quick()
        if len(columns.kind):
            _Zones(columns).judge(found)
        return found


class _Zones:
    """Steps are numbered by invocation over all registers; a value of a register is an id."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        refused = columns.kind == NOT
        refused |= (columns.kind == READ) & (columns.expected == NO_VALUE)
        self.beyond = np.zeros(columns.places, dtype=np.bool_)  # of each register: the zones do not apply
        self.beyond[columns.place[refused]] = True
        self.rows = np.flatnonzero((columns.kind >= 0) & ~refused)
        operations = columns.operations
        self.kind = columns.kind[self.rows]
        self.place = columns.place[self.rows]
        self.places = columns.places
        self.invoke = operations.invoke[self.rows]
        response = operations.response[self.rows]
        self.definite = response != NEVER
        self.response = np.where(self.definite, response, _NEVER_ENDS)
        self.end = int(max(self.invoke.max(initial=0), response[self.definite].max(initial=0))) + 3
        self.sees = columns.expected[self.rows] != NO_VALUE
        self.makes = columns.produced[self.rows] != NO_VALUE
        self._number_values()

    def _number_values(self) -> None:
        """Give every value of every register an id; -1 where a step has none."""
        columns, width = self.columns, len(self.columns.values)
        offset = self.place * width
        starts = np.arange(self.places) * width + columns.initial
        seen = (offset + columns.expected[self.rows])[self.sees]
        made = (offset + columns.produced[self.rows])[self.makes]
        ids, distinct = ranks(np.concatenate([starts, seen, made]))
        self.ids = len(distinct)
        self.start = ids[: self.places]
        self.seen = np.full(len(self.rows), -1)
        self.seen[self.sees] = ids[self.places : self.places + len(seen)]
        self.made = np.full(len(self.rows), -1)
        self.made[self.makes] = ids[self.places + len(seen) :]
        self.place_of = distinct // width

    def judge(self, found: Quick) -> None:
        """Everything, in the order of `zones`."""
        beyond = self.beyond
        writers = np.bincount(self.made[self.makes], minlength=self.ids)
        writers[self.start] += 1
        beyond[self.place_of[writers > 1]] = True
        self.owner = np.full(self.ids, -1)
        self.owner[self.made[self.makes]] = np.flatnonzero(self.makes)
        self._settle_doubt()
        self._chain_up()
        self._sort()
        contradictions = [*self._replaced_twice(writers), self._out_of_order(), *self._overlaps()]
        bad = beyond.copy()
        for first, second, _ in contradictions:
            bad[self.place_of[first]] = bad[self.place_of[second]] = True
        self._cut_out(found, contradictions, beyond)
        self._order(found, bad)

    def _settle_doubt(self) -> None:
        """Which steps happened: the definite ones, and those whose value was seen, by whatever happened."""
        happened = self.definite.copy()
        doubtful = np.flatnonzero(~happened & self.makes)
        seen = np.zeros(self.ids, dtype=np.bool_)
        seen[self.seen[happened & self.sees]] = True
        while len(doubtful):
            new = seen[self.made[doubtful]]
            if not new.any():
                break
            happened[doubtful[new]] = True
            also = self.seen[doubtful[new]]
            seen[also[also >= 0]] = True
            doubtful = doubtful[~new]
        self.happened = np.flatnonzero(happened)
        self.was = happened

    def _chain_up(self) -> None:
        """Of each id: the id that its chain begins with, and how many changes it is from there."""
        changes = np.flatnonzero(self.was & (self.kind == CAS))
        root = np.arange(self.ids)
        root[self.made[changes]] = self.seen[changes]
        depth = np.zeros(self.ids, dtype=np.int64)
        depth[self.made[changes]] = 1
        moving = np.flatnonzero(depth)
        begins = depth == 0
        for _ in range(self.ids.bit_length() + 1):
            moving = moving[~begins[root[moving]]]
            if not len(moving):
                break
            over = root[moving]
            depth[moving] += depth[over]
            root[moving] = root[over]
        self.beyond[self.place_of[moving]] = True  # these go round in a circle
        self.root, self.depth = root, depth

    def _sort(self) -> None:
        """The steps that happened: chain after chain, in each its blocks, in each the write and then the reads."""
        deepest = int(self.depth.max()) + 1
        rank = np.empty(self.ids, dtype=np.int64)
        rank[np.argsort(self.root * deepest + self.depth)] = np.arange(self.ids)
        steps = self.happened
        reads = self.kind[steps] == READ
        block = rank[np.where(reads, self.seen[steps], self.made[steps])] * 2 + reads
        count = max(1, len(steps))
        sorted_keys = np.sort(block * count + np.arange(len(steps)))
        within = sorted_keys % count
        self.part = sorted_keys // count
        self.steps = steps[within]
        ids = np.where(reads, self.seen[steps], self.made[steps])[within]
        self.chain_of_step = self.root[ids]
        first = np.ones(len(steps), dtype=np.bool_)
        first[1:] = self.chain_of_step[1:] != self.chain_of_step[:-1]
        self.begins = np.flatnonzero(first)
        self.chain_number = np.cumsum(first) - 1
        self.chains = self.chain_of_step[self.begins]
        if len(steps):
            self.finished = np.minimum.reduceat(self.response[self.steps], self.begins)
            self.starting = np.maximum.reduceat(self.invoke[self.steps], self.begins)
        else:
            self.finished = self.starting = np.zeros(0, dtype=np.int64)
        starts = np.zeros(self.ids, dtype=np.bool_)
        starts[self.start] = True
        self.finished[starts[self.chains]] = -1

    # ── contradictions: (chain, chain, event at which they show) ─────────────────────────────────────────────────────

    def _replaced_twice(self, writers: Numbers) -> list[tuple[Numbers, Numbers, Numbers]]:
        """Values that were seen and never written, and values that two changes replaced."""
        seeing = self.happened[self.sees[self.happened]]
        never = seeing[writers[self.seen[seeing]] == 0]
        changes = self.happened[self.kind[self.happened] == CAS]
        times = np.bincount(self.seen[changes], minlength=self.ids)
        twice = changes[times[self.seen[changes]] > 1]
        return [(self.root[self.seen[steps]],) * 2 + (self.response[steps],) for steps in (never, twice)]

    def _out_of_order(self) -> tuple[Numbers, Numbers, Numbers]:
        """Steps that ended before something earlier in their chain began."""
        count = len(self.steps)
        shifted = self.chain_number * self.end + self.invoke[self.steps]
        latest = np.maximum.accumulate(shifted) if count else shifted
        new_part = np.ones(count, dtype=np.bool_)
        new_part[1:] = self.part[1:] != self.part[:-1]
        since = np.maximum.accumulate(np.where(new_part, np.arange(count), 0)) if count else np.zeros(0, dtype=np.int64)
        before = np.where(since > 0, latest[since - 1] - self.chain_number * self.end, -1) if count else latest
        late = np.flatnonzero(self.response[self.steps] < before)
        chains = self.chain_of_step[late]
        return chains, chains, before[late]

    def _overlaps(self) -> list[tuple[Numbers, Numbers, Numbers]]:
        """Chains that each begin before the other ends; and where each backward one belongs."""
        place = self.place_of[self.chains]
        forward = np.flatnonzero(self.finished < self.starting)
        forward = forward[np.argsort(place[forward] * self.end + self.finished[forward], kind="stable")]
        one, other = forward[:-1], forward[1:]
        clash = (place[one] == place[other]) & (self.finished[other] < self.starting[one])
        one, other = one[clash], other[clash]
        shows = np.maximum(self.starting[one], self.finished[other])
        found = [(self.chains[one], self.chains[other], shows)]
        self.cover = np.full(len(self.chains), -1)
        backward = np.flatnonzero(self.finished >= self.starting)
        if len(forward):
            begins = place[forward] * self.end + self.finished[forward]
            at = np.searchsorted(begins, place[backward] * self.end + self.starting[backward], side="right") - 1
            covering = forward[np.maximum(at, 0)]
            covered = (at >= 0) & (place[covering] == place[backward])
            covered &= self.starting[covering] > self.starting[backward]
            backward, covering = backward[covered], covering[covered]
            self.cover[backward] = covering
            inside = self.finished[backward] < self.starting[covering]
            one, other = covering[inside], backward[inside]
            found.append((self.chains[one], self.chains[other], self.starting[one]))
        return found

    def _cut_out(self, found: Quick, contradictions: list[Any], beyond: Marks) -> None:
        """The rows of the chains that contradict each other, by register."""
        pairs = [np.concatenate(parts) for parts in zip(*contradictions, strict=True)]
        first, second, shows = pairs
        places = self.place_of[first]
        order = np.lexsort((shows, places))
        order = order[~beyond[places[order]]]
        by_place = places[order]
        begin = np.searchsorted(by_place, by_place)
        order = order[np.arange(len(order)) - begin < SUSPECTS]
        wanted = np.zeros(self.ids, dtype=np.bool_)
        wanted[first[order]] = wanted[second[order]] = True
        if len(order):
            ids = np.where(self.makes, self.made, self.seen)
            steps = np.flatnonzero(wanted[self.root[ids]])
            for place in np.unique(by_place).tolist():
                found.suspects[place] = self.rows[steps[self.place[steps] == place]]
        for place in np.flatnonzero(beyond).tolist():
            found.suspects[place] = np.zeros(0, dtype=np.int64)

    def _order(self, found: Quick, bad: Marks) -> None:
        """Forward chains by where they begin, each backward one at its point, or after the chain that covers it."""
        forward, covered = self.finished < self.starting, self.cover >= 0
        main = np.where(forward, self.finished, self.starting)
        main = np.where(covered, self.finished[np.maximum(self.cover, 0)], main) if len(main) else main
        minor = np.where(covered, self.starting, -2)
        place = self.place_of[self.chains]
        order = np.lexsort((minor, (main + 2) * 2 + covered, place))
        order = order[~bad[place[order]]]
        length = np.diff(np.append(self.begins, len(self.steps)))[order]
        moved = np.cumsum(length) - length
        at = np.repeat(self.begins[order] - moved, length) + np.arange(int(length.sum()))
        steps = self.steps[at]
        edges = np.searchsorted(self.place[steps], np.arange(self.places + 1))
        rows = self.rows[steps]
        for number in np.flatnonzero(~bad).tolist():
            found.orders[number] = rows[edges[number] : edges[number + 1]]
