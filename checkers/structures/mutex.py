"""Mutexes, exactly: acquire, release, tries that found the lock held. Anybody may release what anybody holds.

Acquires and releases take turns, and all acquires are alike, as are all releases. So nothing is done before it must be:
when an operation ends that is not done yet, it is done now, after one of the other kind if that is what the lock needs,
namely the open one that will end first. Putting off costs nothing, as what could be done before can be done now; and of
operations that are alike, the one that ends first is missed least. What is in doubt ends last, so it is used last.
O(n log n).

Where that fails, a stretch of time mostly shows it: more of one kind lay wholly within it than the other kind can have
answered, by two (by one from the beginning, when the lock is free). Else all that was done up to then is the proof.

    A: acquire → ok        B: acquire → ok          and no release was open between A's end and B's begin

A failed acquire with error "held" saw the lock held at some moment. Other failures say nothing.

Limits: a stretch is the shortest one, yet may be long, when nobody is seen to hold the lock against anybody's will. Who
releases is not looked at; a lock that knows its holder has tokens, see `told`.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any, Final

from checkers.objects.calls import Call
from checkers.structures.decision import Decision, Order, Violation, violation
from harness.history.operations import FAIL, NEVER

ACQUIRE: Final = 0
RELEASE: Final = 1
TRY: Final = 2
SHOWN_MAX: Final = 12
"""Operations that are shown; what a certificate says is counted over all."""


def decide(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Judge one mutex; `initial` is true, or "held", when it is held before the first operation."""
    kinds: list[int] = []
    taken: list[Call] = []
    for call in calls:
        if call.f not in ("acquire", "release"):
            return None
        if call.status != FAIL:
            kinds.append(ACQUIRE if call.f == "acquire" else RELEASE)
            taken.append(call)
        elif call.f == "acquire" and call.error == "held":
            kinds.append(TRY)
            taken.append(call)
    held = initial is True or initial == "held"
    turns = _Turns(taken, kinds, held)
    culprit = turns.take()
    if culprit < 0:
        return turns.order
    return _stretch(taken, kinds, held, culprit) or _run(taken, culprit)


class _Turns:
    """Does operations as late as may be.

    Attributes:
        order: invocations of what is done.
    """

    def __init__(self, calls: Sequence[Call], kinds: Sequence[int], held: bool) -> None:
        self._calls, self._kinds = calls, kinds
        self._held = held
        self._open: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self._tries: list[int] = []
        self._done = bytearray(len(calls))
        self.order: Order = []

    def take(self) -> int:
        """Everything in turn; the place of what could not be done, or -1."""
        calls, kinds, done = self._calls, self._kinds, self._done
        ending = sorted((call.response, place) for place, call in enumerate(calls) if call.response != NEVER)
        begun, count = 0, len(calls)
        for moment, place in ending:
            while begun < count and calls[begun].invoke < moment:
                if kinds[begun] != TRY:
                    heappush(self._open[kinds[begun]], (calls[begun].response, begun))
                elif self._held:
                    self._do(begun)
                else:
                    self._tries.append(begun)
                begun += 1
            if not done[place] and not self._must(place, kinds[place]):
                return place
        return -1

    def _must(self, place: int, kind: int) -> bool:
        """Do it now."""
        needs_held = kind == RELEASE
        if kind == TRY:
            return self._turn()
        return (self._held == needs_held or self._turn()) and self._turn()

    def _turn(self) -> bool:
        """Do the open operation of the kind whose turn it is that ends first; False where there is none."""
        waiting = self._open[RELEASE if self._held else ACQUIRE]
        while waiting:
            _, place = heappop(waiting)
            if not self._done[place]:
                self._do(place)
                self._held = not self._held
                if self._held:
                    for seen in self._tries:
                        self._do(seen)
                    self._tries.clear()
                return True
        return False

    def _do(self, place: int) -> None:
        self._done[place] = 1
        self.order.append(self._calls[place].invoke)


def _stretch(calls: Sequence[Call], kinds: Sequence[int], held: bool, culprit: int) -> Violation | None:
    """The shortest stretch up to the end of the culprit that holds too many of its kind."""
    until, kind = calls[culprit].response, kinds[culprit]
    if kind == TRY:
        return None
    mine = [call for call, its in zip(calls, kinds, strict=True) if its == kind and call.response <= until]
    others = [call for call, its in zip(calls, kinds, strict=True) if its == 1 - kind and call.invoke < until]
    others.sort(key=attrgetter("response"))
    answers = 0
    for within, call in enumerate(reversed(mine), 1):
        while others and others[-1].response >= call.invoke:
            others.pop()
            answers += 1
        if within >= answers + 2:
            return _too_many(calls, kinds, kind, call.invoke, until, answers)
    if len(mine) >= answers + len(others) + (1 if held == (kind == ACQUIRE) else 2):
        return _too_many(calls, kinds, kind, -1, until, answers + len(others))
    return None


def _run(calls: Sequence[Call], culprit: int) -> Violation:
    """Everything up to the end of the culprit; the last of it is shown."""
    last = calls[culprit]
    before = [call for call in calls if call.invoke < last.response and call is not last]
    before.sort(key=lambda call: min(call.response, last.response))
    if last.status == FAIL:
        sentence = f"Process {last.process} was told that the lock is held, when nobody can have held it."
        name = "refused-a-free-lock"
    else:
        state = "was held" if last.f == "acquire" else "was free"
        sentence = f"Process {last.process} could {last.f} the lock, which {state}, whoever had come before it."
        name = "two-holders" if last.f == "acquire" else "released-unheld"
    return violation(name, "mutex-run", before[-SHOWN_MAX + 1 :], last, sentence, until=last.response)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _too_many(
    calls: Sequence[Call], kinds: Sequence[int], kind: int, since: int, until: int, answers: int
) -> Violation:
    pairs = list(zip(calls, kinds, strict=True))
    mine = [call for call, its in pairs if its == kind and call.invoke >= since and call.response <= until]
    others = [call for call, its in pairs if its == 1 - kind and call.invoke < until and call.response >= since]
    last = max(mine, key=attrgetter("response"))
    did, undid = ("acquired", "released") if kind == ACQUIRE else ("released", "acquired")
    if len(mine) == 2 and not answers:
        who = f"Processes {mine[0].process} and {mine[1].process} both {did} the lock"
        sentence = f"{who}, and nobody can have {undid} it in between."
    else:
        when = "From the beginning on" if since < 0 else f"Between events {since} and {until}"
        sentence = (
            f"{when} the lock was {did} {_times(len(mine))}, but can have been {undid} {_times(answers)} at most."
        )
    name = "two-holders" if kind == ACQUIRE else "released-unheld"
    shown = [*mine, *others] if len(mine) + len(others) <= SHOWN_MAX else mine[-SHOWN_MAX:]
    certificate = {"f": "acquire" if kind == ACQUIRE else "release", "since": since, "until": until}
    return violation(name, "mutex-stretch", shown, last, sentence, **certificate)
