"""Transactions over several keys: does what they read agree with an isolation level, and if not, with which?

A transaction is a list of `["r", key, what it read]`, `["append", key, element]` and `["w", key, value]`. Lists tell
most: a read of a list shows which appends came before it and in which order, and which did not. Registers tell the
order of their versions where transactions read before they write.

    T1: append x 1, append y 1 → ok        T2: r x → [1], r y → []       T2 saw a part of T1 only: G-single

First each read is looked at by itself (`facts`): garbage, aborted, intermediate, internal. Then the order: for levels
up to causal by what reads force (`weak`), for those above by cycles of dependencies, or by search where registers hide
the order of their versions (`strong`). A verdict "invalid" names the weakest kind of each anomaly and the levels that
fall with it; "valid" carries an order that proves it. `checkers.verifiers.transactions` re-checks both.

Level: the option, else what the header says, else strict serializability; in a history whose header says
`"order": "session"` positions of events tell nothing across processes, so that nothing is known of real time.

Limits: elements appended twice and values written twice, where somebody reads them, keys that are both written and
appended to, and lists that do not start empty make the answer "unknown", unless a transaction by itself shows that
something is wrong. Registers without reads before writes need a search, which is NP-hard: what it cannot decide within
its bounds is "unknown" as well, never "valid": a part of the order of versions proves nothing. Read uncommitted says
nothing about registers but garbage, and of lists that none shows an element twice and that the longest shows the order
of what was not undone: where several are longest, as far as they agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checkers.protocol import Budget
from checkers.transactions.facts import Facts
from checkers.transactions.levels import (
    CAUSAL,
    LEVELS,
    REAL_TIME,
    SESSION,
    STRICT,
    STRONG_SESSION,
    UNCOMMITTED,
    Level,
    broken_by,
    level_of,
    weakest,
)
from checkers.transactions.reading import LongHistory
from checkers.transactions.strong import Outcome, Strong
from checkers.transactions.table import NULL, Table, table_of
from checkers.transactions.weak import Judged, Weak
from checkers.transactions.wording import Words
from harness.errors import UsageError
from harness.history import Header, History
from harness.history.operations import OK
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
WHATEVER: Final = frozenset({"internal", "garbage-read", "G1a", "incompatible-order"})
"""Findings that stand even where values are not unique."""
WEAKER_MAX: Final = 20_000
"""Up to so many transactions the weaker levels are judged too, once one is broken."""


@dataclass(frozen=True)
class Transactions:
    """Transactions agree with an isolation level, from read committed to strict serializable.

    See the module docstring.

    Attributes:
        level: the isolation level, by name; "" for what the history says.
    """

    level: str = ""
    name: str = "transactions"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge all transactions together."""
        level = self._level(history.header)
        with collector_at_rest():
            table = history.table if isinstance(history, LongHistory) else table_of(history)
            return _Judge(self.name, history.header, table, level, budget).verdict()

    def _level(self, header: Header) -> Level:
        if self.level:
            found = level_of(self.level)
            if found is None:
                names = ", ".join(level.name for level in LEVELS)
                raise UsageError(f"there is no isolation level {self.level!r}; wanted one of {names}.")
            return found
        return level_of(header.level) or (STRONG_SESSION if header.order == "session" else STRICT)


@dataclass
class _Answer:
    """What one level came to."""

    outcome: Outcome | Judged | None
    anomalies: list[Anomaly]
    certificate: dict[str, Any]
    broken: list[Level]
    why_not: str = ""


class _Judge:
    """One history and the level that is asked for."""

    def __init__(self, name: str, header: Header, table: Table, level: Level, budget: Budget) -> None:
        self.name, self.level, self.table, self.budget = name, level, table, budget
        self.real_time = header.order != "session"
        initial, why_not = NULL, ""
        if header.initial is not None:
            initial, why_not = _initial(header.initial, table)
        self.starts_empty = not why_not
        self.facts = Facts(table, initial, why_not=why_not)
        self.words = Words(self.facts)
        self._strong: Strong | None = None

    def verdict(self) -> Verdict:
        """Judge."""
        facts = self.facts
        counts = {"transactions": len(self.table), "acknowledged": int(np.count_nonzero(self.table.status == OK))}
        findings = [finding for finding in facts.findings if finding.strength <= self.level.strength]
        why_not = facts.why_not or ("" if len(self.table) else "no operation is a transaction, a read or a write")
        if facts.why_not:
            kept = WHATEVER if self.starts_empty else WHATEVER - {"garbage-read"}
            findings = [finding for finding in findings if finding.rule in kept]
        told = {finding.rule for finding in findings}
        total = sum(number for rule, number in facts.counts.items() if rule in told)
        anomalies = [self.words.finding(finding, self._guarantee(finding.strength, 0)) for finding in findings]
        broken = [level for finding in findings for level in broken_by(finding.strength, 0)]
        certificate: dict[str, Any] = {}
        if self.budget.spent():
            why_not = why_not or "the time was over before the order was looked at"
        if not why_not:
            answer = self._judge(self.level)
            anomalies += answer.anomalies
            total += len(answer.anomalies)
            broken += answer.broken
            why_not, certificate = answer.why_not, answer.certificate
            if anomalies:
                more = self._weaker(broken)
                anomalies += more
                total += len(more)
        counts = {"anomalies": total, **counts}
        if anomalies:
            anomalies = _worst_first(anomalies)
            return Verdict(
                self.name, "invalid", self._broken_in_words(broken), tuple(anomalies[:ANOMALIES_MAX]), counts
            )
        if why_not:
            reason = f"{why_not[0].lower() + why_not[1:]}."
            return Verdict(self.name, "unknown", f"{self.level.name} could not be decided.", (), counts, reason=reason)
        summary = f"All of {counts['acknowledged']:,} acknowledged transactions agree with the level {self.level.name}."
        return Verdict(self.name, "valid", summary, (), counts, certificate=certificate)

    # ── one level ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, level: Level) -> _Answer:
        """Judge one level by order alone; reads have been looked at."""
        known = level if self.real_time or level.order < REAL_TIME else Level(level.name, level.strength, SESSION)
        answer = self._weak(known) if known.strength <= CAUSAL else self._above(known)
        if known is not level and not answer.anomalies and not answer.why_not:
            answer.why_not = f"nothing is known of real time; as far as sessions tell, {level.name} was kept"
        return answer

    @property
    def strong(self) -> Strong:
        """Versions and edges, made once."""
        if self._strong is None:
            self._strong = Strong(self.facts, self.real_time, self.budget.spent)
        return self._strong

    def _certificate(self, **parts: Any) -> dict[str, Any]:
        return {"level": self.level.name, **parts}

    def _rows(self, rows: Any) -> list[int]:
        found: list[int] = self.table.invoke[rows].tolist()
        return found

    def _weak(self, level: Level) -> _Answer:
        if level.strength > UNCOMMITTED and self.strong.complete and not self.facts.findings:
            serial, _ = self.strong.serial(SESSION)
            if serial is not None:
                return _Answer(None, [], self._certificate(order=self._rows(serial)), [])
        judged = Weak(self.facts, self.strong.weak_edges, level).judge()
        if judged.order is not None:
            return _Answer(judged, [], self._certificate(commits=self._rows(judged.order)), [])
        anomalies = [
            self.words.weak_cycle(cycle, judged.ways, level, self._guarantee(level.strength, level.order))
            for cycle in judged.cycles[:ANOMALIES_MAX]
        ]
        broken = broken_by(level.strength, level.order) if anomalies else []
        return _Answer(judged, anomalies, {}, broken, judged.why_not)

    def _above(self, level: Level) -> _Answer:
        outcome = self.strong.judge(level)
        if outcome.serial is not None:
            return _Answer(outcome, [], self._certificate(order=self._rows(outcome.serial)), [])
        if outcome.pairs is not None:
            return _Answer(outcome, [], self._scheduled(outcome), [])
        anomalies = [self.words.cycle(cycle, self._guarantee(cycle.strength, cycle.order)) for cycle in outcome.cycles]
        broken = [one for cycle in outcome.cycles for one in broken_by(cycle.strength, cycle.order)]
        if outcome.proof is not None:
            anomalies.append(self.words.proof(outcome.proof, level.name))
            broken += broken_by(level.strength, level.order)
        return _Answer(outcome, anomalies, {}, broken, outcome.why_not)

    def _scheduled(self, outcome: Outcome) -> dict[str, Any]:
        """Starts and commits for snapshot isolation; for the parallel kind the versions of each key."""
        assert outcome.pairs is not None
        if self.level.name == "parallel-snapshot-isolation":
            orders = self.strong.version_orders(outcome.pairs)
            versions = [{"key": self.table.keys[key], "order": self._rows(rows)} for key, rows in orders]
            return self._certificate(versions=versions)
        invoke = self.table.invoke
        return self._certificate(schedule=[[int(invoke[row]), int(commits)] for row, commits in outcome.schedule])

    # ── what falls with it ───────────────────────────────────────────────────────────────────────────────────────────

    def _weaker(self, broken: list[Level]) -> list[Anomaly]:
        """Judge the weaker levels too, until it is known which are the weakest that are broken; notes them."""
        found: list[Anomaly] = []
        if len(self.table) > WEAKER_MAX:
            return found
        for level in LEVELS:
            if not self.level.implies(level) or any(level.implies(other) for other in broken) or self.budget.spent():
                continue
            answer = self._judge(level)
            if answer.anomalies:
                found += answer.anomalies
                broken += answer.broken
        return found

    def _guarantee(self, strength: int, order: int) -> str:
        """The weakest level that falls with an anomaly and is implied by the one that is asked for."""
        for level in broken_by(strength, order):
            if self.level.implies(level):
                return level.name
        return self.level.name

    def _broken_in_words(self, broken: list[Level]) -> str:
        fallen = [level for level in LEVELS if level in broken]
        low = [level.name for level in weakest(fallen)]
        others = [level.name for level in fallen if level.name not in low]
        more = f" With {'it' if len(low) == 1 else 'them'} fall {', '.join(others)}." if others else ""
        return f"Weakest level broken: {', '.join(low)}.{more}"


def _initial(initial: Any, table: Table) -> tuple[int, str]:
    """The code of the initial state of registers, and why nothing can be judged with it."""
    if table.values is not None:
        codes = [code for code, value in enumerate(table.values) if value == initial and type(value) is type(initial)]
        code = codes[0] if codes else NULL + 1
    elif type(initial) is int:
        code = initial
    else:
        code = NULL + 1
    held = isinstance(initial, list | dict)
    return code, "keys that do not start empty cannot be judged" if held or bool((table.step_f == 1).any()) else ""


def _worst_first(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """One of each name first, weakest level first, so that a cut leaves none out."""
    rank = {level.name: place for place, level in enumerate(LEVELS)}
    ordered = sorted(anomalies, key=lambda anomaly: rank.get(anomaly.guarantee, 0))
    first = {anomaly.name: anomaly for anomaly in reversed(ordered)}
    chosen = {id(anomaly) for anomaly in first.values()}
    return [a for a in ordered if id(a) in chosen] + [a for a in ordered if id(a) not in chosen]
