"""Counters whose adds return nothing, exactly: adds of one amount, and reads.

Adds are all alike, so only how many were counted matters. One is counted when it ends, not before; a read that shows
more than was counted makes some open ones count early, and which ones is left open: such a *credit* is used up by the
next add to end that had begun before it, the oldest credit first. (That they are counted late, and that a credit is of
no use to an add that began after it, are both needed.) One pass over the events, O(log c) for each with c of them open.

    add 1 → ok, read → 0           stale, or lost
    read → 1 before any add        counted twice, or from nowhere

Where a read has no place, another read (or the beginning) and the adds between the two show it:

    more adds lay wholly between the two than their numbers differ by      counter-few
    fewer adds can have been between the two                               counter-excess

Limits: adds of different amounts are for the general engine (to decide them is NP-hard), unless a read shows a number
outside of what all adds amount to, at least and at most.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from checkers.objects.bounds import Bounds
from checkers.objects.calls import Call, text
from checkers.structures.decision import Decision, Order, Violation, violation
from harness.history.operations import FAIL, NEVER

ADDS: Final = frozenset({"add", "increment"})
SHOWN_MAX: Final = 4
"""So many adds are shown between two reads."""


def decide(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Judge one counter."""
    start = 0 if initial is None else initial
    adds = [call for call in calls if call.f in ADDS and call.status != FAIL]
    reads = [call for call in calls if call.f == "read" and call.ok]
    if type(start) is not int or not all(call.f == "read" or call.f in ADDS for call in calls):
        return None
    if not all(type(call.argument) is int for call in adds):
        return None
    if not all(type(call.result) is int or call.result is None for call in reads):
        return None
    amounts = {call.argument for call in adds} - {0}
    if len(amounts) > 1:
        return _bounds(adds, reads, start)
    amount = amounts.pop() if amounts else 1
    return _Count(adds, reads, start, amount).judge()


class _Count:
    """Adds of one amount, or of zero; a level is a number of adds."""

    def __init__(self, adds: Sequence[Call], reads: Sequence[Call], start: int, amount: int) -> None:
        self.start, self.amount = start, amount
        self.adds = [call for call in adds if call.argument]
        idle = [call for call in adds if call.ok and not call.argument]
        self.reads = sorted([*reads, *idle], key=attrgetter("invoke")) if idle else list(reads)
        self.levels: list[int] = []

    def judge(self) -> Decision:
        """An order, or what is wrong."""
        for read in self.reads:
            level, rest = divmod(_number(read, self.start) - self.start, self.amount) if read.f == "read" else (-1, 0)
            if rest:
                return self._between(read)
            self.levels.append(level)
        counted: list[Call | None] = []
        failed = self._count(counted)
        return self._order(counted) if failed < 0 else self._explained(failed)

    def _count(self, counted: list[Call | None]) -> int:
        """Fill in adds as they are counted, None for credits that nobody used; the read that has no place, or -1."""
        adds, reads, levels = self.adds, self.reads, self.levels
        events = [(call.response, 3 * place) for place, call in enumerate(adds) if call.response != NEVER]
        events += [(call.response, 3 * place + 1) for place, call in enumerate(reads)]
        events += [(call.invoke, 3 * place + 2) for place, call in enumerate(reads)]
        events.sort()
        credits: list[tuple[int, int]] = []
        least: dict[int, int] = {}
        begun = ended = 0
        for moment, code in events:
            place, what = divmod(code, 3)
            if what == 2:
                least[place] = len(counted)
            elif what == 0:
                ended += 1
                credit = bisect_left(credits, (adds[place].invoke, -1)) if credits else 0
                if credit < len(credits):
                    counted[credits.pop(credit)[1]] = adds[place]
                else:
                    counted.append(adds[place])
            elif reads[place].f != "read":
                levels[place] = len(counted)
            elif least.pop(place) > levels[place]:
                return place
            elif levels[place] > len(counted):
                while begun < len(adds) and adds[begun].invoke < moment:
                    begun += 1
                need = levels[place] - len(counted)
                if begun - ended - len(credits) < need:
                    return place
                credits += [(moment, len(counted) + number) for number in range(need)]
                counted += [None] * need
        return -1

    def _order(self, counted: Sequence[Call | None]) -> Order:
        """Adds as counted, and after each the reads of its level. Credits that are left go to adds in doubt."""
        doubtful = (call for call in self.adds if call.response == NEVER)
        shown: dict[int, list[int]] = {}
        for level, read in zip(self.levels, self.reads, strict=True):
            shown.setdefault(level, []).append(read.invoke)
        order = list(shown.get(0, ()))
        for level, call in enumerate(counted, 1):
            order.append((call or next(doubtful)).invoke)
            if level in shown:
                order += shown[level]
        return order

    # ── a violation ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _explained(self, failed: int) -> Violation | None:
        """The latest other read, or else the beginning, between which and this one the adds do not fit."""
        read, level = self.reads[failed], self.levels[failed]
        before = sorted(call.invoke for call in self.adds if call.response < read.invoke)
        ends = sorted(call.response for call in self.adds)
        begun = sum(call.invoke < read.response for call in self.adds)
        others = [place for place, call in enumerate(self.reads) if call.f == "read" and call.response < read.response]
        for place in [*reversed(others), -1]:
            other = self.reads[place] if place >= 0 else None
            begin, end, its = (other.invoke, other.response, self.levels[place]) if other else (-1, -1, 0)
            few = len(before) - bisect_right(before, end)
            if end < read.invoke and few > level - its:
                return self._few(other, read, few)
            most = begun - bisect_left(ends, begin)
            if most < level - its:
                return self._excess(other, read, most)
        return None

    def _few(self, other: Call | None, read: Call, few: int) -> Violation:
        end = other.response if other else -1
        between = [call for call in self.adds if end < call.invoke and call.response < read.invoke]
        since = f"process {other.process} had read {_number(other, self.start)}" if other else "the beginning"
        adds = f"{few:,} adds of {self.amount}" if few != 1 else f"an add of {self.amount}"
        least = (_number(other, self.start) if other else self.start) + few * self.amount
        counts = f", and after {adds} since {since} it was {least} at least" if self.amount > 0 else f" after {adds}"
        sentence = f"Process {read.process} read {_number(read, self.start)} of the counter{counts}."
        if not few and other:
            sentence = (
                f"Process {read.process} read {_number(read, self.start)} of the counter after {since}: it went back."
            )
        return self._violation("stale-read", "counter-few", other, read, between[-SHOWN_MAX:], sentence)

    def _excess(self, other: Call | None, read: Call, most: int) -> Violation:
        since = f"since process {other.process} read {_number(other, self.start)}" if other else "from the beginning on"
        adds = f"{most:,} adds of {self.amount}" if most != 1 else f"one add of {self.amount}"
        sentence = (
            f"Process {read.process} read {_number(read, self.start)} of the counter, but {since} there can have been "
            f"{adds} at most."
        )
        begin = other.invoke if other else -1
        between = [call for call in self.adds if call.response > begin and call.invoke < read.response]
        return self._violation("counted-twice", "counter-excess", other, read, between[-SHOWN_MAX:], sentence)

    def _violation(
        self, name: str, rule: str, other: Call | None, read: Call, between: Sequence[Call], sentence: str
    ) -> Violation:
        certificate = {"from": other.invoke if other else -1, "to": read.invoke}
        return violation(name, rule, [other, *between], read, sentence, **certificate)

    def _between(self, read: Call) -> Violation:
        sentence = (
            f"Process {read.process} read {text(read.result)} of the counter, which starts at {self.start} and is only "
            f"ever changed by {self.amount}."
        )
        return violation("impossible-number", "counter-step", [], read, sentence)


def _number(read: Call, start: int) -> int:
    return start if read.result is None else int(read.result)


def _bounds(adds: Sequence[Call], reads: Sequence[Call], start: int) -> Violation | None:
    """A read outside of what all adds amount to, at least and at most."""
    bounds = Bounds(((call.invoke, call.response, call.argument) for call in adds), start)
    for read in reads:
        least, most = bounds.at(read.invoke, read.response)
        if not least <= _number(read, start) <= most:
            sentence = (
                f"Process {read.process} read {_number(read, start)} of the counter, which by then was at least "
                f"{least:,} and at most {most:,}."
            )
            return violation("out-of-bounds", "counter-range", [], read, sentence)
    return None
