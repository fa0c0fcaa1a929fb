"""Judges each object of a history by itself: by rules where its model has them, else by search.

    Linearizability().check(history, Budget(seconds=60)).answer

The verdict's certificate is a legal order of the operations of every key; an anomaly's is the rule that is broken and
where. `checkers.verify` re-checks both on the raw events.

Registers and mutexes have zones, see `zones`. Other models may have a rule in `checkers.structures`, which decides in
about linear time or says that it does not apply. What is left is searched, whatever the model.

Limits: a search may take longer than anybody can wait; the budget ends it, and the verdict says how far it got.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from checkers.linearizability.quick import Quick
from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import MODELS, Columns, Register, columns_of
from checkers.linearizability.stale import possible_in_columns
from checkers.linearizability.steps import Undecided
from checkers.linearizability.wording import anomaly_of, key_text
from checkers.linearizability.zones import decide
from checkers.protocol import Budget, left_over
from harness.history import History
from harness.verdict import Anomaly, Verdict

if TYPE_CHECKING:
    from checkers.linearizability.by_model import ModelObject
    from checkers.linearizability.entering import Entering
    from checkers.models import Model

ANOMALIES_SHOWN = 100
UNDECIDED_SHOWN = 5
REPORTED_EVERY = 100
"""Rounds of a search, some milliseconds each, between two reports of how far it is."""

Found = list[int] | Anomaly | Undecided
"""Invocations in a legal order; or the anomaly; or neither."""


class _Part(Protocol):
    """One object."""

    @property
    def key(self) -> Any: ...

    @property
    def doubtful(self) -> int: ...

    def __len__(self) -> int: ...


@dataclass
class _Tally:
    """What is known so far, by the object's place in the history."""

    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    anomalies: dict[int, Anomaly] = field(default_factory=dict)
    undecided: dict[int, tuple[_Part, int]] = field(default_factory=dict)
    searched: int = 0

    def settle(self, place: int, part: _Part, found: Found) -> None:
        """Write down what is known of an object."""
        self.undecided.pop(place, None)
        if isinstance(found, Undecided):
            self.undecided[place] = (part, found.until)
        elif isinstance(found, Anomaly):
            self.anomalies[place] = found
        else:
            self.orders[place] = {"key": part.key, "order": found}

    def watched(self, part: _Part, budget: Budget) -> Callable[[], bool]:
        """Whether the budget is spent, for a search; asked now and then, it says how far the checker is."""
        decided = len(self.orders) + len(self.anomalies)
        done = f"{decided} of {decided + len(self.undecided)} keys decided"
        budget.report(f"{done}, searching {key_text(part.key)} ({len(part)} operations)")
        asked = 0

        def spent() -> bool:
            nonlocal asked
            asked += 1
            if asked % REPORTED_EVERY == 0:
                budget.report(f"{done}, searched {key_text(part.key)} for {asked} rounds")
            return budget.spent()

        return spent


@dataclass(frozen=True)
class Linearizability:
    """Checks that every object behaves as if operations took effect one at a time, between call and answer.

    Attributes:
        model: what an object is: a model, or the name of one; None: what the history's header says.
    """

    model: Model | str | None = None
    name: str = "linearizability"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every object.

        Raises:
            HistoryError: the history has an operation that the model does not have.
        """
        wanted = self.model or history.header.model or "cas-register"
        paused = gc.isenabled()
        gc.disable()  # searches make millions of small things and no cycles
        try:
            if isinstance(wanted, str) and wanted in MODELS:
                return _verdict(self.name, {}, history, _judge_registers(history, wanted, budget), budget)
            from checkers.models import is_model, model, model_names

            if isinstance(wanted, str) and not is_model(wanted):
                known = ", ".join(sorted({*MODELS, *model_names()}))
                reason = f"This checker knows the models {known}; the history is of a {wanted}."
                return Verdict(self.name, "unknown", reason, reason=reason)
            declared = model(wanted) if isinstance(wanted, str) else wanted
            says = {"model": declared.name}
            return _verdict(self.name, says, history, _judge_objects(history, declared, budget), budget)
        finally:
            if paused:
                gc.enable()

    def summary(self, counts: Mapping[str, int]) -> str:
        """One sentence from the counts of a verdict."""
        return _summary(counts["keys"], counts["anomalies"], counts["keys"] - counts["keys_decided"])


# ── registers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _judge_registers(history: History, name: str, budget: Budget) -> _Tally:
    columns = columns_of(history, name)
    tally, left = _Tally(), dict[int, Register]()
    quick = Quick() if budget.spent() else Quick.of(columns)
    for place in range(columns.places):
        order, suspects = quick.orders.get(place), quick.suspects.get(place, ())
        anomaly = _contradiction(history, columns, place, suspects) if len(suspects) else None
        if order is not None:
            invocations = history.operations.invoke[order].tolist()
            tally.orders[place] = {"key": columns.key(place), "order": invocations}
        elif anomaly is not None:
            tally.anomalies[place] = anomaly
        else:
            register = left[place] = columns.register(columns.rows(place))
            tally.settle(place, register, Undecided(0))
            decision = None if budget.spent() else decide(register)
            if decision is not None:
                del left[place]
                tally.settle(place, register, _found(history, register, decision))
    for place, register in sorted(left.items(), key=lambda item: len(item[1])):
        from checkers.linearizability.by_register import decide_register

        if budget.spent():
            break
        tally.searched += 1
        searched = decide_register(register, tally.watched(register, budget))
        tally.settle(place, register, _found(history, register, searched))
    return tally


def _contradiction(history: History, columns: Columns, place: int, rows: Any) -> Anomaly | None:
    """What is wrong among a few chains of a register."""
    own = columns.rows(place)
    refutation = decide(columns.register(np.union1d(rows, columns.failures_behind(rows, own))))
    if not isinstance(refutation, Refutation):
        return None
    states_at = partial(possible_in_columns, columns, place)
    return anomaly_of(history, replace(refutation, states_at=states_at))


def _found(history: History, register: Register, decision: list[int] | Refutation | Undecided) -> Found:
    if isinstance(decision, Refutation):
        return anomaly_of(history, decision)
    return decision if isinstance(decision, Undecided) else [register.invoke[step] for step in decision]


# ── any model ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _judge_objects(history: History, declared: Model, budget: Budget) -> _Tally:
    from checkers.linearizability.by_model import decide_object, objects
    from checkers.linearizability.entering import Entering

    tally, entering = _Tally(), Entering()
    left: list[tuple[int, ModelObject]] = []
    quick = fast_path(declared.name)
    for place, one in enumerate(objects(history, declared)):
        found = quick(one.calls, one.initial) if quick is not None and not budget.spent() else None
        if found is None:
            left.append((place, one))
            tally.settle(place, one, Undecided(0))
        else:
            tally.settle(place, one, _quickly(one, found, entering))
    for place, one in sorted(left, key=lambda item: len(item[1])):
        if budget.spent():
            break
        tally.searched += 1
        decision = decide_object(one, tally.watched(one, budget))
        order = decision if isinstance(decision, Undecided | Anomaly) else [one.calls[step].invoke for step in decision]
        tally.settle(place, one, order)
    return tally


def fast_path(name: str) -> Callable[[Sequence[Any], Any], Any] | None:
    """The rule of a model, if `checkers.structures` has one: an order, a violation, or None when it does not apply."""
    if find_spec("checkers.structures") is None:
        return None
    paths: dict[str, Callable[[Sequence[Any], Any], Any]] = import_module("checkers.structures").FAST_PATHS
    return paths.get(name)


def _quickly(one: ModelObject, found: Any, entering: Entering) -> Found:
    """What a rule found."""
    if isinstance(found, list):
        return found
    return Anomaly(
        name=found.name,
        guarantee="linearizability",
        sentence=found.sentence,
        key=one.key,
        ops=tuple(found.ops),
        culprit=found.culprit,
        before=entering.of(one, found.ops),
        rule=found.rule,
        certificate={"model": one.model.name, **found.certificate},
    )


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _verdict(name: str, says: dict[str, Any], history: History, tally: _Tally, budget: Budget) -> Verdict:
    decided = len(tally.orders) + len(tally.anomalies)
    keys = decided + len(tally.undecided)
    anomalies = sorted(tally.anomalies.values(), key=lambda anomaly: (len(anomaly.ops), anomaly.ops))
    reason = _reason(tally.undecided.values(), decided, budget) if tally.undecided else ""
    answer = "invalid" if anomalies else "unknown" if reason else "valid"
    counts = {"operations": len(history.operations), "keys": keys, "keys_decided": decided}
    orders = [tally.orders[place] for place in sorted(tally.orders)]
    return Verdict(
        name,
        answer,  # type: ignore[arg-type]  # one of the three, by the line above
        _summary(keys, len(anomalies), len(tally.undecided)),
        tuple(anomalies[:ANOMALIES_SHOWN]),
        {**counts, "keys_searched": tally.searched, "anomalies": len(anomalies)},
        reason=reason,
        certificate={**says, "keys": orders} if answer == "valid" else {},
    )


def _summary(keys: int, broken: int, undecided: int) -> str:
    if broken and keys > 1:
        return f"{broken} of {keys} keys {'admits' if broken == 1 else 'admit'} no order."
    if undecided and keys > 1:
        return f"{undecided} of {keys} keys could not be decided."
    if broken:
        return "No order of all operations explains every answer."
    if undecided:
        return "It could not be decided whether an order of all operations explains every answer."
    return f"All {keys} keys admit an order." if keys > 1 else "An order of all operations explains every answer."


def _reason(undecided: Iterable[tuple[_Part, int]], decided: int, budget: Budget) -> str:
    """Why, and how much was decided."""
    left = sorted(undecided, key=lambda item: len(item[0]))
    whole = f"{round(budget.seconds, 1 if budget.seconds > 1 else 3):g}"
    spent = f"The budget of {whole} s was spent" if budget.spent() else "The search outgrew its memory"
    return left_over(spent, decided, [_described(part, until) for part, until in left], UNDECIDED_SHOWN)


def _described(part: _Part, until: int) -> str:
    proven = f", an order of what happened before event {until} was found" if until else ""
    return f"{key_text(part.key)} ({len(part)} operations, {part.doubtful} of them indeterminate{proven})"
