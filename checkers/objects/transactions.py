"""Transactions over several keys: each happens at one moment, all of it, between its beginning and its end.

A transaction is a list of `["r", key, what it read]`, `["append", key, element]` and `["w", key, value]`. Lists tell
most: a read of a list shows which appends came before it and in which order, and which did not. So from reads alone
it is known which transaction must precede which; see `dependencies`. Rules:

    txn-internal   a transaction does not see what it did itself
    txn-garbage    it read what no transaction can have written
    txn-twice      it read an element twice
    txn-reads      two of them read lists of which neither is the beginning of the other
    txn-cycle      transactions each of which must precede the next, and the last one the first

    T1: append x 1, append y 1 → ok        T2: r x → [1], r y → []       T2 saw a part of T1 only

Exact for strict serializability on lists: "valid" carries an order of all transactions. Plain writes tell no order, so
with them a violation may be missed; then "valid" is said only if the order of the versions that the system tells proves
it, otherwise "unknown". Single reads, appends and writes of a key count as transactions of one step.

Limits: elements appended twice, values written twice, keys that are both written and appended to, and keys that do not
start empty make the answer "unknown", unless a transaction by itself shows that something is wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.objects.calls import named, shown, text
from checkers.objects.dependencies import Cycle, Dependencies
from checkers.objects.transaction import Transaction, transactions_of
from checkers.protocol import Budget
from checkers.sessions.accesses import token_of
from harness.history import History
from harness.verdict import Anomaly, Verdict

STRICT: Final = "strict-serializability"
ATOMIC: Final = "atomicity"


@dataclass(frozen=True)
class Transactions:
    """Strict serializability of transactions on lists."""

    name: str = "transactions"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge all transactions together."""
        judged = _Judged(transactions_of(history))
        anomalies = [*judged.alone(), *judged.reads_apart()]
        counts = {"transactions": len(judged.all), "acknowledged": sum(txn.ok for txn in judged.all)}
        why_not, order = judged.why_not(), []
        if history.header.initial:
            why_not = "keys that do not start empty cannot be judged"
        if budget.spent():
            why_not = "the time was over before the order was looked at"
        if not anomalies and not why_not:
            dependencies = Dependencies.of(judged.all)
            order = dependencies.order()
            if len(order) < len(dependencies.txns):
                anomalies = [judged.cycle(cycle) for cycle in dependencies.cycles()]
            elif judged.has_writes() and not _replays(judged.all, order):
                why_not = "plain writes tell no order, and no order was found that explains every read"
        counts = {"anomalies": len(anomalies), **counts}
        if anomalies:
            summary = f"{len(anomalies):,} times, transactions do not fit one after another."
            return Verdict(self.name, "invalid", summary, shown(anomalies), counts)
        if why_not:
            return Verdict(self.name, "unknown", "No order could be decided.", counts=counts, reason=f"{why_not}.")
        summary = f"All of {counts['acknowledged']:,} acknowledged transactions fit one after another."
        return Verdict(self.name, "valid", summary, counts=counts, certificate={"order": order})


@dataclass
class _Judged:
    """All transactions of a history, those that failed included."""

    all: Sequence[Transaction]

    def why_not(self) -> str:
        """Why nothing can be decided about order, or ""."""
        makers: dict[tuple[Hashable, Hashable], Transaction] = {}
        kinds: dict[Hashable, str] = {}
        for txn in self.all:
            for f, key, value in () if txn.failed else txn.changes:
                if kinds.setdefault(token_of(key), f) != f:
                    return f"key{named(key)} is both written and appended to"
                if makers.setdefault((token_of(key), token_of(value)), txn) is not txn:
                    return f"{text(value)} was written to key{named(key)} more than once"
        return ""

    def has_writes(self) -> bool:
        """Whether there are plain writes."""
        return any(f == "w" for txn in self.all for f, _, _ in txn.changes)

    def alone(self) -> Iterator[Anomaly]:
        """What single transactions show to be wrong."""
        possible = {change for txn in self.all if not txn.failed for change in txn.change_tokens}
        failed = {change: txn for txn in self.all if txn.failed for change in txn.change_tokens}
        for txn in self.all:
            if not txn.ok:
                continue
            if txn.contradicts_itself is not None:
                yield self._internal(txn, txn.contradicts_itself)
            for key, value in txn.seen():
                change = (token_of(key), token_of(value))
                if change not in possible:
                    yield self._garbage(txn, key, value, failed.get(change))
            for key, value in txn.seen_twice():
                sentence = f"A transaction of process {txn.process} read {text(value)} twice in key{named(key)}."
                more = {"key": key, "element": value}
                yield _anomaly("duplicate-element", ATOMIC, "txn-twice", (txn,), sentence, more)

    def reads_apart(self) -> Iterator[Anomaly]:
        """Reads of a list of which neither is the beginning of the other."""
        lists: dict[Hashable, list[tuple[Transaction, Any, list[Any]]]] = {}
        for txn in self.all:
            for key, elements in txn.lists() if txn.ok and txn.contradicts_itself is None else ():
                lists.setdefault(token_of(key), []).append((txn, key, elements))
        for reads in lists.values():
            reads.sort(key=lambda read: len(read[2]))
            longest = [token_of(element) for element in reads[-1][2]]
            for txn, key, elements in reads[:-1]:
                if [token_of(element) for element in elements] != longest[: len(elements)]:
                    yield self._apart(key, txn, reads[-1][0])
                    break

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _internal(self, txn: Transaction, key: Any) -> Anomaly:
        sentence = (
            f"A transaction of process {txn.process} read key{named(key)} and what it found is not what it had left "
            "there itself, or found before."
        )
        return _anomaly("internal-inconsistency", ATOMIC, "txn-internal", (txn,), sentence, {"key": key})

    def _garbage(self, txn: Transaction, key: Any, value: Any, failed: Transaction | None) -> Anomaly:
        said = f"A transaction of process {txn.process} read {text(value)} in key{named(key)}, "
        more = {"key": key, "element": value}
        if failed is None:
            return _anomaly("garbage-read", ATOMIC, "txn-garbage", (txn,), f"{said}which nobody wrote.", more)
        sentence = f"{said}though the transaction of process {failed.process} that wrote it had failed."
        return _anomaly("aborted-read", ATOMIC, "txn-garbage", (failed, txn), sentence, more)

    def _apart(self, key: Any, one: Transaction, other: Transaction) -> Anomaly:
        lists = (one.bases[token_of(key)][1], other.bases[token_of(key)][1])
        place = next(i for i, (a, b) in enumerate(zip(*lists, strict=False)) if token_of(a) != token_of(b))
        sentence = (
            f"Transactions of processes {one.process} and {other.process} read different lists in key{named(key)}: at "
            f"place {place + 1} one has {text(lists[0][place])}, the other {text(lists[1][place])}."
        )
        return _anomaly("incomparable-reads", STRICT, "txn-reads", (one, other), sentence, {"key": key})

    def cycle(self, cycle: Cycle) -> Anomaly:
        """Transactions that cannot be put one after another."""
        steps = "; ".join(
            f"{_label(edge.first)} must precede {_label(edge.then)}, {edge.why()}" for edge in cycle.edges
        )
        head = "A part of a transaction was seen without the rest: " if cycle.name == "fractured-read" else ""
        sentence = f"{head}{steps}. So there is no order."
        guarantee = ATOMIC if cycle.name == "fractured-read" else STRICT
        edges = [[edge.first.invoke, edge.then.invoke, edge.kind, edge.key] for edge in cycle.edges]
        txns = [edge.first for edge in cycle.edges]
        return _anomaly(cycle.name, guarantee, "txn-cycle", txns, sentence, {"edges": edges})


def _anomaly(
    name: str, guarantee: str, rule: str, txns: Sequence[Transaction], sentence: str, more: dict[str, Any]
) -> Anomaly:
    indices = tuple(sorted({txn.invoke for txn in txns}))
    culprit = max(txns, key=lambda txn: (txn.ok, txn.response, txn.invoke)).invoke  # rather not one in doubt
    certificate = {"ops": [txn.invoke for txn in txns], **more}
    return Anomaly(name, guarantee, sentence, more.get("key"), indices, culprit, "", rule, certificate)


def _label(txn: Transaction) -> str:
    return f"event {txn.invoke} of process {txn.process}"


def _replays(txns: Sequence[Transaction], order: Sequence[int]) -> bool:
    """Whether every transaction reads, in this order, what is there."""
    by_invoke = {txn.invoke: txn for txn in txns}
    state: dict[Hashable, Any] = {}
    return all(by_invoke[invoke].applies(state) for invoke in order)
