"""What queues and stacks have in common: every value is put in once, and taken out once or never.

A `Pool` has the operations by value, without those that say nothing:

    an element that nobody got, put in in doubt        need not have been put in: left out
    a take in doubt                                    may have got any value that nobody else got: `wildcards`
    a take that found nothing                          `empties`: it returned null, or failed with "empty"

The ends of a value are drawn together as far as they bound one another: who takes a value ends after it was put in, and
it was put in before the end of whoever got it. So a value is certainly inside between `put_until` and `take_from`, its
*span*, where that is not empty; and a take that found nothing needs a moment outside all spans. That is all that such
takes ask of a history: where every one has a moment, queue and stack are right with them exactly if they are without
them (Abdulla and others, PLDI 2025; Lee and Mathur, OOPSLA 2025).

Limits: values that are put in twice, and null as a value, are for the general engine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from checkers.objects.calls import Call, text
from checkers.structures.decision import Violation, token, violation
from harness.history.operations import FAIL, INFO, NEVER, OK

SHOWN_MAX: Final = 20
"""Of a chain of values, so many are shown; its certificate has all of them."""


@dataclass
class Pool:
    """Values by number, in order of the invocations that put them in; lists of equal length.

    Attributes:
        noun: "queue" or "stack".
        puts, takes: who put it in, and who took it out; None: nobody that we know of.
        put_from, put_until, take_from, take_until: when that can have been; NEVER for what did not end.
        empties: takes that found nothing; wildcards: takes in doubt. In order of invocation.
    """

    noun: str
    puts: list[Call] = field(default_factory=list)
    takes: list[Call | None] = field(default_factory=list)
    put_from: list[int] = field(default_factory=list)
    put_until: list[int] = field(default_factory=list)
    take_from: list[int] = field(default_factory=list)
    take_until: list[int] = field(default_factory=list)
    empties: list[Call] = field(default_factory=list)
    wildcards: list[Call] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.puts)

    def spans(self, without: frozenset[int] = frozenset()) -> list[tuple[int, int, int]]:
        """(after, before, value) for every value that is certainly inside for a while, by `after`."""
        values = range(len(self))
        pairs = zip(self.put_until, self.take_from, values, strict=True)
        return sorted(span for span in pairs if span[0] < span[1] and span[2] not in without)

    def kept(self) -> list[int]:
        """The values that nobody is known to have taken."""
        return [value for value, take in enumerate(self.takes) if take is None]

    def only(self, values: Sequence[int]) -> Pool:
        """The same with some values alone, and without doubt: right if the whole was. Numbers are counted anew."""
        part = Pool(self.noun, empties=self.empties)
        part.puts, part.takes = [self.puts[value] for value in values], [self.takes[value] for value in values]
        part.put_from, part.put_until = (
            [self.put_from[value] for value in values],
            [self.put_until[value] for value in values],
        )
        part.take_from, part.take_until = (
            [self.take_from[value] for value in values],
            [self.take_until[value] for value in values],
        )
        return part

    def without(self, values: frozenset[int]) -> Pool:
        """The same without some values."""
        return self.only([value for value in range(len(self)) if value not in values])

    def ops(self, values: Sequence[int]) -> list[Call | None]:
        """Everything known of some values."""
        return [*(self.puts[value] for value in values), *(self.takes[value] for value in values)]

    def broken(self, name: str, values: Sequence[int], culprit: Call, sentence: str, *others: Call) -> Violation:
        """The rule "<noun>-values": what was done with these values has no order by itself."""
        names = [self.puts[value].argument for value in values]
        rule = f"{self.noun}-values"
        return violation(name, rule, [*self.ops(values), *others], culprit, sentence, values=names, observers=[])


def pool_of(calls: Sequence[Call], noun: str, put: str, take: str) -> Pool | Violation | None:
    """Sort the calls by what they say; a violation where a value came from nowhere, too early, or twice."""
    pool = Pool(noun)
    numbers: dict[Hashable, int] = {}
    puts, empties, wildcards = pool.puts, pool.empties, pool.wildcards
    takes: list[Call] = []
    for call in calls:
        status, f = call.status, call.f
        if f == put:
            if status != FAIL:
                value = token(call.argument)
                if value is None or value in numbers:
                    return None
                numbers[value] = len(puts)
                puts.append(call)
        elif f != take:
            return None
        elif status == OK:
            (empties if call.result is None else takes).append(call)
        elif status == INFO:
            wildcards.append(call)
        elif call.error == "empty":
            empties.append(call)
    found: list[Call | None] = [None] * len(puts)
    for call in takes:
        number = numbers.get(token(call.result))
        if number is None:
            return _from_nowhere(noun, call, calls, put)
        other = found[number]
        if other is not None:
            return _twice(pool, number, other, call)
        if call.response < puts[number].invoke:
            return _early(pool, number, call)
        found[number] = call
    _bound(pool, found)
    return pool


def _bound(pool: Pool, found: Sequence[Call | None]) -> None:
    """Fill the lists, without what need not have been put in."""
    calls, pool.puts = pool.puts, []
    for put, take in zip(calls, found, strict=True):
        if take is None and put.status == INFO:
            continue
        begun, over = put.invoke, put.response
        pool.puts.append(put)
        pool.takes.append(take)
        pool.put_from.append(begun)
        if take is None:
            pool.put_until.append(over)
            pool.take_from.append(NEVER)
            pool.take_until.append(NEVER)
        else:
            taken_from, taken_until = take.invoke, take.response
            pool.put_until.append(over if over < taken_until else taken_until)
            pool.take_from.append(taken_from if taken_from > begun else begun)
            pool.take_until.append(taken_until)


def empty_moments(pool: Pool) -> list[tuple[int, Call]] | Violation | None:
    """A moment without values for every take that found nothing, ascending; else who was inside all the while.

    None where only values that a take in doubt may have got stand in the way.
    """
    if not pool.empties:
        return []
    moments = _moments(pool.empties, pool.spans())
    if not isinstance(moments, Call):
        return sorted(moments, key=lambda moment: moment[0])
    kept = frozenset(pool.kept()) if any(call.invoke < moments.response for call in pool.wildcards) else frozenset()
    spans = pool.spans(kept)
    blocked = _moments(pool.empties, spans)
    if not isinstance(blocked, Call):
        return None
    chain = _covering(blocked, spans)
    inside = ", then ".join(text(pool.puts[value].argument) for value in chain[:4])
    more = f" and {len(chain) - 4} more in turn" if len(chain) > 4 else ""
    sentence = f"Process {blocked.process} found the {pool.noun} empty, but all the while {inside}{more} was inside."
    names = [pool.puts[value].argument for value in chain]
    few = chain if len(chain) <= SHOWN_MAX else [*chain[: SHOWN_MAX - 1], chain[-1]]
    rule = f"{pool.noun}-covered"
    return violation("false-empty", rule, pool.ops(few), blocked, sentence, values=names, observer=blocked.invoke)


def _moments(empties: Sequence[Call], spans: Sequence[tuple[int, int, int]]) -> list[tuple[int, Call]] | Call:
    """The first moment of each outside all spans, or the first one that has none."""
    merged: list[list[int]] = []
    for after, before, _ in spans:
        if merged and after < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], before)
        else:
            merged.append([after, before])
    begins = [begin for begin, _ in merged]
    found = []
    for call in empties:
        place = bisect_left(begins, call.invoke) - 1
        moment = max(call.invoke, merged[place][1] if place >= 0 else 0)
        if moment > call.response:
            return call
        found.append((moment, call))
    return found


def _covering(call: Call, spans: Sequence[tuple[int, int, int]]) -> list[int]:
    """The fewest values that are inside, one after the other, as long as a call lasts."""
    chain: list[int] = []
    reached, at, best = call.invoke, 0, (-1, -1)
    while reached <= call.response:
        while at < len(spans) and spans[at][0] < reached:
            best = max(best, spans[at][1:])
            at += 1
        reached, value = best
        chain.append(value)
    return chain


# ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_nowhere(noun: str, take: Call, calls: Sequence[Call], put: str) -> Violation:
    element = token(take.result)
    failed = next((c for c in calls if c.f == put and c.status == FAIL and token(c.argument) == element), None)
    why = f"though process {failed.process} was told that putting it in had failed" if failed else "which nobody put in"
    sentence = f"Process {take.process} took {text(take.result)} out of the {noun}, {why}."
    certificate = {"values": [take.result], "observers": []}
    name = "aborted-element" if failed else "invented-element"
    return violation(name, f"{noun}-values", [failed], take, sentence, **certificate)


def _twice(pool: Pool, number: int, one: Call, other: Call) -> Violation:
    put = pool.puts[number]
    sentence = (
        f"Processes {one.process} and {other.process} both took {text(put.argument)} out of the {pool.noun}, into "
        "which it was put once."
    )
    certificate = {"values": [put.argument], "observers": []}
    return violation("duplicate-element", f"{pool.noun}-values", [put, one], other, sentence, **certificate)


def _early(pool: Pool, number: int, take: Call) -> Violation:
    put = pool.puts[number]
    sentence = (
        f"Process {take.process} took {text(put.argument)} out of the {pool.noun} before process {put.process} "
        "began to put it in."
    )
    certificate = {"values": [put.argument], "observers": []}
    return violation("element-from-the-future", f"{pool.noun}-values", [put], take, sentence, **certificate)
