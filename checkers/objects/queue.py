"""Total queue: every element that was acknowledged comes out, once; nothing else does.

    queue-invented   an element came out that nobody can have put in before
    queue-twice      an element came out more often than it can have been put in
    queue-lost       elements were acknowledged, a dequeue that began later found the queue empty, and nobody got them

A dequeue in doubt may have taken one element to its grave: so many are lost for certain as there are more missing than
such dequeues that had begun by then. "Empty" is what shows a loss, so a run ends with dequeues until nothing is left;
where elements are missing and nothing was found empty after them, the answer is "unknown". A dequeue that returns null
found it empty, as one that fails with "empty" did. What came out although its enqueue was in doubt is "recovered".

    enqueue 5 → ok; dequeue → empty                            5 is lost
    enqueue 5 → ok; dequeue → ?; dequeue → empty               5 may have gone to the dequeue in doubt

Exact for these three rules on elements that are put in once each. An element that is put in several times counts so
often; which of them is missing is then decided in favour of the queue.

Limits: order is not looked at, and an "empty" while an element that comes out later was inside is not held against a
queue: that is linearizability, not delivery.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.objects.calls import Call, by_key, named, shown, text
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import FAIL, NEVER, OK
from harness.history.vocabulary import DRAIN
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict

GUARANTEE: Final = "total-queue"


@dataclass(frozen=True)
class TotalQueue:
    """Nothing lost, nothing twice, nothing invented."""

    name: str = "total-queue"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every queue."""
        if DRAIN in history.operations.fs:
            reason = "the history has drains; harness.history.drains makes dequeues of them."
            return Verdict(self.name, "unknown", "A drain is no single dequeue.", reason=reason)
        keys = by_key(history, frozenset({"enqueue", "dequeue"}))
        anomalies: list[Anomaly] = []
        undecided = "" if keys else "no operation is an enqueue or a dequeue."
        totals = {"lost": 0, "duplicates": 0, "invented": 0, "recovered": 0}
        certificate = []
        for calls in keys.values():
            if budget.spent():
                undecided = "the time was over"
                break
            queue = _Queue.of(calls)
            anomalies += queue.anomalies(totals)
            undecided = undecided or queue.undrained()
            certificate.append({"key": queue.key, "doubtful": queue.given_to_doubt()})
        acknowledged = sum(call.ok and call.f == "enqueue" for calls in keys.values() for call in calls)
        counts = {"anomalies": len(anomalies), "keys": len(keys), "acknowledged_elements": acknowledged, **totals}
        if anomalies:
            said = ", ".join(f"{number:,} {what}" for what, number in totals.items() if number and what != "recovered")
            summary = f"Of {acknowledged:,} acknowledged elements: {said}."
            return Verdict(self.name, "invalid", summary, shown(anomalies), counts)
        if undecided:
            return Verdict(self.name, "unknown", "Not every queue was seen empty.", counts=counts, reason=undecided)
        summary = f"All of {acknowledged:,} acknowledged elements came out, or may have, and none twice."
        return Verdict(self.name, "valid", summary, counts=counts, certificate={"keys": certificate})


def found_empty(call: Call) -> bool:
    """Whether a dequeue found nothing: it failed with "empty", or returned null."""
    return call.result is None if call.status == OK else call.refused("empty")


@dataclass(frozen=True)
class _Missing:
    """An acknowledged element that nobody got, and the dequeue that found nothing after it, if there is one."""

    enqueue: Call
    empty: Call | None

    @property
    def deadline(self) -> int:
        """By when somebody must have begun to take it."""
        return self.empty.response if self.empty is not None else NEVER


@dataclass(frozen=True)
class _Queue:
    """One queue.

    Attributes:
        given: enqueues that happened or may have, by element; taken: dequeues that returned it.
        missing: in order of deadline; doubtful: dequeues in doubt, in order of invocation.
    """

    key: Any
    given: dict[Hashable, list[Call]]
    taken: dict[Hashable, list[Call]]
    missing: list[_Missing]
    doubtful: list[Call]

    @classmethod
    def of(cls, calls: Sequence[Call]) -> _Queue:
        """See the attributes."""
        given: dict[Hashable, list[Call]] = {}
        taken: dict[Hashable, list[Call]] = {}
        nothing: list[Call] = []
        for call in calls:
            if call.f == "enqueue":
                if call.status != FAIL:
                    given.setdefault(token_of(call.argument), []).append(call)
            elif found_empty(call):
                nothing.append(call)
            elif call.status == OK:
                taken.setdefault(token_of(call.result), []).append(call)
        empties = _Empties.of(nothing)
        missing = []
        for element, enqueues in given.items():
            if len(enqueues) <= len(taken.get(element, ())):
                continue
            left = [_Missing(call, empties.after(call.response)) for call in enqueues if call.ok]
            left.sort(key=lambda item: item.deadline, reverse=True)
            missing += left[: max(0, len(left) - len(taken.get(element, ())))]
        missing.sort(key=lambda item: item.deadline)
        doubtful = [call for call in calls if call.f == "dequeue" and call.doubtful]
        return cls(calls[0].key, given, taken, missing, doubtful)

    def anomalies(self, totals: dict[str, int]) -> list[Anomaly]:
        """Everything that is wrong; adds to the totals."""
        found = []
        for element, dequeues in self.taken.items():
            enqueues = self.given.get(element, [])
            begun = min((call.invoke for call in enqueues), default=NEVER)
            early = [call for call in dequeues if call.response < begun]
            found += [self._invented(call, enqueues) for call in early]
            totals["invented"] += len(early)
            sure = sum(call.ok for call in enqueues)
            totals["recovered"] += min(len(dequeues), len(enqueues)) - min(len(dequeues), sure)
            if enqueues and len(dequeues) > len(enqueues):
                totals["duplicates"] += len(dequeues) - len(enqueues)
                found.append(self._twice(enqueues, dequeues))
        lost = self._lost()
        totals["lost"] += lost
        if lost:
            found += self._losses(lost)
        return found

    def _lost(self) -> int:
        """How many are missing for certain: more than dequeues in doubt had begun by some deadline."""
        begun = [call.invoke for call in self.doubtful]
        deadlines = [item.deadline for item in self.missing if item.empty is not None]
        return max([0, *(n - bisect_left(begun, deadline) for n, deadline in enumerate(deadlines, 1))])

    def _losses(self, lost: int) -> list[Anomaly]:
        """One anomaly per element where nobody can have taken one; else one for as many as it takes to show it."""
        begun = [call.invoke for call in self.doubtful]
        known = [item for item in self.missing if item.empty is not None]
        certain = [item for item in known if not bisect_left(begun, item.deadline)]
        if certain:
            return [self._loss([item], 0) for item in certain]
        for number, item in enumerate(known, 1):
            takers = bisect_left(begun, item.deadline)
            if number > takers:
                return [self._loss(known[number - takers - 1 : number], takers)]
        raise AssertionError(f"{lost} elements are lost, but none is found")

    def given_to_doubt(self) -> list[list[int]]:
        """[enqueue, dequeue in doubt]: who may have got what is missing."""
        known = [item for item in self.missing if item.empty is not None]
        return [[item.enqueue.invoke, call.invoke] for item, call in zip(known, self.doubtful, strict=False)]

    def undrained(self) -> str:
        """Why it cannot be told whether something is lost, or ""."""
        unknown = sum(item.empty is None for item in self.missing)
        if not unknown:
            return ""
        elements = "element" if unknown == 1 else "elements"
        return f"{unknown:,} {elements} never left queue{named(self.key)}, and nobody found it empty afterwards."

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _anomaly(self, name: str, rule: str, ops: Sequence[Call], sentence: str, **more: Any) -> Anomaly:
        indices = tuple(sorted({call.invoke for call in ops}))
        return Anomaly(name, GUARANTEE, sentence, self.key, indices, ops[-1].invoke, "", rule, more)

    def _invented(self, dequeue: Call, enqueues: Sequence[Call]) -> Anomaly:
        why = "before anybody began to put it in" if enqueues else "but nobody put it in"
        sentence = f"Process {dequeue.process} got {text(dequeue.result)} out of queue{named(self.key)}, {why}."
        return self._anomaly("invented-element", "queue-invented", (dequeue,), sentence, dequeue=dequeue.invoke)

    def _twice(self, enqueues: Sequence[Call], dequeues: Sequence[Call]) -> Anomaly:
        few = dequeues[: len(enqueues) + 1]
        who = " and ".join(str(call.process) for call in few[-2:])
        times = "once" if len(enqueues) == 1 else f"{len(enqueues)} times"
        sentence = (
            f"Processes {who} both got {text(few[-1].result)} out of queue{named(self.key)}, "
            f"into which it was put {times} at most."
        )
        indices = [call.invoke for call in few]
        return self._anomaly("duplicate-element", "queue-twice", (*enqueues, *few), sentence, dequeues=indices)

    def _loss(self, items: Sequence[_Missing], takers: int) -> Anomaly:
        last = items[-1]
        assert last.empty is not None
        several = len(items) > 1
        what = f"{len(items)} elements" if several else f"element {text(last.enqueue.argument)}"
        doubt = f", and {takers} dequeues in doubt cannot have taken all of them" if takers else ""
        sentence = (
            f"Putting {what} into queue{named(self.key)} was acknowledged, then process {last.empty.process} found the "
            f"queue empty, and nobody got {'them' if several else 'it'}{doubt}."
        )
        ops = (*(item.enqueue for item in items), *(item.empty for item in items if item.empty), last.empty)
        pairs = [[item.enqueue.invoke, item.empty.invoke] for item in items if item.empty]
        return self._anomaly("lost-element", "queue-lost", ops, sentence, pairs=pairs)


@dataclass(frozen=True)
class _Empties:
    """Dequeues that found nothing, in order of invocation, and which of those from each on ended first."""

    begun: list[int]
    first: list[Call]

    @classmethod
    def of(cls, empties: Sequence[Call]) -> _Empties:
        """Of these, in order of invocation."""
        first: list[Call] = []
        for call in reversed(empties):
            first.append(min(call, first[-1], key=lambda other: other.response) if first else call)
        return cls([call.invoke for call in empties], first[::-1])

    def after(self, moment: int) -> Call | None:
        """Of those that began after a moment, the one that ended first."""
        place = bisect_left(self.begun, moment)
        return self.first[place] if place < len(self.first) else None
