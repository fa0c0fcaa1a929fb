"""The two session checkers: key by key, by versions where they can be believed, by values elsewhere.

- read-your-writes: after a write of a session was acknowledged, the session never reads an older value of that key;
- monotonic reads: after a session has read a value, it never reads an older one of that key.

A session is what the operation says it is, else its process. Only acknowledged writes oblige; whatever is in doubt
obliges nobody until somebody reads it. A successful compare-and-set counts as a write; a failed one counts as a read
where the history says that it returned what it met.

    >>> ReadYourWrites().name, MonotonicReads().name
    ('read-your-writes', 'monotonic-reads')

With versions, each violation is two operations: the write (or read) and the read that should have known it. Without
them one that takes two sessions to see ("one saw 5 before 7, the other 7 before 5") takes up to four, or more.

Limits: a key on which neither is possible (a value written twice, and no versions that can be believed) is undecided,
and makes an otherwise valid history "unknown".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

from checkers.protocol import Budget
from checkers.sessions import by_values, by_versions
from checkers.sessions.accesses import Access, by_key, token_of
from checkers.sessions.explain import explain_cycle, explain_initial, explain_older, key_text, value_text
from harness.history import History
from harness.history.operations import NEVER, OK
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
REASONS_MAX: Final = 3


@dataclass(frozen=True)
class ReadYourWrites:
    """A session sees what it wrote."""

    name: str = "read-your-writes"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _Judge(history, budget, self.name, earlier_reads=False).verdict()


@dataclass(frozen=True)
class MonotonicReads:
    """A session never goes back in time."""

    name: str = "monotonic-reads"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _Judge(history, budget, self.name, earlier_reads=True).verdict()


@dataclass
class _Judge:
    """One guarantee on one history."""

    history: History
    budget: Budget
    guarantee: str
    earlier_reads: bool
    anomalies: list[Anomaly] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    decided: list[dict[str, Any]] = field(default_factory=list)
    reads: int = 0

    def verdict(self) -> Verdict:
        """Judge every key, in order of first use."""
        keys = by_key(self.history)
        for number, (code, accesses) in enumerate(keys.items()):
            if self.budget.spent():
                self.undecided.append(f"the time was over after {number} of {len(keys)} keys")
                break
            self._judge_key(code, accesses)
        self.anomalies.sort(key=lambda anomaly: anomaly.culprit or 0)
        by = Counter(decided["by"] for decided in self.decided)
        counts = {
            "anomalies": len(self.anomalies),
            "keys": len(keys),
            "keys_by_versions": by["versions"],
            "keys_by_values": by["values"],
            "keys_undecided": len(keys) - len(self.decided),
            "obliged_reads": self.reads,
        }
        return self._said(counts)

    def _said(self, counts: dict[str, int]) -> Verdict:
        if self.anomalies:
            summary = f"{_counted(len(self.anomalies), 'violation')} found in {_counted(self.reads, 'read')}."
            return Verdict(self.guarantee, "invalid", summary, tuple(self.anomalies[:ANOMALIES_MAX]), counts)
        if self.undecided or not counts["keys"]:
            reason = "; ".join(self.undecided[:REASONS_MAX]) or "no operation is a read, a write or a cas"
            if len(self.undecided) > REASONS_MAX:
                reason += f"; and {len(self.undecided) - REASONS_MAX} more keys"
            reason += f"; keys decided: {len(self.decided)} of {counts['keys']}."
            return Verdict(self.guarantee, "unknown", "Not every key could be decided.", counts=counts, reason=reason)
        what = "went back in time" if self.earlier_reads else "missed a write of its own"
        summary = f"No session {what}, in {_counted(self.reads, 'read')} that might have."
        return Verdict(self.guarantee, "valid", summary, counts=counts, certificate={"keys": self.decided})

    def _judge_key(self, code: int, accesses: Sequence[Access]) -> None:
        key, initial = self.history.operations.keys[code], token_of(self.history.header.initial)
        obliged = sum(map(_obliged, _sessions(accesses), repeat(self.earlier_reads)))
        self.reads += obliged
        if not obliged:
            self.decided.append({"key": key, "by": "nothing"})
        elif by_versions.usable(accesses):
            self.decided.append({"key": key, "by": "versions"})
            self._judge_versions(accesses)
        elif (twice := by_values.repeated(accesses, initial)) is None:
            self._judge_values(key, accesses, initial)
        else:
            value = value_text(twice.value)
            self.undecided.append(
                f"{key_text(key)}: the value {value} was written twice or is the initial one, and"
                " the versions are missing or contradict each other"
            )

    def _judge_versions(self, accesses: Sequence[Access]) -> None:
        for session in _sessions(accesses):
            for older in by_versions.older_reads(session, self.earlier_reads):
                self.anomalies.append(explain_older(self.history.operations, self.guarantee, older))

    def _judge_values(self, key: Any, accesses: Sequence[Access], initial: Any) -> None:
        operations = self.history.operations
        findings = by_values.judge_values(accesses, initial, self.earlier_reads)
        self.anomalies.extend(explain_initial(operations, self.guarantee, step) for step in findings.initial)
        self.anomalies.extend(explain_cycle(operations, self.guarantee, cycle) for cycle in findings.cycles)
        value_of = {access.token: access.value for access in accesses}
        ordered = dict.fromkeys([*findings.order, *value_of])
        values = [value_of[token] for token in ordered if token != initial]
        self.decided.append({"key": key, "by": "values", "order": values})


def _sessions(accesses: Sequence[Access]) -> Iterable[list[Access]]:
    """Completed accesses to one key, session by session."""
    found: dict[int, list[Access]] = {}
    for access in accesses:
        if access.status == OK:
            found.setdefault(access.session, []).append(access)
    return found.values()


def _obliged(done: Sequence[Access], earlier_reads: bool) -> int:
    """How many reads of a session have something earlier that obliges them."""
    first = min((access.response for access in done if access.reads == earlier_reads), default=NEVER)
    return sum(access.reads and access.invoke > first for access in done)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
