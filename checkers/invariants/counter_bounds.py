"""Counter bounds: every read lies between what has certainly and what may have been counted by then, for any amounts.

    add 5 → ok, add 1 (open), read → 4            at least 5

Necessary for linearizability and quick, O(n log n); `counter` is exact where all amounts are the same.

Limits: reads are compared with adds only, not with one another.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.bounds import Bounds
from checkers.objects.calls import by_key, named
from checkers.protocol import Budget
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict


@dataclass(frozen=True)
class CounterBounds:
    """Reads within bounds."""

    name: str = "counter-bounds"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every counter."""
        keys = by_key(history, frozenset({"increment", "add", "read"}))
        start = history.header.initial or 0
        anomalies: list[Anomaly] = []
        undecided, reads = "" if keys else "the history has no counter", 0
        for calls in keys.values():
            adds = [call for call in calls if call.f != "read" and (call.ok or call.doubtful)]
            numbers = [call.argument for call in adds]
            if any(type(number) is not int for number in [*numbers, start]):
                undecided = f"counter{named(calls[0].key)} is changed by what is no whole number"
                continue
            bounds = Bounds(((call.invoke, call.response, call.argument) for call in adds), start)
            for call in calls:
                if call.f != "read" or not call.ok:
                    continue
                if call.result is not None and type(call.result) is not int:
                    undecided = f"a read of counter{named(call.key)} shows no whole number"
                    continue
                reads += 1
                shown = start if call.result is None else call.result
                least, most = bounds.at(call.invoke, call.response)
                if not least <= shown <= most:
                    sentence = (
                        f"Process {call.process} read {shown:,} of counter{named(call.key)}, which by then was at "
                        f"least {least:,} and at most {most:,}."
                    )
                    anomalies.append(finding("out-of-bounds", "counter-bounds", [], call, sentence))
        return verdict_of(self.name, anomalies, {"keys": len(keys), "reads": reads}, _summary(reads), undecided)


def _summary(reads: int) -> str:
    return f"All of {reads:,} reads are within bounds." if reads else "Nobody read a counter, so nothing can be wrong."
