"""A checker around the fast paths: every object of a history by itself, with a certificate for either answer.

    Structure("queue").check(history, Budget(60))

Limits: what a fast path hands over to the general engine is "unknown" here.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkers.objects.calls import by_key, named, shown
from checkers.protocol import Budget
from checkers.structures.decision import Violation
from harness.history import History
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict


@dataclass(frozen=True)
class Structure:
    """Linearizability of objects of one kind.

    Attributes:
        model: a key of `FAST_PATHS`.
    """

    model: str
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"linearizable-{self.model}")

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every object."""
        from checkers.linearizability.entering import entered
        from checkers.structures import FAST_PATHS

        decide = FAST_PATHS[self.model]
        anomalies: list[Anomaly] = []
        orders, undecided, why_not = [], 0, ""
        keys = by_key(history)
        for calls in keys.values():
            key = calls[0].key
            decision = None if budget.spent() else decide(calls, history.header.initial)
            if isinstance(decision, Violation):
                anomalies.append(decision.anomaly(key))
            elif decision is None:
                undecided += 1
                why_not = "the time was over" if budget.spent() else f"{self.model}{named(key)} takes a search"
            else:
                orders.append({"key": key, "order": decision})
        counts = {"anomalies": len(anomalies), "keys": len(keys), "keys_decided": len(keys) - undecided}
        certificate = {"model": self.model, "keys": orders}
        if anomalies:
            summary = f"{len(anomalies):,} of {len(keys):,} objects admit no order."
            told = entered(shown(anomalies), keys.values(), self.model, history.header)
            return Verdict(self.name, "invalid", summary, told, counts, certificate={"model": self.model})
        if undecided:
            reason = f"{why_not}; objects decided: {len(keys) - undecided} of {len(keys)}."
            return Verdict(self.name, "unknown", "Not every object could be decided.", counts=counts, reason=reason)
        return Verdict(
            self.name, "valid", f"All of {len(keys):,} objects admit an order.", (), counts, {}, "", certificate
        )


def linearizable_queue() -> Structure:
    """First in, first out."""
    return Structure("queue")


def linearizable_stack() -> Structure:
    """Last in, first out."""
    return Structure("stack")


def linearizable_set() -> Structure:
    """Adds, removes and contains, by element."""
    return Structure("set")


def linearizable_mutex() -> Structure:
    """Acquires and releases take turns."""
    return Structure("mutex")
