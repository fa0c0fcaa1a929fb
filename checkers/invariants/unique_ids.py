"""Unique ids: whatever is generated is generated once.

    generate → 7, generate → 7          the id 7 was given out twice

Ids are compared as JSON, over all keys together. An operation that is not known to have happened gave out nothing that
anybody used. O(n).

Limits: that ids grow, or are short, is not asked.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.calls import Call, calls_of, text
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Verdict


@dataclass(frozen=True)
class UniqueIds:
    """No id is given out twice.

    Attributes:
        f: the function that gives out ids.
    """

    name: str = "unique-ids"
    f: str = "generate"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge all ids."""
        first: dict[Hashable, Call] = {}
        again: dict[Hashable, list[Call]] = {}
        asked = given = 0
        for call in calls_of(history):
            asked += call.f == self.f
            if call.f == self.f and call.ok:
                given += 1
                token = token_of(call.result)
                if first.setdefault(token, call) is not call:
                    again.setdefault(token, []).append(call)
        anomalies = []
        for token, others in again.items():
            one = first[token]
            times = "twice" if len(others) == 1 else f"{len(others) + 1} times"
            sentence = (
                f"The id {text(one.result)} was given out {times}, first to process {one.process} and then to process "
                f"{others[0].process}."
            )
            ops = [one, *others[:3]]
            anomalies.append(finding("duplicate-id", "unique-ids", ops, others[0], sentence, f=self.f))
        counts = {"asked": asked, "acknowledged": given, "duplicated_ids": len(again)}
        undecided = "" if given else f"no operation {self.f} was acknowledged"
        return verdict_of(self.name, anomalies, counts, f"All of {given:,} ids are different.", undecided, f=self.f)
