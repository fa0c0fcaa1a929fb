"""Counters: every increment counts once, and what they return and reads show is the number at one moment in between.

An increment by one that returns 7 is the seventh, so numbers give every acknowledged increment its place. A number that
nobody was given belongs to an increment in doubt. Four rules, each shown by few operations:

    counter-same     two increments made the same number: one of them is lost
    counter-order    a higher number was there before an operation that shows a lower one began
    counter-many     more was counted than increments can have happened
    counter-bounds   a number is outside of what all increments, at least and at most, amount to

With increments by one the answer is exact: "valid" carries an order of the operations of every key. So it is where
nothing is returned, as by `add`: see `checkers.structures.credits`. Other amounts are held to the bounds alone, so
without a violation they are "unknown".

    increment → 1, increment → 1                 the second one lost the first
    increment → 3, then read → 2                 a stale read, or a lost increment

Limits: a number that was never given to anybody is given to the increments in doubt in order of invocation, which is
best: they may all end at any time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, Final

from checkers.objects.bounds import Bounds
from checkers.objects.calls import Call, by_key, named, shown
from checkers.objects.ranks import Placed, inversions, order
from checkers.protocol import Budget
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict

GUARANTEE: Final = "linearizability"


@dataclass(frozen=True)
class Counter:
    """Increments are counted once each, in an order that agrees with real time."""

    name: str = "counter"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every counter."""
        keys = by_key(history, frozenset({"increment", "add", "read"}))
        initial = history.header.initial or 0
        anomalies: list[Anomaly] = []
        certificate, undecided, decided = [], "" if keys else "no operation is an increment, an add or a read", 0
        for calls in keys.values():
            if budget.spent():
                undecided = "the time was over"
                break
            found, why_not, in_order = _judged(calls, initial)
            anomalies += found
            undecided = undecided or why_not
            decided += bool(found) or not why_not
            certificate.append({"key": calls[0].key, "order": in_order})
        increments = sum(call.ok and call.f != "read" for calls in keys.values() for call in calls)
        counts = {"anomalies": len(anomalies), "keys": len(keys), "increments": increments}
        if anomalies:
            summary = f"{len(anomalies):,} operations show numbers that cannot be."
            from checkers.linearizability.entering import entered

            told = entered(shown(anomalies), keys.values(), "counter", history.header)
            return Verdict(self.name, "invalid", summary, told, counts)
        if undecided:
            reason = f"{undecided}; counters decided: {decided} of {len(keys)}."
            return Verdict(self.name, "unknown", "Not every counter could be decided.", counts=counts, reason=reason)
        summary = f"All of {increments:,} acknowledged increments were counted once."
        return Verdict(self.name, "valid", summary, counts=counts, certificate={"keys": certificate})


def _judged(calls: Sequence[Call], initial: Any) -> tuple[list[Anomaly], str, list[int]]:
    """What is wrong with one counter, why it cannot be decided, and an order."""
    if type(initial) is not int:
        return [], "counters start with what is no whole number", []
    if any(call.f == "increment" and call.ok and call.result is not None for call in calls):
        one = OneCounter(calls[0].key, calls, initial)
        found, why_not = one.judge()
        return found, why_not, one.order
    from checkers.structures import credits  # which uses this module

    decision = credits.decide(calls, initial)
    if decision is None:
        return [], f"counter{named(calls[0].key)} is changed by different amounts, or not by whole numbers", []
    if isinstance(decision, list):
        return [], "", decision
    return [decision.anomaly(calls[0].key)], "", []


@dataclass
class OneCounter:
    """OneCounter counter; `order` is there once it was judged and nothing was found."""

    key: Any
    calls: Sequence[Call]
    initial: int
    order: list[int] = field(default_factory=list)

    def judge(self) -> tuple[list[Anomaly], str]:
        """What is wrong; and why it cannot be decided, if nothing is."""
        increments = [call for call in self.calls if call.f == "increment" and (call.ok or call.doubtful)]
        seen = [call for call in self.calls if call.ok]
        if any(type(call.argument) is not int for call in increments):
            return [], f"an increment of counter{named(self.key)} is not by a whole number"
        if any(type(self.number(call)) is not int for call in seen):
            return [], f"a result of counter{named(self.key)} is not a whole number"
        if any(call.f not in ("increment", "read") for call in self.calls):
            return [], f"counter{named(self.key)} has changes of several kinds"
        if all(call.argument == 1 for call in increments):
            return self._by_ones(increments, seen), ""
        bounds = Bounds(((call.invoke, call.response, call.argument) for call in increments), self.initial)
        found = [self._out_of_bounds(call, bounds) for call in seen if not self._within(call, bounds)]
        return found, f"counter{named(self.key)} has increments by more or less than one"

    def number(self, call: Call) -> Any:
        """What a call shows the counter to be; a counter that is not there yet is at its start."""
        return self.initial if call.result is None and call.f == "read" else call.result

    # ── by ones: exact ───────────────────────────────────────────────────────────────────────────────────────────────

    def _by_ones(self, increments: Sequence[Call], seen: Sequence[Call]) -> list[Anomaly]:
        makers: dict[int, Call] = {}
        anomalies = []
        for call in sorted((call for call in increments if call.ok), key=attrgetter("response")):
            first = makers.setdefault(call.result, call)
            if first is not call:
                anomalies.append(self._same(first, call))
        placed = [Placed(2 * self.number(call) + (call.f == "read"), call) for call in seen]
        anomalies += [self._order(higher.call, lower.call) for higher, lower in inversions(placed)]
        low = [call for call in seen if self.number(call) < self.initial + (call.f == "increment")]
        if low:
            bounds = Bounds(((call.invoke, call.response, call.argument) for call in increments), self.initial)
            anomalies += [self._out_of_bounds(call, bounds) for call in low]
        doubtful = [call for call in increments if call.doubtful]
        filled, too_many = self._fill(placed, makers, doubtful)
        if too_many is not None:
            anomalies.append(too_many)
        if not anomalies:
            self.order = order([*placed, *filled])
        return anomalies

    def _fill(
        self, placed: Sequence[Placed], makers: dict[int, Call], doubtful: Sequence[Call]
    ) -> tuple[list[Placed], Anomaly | None]:
        """Give the numbers that nobody returned to increments in doubt; an anomaly where there are not enough."""
        ranked = sorted(placed, key=itemgetter(0))
        earliest: list[Call] = []
        ranks = [place.rank for place in ranked]
        filled: list[Placed] = []
        value = self.initial + 1
        while ranked and 2 * value <= ranks[-1]:
            if value not in makers:
                earliest = earliest or _earliest_ends(ranked)
                first = earliest[bisect_left(ranks, 2 * value)]
                if len(filled) == len(doubtful) or doubtful[len(filled)].invoke > first.response:
                    return filled, self._too_many(first, value)
                filled.append(Placed(2 * value, doubtful[len(filled)]))
            value += 1
        return filled, None

    # ── other amounts: bounds ────────────────────────────────────────────────────────────────────────────────────────

    def _within(self, call: Call, bounds: Bounds) -> bool:
        least, most = self._between(call, bounds)
        return bool(least <= self.number(call) <= most)

    def _between(self, call: Call, bounds: Bounds) -> tuple[int, int]:
        """The least and the most that a call may show."""
        return bounds.at(call.invoke, call.response, call.argument if call.f == "increment" else 0)

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _anomaly(self, name: str, rule: str, ops: Sequence[Call], sentence: str, **more: int) -> Anomaly:
        indices = tuple(sorted(call.invoke for call in ops))
        certificate = {"ops": [call.invoke for call in ops], **more}
        return Anomaly(name, GUARANTEE, sentence, self.key, indices, ops[-1].invoke, "", rule, certificate)

    def _same(self, first: Call, other: Call) -> Anomaly:
        sentence = (
            f"Processes {first.process} and {other.process} were both told that their increment made "
            f"counter{named(self.key)} {other.result}, so one of the two is lost."
        )
        return self._anomaly("lost-increment", "counter-same", (first, other), sentence)

    def _order(self, higher: Call, lower: Call) -> Anomaly:
        read = lower.f == "read"
        sentence = (
            f"Process {lower.process} {'read' if read else 'was told'} {self.number(lower)} of "
            f"counter{named(self.key)} after process {higher.process} had been told "
            f"{self.number(higher)}: the counter went back."
        )
        name = "stale-read" if read else "lost-increment"
        return self._anomaly(name, "counter-order", (higher, lower), sentence)

    def _too_many(self, call: Call, value: int) -> Anomaly:
        sentence = (
            f"Process {call.process} was told {self.number(call)} of counter{named(self.key)}, but so far fewer than "
            f"{value - self.initial:,} increments can have taken the counter to {value}: something was counted twice."
        )
        return self._anomaly("counted-twice", "counter-many", (call,), sentence, value=value)

    def _out_of_bounds(self, call: Call, bounds: Bounds) -> Anomaly:
        least, most = self._between(call, bounds)
        sentence = (
            f"Process {call.process} was told {self.number(call)} of counter{named(self.key)}, which by then was at "
            f"least {least:,} and at most {most:,}."
        )
        name = "lost-increment" if self.number(call) < least else "counted-twice"
        return self._anomaly(name, "counter-bounds", (call,), sentence)


def _earliest_ends(ranked: Sequence[Placed]) -> list[Call]:
    """For every place, the call from there on that ended first."""
    found: list[Call] = []
    for place in reversed(ranked):
        found.append(min(place.call, found[-1], key=lambda call: call.response) if found else place.call)
    return found[::-1]
