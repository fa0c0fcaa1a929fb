"""Judges session guarantees by unique values in columns: what `checkers.sessions.visibility` says, and much sooner.

First an order is guessed: writes by the first event at which each had surely happened, which is its response or that of
a read of its value. Whatever a session puts before a write has happened before that, so only what reads saw can
contradict the guess. Where nothing does, or where the writes can be put right within the stretches over which something
leads back, there is an order. What remains are tangles, and of these alone the edges are put down to tell circles.

    write 1 [....]          read 2, then 1: 2 → 1 leads back; both orders of 1 and 2 are open, so they change places
       write 2 [..]

Limits: rules with monotonic writes, one order of all keys for everybody, writes that need not be linearizable. Else
None, as where the clocks do not fit (`checkers.sessions.flow`), and the pass decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from checkers.sessions.columns import NOTHING, Bounds, Columns, codes_of, confirmed
from checkers.sessions.edges import BY_MW, BY_SEES, BY_TIE, BY_WFR, Edges, Marks, circles_of
from checkers.sessions.flow import Flow, Pairs
from checkers.sessions.lanes import Column
from checkers.sessions.values import Told
from checkers.sessions.visibility import MW, SESSIONS_ALONE_MAX, WFR, Findings, Rules, Seen
from checkers.transactions.graph import components
from harness.history.operations import NEVER


@dataclass
class Judged:
    """What was found.

    Attributes:
        overwritten: reads of what their session knew to be overwritten, and by what.
        tangled: whether there is no order of the writes.
    """

    findings: Findings
    overwritten: list[Seen]
    tangled: bool


def confirmed_by_guess(told: Told, rules: Rules) -> Findings | None:
    """The guessed order, if every read shows the newest that its session can have known by it."""
    if told.impossible:
        return None
    order = _guess(told)
    version = np.full(len(told.row), NOTHING)
    version[order] = np.arange(len(order))
    version[told.upper == NEVER] = NOTHING
    reads, writes = np.flatnonzero(told.reads), np.flatnonzero(~told.reads)
    to_write = np.full(len(told.row) + 1, -1)
    to_write[writes] = np.arange(len(writes))
    origin = told.source[reads]
    columns = Columns(
        reads, writes, to_write[origin],
        told.invoke[reads], told.response[reads], told.session[reads], told.key[reads],
        np.where(origin >= 0, version[origin], NOTHING),
        told.invoke[writes], told.response[writes], told.session[writes], told.key[writes], version[writes],
        told.response[writes] != NEVER, len(codes_of(told.key)),
    )  # fmt: skip
    quick = confirmed(columns, rules, Bounds.of(columns, rules))
    return None if quick is None else Findings(order=order.tolist(), obliged=quick.obliged, ordered=quick.ordered)


def judge_values(told: Told, rules: Rules, spent: Callable[[], bool], tell: bool = True) -> Judged | None:
    """See the module docstring; unless it is to be told, of a tangle no more is said than that there is one."""
    if rules.per_key or not rules.convergent or rules.linearizable_writes or MW not in rules.guarantees:
        return None
    return _Judge(told, rules).judged(spent, tell) if Flow.fits(told) else None


def _guess(told: Told) -> Column:
    """All writes by when they had surely happened."""
    writes = np.flatnonzero(~told.reads)
    found: Column = writes[np.argsort(told.upper[writes], kind="stable")]
    return found


class _Judge:
    """One history, one set of rules."""

    def __init__(self, told: Told, rules: Rules) -> None:
        self.told, self.rules = told, rules
        self.flow = Flow(told, rules)
        self.findings = Findings()
        self.overwritten: list[Seen] = []
        self._make_session_edges()

    def judged(self, spent: Callable[[], bool], tell: bool) -> Judged:
        """Guess, put right, and tell what is tangled."""
        seen, done = self._collect(spent, self._new)
        findings = self.findings
        findings.obliged = self.flow.obliged
        if not done:
            findings.spent = self.flow.progress
            return Judged(findings, self.overwritten, False)
        source = np.concatenate([self.base.before, seen.write])
        target = np.concatenate([self.base.after, self.told.source[seen.read]])
        order, tangles = np.argsort(self.times, kind="stable"), list[Column]()
        if np.any(self.times[source] > self.times[target]):
            order, tangles = components(source, target, self.times)
        findings.order = order[(order < len(self.told.row)) & self._writes[order]].tolist()
        if tangles and tell:
            self._tell(tangles, spent)
        return Judged(findings, self.overwritten, bool(tangles))

    # ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _make_session_edges(self) -> None:
        """What sessions put before writes; knots are numbered after the operations."""
        told = self.told
        mw, (knots, wfr) = self._own_writes(), self._own_reads()
        self.base = Edges.joined(mw, *wfr)
        self.knots = len(knots)
        self.times = np.concatenate([told.upper, told.invoke[knots]])
        self._writes = np.append(~told.reads, np.zeros(self.knots + 1, np.bool_))

    def _own_writes(self) -> Edges:
        """Monotonic writes: after the last that was over, of each lane of the session."""
        told = self.told
        writes = np.flatnonzero(~told.reads)
        writes = writes[np.lexsort((told.place[writes], told.lane[writes]))]
        near = told.lane[writes][1:] == told.lane[writes][:-1]
        before, after = writes[:-1][near], writes[1:][near]
        others: list[tuple[int, int]] = []
        for lanes in told.lanes_of.values():
            if len(lanes) > 1:
                others += self._across(writes, lanes)
        if others:
            before = np.concatenate([before, np.array([one for one, _ in others])])
            after = np.concatenate([after, np.array([other for _, other in others])])
        self.findings.ordered += len(before)
        return Edges.of(BY_MW, before, after, told.invoke[after], told.lane[before])

    def _across(self, writes: Column, lanes: list[int]) -> list[tuple[int, int]]:
        told, found = self.told, list[tuple[int, int]]()
        of_lane = {lane: writes[told.lane[writes] == lane] for lane in lanes}
        for lane in lanes:
            over = told.response[of_lane[lane]]
            for other in lanes:
                if other != lane:
                    at = np.searchsorted(over, told.invoke[of_lane[other]])
                    pairs = zip(at.tolist(), of_lane[other].tolist(), strict=True)
                    found += [(int(of_lane[lane][place - 1]), number) for place, number in pairs if place]
        return found

    def _own_reads(self) -> tuple[Column, list[Edges]]:
        """Writes follow reads: the writes before which a session had read something new; and edges through knots."""
        told = self.told
        none = np.zeros(0, np.int64)
        if WFR not in self.rules.guarantees:
            return none, []
        span = int(max(told.invoke[-1], told.response[told.response != NEVER].max(initial=0))) + 1
        writes = np.flatnonzero(~told.reads)
        writes = writes[np.argsort(told.session[writes] * span + told.invoke[writes])]
        begins = told.session[writes] * span + told.invoke[writes]
        reads = np.flatnonzero(told.source >= 0)
        at = np.searchsorted(begins, told.session[reads] * span + told.response[reads])
        there = at < len(writes)
        there[there] = told.session[writes[at[there]]] == told.session[reads[there]]
        reads, at = reads[there], at[there]
        fresh = np.unique(at)  # of `writes`
        knots = np.sort(writes[fresh])
        name = len(told.row) + np.searchsorted(knots, writes)  # where a write has a knot
        session = told.session[writes]
        latest = np.searchsorted(fresh, np.arange(len(writes)), side="right") - 1
        has = latest >= 0
        has[has] = session[fresh[latest[has]]] == session[has]
        tied = np.flatnonzero(has)
        again = (session[fresh[1:]] == session[fresh[:-1]]).nonzero()[0] + 1
        self.findings.ordered += len(tied)
        when = told.invoke[writes]
        top = int(told.lanes)  # turns: own writes by lane, the knot before, what was read, the write
        return knots, [
            Edges.of(BY_TIE, name[fresh[again - 1]], name[fresh[again]], when[fresh[again]], np.full(len(again), top)),
            Edges.of(BY_WFR, told.source[reads], name[at], when[at], top + 1 + told.response[reads], reads),
            Edges.of(
                BY_TIE, name[fresh[latest[tied]]], writes[tied], when[tied], np.full(len(tied), top + 2 + span)
            ),
        ]  # fmt: skip

    def _new(self, pairs: Pairs) -> Pairs:
        """Those that say more than the sessions do; what is wrong at once is noted."""
        told, clocks, slot = self.told, self.flow.clocks, self.flow.slot
        source = told.source[pairs.read]
        first = source < 0
        self.findings.initial += map(Seen, pairs.read[first].tolist(), pairs.write[first].tolist())
        pairs = pairs.only(~first & (source != pairs.write))
        source = told.source[pairs.read]
        knew = clocks[slot[pairs.write], told.lane[source]] > told.place[source]
        self.overwritten += map(Seen, pairs.read[knew].tolist(), pairs.write[knew].tolist())
        return pairs.only(clocks[slot[source], told.lane[pairs.write]] <= told.place[pairs.write])

    def _collect(
        self, spent: Callable[[], bool], kept: Callable[[Pairs], Pairs], wanted: Marks | None = None
    ) -> tuple[Pairs, bool]:
        """The pairs that are kept, and whether the time sufficed."""
        found = [kept(pairs) for pairs in self.flow.parts(spent, wanted)]
        none = np.zeros(0, np.int64)
        told = Pairs(*(
            np.concatenate([none, *(getattr(pairs, name) for pairs in found)]) for name in ("read", "write", "strand")
        ))  # fmt: skip
        return told, self.flow.progress[0] == self.flow.progress[1]

    # ── what is wrong ────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, tangles: list[Column], spent: Callable[[], bool]) -> None:
        """A circle of each tangle, as the pass finds it, from edges within tangles."""
        told, findings = self.told, self.findings
        tangle = np.full(len(told.row) + self.knots, -1)
        for number, nodes in enumerate(tangles):
            tangle[nodes] = number

        def inside(pairs: Pairs) -> Pairs:
            source = told.source[pairs.read]
            return pairs.only((source != pairs.write) & (tangle[source] == tangle[pairs.write]))

        seen, done = self._collect(spent, inside, (told.source >= 0) & (tangle[told.source] >= 0))
        if not done:
            findings.spent = self.flow.progress
            return
        mine = tangle[self.base.before]
        base = self.base.only((mine >= 0) & (mine == tangle[self.base.after]))
        source = told.source[seen.read]
        sees = Edges.of(BY_SEES, seen.write, source, told.response[seen.read], seen.strand, seen.read)
        findings.circles = circles_of(tangles, Edges.joined(base, sees), len(told.row))
        findings.convergence = self._agreement_alone(base, sees, spent)

    def _agreement_alone(self, base: Edges, sees: Edges, spent: Callable[[], bool]) -> bool:
        """Whether each reading session by itself has an order."""
        told = self.told
        sessions = np.unique(told.session[told.reads])
        if not 1 < len(sessions) <= SESSIONS_ALONE_MAX:
            return False
        reader = told.session[sees.by]
        back = self.times[sees.before] > self.times[sees.after]
        for session in np.unique(reader[back]).tolist():
            mine = sees.only(reader == session)
            source, target = np.concatenate([base.before, mine.before]), np.concatenate([base.after, mine.after])
            if spent() or components(source, target, self.times)[1]:
                return False
        return True
