"""Lists and sets that only grow, read as a whole: appends of new elements to lists, adds of new elements to sets.

What a read shows tells which elements were there; of a list, also in which order. Rules, each shown by few operations:

    grown-garbage    a read shows an element that nobody can have put in
    grown-twice      a read shows an element twice
    grown-missing    an element was acknowledged, or shown, and a read that began later lacks it: lost, or read stale
    grown-early      a read shows an element before anybody began to put it in
    grown-reads      two reads disagree: neither is a part (of a list: the beginning) of the other
    grown-order      an element was acknowledged before another one began, and a read shows the other without it before

    append 7 → ok, then read → [3]            7 is lost, or the read is stale
    read → [3, 7], read → [7]                 the lists disagree

Exact for linearizability, on elements of lists that are put in once each: "valid" carries an order of each key's
operations. An element may be put into a set again, which changes nothing: the first call to begin is taken to have put
it in, since whatever is right with another first is right with that; the others stand anywhere after it.
An element counts as lost if the last read that had to show it does not, and as stale otherwise; as never read if it was
acknowledged, nobody saw it, and no read had to; as duplicated, once, if some read shows it several times.

Limits: elements put into a list twice, and objects that do not start empty, make the answer "unknown".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final

from checkers.objects.calls import Call, by_key, named, shown, text
from checkers.objects.ranks import Placed, inversions, order
from checkers.protocol import Budget
from checkers.tokens import thawed, token_of
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict

GUARANTEE: Final = "linearizability"


@dataclass(frozen=True)
class AppendOnly:
    """Lists: what was appended stays, once, in an order that agrees with real time and that all reads agree on."""

    name: str = "append-only"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every list."""
        return _check(self.name, "append", history, budget)


@dataclass(frozen=True)
class SetFull:
    """Sets: what was added stays, and every read shows all that was there."""

    name: str = "set-full"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every set."""
        return _check(self.name, "add", history, budget)


def _check(name: str, f: str, history: History, budget: Budget) -> Verdict:
    keys = by_key(history, frozenset({f, "read"}))
    anomalies: list[Anomaly] = []
    certificate, undecided, decided = [], "" if keys else f"no operation is an {f} or a read", 0
    counts = {"anomalies": 0, "keys": len(keys), "acknowledged_elements": 0}
    counts |= {"lost": 0, "stale": 0, "never_read": 0, "duplicated": 0}
    for calls in keys.values():
        if budget.spent():
            undecided = "the time was over"
            break
        grown = OneGrown.of(calls, f, history.header.initial)
        found = [] if grown.why_not else grown.judge()
        anomalies += found
        decided += bool(found) or not grown.why_not
        undecided = undecided or grown.why_not
        certificate.append({"key": grown.key, "order": grown.order})
        for what, number in grown.totals(found).items():
            counts[what] += number
    if anomalies:
        summary = f"{len(anomalies):,} times, what was read and what was put in do not fit together."
        from checkers.linearizability.entering import entered

        told = entered(shown(anomalies), keys.values(), "log" if f == "append" else "grow-set", history.header)
        return Verdict(name, "invalid", summary, told, counts)
    if undecided:
        reason = f"{undecided}; objects decided: {decided} of {len(keys)}."
        return Verdict(name, "unknown", "Not every object could be decided.", counts=counts, reason=reason)
    summary = f"All of {counts['acknowledged_elements']:,} acknowledged elements stayed, each once."
    return Verdict(name, "valid", summary, counts=counts, certificate={"keys": certificate})


def _at(key: Any) -> str:
    return "" if key is None else f", at{named(key)}"


@dataclass
class _Read:
    """A read and the tokens of what it shows, with their first places."""

    call: Call
    elements: list[Any]
    places: dict[Hashable, int]


def _places(elements: Sequence[Any]) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    for place, element in enumerate(elements):
        places.setdefault(token_of(element), place)
    return places


@dataclass
class OneGrown:
    """One list or set.

    Attributes:
        reads: in order of invocation; makers: what put each element in, or may have; failed: what certainly did not.
        acknowledged: of each element, the call that was first told that it had put it in.
        again: what was told that it had put in an element of a set, of which another call may have been the first.
        order, why_not: an order of the operations, or why there is no answer.
    """

    key: Any
    ordered: bool
    reads: list[_Read] = field(default_factory=list)
    makers: dict[Hashable, Call] = field(default_factory=dict)
    failed: dict[Hashable, Call] = field(default_factory=dict)
    acknowledged: dict[Hashable, Call] = field(default_factory=dict)
    again: list[Call] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    why_not: str = ""

    @classmethod
    def of(cls, calls: Sequence[Call], f: str, initial: Any) -> OneGrown:
        """Sort the calls by what they say."""
        grown = cls(calls[0].key, f == "append")
        if initial:
            grown.why_not = "objects that do not start empty cannot be judged"
        for call in calls:
            if call.f == "read" and call.ok:
                grown._add_read(call)
            elif call.f == f and (call.ok or call.doubtful):
                grown._add_maker(call)
            elif call.f == f:
                grown.failed[token_of(call.argument)] = call
        return grown

    def _add_maker(self, call: Call) -> None:
        token = token_of(call.argument)
        if call.ok:
            first = self.acknowledged.setdefault(token, call)
            if call.response < first.response:
                self.acknowledged[token] = call
        if self.makers.setdefault(token, call) is call:
            return
        if self.ordered:
            self.why_not = f"{text(call.argument)} was put in more than once{_at(self.key)}"
        elif call.ok:
            self.again.append(call)

    def _add_read(self, call: Call) -> None:
        if type(call.result) not in (list, tuple, type(None)):
            self.why_not = f"a read shows no list{_at(self.key)}"
            return
        elements = list(call.result or ())
        self.reads.append(_Read(call, elements, _places(elements)))

    def judge(self) -> list[Anomaly]:
        """Everything that is wrong; where nothing is, `order` is set."""
        found = [*self._strangers(), *self._missing(), *self._disagreements()]
        if not found:
            placed = self._placed()
            found = [self._order(higher.call, lower.call) for higher, lower in inversions(placed)]
            self.order = [] if found else order(placed)
        return found

    def totals(self, found: Sequence[Anomaly]) -> dict[str, int]:
        """What to count."""
        begun = [read.call.invoke for read in self.reads]
        acknowledged = self.acknowledged.items()
        shown = {token for read in self.reads for token in read.places}
        late = {token for token, call in acknowledged if not begun or call.response > begun[-1]}
        twice = {
            token
            for read in self.reads
            if len(read.places) < len(read.elements)
            for token, times in Counter(map(token_of, read.elements)).items()
            if times > 1
        }
        return {
            "anomalies": len(found),
            "acknowledged_elements": len(acknowledged),
            "lost": sum(anomaly.name == "lost-element" for anomaly in found),
            "stale": sum(anomaly.name == "stale-read" for anomaly in found),
            "never_read": len(late - shown),
            "duplicated": len(twice),
        }

    # ── element by element ───────────────────────────────────────────────────────────────────────────────────────────

    def _strangers(self) -> Iterator[Anomaly]:
        """Elements that a read should not show, or not yet, or not twice; each is told once."""
        told: set[Hashable] = set()
        for read in self.reads:
            for token, place in read.places.items():
                maker, element = self.makers.get(token), read.elements[place]
                if token not in told and (maker is None or maker.invoke > read.call.response):
                    told.add(token)
                    yield self._stranger(read.call, element, maker, self.failed.get(token))
            if len(read.places) < len(read.elements):
                for place, element in enumerate(read.elements):
                    if read.places[token_of(element)] < place and (token_of(element), 2) not in told:
                        told.add((token_of(element), 2))
                        yield self._twice(read.call, element)

    def _missing(self) -> Iterator[Anomaly]:
        """Every element that a read lacks which had to show it: at the first such read."""
        known, reads = self._known(), self.reads
        begun = [read.call.invoke for read in reads]
        for token, witness in known.items():
            for place in range(bisect_left(begun, witness.response), len(reads)):
                if token not in reads[place].places:
                    yield self._lack(token, witness, reads[place].call, lost=token not in reads[-1].places)
                    break

    def _known(self) -> dict[Hashable, Call]:
        """For every element what showed first, by its end, that it is there."""
        known = dict(self.acknowledged)
        for read in self.reads:
            for token in read.places:
                if token not in known or read.call.response < known[token].response:
                    known[token] = read.call
        return known

    # ── reads among themselves, and everything together ──────────────────────────────────────────────────────────────

    def _disagreements(self) -> Iterator[Anomaly]:
        by_size = sorted(self.reads, key=lambda read: len(read.elements) if self.ordered else len(read.places))
        for small, large in pairwise(by_size):
            if not self._within(small, large):
                sentence = (
                    f"Process {small.call.process} read {_some(small.elements)} of {self._name()} and process "
                    f"{large.call.process} read {_some(large.elements)}: neither was the state before the other."
                )
                yield self._anomaly("incomparable-reads", "grown-reads", (small.call, large.call), sentence)

    def _within(self, small: _Read, large: _Read) -> bool:
        if not self.ordered:
            return small.places.keys() <= large.places.keys()
        return all(token_of(a) == token_of(b) for a, b in zip(small.elements, large.elements, strict=False))

    def _placed(self) -> list[Placed]:
        """Everything at its place: an element just before the first read that shows it, of a list at its own place."""
        first: dict[Hashable, int] = {}
        for read in sorted(self.reads, key=lambda read: len(read.elements)):
            for token, place in read.places.items():
                first.setdefault(token, place + 1 if self.ordered else len(read.elements))
        last = max((len(read.elements) for read in self.reads), default=0) + 1
        placed = [Placed(2 * len(read.elements), read.call) for read in self.reads]
        for token, call in self.makers.items():
            if call.ok or token in first:
                placed.append(Placed(2 * first.get(token, last) - 1, call))
        return placed + self._anywhere(placed, {token: 2 * place - 1 for token, place in first.items()}, 2 * last - 1)

    def _anywhere(self, placed: Sequence[Placed], first: dict[Hashable, int], last: int) -> list[Placed]:
        """What put in again what is there: anywhere after that, as soon as all is over that was before it began."""
        again = [Placed(first.get(token_of(call.argument), last), call) for call in self.again]
        over = sorted((place.call.response, place.rank) for place in (*placed, *again)) if again else []
        ends, highest = [end for end, _ in over], list(accumulate((rank for _, rank in over), max))
        found = []
        for rank, call in again:
            before = bisect_left(ends, call.invoke)
            found.append(Placed(max(rank, highest[before - 1]) if before else rank, call))
        return found

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _name(self) -> str:
        return f"{'list' if self.ordered else 'set'}{named(self.key)}"

    def _anomaly(self, name: str, rule: str, ops: Sequence[Call], sentence: str, **more: Any) -> Anomaly:
        told = {what: thawed(element) for what, element in more.items()}
        certificate = {"ops": [call.invoke for call in ops], "ordered": self.ordered, **told}
        indices = tuple(sorted({call.invoke for call in ops}))
        culprit = max(ops, key=lambda call: (call.f == "read", call.invoke)).invoke
        return Anomaly(name, GUARANTEE, sentence, self.key, indices, culprit, "", rule, certificate)

    def _stranger(self, read: Call, element: Any, maker: Call | None, failed: Call | None) -> Anomaly:
        said = f"Process {read.process} read {text(element)} in {self._name()}"
        if maker is not None:
            sentence = f"{said} before process {maker.process} began to put it in."
            return self._anomaly("read-from-the-future", "grown-early", (maker, read), sentence, element=element)
        if failed is not None:
            sentence = f"{said}, though process {failed.process} was told that putting it in had failed."
            return self._anomaly("aborted-read", "grown-garbage", (failed, read), sentence, element=element)
        sentence = f"{said}, which nobody put in."
        return self._anomaly("garbage-read", "grown-garbage", (read,), sentence, element=element)

    def _twice(self, read: Call, element: Any) -> Anomaly:
        maker = self.makers.get(token_of(element))
        sentence = f"Process {read.process} read {text(element)} twice in {self._name()}, where it can be once."
        ops = (read,) if maker is None else (maker, read)
        return self._anomaly("duplicate-element", "grown-twice", ops, sentence, element=element)

    def _lack(self, token: Hashable, witness: Call, read: Call, lost: bool) -> Anomaly:
        element = self._element(token, witness)
        how = "read" if witness.f == "read" else "was told that it had put in"
        end = "and the last read does not show it either" if lost else "though a later read shows it again"
        sentence = (
            f"Process {witness.process} {how} {text(element)} in {self._name()}, but process {read.process}, which "
            f"read after that, did not find it, {end}."
        )
        name = "lost-element" if lost else "stale-read"
        return self._anomaly(name, "grown-missing", (witness, read), sentence, element=element)

    def _element(self, token: Hashable, witness: Call) -> Any:
        if witness.f != "read":
            return witness.argument
        return next(element for element in witness.result if token_of(element) == token)

    def _order(self, higher: Call, lower: Call) -> Anomaly:
        """`higher` was over before `lower` began, yet some read shows `lower` without `higher` before it."""
        one, other = token_of(higher.argument), token_of(lower.argument)
        showing = (read for read in self.reads if other in read.places)
        read = next(
            read.call
            for read in showing
            if one not in read.places or (self.ordered and read.places[one] > read.places[other])
        )
        sentence = (
            f"Process {higher.process} put {text(higher.argument)} into {self._name()} before process {lower.process} "
            f"began to put in {text(lower.argument)}, yet process {read.process} read the second without the first "
            f"{'before it' if self.ordered else 'in it'}."
        )
        return self._anomaly("reordered", "grown-order", (higher, lower, read), sentence)


def _some(elements: Sequence[Any]) -> str:
    """A list in a sentence, of which the last few tell most."""
    if len(elements) <= 8:
        return text(elements)
    return f"[… {len(elements) - 6} more, {text(elements[-6:])[1:-1]}]"
