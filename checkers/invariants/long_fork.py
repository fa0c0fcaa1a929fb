"""Long fork: two reads must not see two writes in opposite orders. Snapshot isolation forbids it, weaker levels do not.

Every key is written once. A read sees a key written, or not yet (null).

    read → x: 1, y: null         the write of x came before that of y
    read → x: null, y: 1         and the other way round

Two reads of any keys in common are compared: for each pair of keys the first read that saw the one without the other is
kept, and the opposite one is looked for. O(n k²) for reads of k keys.

Limits: a key that is written twice, or shown with two values, makes the answer "unknown". Nothing else of snapshot
isolation is looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.calls import Call, calls_of, text
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.verdict import Anomaly, Verdict

Micro = Sequence[Any]


@dataclass(frozen=True)
class LongFork:
    """All reads see the writes in one order."""

    name: str = "long-fork"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every pair of keys."""
        reads: list[tuple[Call, list[Micro]]] = []
        values: dict[Hashable, set[Hashable]] = {}
        writers: dict[Hashable, int] = {}
        for call in calls_of(history):
            for micro in _micros(call):
                key = token_of(micro[1])
                if micro[0] in ("w", "append"):
                    writers[key] = writers.get(key, 0) + 1
                elif micro[2] is not None:
                    values.setdefault(key, set()).add(token_of(micro[2]))
            if call.ok and (micros := [micro for micro in _micros(call) if micro[0] == "r"]):
                reads.append((call, micros))
        several = [key for key, number in writers.items() if number > 1]
        several += [key for key, shown in values.items() if len(shown) > 1]
        if several:
            reason = f"key {text(several[0])} has more than one value, so its order cannot be told from null alone"
            return verdict_of(self.name, [], {"reads": len(reads)}, "", reason)
        anomalies = list(_forks(reads))
        summary = f"All of {len(reads):,} reads see the writes in one order."
        return verdict_of(self.name, anomalies, {"reads": len(reads)}, summary, "" if reads else "there are no reads")


def _micros(call: Call) -> list[Micro]:
    """[function, key, value] of what happened, or may have."""
    value = call.result if call.ok else call.argument if call.doubtful else ()
    parts = value if isinstance(value, list | tuple) else ()
    return [part for part in parts if isinstance(part, list | tuple) and len(part) == 3]


def _forks(reads: Sequence[tuple[Call, list[Micro]]]) -> Iterator[Anomaly]:
    first: dict[tuple[Hashable, Hashable], Call] = {}
    told: set[tuple[Hashable, Hashable]] = set()
    for call, micros in reads:
        seen = [micro[1] for micro in micros if micro[2] is not None]
        unseen = [micro[1] for micro in micros if micro[2] is None]
        for there in seen:
            for missing in unseen:
                pair = token_of(there), token_of(missing)
                other = first.get(pair[::-1])
                first.setdefault(pair, call)
                if other is not None and pair not in told:
                    told |= {pair, pair[::-1]}
                    sentence = (
                        f"Process {other.process} saw {text(missing)} written and {text(there)} not yet, process "
                        f"{call.process} saw {text(there)} written and {text(missing)} not yet."
                    )
                    yield finding("long-fork", "long-fork", [other], call, sentence, keys=[there, missing])
