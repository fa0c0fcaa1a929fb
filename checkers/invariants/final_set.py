"""Set, by its final read: what was acknowledged is there, what was never added is not, and nothing is there twice.

    lost         acknowledged before the final read began, and not in it
    unexpected   in it, but nobody can have added it by then: never asked for, only failed, or asked for later
    duplicated   in it more often than once; told once for each element
    recovered    in it, though nobody knew whether the add had happened (only counted)

The final read is the last one that answered. An add that was acknowledged while it ran may or may not be in it.

    add 1 → ok, add 2 → ok, read → [1]            2 is lost

O(n). Without a read the answer is "unknown".

Limits: other reads are not looked at; `set-full` does that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.calls import Call, by_key, named, text
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict


@dataclass(frozen=True)
class FinalSet:
    """Sets, by their final reads."""

    name: str = "set-final"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every set."""
        keys = by_key(history, frozenset({"add", "read"}))
        anomalies: list[Anomaly] = []
        counts = {"keys": len(keys), "acknowledged_elements": 0, "recovered": 0, "never_tried": 0}
        undecided = "" if keys else "the history has no adds or reads"
        for calls in keys.values():
            final = next((call for call in reversed(calls) if call.f == "read" and call.ok), None)
            if final is None or not isinstance(final.result, list | tuple):
                undecided = undecided or f"set{named(calls[0].key)} was never read as a list"
                continue
            adds: dict[Hashable, list[Call]] = {}
            for call in calls:
                if call.f == "add":
                    adds.setdefault(token_of(call.argument), []).append(call)
            anomalies += _differences(final, adds, counts)
        return verdict_of(self.name, anomalies, counts, "The final read shows all that was acknowledged.", undecided)


def _differences(final: Call, adds: dict[Hashable, list[Call]], counts: dict[str, int]) -> Iterator[Anomaly]:
    shown: dict[Hashable, Any] = {token_of(element): element for element in final.result}
    times = Counter(map(token_of, final.result))
    said = f"The final read of set{named(final.key)}, by process {final.process},"
    for token, calls in adds.items():
        acknowledged = [call for call in calls if call.ok]
        counts["acknowledged_elements"] += bool(acknowledged)
        counts["recovered"] += token in shown and not acknowledged and any(call.doubtful for call in calls)
        before = next((call for call in acknowledged if call.response < final.invoke), None)
        if before is not None and token not in shown:
            sentence = f"{said} lacks {text(before.argument)}, which was acknowledged before it began."
            yield finding("lost", "set-final:lost", [before], final, sentence, element=before.argument)
    for token, element in shown.items():
        if times[token] > 1:
            sentence = f"{said} shows {text(element)} {times[token]} times."
            yield finding("duplicated", "set-final:duplicated", [], final, sentence, element=element)
        calls = adds.get(token, [])
        if not any((call.ok or call.doubtful) and call.invoke < final.response for call in calls):
            counts["never_tried"] += not calls
            sentence = f"{said} shows {text(element)}, {_why(calls)}."
            yield finding("unexpected", "set-final:unexpected", calls[:1], final, sentence, element=element)


def _why(calls: Sequence[Call]) -> str:
    if not calls:
        return "which nobody added"
    return "which nobody had begun to add" if any(call.ok or call.doubtful for call in calls) else "whose add failed"
