"""Causal consistency (CC): nobody reads what they know to be overwritten, whatever others think of the order.

Whatever a session did earlier, and whatever it read, comes causally before what it does next. A history is causally
consistent unless

    a read returned the initial value, and a write of its key comes causally before it
    a read returned w1, another write w2 of its key comes causally before it, and w1 comes causally before w2

    S1: write a=1          S2: read a=1, write a=2          S3: read a=2, read a=1      not causal
    S1: write a=1          S2: write a=2                    S3: read 1, 2; S4: read 2, 1     causal, not convergent

Causal convergence (CCv) is stronger, see `checkers.sessions.checker`: what holds it holds this as well, with the same
certificate. Only where it is broken is the pattern itself looked for.

Sources: Bouajjani, Enea, Guerraoui, Hamza (POPL 2017); vector clocks and bisection as in AWDIT (PLDI 2025).
Limits: one clock per write, at most CLOCKS_BYTES_MAX of them. Versions only say which write a read read from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from checkers.protocol import Budget
from checkers.sessions import columns
from checkers.sessions.by_values import confirmed_by_guess, judge_values
from checkers.sessions.checker import DEFAULT, quick_verdict, verdict_of
from checkers.sessions.explain import Explainer
from checkers.sessions.order import Ties
from checkers.sessions.paths import path
from checkers.sessions.record import Record
from checkers.sessions.values import Told, read_values
from checkers.sessions.visibility import GUARANTEES, Findings, Rules, Seen, Walk, judge
from harness.history import History
from harness.verdict import Anomaly, Verdict

CLOCKS_BYTES_MAX: Final = 2 << 30
ANOMALIES_MAX: Final = 100


@dataclass(frozen=True)
class Causal:
    """Nobody reads what they know to be overwritten: causal consistency (CC), without agreement on an order."""

    name: str = "causal"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        rules = DEFAULT.rules(GUARANTEES)
        quick = columns.decide(history, rules)
        if quick is not None:
            return quick_verdict(self.name, DEFAULT, rules, quick)
        values = read_values(history)
        if values is not None and (verdict := _by_columns(values, rules, self.name, budget.spent)) is not None:
            return verdict
        record = Record.of(history)
        findings = judge(record, rules, budget.spent)
        if not findings.circles and not findings.older:
            return verdict_of(record, findings, rules, DEFAULT, self.name)
        return _by_pattern(record, rules, self.name, budget.spent)


def _by_columns(values: Told, rules: Rules, name: str, spent: Callable[[], bool]) -> Verdict | None:
    """By values alone, where columns tell."""
    findings = confirmed_by_guess(values, rules)
    if findings is not None:
        return verdict_of(values.record(), findings, rules, DEFAULT, name)
    judged = judge_values(values, rules, spent, tell=False)
    if judged is None:
        return None
    if not judged.tangled:
        return verdict_of(values.record(), judged.findings, rules, DEFAULT, name)
    found = replace(judged.findings, order=[])
    return _pattern_verdict(values.record(), rules, name, found, judged.overwritten)


def _by_pattern(record: Record, rules: Rules, name: str, spent: Callable[[], bool]) -> Verdict:
    writes = sum(not access.reads for access in record.accesses)
    walk = _Patterns(record, rules)
    if writes * len(record.lanes) * 4 > CLOCKS_BYTES_MAX:
        reason = f"{writes:,} writes of {len(record.lanes):,} sessions need more than {CLOCKS_BYTES_MAX >> 30} GiB."
        return Verdict(name, "unknown", "Causal consistency could not be decided.", reason=reason)
    if not walk.run(spent):
        walk.findings.spent = walk.progress
    return _pattern_verdict(record, rules, name, walk.findings, walk.overwritten)


def _pattern_verdict(record: Record, rules: Rules, name: str, findings: Findings, found: list[Seen]) -> Verdict:
    verdict = verdict_of(record, findings, rules, DEFAULT, name, len(found))
    if verdict.answer == "unknown":
        return verdict
    if not found and verdict.answer == "valid":
        summary = f"No read returned what its session knew to be overwritten, in {findings.obliged:,} reads."
        certificate = {"asked": verdict.certificate["asked"], "by": "closure"}
        return Verdict(name, "valid", summary, counts=verdict.counts, certificate=certificate)
    explained = [_explain(Explainer(record, rules, name), record, rules, seen) for seen in found[:ANOMALIES_MAX]]
    anomalies = sorted([*verdict.anomalies, *explained], key=lambda anomaly: anomaly.culprit or 0)[:ANOMALIES_MAX]
    return Verdict(name, "invalid", verdict.summary, tuple(anomalies), verdict.counts)


class _Patterns(Walk):
    """The pass of the guarantees, with every clock kept, which looks for reads of what was known to be overwritten."""

    def __init__(self, record: Record, rules: Rules) -> None:
        super().__init__(record, rules)
        self.overwritten: list[Seen] = []
        self.keep_clocks = True
        self.trust_versions = False

    def _precede(self, ties: Ties, count: int, source: int, number: int, chained: bool, known: int) -> None:
        last = ties.items[count - 1] if count else source
        if last != source and self.clocks[last][self.record.lane[source]] > self.record.place[source]:
            self.overwritten.append(Seen(number, last))


def _explain(explainer: Explainer, record: Record, rules: Rules, seen: Seen) -> Anomaly:
    first = record.source[seen.read]
    hops = path(record, rules.guarantees, seen.read, seen.write)
    behind = path(record, rules.guarantees, seen.write, first)
    return explainer.overwritten(seen, first, hops, behind)
