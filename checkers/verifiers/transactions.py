"""Re-derives the certificates of the checker of transactions from the raw events, without the checker's code.

valid, of one level:

    order      a serial order: replayed on an empty store, and compared with sessions or real time
    schedule   snapshot isolation: starts and commits, replayed: each reads what was committed when it started, and
               nobody changed since what it changes
    commits    the weak levels: an order of commits, against which each read is held by the axiom of the level
    versions   parallel snapshot isolation: the versions of each key; nobody must see a later one than it read

invalid, by rule:

    txn-read   what transactions found, which nobody can have left there
    txn-cycle  edges [first, then, kind, key]: `first` must precede `then`, each for a reason that is looked up
    txn-proof  decisions about which version comes first, each because its opposite would close a cycle; then a cycle,
               or two cases with a proof each

See `transaction_edges` for the edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from checkers.verifiers.transaction_columns import confirmed, narrowed
from checkers.verifiers.transaction_edges import Edges, level_of
from checkers.verifiers.transaction_facts import Facts, Txn, json_of
from checkers.verifiers.transaction_orders import Orders
from harness.history import History
from harness.verdict import Anomaly, Verdict

STRENGTHS: Final = {
    "garbage-read": 0,
    "duplicate-elements": 0,
    "internal": 1,
    "future-read": 1,
    "G1a": 1,
    "G1b": 1,
    "dirty-update": 1,
    "incompatible-order": 1,
    "write-order": 1,
    "non-repeatable-read": 2,
    "lost-update": 4,
}


def verify_transactions(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker != "transactions" or verdict.answer == "unknown":
        return []
    try:
        if verdict.answer == "valid" and confirmed(history, verdict.certificate):
            return []
        facts = Facts(narrowed(history, verdict))
        if verdict.answer == "valid":
            return [f"transactions: {problem}" for problem in _valid(facts, verdict.certificate)]
        wrong = [anomaly for anomaly in verdict.anomalies if not _stands(facts, anomaly)]
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        return [f"transactions: the certificate cannot be read: {type(error).__name__}: {error}."]
    if not verdict.anomalies:
        return ["transactions: nothing is shown."]
    return [f"transactions: rule {anomaly.rule}: the events do not show it." for anomaly in wrong]


def _valid(facts: Facts, certificate: dict[str, Any]) -> Iterator[str]:
    strength, order = level_of(certificate["level"])
    if order == 2 and not facts.real_time:
        yield "nothing is known of real time in this history."
        return
    orders = Orders(facts)
    if "order" in certificate:
        yield from orders.serial(certificate["order"], order if strength in (0, 5, 6) else max(order, 1))
    elif "schedule" in certificate and strength == 5:
        yield from orders.schedule(certificate["schedule"], order)
    elif "commits" in certificate and strength <= 3:
        yield from orders.commits(certificate["commits"], strength)
    elif "versions" in certificate and strength == 4:
        yield from orders.versions({json_of(entry["key"]): entry["order"] for entry in certificate["versions"]})
    else:
        yield "there is no order for this level."


def _stands(facts: Facts, anomaly: Anomaly) -> bool:
    given = anomaly.certificate
    if not set(given["ops"]) >= set(anomaly.ops) or anomaly.culprit not in anomaly.ops:
        return False
    if anomaly.rule == "txn-read":
        rule = given["found"]
        if rule not in _RULES or level_of(anomaly.guarantee)[0] < STRENGTHS[rule]:
            return False
        txns = [facts.by_start[start] for start in given["ops"]]
        real = facts.happened(txns[-1]) if rule == "write-order" else txns[-1].kind == "ok"
        return real and _RULES[rule](_Shown(facts, txns, json_of(given["key"]), json_of(given["element"])))
    level = level_of(given["level"])
    edges = Edges(facts, level)
    if anomaly.rule == "txn-cycle":
        return edges.cycle(given["edges"])
    return anomaly.rule == "txn-proof" and edges.proof(given["proof"])


# ── single reads ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Shown(NamedTuple):
    """What an anomaly claims that transactions read."""

    facts: Facts
    txns: list[Txn]
    key: bytes
    element: bytes


def _found(of: _Shown) -> bool:
    """Whether one of its finds of the key shows the element."""
    return any(
        of.element in found if isinstance(found, tuple) else of.element == found for found in of.txns[-1].found(of.key)
    )


def _initially(of: _Shown) -> bool:
    """Whether it was there before anybody wrote."""
    return of.key not in of.facts.lists and of.element == of.facts.initial


def _garbage(of: _Shown) -> bool:
    change = (of.key, of.element)
    return _found(of) and change not in of.facts.makers and change not in of.facts.failed and not _initially(of)


def _aborted(of: _Shown) -> bool:
    change = (of.key, of.element)
    return (
        _found(of)
        and change not in of.facts.makers
        and of.txns[0] in of.facts.failed.get(change, ())
        and not _initially(of)
    )


def _halfway(of: _Shown) -> bool:
    maker, reader = of.txns
    return maker is not reader and any(
        of.facts.makers.get((of.key, last)) == [maker] and maker.wrote[of.key][-1] != last
        for found in reader.found(of.key)
        for last in (found[-1:] if isinstance(found, tuple) else (found,))
    )


def _dirty(of: _Shown) -> bool:
    failed, maker, reader = of.txns
    for found in reader.found(of.key):
        for first, then in pairwise(found) if isinstance(found, tuple) else ():
            aborted = (of.key, first) not in of.facts.makers and failed in of.facts.failed.get((of.key, first), ())
            if aborted and maker in of.facts.makers.get((of.key, then), ()):
                return True
    return False


def _twice(of: _Shown) -> bool:
    writers = len(of.facts.makers.get((of.key, of.element), ()))
    return any(shown.count(of.element) > max(1, writers) for shown in of.txns[-1].shown(of.key))


def _apart(of: _Shown) -> bool:
    one, other = of.txns
    return one.kind == "ok" and any(
        a != b
        for mine in one.found(of.key)
        for theirs in other.found(of.key)
        if isinstance(mine, tuple) and isinstance(theirs, tuple)
        for a, b in zip(mine, theirs, strict=False)
    )


def _write_order(of: _Shown) -> bool:
    made = of.txns[-1].wrote[of.key]
    for shown in of.facts.lists_of(of.key):
        for earlier, later in ((a, b) for i, a in enumerate(made) for b in made[i + 1 :]):
            if later in shown and earlier not in shown[: shown.index(later)]:
                return True
    return False


def _future(of: _Shown) -> bool:
    own = set(of.txns[-1].wrote.get(of.key, ()))
    return any(own & set(f if isinstance(f, tuple) else (f,)) for f in of.txns[-1].found(of.key))


def _lost(of: _Shown) -> bool:
    one, other = of.txns
    both = one is not other and one.kind == "ok" and of.key in one.wrote and of.key in other.wrote
    return both and bool(set(one.found(of.key)) & set(other.found(of.key)))


_RULES: Final[dict[str, Callable[[_Shown], bool]]] = {
    "garbage-read": _garbage,
    "G1a": _aborted,
    "G1b": _halfway,
    "dirty-update": _dirty,
    "duplicate-elements": _twice,
    "incompatible-order": _apart,
    "write-order": _write_order,
    "future-read": _future,
    "internal": lambda of: of.key in of.txns[-1].torn,
    "non-repeatable-read": lambda of: len(set(of.txns[-1].found(of.key))) > 1,
    "lost-update": _lost,
}
