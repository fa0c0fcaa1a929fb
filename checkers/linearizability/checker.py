"""Judges each register of a history by itself: by zones where values are all different, else by search.

    Linearizability().check(history, Budget(seconds=60)).answer

The verdict's certificate is a legal order of the operations of every key; an anomaly's is the rule that is broken and
where. `checkers.verify` re-checks both on the raw events.

Limits: reads, writes and compare-and-sets on registers, and mutexes. Operations on several keys at a time are
transactions, which are another matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import MODELS, NEVER, Register, registers
from checkers.linearizability.search import search
from checkers.linearizability.wording import anomaly_of, key_text
from checkers.linearizability.zones import decide
from checkers.protocol import Budget
from harness.history import History
from harness.verdict import Anomaly, Verdict

ANOMALIES_SHOWN = 100
UNDECIDED_SHOWN = 5


@dataclass
class _Tally:
    """What is known so far, by the key's place in the history."""

    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    anomalies: dict[int, Anomaly] = field(default_factory=dict)
    undecided: dict[int, Register] = field(default_factory=dict)
    searched: int = 0


@dataclass(frozen=True)
class Linearizability:
    """Checks that every register behaves as if operations took effect one at a time, between call and answer.

    Attributes:
        model: "register", "cas-register" or "mutex"; None: what the history's header says.
    """

    model: str | None = None
    name: str = "linearizability"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every key.

        Raises:
            HistoryError: the history has an operation that the model does not have.
        """
        model = self.model or history.header.model or "cas-register"
        if model not in MODELS:
            reason = f"This checker knows the models {', '.join(MODELS)}; the history is of a {model}."
            return Verdict(self.name, "unknown", reason, reason=reason)
        tally = _Tally()
        for place, register in enumerate(registers(history, model)):
            self._decide_quickly(history, place, register, budget, tally)
        for place, register in sorted(tally.undecided.items(), key=lambda item: len(item[1])):
            if budget.spent():
                break
            tally.searched += 1
            self._settle(history, place, register, search(register, budget.spent), tally)
        return self._verdict(history, tally, budget)

    def _decide_quickly(self, history: History, place: int, register: Register, budget: Budget, tally: _Tally) -> None:
        self._settle(history, place, register, None if budget.spent() else decide(register), tally)

    def _settle(
        self, history: History, place: int, register: Register, decision: list[int] | Refutation | None, tally: _Tally
    ) -> None:
        """Write down what is known of a key."""
        tally.undecided.pop(place, None)
        if decision is None:
            tally.undecided[place] = register
        elif isinstance(decision, Refutation):
            tally.anomalies[place] = anomaly_of(history, decision)
        else:
            order = [register.invoke[step] for step in decision]
            tally.orders[place] = {"key": register.key, "order": order}

    def _verdict(self, history: History, tally: _Tally, budget: Budget) -> Verdict:
        decided = len(tally.orders) + len(tally.anomalies)
        keys = decided + len(tally.undecided)
        anomalies = sorted(tally.anomalies.values(), key=lambda anomaly: (len(anomaly.ops), anomaly.ops))
        reason = _reason(tally.undecided.values(), decided, budget) if tally.undecided else ""
        answer = "invalid" if anomalies else "unknown" if reason else "valid"
        counts = {"operations": len(history.operations), "keys": keys, "keys_decided": decided}
        return Verdict(
            self.name,
            answer,  # type: ignore[arg-type]  # one of the three, by the line above
            _summary(keys, len(anomalies), len(tally.undecided)),
            tuple(anomalies[:ANOMALIES_SHOWN]),
            {**counts, "keys_searched": tally.searched, "anomalies": len(anomalies)},
            reason=reason,
            certificate={"keys": [tally.orders[place] for place in sorted(tally.orders)]} if answer == "valid" else {},
        )


def _summary(keys: int, broken: int, undecided: int) -> str:
    noun = "key" if keys == 1 else "keys"
    if broken:
        return f"{broken} of {keys} {noun} {'admits' if broken == 1 else 'admit'} no order."
    if undecided:
        return f"{undecided} of {keys} {noun} could not be decided."
    return f"All {keys} {noun} admit an order." if keys != 1 else "The key admits an order."


def _reason(undecided: Iterable[Register], decided: int, budget: Budget) -> str:
    """Why, and how much was decided."""
    left = sorted(undecided, key=len)
    names = ", ".join(_described(register) for register in left[:UNDECIDED_SHOWN])
    more = f" and {len(left) - UNDECIDED_SHOWN} more" if len(left) > UNDECIDED_SHOWN else ""
    spent = f"The budget of {budget.seconds:g} s was spent" if budget.spent() else "The search outgrew its memory"
    return f"{spent}: {decided} of {decided + len(left)} keys were decided; not {names}{more}."


def _described(register: Register) -> str:
    doubtful = register.response.count(NEVER)
    return f"{key_text(register.key)} ({len(register)} operations, {doubtful} of them indeterminate)"
