"""Re-checks what a checker says, on the raw events and without the checker: a second opinion on every certificate.

    verify(history, verdict)    [] when confirmed; else one sentence for each thing that is not

A verdict "valid" on linearizability is an order of the operations of each key: it is replayed, and compared with real
time in one backward scan. A verdict "invalid" names a rule and few operations (see below); the rule is derived again
from the events. A verdict "unknown" claims nothing, so there is nothing to confirm.

    unwritten-value  an operation that happened saw a value that nothing can have written
    double-cas       two changes that happened replaced the same value, which was there once at most
    cas-cycle        changes that happened, each of which needs another of them first
    chain-order      [first, then]: `first` must precede `then`, yet began after its end
    blocks           [a, b, c, d]: a ended before b began, c before d; a and d belong to one written value, b and c to
                     another, and either value was written once
    search           between the events `since` and `until` the listed operations have no order, even if everything
                     else is given away: see `checkers.verifiers.search`

That a value was written once, that an indeterminate operation happened because its effect was seen, and what belongs
to which value, is worked out from all events of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from checkers.verifiers.columns import in_columns
from checkers.verifiers.events import Fact, Facts, facts_by_key, token
from checkers.verifiers.orders import confirmed
from checkers.verifiers.search import no_order
from harness.history import History
from harness.verdict import Anomaly, Verdict

if TYPE_CHECKING:
    from checkers.models import Model

_MEASURES: Final = ("statistics", "vacuity")
"""Checkers that promise nothing."""


def verify(history: History, verdict: Verdict, declared: Model | None = None) -> list[str]:
    """Sentences about what could not be confirmed; empty when everything was.

    `declared` is the model of a verdict on linearizability, if it is one that is not registered.
    """
    problems = [problem for part in verdict.parts for problem in verify(history, part, declared)]
    if verdict.checker != "linearizability":
        return problems + _of_others(history, verdict)
    told = [verdict.certificate, *(anomaly.certificate for anomaly in verdict.anomalies)]
    name = next((certificate["model"] for certificate in told if "model" in certificate), None)
    if name is not None:
        return problems + _of_model(history, verdict, declared or name)
    return problems + _linearizability(history, verdict)


def _of_others(history: History, verdict: Verdict) -> list[str]:
    """A verdict of another checker. Each has a verifier, which is loaded only for it and has no word on the others."""
    if verdict.checker in _MEASURES and not verdict.anomalies:
        return []
    if verdict.checker == "transactions":
        from checkers.verifiers.transactions import verify_transactions

        return verify_transactions(history, verdict)
    from checkers.verifiers.structures import model_of, verify_structures

    if model_of(verdict):
        return verify_structures(history, verdict)
    rules = {anomaly.rule for anomaly in verdict.anomalies}
    if rules & {*_RULES, "search"}:
        return _linearizability(history, verdict)
    from checkers.verifiers.invariants import verify_invariants
    from checkers.verifiers.objects import verify_objects

    problems: list[str] = []
    if verdict.certificate or rules - {""}:
        from checkers.verifiers.sessions import verify_sessions

        problems += verify_sessions(history, verdict)
    return problems + verify_invariants(history, verdict) + verify_objects(history, verdict)


def _of_model(history: History, verdict: Verdict, declared: Model | str) -> list[str]:
    """A verdict on any model: by the rule of its structure where an anomaly names one, else by the model alone."""
    from checkers.models import model
    from checkers.verifiers.models import verify_models
    from checkers.verifiers.structures import STRUCTURE_RULES, verify_structures

    of = model(declared) if isinstance(declared, str) else declared
    by_rule, rest = [], []
    for anomaly in verdict.anomalies:
        if anomaly.rule in STRUCTURE_RULES and anomaly.culprit is not None:
            by_rule.append(msgspec.structs.replace(anomaly, key=history.events[anomaly.culprit].key))
        else:
            rest.append(anomaly)
    problems: list[str] = []
    if by_rule:
        claimed = msgspec.structs.replace(verdict, anomalies=tuple(by_rule), certificate={"model": of.name})
        problems += verify_structures(history, claimed)
    if rest or not by_rule:
        left = msgspec.structs.replace(verdict, anomalies=tuple(rest))
        problems += [f"{verdict.checker}: {problem}" for problem in verify_models(history, left, of)]
    return problems


def _linearizability(history: History, verdict: Verdict) -> list[str]:
    return [f"{verdict.checker}: {problem}" for problem in _of_register(history, verdict)]


def _of_register(history: History, verdict: Verdict) -> Iterator[str]:
    if verdict.answer == "unknown":
        return
    if verdict.answer == "valid" and confirmed(history, verdict.certificate):
        return
    if verdict.answer == "valid":
        yield from _orders(facts_by_key(history), verdict.certificate)
        return
    keys = in_columns(history) or facts_by_key(history)
    if not verdict.anomalies:
        yield "the verdict is invalid, but it names no anomaly."
    for anomaly in verdict.anomalies:
        problem = _anomaly(keys, anomaly)
        if problem:
            yield f"key {anomaly.key!r}, rule {anomaly.rule}: {problem}"


# ── valid: an order for every key ────────────────────────────────────────────────────────────────────────────────────


def _orders(keys: dict[bytes, Facts], certificate: dict[str, Any]) -> Iterator[str]:
    orders = {token(entry["key"]): entry["order"] for entry in certificate.get("keys", ())}
    for key, facts in keys.items():
        problem = _order(facts, orders.pop(key, ()))
        if problem:
            yield f"key {facts.key!r}: {problem}"
    for key in orders:
        yield f"key {key.decode()}: the certificate orders operations on it, but the history has none."


def _order(facts: Facts, order: Sequence[int]) -> str:
    """What is wrong with an order, or ""."""
    state, placed = facts.initial, set()
    for index in order:
        fact = facts.by_index.get(index)
        if fact is None or index in placed:
            return f"the order names event {index} twice, or it is not an operation on this key that may have happened."
        placed.add(index)
        if not fact.allowed(state):
            return f"in the order, {fact} meets the state {state.decode()}."
        state = fact.writes if fact.writes is not None else state
    for fact in facts.by_index.values():
        if fact.certain and fact.start not in placed:
            return f"the order leaves out {fact}, which happened."
    soonest = None
    for index in reversed(order):
        fact = facts.by_index[index]
        if soonest is not None and fact.start > soonest.end:
            return f"the order puts {fact} before {soonest}, which had ended when it began."
        if soonest is None or fact.end < soonest.end:
            soonest = fact
    return ""


# ── invalid: a rule, and the operations that break it ────────────────────────────────────────────────────────────────


def _anomaly(keys: Mapping[bytes, Facts], anomaly: Anomaly) -> str:
    """What is wrong with an anomaly, or ""."""
    facts = keys.get(token(anomaly.key))
    if facts is None or anomaly.rule not in {*_RULES, "search"}:
        return "there is no such key, or no such rule."
    indices = anomaly.certificate.get("ops", ())
    named = [None if index is None else facts.get(index) for index in indices]
    ops = [fact for fact in named if fact is not None]
    if not ops or len(ops) != len(indices) - list(indices).count(None):
        return "an event that it names is not an operation on this key that may have happened."
    proof, shown = {fact.start for fact in ops}, set(anomaly.ops)
    if not (proof <= shown or (shown <= proof and anomaly.rule == "search")) or anomaly.culprit not in shown:
        return "the operations that it shows are not those of its certificate."
    if not all(map(facts.sure, ops)):
        return "an operation that it names need not have happened."
    if anomaly.rule == "search":
        return no_order(facts, ops, anomaly.certificate["since"], anomaly.certificate["until"])
    return "" if _RULES[anomaly.rule](facts, named) else "the events do not show it."


Named = list[Fact | None]


def _unwritten(facts: Facts, named: Named) -> bool:
    [fact] = named
    assert fact is not None
    if fact.impossible:
        return True
    value = fact.sees
    for _ in range(len(facts) + 1):
        if value is None or value == facts.initial:
            return False
        writers = facts.writing(value)
        if not writers:
            return True
        if len(writers) > 1:
            return False
        value = writers[0].sees
    return False


def _double(facts: Facts, named: Named) -> bool:
    one, other = named
    assert one is not None and other is not None
    if one is other or not (one.sees == other.sees is not None and one.changes and other.changes):
        return False
    times = len(facts.writing(one.sees)) + (one.sees == facts.initial)
    return times <= 1


def _cycle(facts: Facts, named: Named) -> bool:
    starts = {fact.start for fact in named if fact is not None}
    return all(
        fact is not None
        and fact.changes
        and fact.sees != facts.initial
        and {writer.start for writer in facts.writing(fact.sees)} <= starts
        for fact in named
    )


def _chain_order(facts: Facts, named: Named) -> bool:
    first, then = (_place(facts, fact) for fact in named)
    if first is None or then is None or named[0] is None or named[1] is None:
        return False
    return first[0] == then[0] and first[1:] < then[1:] and named[1].end < named[0].start


def _blocks(facts: Facts, named: Named) -> bool:
    places = [_place(facts, fact) for fact in named]
    roots = [place and place[0] for place in places]
    a, b, c, d = named
    if None in places or not (roots[0] == roots[3] != roots[1] == roots[2]) or b is None or c is None or d is None:
        return False
    return (a is None or a.end < b.start) and c.end < d.start


def _place(facts: Facts, fact: Fact | None) -> tuple[int, int, int] | None:
    """Where an operation belongs, if values tell: (write that its value goes back to, changes since, it only saw).

    The write of the initial value is -1. None where some value on the way back was written twice or never.
    """
    if fact is None:
        return (-1, 0, 0)
    value, only_saw = (fact.sees, 1) if fact.writes is None else (fact.writes, 0)
    for changes in range(len(facts) + 1):
        writers = facts.writing(value)
        if value == facts.initial and not writers:
            return (-1, changes, only_saw)
        if value == facts.initial or len(writers) != 1:
            return None
        if not writers[0].changes:
            return (writers[0].start, changes, only_saw)
        value = writers[0].sees
    return None


_RULES: Final[dict[str, Callable[[Facts, Named], bool]]] = {
    "unwritten-value": _unwritten,
    "double-cas": _double,
    "cas-cycle": _cycle,
    "chain-order": _chain_order,
    "blocks": _blocks,
}
