"""Judges read-your-writes and monotonic reads by unique values in columns: what `checkers.sessions.visibility` says.

Neither brings anything from one session to another, so a read saw what its own lanes wrote and read of its key. Of what
a lane read the last new value precedes the one that is read; of what it wrote every write does, so a lane's writes are
taken to be in order for a start. Where that has an order of all writes, so has the history; else the pass looks at what
sessions did with the keys of which they read anything that is tangled.

    wrote 1, wrote 2, read 1        2 → 1 and 1 → 2 for a start, a tangle; by the pass 2 → 1 alone, which is an order

Limits: one order of writes for everybody, writes that need not be linearizable; else None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from checkers.sessions.edges import BY_SEES, Edges, circles_of
from checkers.sessions.lanes import Column
from checkers.sessions.order import Step
from checkers.sessions.record import UNKNOWN
from checkers.sessions.values import Told
from checkers.sessions.visibility import MR, RYW, SESSIONS_ALONE_MAX, Findings, Rules, Seen, Walk
from checkers.transactions.graph import components


def judge_own(told: Told, rules: Rules, spent: Callable[[], bool]) -> Findings | None:
    """See the module docstring."""
    if not rules.guarantees <= {RYW, MR} or not rules.convergent or rules.linearizable_writes:
        return None
    return _Judge(told, rules, spent).findings()


class _Items:
    """What lanes wrote, or newly read, of each key: a read sees a prefix of what its lanes did."""

    def __init__(self, told: Told, numbers: Column, shown: Column) -> None:
        self._span, self._width = len(told.row) + 1, told.lanes
        strand = told.key[numbers] * self._width + told.lane[numbers]
        place = strand * self._span + told.place[numbers]
        sorting = np.argsort(place)
        self._places, self.shown, self.strand = place[sorting], shown[sorting], strand[sorting]

    def last(self, key: Column, lane: Column, before: Column) -> Column:
        """The place of the last one before a place in a lane, -1 without one."""
        strand = key * self._width + lane
        found = np.searchsorted(self._places, strand * self._span + before) - 1
        return np.where((found >= 0) & (self.strand[found] == strand), found, -1)

    def previous(self, item: Column) -> Column:
        """The one before each, -1 without one."""
        return np.where((item > 0) & (self.strand[item] == self.strand[np.maximum(item - 1, 0)]), item - 1, -1)


@dataclass(frozen=True)
class _Edges:
    """Writes before others, and the read that says so, -1 for the order of a lane."""

    before: Column
    after: Column
    by: Column


class _Judge:
    """One history, one set of rules."""

    def __init__(self, told: Told, rules: Rules, spent: Callable[[], bool]) -> None:
        self.told, self.rules, self.spent = told, rules, spent
        self.found = Findings()
        self.ryw, self.mr = RYW in rules.guarantees, MR in rules.guarantees

    def findings(self) -> Findings | None:
        """What is wrong; None where the pass has to look at everything."""
        told, found = self.told, self.found
        if self.spent():
            found.spent = (0, len(told.row))
            return found
        edges = self._edges()
        order, tangles = components(edges.before, edges.after, told.upper)
        found.order = order[~told.reads[order]].tolist()
        if not tangles:
            return found
        found.circles = self._circles_of_reads(edges, tangles)
        if not found.circles:
            told_by_pass = self._passed(self._part(tangles), None)
            if told_by_pass is None:
                return None
            found.circles, inner = told_by_pass
            if not found.circles:  # within each tangle, too, there is an order
                right = _put_right(order, tangles, inner)
                found.order = right[~told.reads[right]].tolist()
                return found
        found.convergence = self._agreement_alone(edges)
        return None if self.spent() else found

    def _edges(self) -> _Edges:
        told = self.told
        read, lane, before = self._looks()
        wrote = _Items(told, *(2 * [np.flatnonzero(~told.reads)]))
        newly = self._newly_read()
        seen = _Items(told, newly, told.source[newly])
        none = np.full(len(read), -1)
        last = wrote.last(told.key[read], lane, before) if self.ryw else none
        shown = seen.last(told.key[read], lane, before) if self.mr and len(newly) else none
        self.found.obliged = len(np.unique(read[(last >= 0) | (shown >= 0)]))
        source = told.source[read]
        first = (source < 0) & ((last >= 0) | (shown >= 0))
        newest = np.where(last[first] >= 0, wrote.shown[last[first]], _at(seen.shown, shown[first]))
        self.found.initial = list(map(Seen, read[first].tolist(), newest.tolist()))
        # A read of the last write says nothing of that, but of the one before.
        own = np.where((last >= 0) & (wrote.shown[last] == source), wrote.previous(last), last)
        some, others = (own >= 0) & (source >= 0), (shown >= 0) & (source >= 0)
        others[others] = seen.shown[shown[others]] != source[others]
        ahead = wrote.previous(np.arange(len(wrote.shown)))
        lanes = np.flatnonzero(ahead >= 0) if self.ryw else ahead[:0]
        return _Edges(
            np.concatenate([wrote.shown[ahead[lanes]], wrote.shown[own[some]], _at(seen.shown, shown[others])]),
            np.concatenate([wrote.shown[lanes], source[some], source[others]]),
            np.concatenate([np.full(len(lanes), -1), read[some], read[others]]),
        )

    def _looks(self) -> tuple[Column, Column, Column]:
        """Per read and lane of its session: the read, the lane, and how much of it was over."""
        told = self.told
        reads = np.flatnonzero(told.reads & (told.source != UNKNOWN))
        parts = [(reads, told.lane[reads], told.place[reads])]
        for lanes in told.lanes_of.values():
            mine = reads[np.isin(told.lane[reads], np.array(lanes))] if len(lanes) > 1 else reads[:0]
            for other in lanes if len(lanes) > 1 else ():
                some = mine[told.lane[mine] != other]
                over = np.searchsorted(told.responses[other], told.invoke[some])
                parts.append((some, np.full(len(some), other), over))
        return (
            np.concatenate([read for read, _, _ in parts]),
            np.concatenate([of for _, of, _ in parts]),
            np.concatenate([over for _, _, over in parts]),
        )

    def _newly_read(self) -> Column:
        """Per lane and write the first read of it."""
        told = self.told
        reads = np.flatnonzero(told.source >= 0)
        at = np.unique(told.lane[reads] * len(told.row) + told.source[reads], return_index=True)[1]
        found: Column = reads[at]
        return found

    # ── what is wrong ────────────────────────────────────────────────────────────────────────────────────────────────

    def _circles_of_reads(self, edges: _Edges, tangles: list[Column]) -> list[list[Step]]:
        """Of reads alone the edges are what the pass puts down, where no session does several things at a time."""
        told = self.told
        if self.ryw or told.lanes > len(told.lanes_of):
            return []
        tangle = np.full(len(told.row), -1)
        for number, nodes in enumerate(tangles):
            tangle[nodes] = number
        some = (tangle[edges.before] >= 0) & (tangle[edges.before] == tangle[edges.after])
        by = edges.by[some]
        sees = Edges.of(BY_SEES, edges.before[some], edges.after[some], told.response[by], np.zeros_like(by), by)
        return circles_of(tangles, sees, len(told.row))

    def _part(self, tangles: list[Column], only: int = -1) -> Column:
        """What sessions, or one, did with the keys of which they read anything tangled, and what they read there."""
        told = self.told
        tangled = np.zeros(len(told.row) + 1, np.bool_)
        tangled[np.concatenate(tangles)] = True
        unit = told.session * (int(told.key.max()) + 1) + told.key
        shows = tangled[told.source] & (told.source >= 0)
        if only >= 0:
            shows &= told.session == only
        some = np.isin(unit, np.unique(unit[shows]))
        sources = told.source[some]
        some[sources[sources >= 0]] = True
        return np.flatnonzero(some)

    def _passed(self, some: Column, only: int | None) -> tuple[list[list[Step]], Column] | None:
        """Circles, or an order, that the pass finds in a part of the history; None if the time does not suffice."""
        walk = Walk(self.told.part(some).record(at_once=True), self.rules, only)
        if not walk.run(self.spent):
            return None
        walk.finish()
        numbers = some.tolist()
        circles = [
            [
                Step(numbers[before], numbers[after], why._replace(by=numbers[why.by]) if why.by >= 0 else why)
                for before, after, why in steps
            ]
            for steps in walk.findings.circles
        ]
        return circles, some[np.array(walk.findings.order, np.int64)]

    def _agreement_alone(self, edges: _Edges) -> bool:
        """Whether each reading session by itself has an order."""
        told = self.told
        sessions = np.unique(told.session[told.reads])
        if not 1 < len(sessions) <= SESSIONS_ALONE_MAX:
            return False
        reader = np.where(edges.by >= 0, told.session[edges.by], told.session[edges.after])
        for session in sessions.tolist():
            mine = reader == session
            tangles = components(edges.before[mine], edges.after[mine], told.upper)[1]
            if not tangles:
                continue
            told_by_pass = self._passed(self._part(tangles, session), session) if self.ryw else None
            if told_by_pass is None or told_by_pass[0]:
                return False
        return True


def _put_right(order: Column, tangles: list[Column], inner: Column) -> Column:
    """An order in which the members of each tangle change places until they are as in another order, of all members."""
    order = order.copy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rank = np.zeros(len(order), np.int64)
    rank[inner] = np.arange(len(inner))
    for nodes in tangles:
        order[np.sort(place[nodes])] = nodes[np.argsort(rank[nodes])]
    return order


def _at(shown: Column, item: Column) -> Column:
    return shown[item] if len(shown) else item
