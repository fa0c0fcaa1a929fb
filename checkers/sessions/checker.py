"""The checkers of session guarantees, each alone and in any combination.

    read-your-writes       after a session's write was acknowledged, it never reads something older
    monotonic-reads        after a session has read something, it never reads something older
    monotonic-writes       a session's writes take effect in its order, and nobody sees a later one without the earlier
    writes-follow-reads    a write takes effect after what its session had read, and nobody sees it without that
    pram                   the first three together
    causal-convergent      all four together (Brzezinski et al. 2004)

A session is what the operation says it is, else its process. Only acknowledged writes oblige; whatever is in doubt
obliges nobody until somebody reads it. A successful compare-and-set counts as a write; a failed one counts as a read
where the history says that it returned what it met.

    >>> Sessions(("monotonic-reads", "read-your-writes")).name
    'monotonic-reads+read-your-writes'

What exactly is meant is a choice, see `Semantics`, and every verdict names it.

Limits: a key on which a value was written twice, without versions that can be believed, has reads whose write is not
known. They are left out, and an otherwise valid history is "unknown".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.protocol import Budget
from checkers.sessions import columns, suspects
from checkers.sessions.by_values import confirmed_by_guess, judge_values
from checkers.sessions.explain import Explainer, asked, key_text, value_text
from checkers.sessions.own import judge_own
from checkers.sessions.record import Record
from checkers.sessions.values import read_values
from checkers.sessions.visibility import MR, MW, RYW, WFR, Findings, Rules, judge
from harness.history import History
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
REASONS_MAX: Final = 3


@dataclass(frozen=True)
class Semantics:
    """What exactly is meant; the defaults suit a replicated log.

    Attributes:
        convergent: all sessions agree on one order of writes; else ("weak") each reading session may have its own.
        per_key: writes to different keys have no order between them; else one order holds over all keys.
        writes: "any", or "linearizable": a write that was over before another began comes before it, as where a
            leader takes the writes and only reads are weak.
    """

    convergent: bool = True
    per_key: bool = False
    writes: str = "any"

    def rules(self, guarantees: Sequence[str]) -> Rules:
        """The same for the judge."""
        return Rules(frozenset(guarantees), self.per_key, self.convergent, self.writes == "linearizable")

    def __str__(self) -> str:
        agreed = "one order of writes for everybody (convergent)" if self.convergent else "an order per session (weak)"
        scope = "each key by itself" if self.per_key else "all keys together"
        return f"{agreed}, {scope}" + (", writes linearizable" if self.writes == "linearizable" else "")


DEFAULT: Final = Semantics()


@dataclass(frozen=True)
class ReadYourWrites:
    """A session sees what it wrote."""

    semantics: Semantics = DEFAULT
    name: str = RYW

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (RYW,))


@dataclass(frozen=True)
class MonotonicReads:
    """A session never goes back in time."""

    semantics: Semantics = DEFAULT
    name: str = MR

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (MR,))


@dataclass(frozen=True)
class MonotonicWrites:
    """A session's writes take effect in its order."""

    semantics: Semantics = DEFAULT
    name: str = MW

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (MW,))


@dataclass(frozen=True)
class WritesFollowReads:
    """A write takes effect after what its session had read."""

    semantics: Semantics = DEFAULT
    name: str = WFR

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (WFR,))


@dataclass(frozen=True)
class Pram:
    """Read-your-writes, monotonic reads and monotonic writes together."""

    semantics: Semantics = DEFAULT
    name: str = "pram"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (RYW, MR, MW))


@dataclass(frozen=True)
class CausalConvergent:
    """Causal consistency with one order of writes for everybody (CCv): all four session guarantees together."""

    semantics: Semantics = DEFAULT
    name: str = "causal-convergent"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, (RYW, MR, MW, WFR))


@dataclass(frozen=True)
class Sessions:
    """Any combination of the four session guarantees."""

    guarantees: tuple[str, ...] = (RYW, MR, MW, WFR)
    semantics: Semantics = DEFAULT

    @property
    def name(self) -> str:
        """The guarantees with a plus between them."""
        return "+".join(self.guarantees)

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _judged(history, budget, self.name, self.semantics, self.guarantees)


def _judged(history: History, budget: Budget, name: str, semantics: Semantics, guarantees: tuple[str, ...]) -> Verdict:
    """By columns where that decides, by the pass over what they suspect, or by the pass over all accesses."""
    rules = semantics.rules(guarantees)
    quick = _by_columns(history, budget, name, semantics, rules)
    if quick is not None:
        return quick
    values = read_values(history)
    if values is not None:
        findings = confirmed_by_guess(values, rules)
        if findings is None:
            findings = judge_own(values, rules, budget.spent)
        if findings is None and (judged := judge_values(values, rules, budget.spent)) is not None:
            findings = judged.findings
        if findings is not None:
            return verdict_of(values.record(), findings, rules, semantics, name)
        del values
    record = Record.of(history)
    return verdict_of(record, judge(record, rules, budget.spent), rules, semantics, name)


def _by_columns(history: History, budget: Budget, name: str, semantics: Semantics, rules: Rules) -> Verdict | None:
    """What columns can say, of all but reads of what nobody wrote, and of those."""
    told, garbage = columns.read_columns(history), suspects.NO_ROWS
    if told is None:
        garbage = columns.from_nowhere(history)
        told = columns.read_columns(history, garbage) if len(garbage) else None
    if told is None:
        return None
    bounds = columns.Bounds.of(told, rules)
    quick = columns.confirmed(told, rules, bounds)
    if quick is not None and not len(garbage):
        return quick_verdict(name, semantics, rules, quick)
    if quick is not None:
        return verdict_of(*suspects.judge_garbage(history, told, quick, garbage), rules, semantics, name)
    part = suspects.judge_part(history, told, rules, bounds, budget.spent, garbage)
    return None if part is None else verdict_of(*part, rules, semantics, name)


def verdict_of(
    record: Record, findings: Findings, rules: Rules, semantics: Semantics, name: str, more: int = 0
) -> Verdict:
    """Findings as a verdict; `more` were found by somebody else, who explains them."""
    return _Said(record, findings, rules, semantics, name, more).verdict()


def quick_verdict(name: str, semantics: Semantics, rules: Rules, quick: columns.Quick) -> Verdict:
    """What the columns confirmed, as a verdict."""
    counts = {
        "anomalies": 0,
        "keys": quick.keys,
        "keys_by_versions": quick.keys,
        "keys_by_values": 0,
        "keys_undecided": 0,
        "obliged_reads": quick.obliged,
        "ordered_writes": quick.ordered,
    }
    certificate = {"asked": asked(rules), "by": "versions"}
    return Verdict(name, "valid", _held(rules, counts, semantics), counts=counts, certificate=certificate)


@dataclass
class _Said:
    """Puts findings into a verdict."""

    record: Record
    findings: Findings
    rules: Rules
    semantics: Semantics
    name: str
    more: int = 0

    def verdict(self) -> Verdict:
        """Invalid if anything was found; unknown if something was left out; else valid."""
        record, findings = self.record, self.findings
        keys = record.codes
        undecided = keys & record.ambiguous.keys()
        kinds: tuple[Sequence[object], ...] = (record.impossible, findings.initial, findings.older, findings.circles)
        found = sum(len(kind) for kind in kinds) + self.more
        counts = {
            "anomalies": found,
            "keys": len(keys),
            "keys_by_versions": len(keys & record.versioned),
            "keys_by_values": len(keys - record.versioned - undecided),
            "keys_undecided": len(undecided),
            "obliged_reads": findings.obliged,
            "ordered_writes": findings.ordered,
        }
        if found:
            within = f" in {_counted(findings.obliged, 'read')}" if findings.obliged else ""
            summary = f"{_counted(found, 'violation')} found{within}; {self.semantics}."
            return Verdict(self.name, "invalid", summary, tuple(self._anomalies()), counts)
        if findings.spent or undecided or not keys:
            reason = self._why_not(undecided, len(keys))
            return Verdict(self.name, "unknown", "Not every key could be decided.", counts=counts, reason=reason)
        summary = _held(self.rules, counts, self.semantics)
        return Verdict(self.name, "valid", summary, counts=counts, certificate=self._certificate())

    def _anomalies(self) -> list[Anomaly]:
        """The first of each kind that fit in, in the order of what gives them away."""
        explainer, findings = Explainer(self.record, self.rules, self.name), self.findings
        found = [explainer.impossible(one) for one in self.record.impossible[:ANOMALIES_MAX]]
        found += [explainer.initial(seen) for seen in sorted(findings.initial)[: ANOMALIES_MAX - len(found)]]
        found += [explainer.older(seen) for seen in sorted(findings.older)[: ANOMALIES_MAX - len(found)]]
        circles = findings.circles[: ANOMALIES_MAX - len(found)]
        found += [explainer.circle(steps, findings.convergence) for steps in circles]
        return sorted(found, key=lambda anomaly: anomaly.culprit or 0)

    def _certificate(self) -> dict[str, Any]:
        """The order of writes by their invocations; one for each session where they need not agree."""
        invoke, names = self.record.invoke, self.record.history.operations.names
        certificate: dict[str, Any] = {"asked": asked(self.rules), "by": "order"}
        if self.findings.orders:
            certificate["orders"] = [
                {"session": names[session], "order": [invoke[number] for number in order]}
                for session, order in self.findings.orders.items()
            ]
        else:
            certificate["order"] = [invoke[number] for number in self.findings.order]
        return certificate

    def _why_not(self, undecided: frozenset[int], keys: int) -> str:
        if self.findings.spent:
            done, total = self.findings.spent
            return f"the time was over after {done:,} of {total:,} steps."
        if not keys:
            return "no operation is a read, a write or a cas."
        names = self.record.history.operations.keys
        reasons = [
            f"{key_text(names[code])}: the value {value_text(self.record.ambiguous[code].value)} was written twice or"
            " is the initial one, and the versions are missing or contradict each other"
            for code in sorted(undecided)[:REASONS_MAX]
        ]
        more = [f"and {len(undecided) - REASONS_MAX} more keys"] if len(undecided) > REASONS_MAX else []
        return "; ".join([*reasons, *more, f"keys decided: {keys - len(undecided)} of {keys}."])


def _held(rules: Rules, counts: dict[str, int], semantics: Semantics) -> str:
    reads, writes = _counted(counts["obliged_reads"], "read"), _counted(counts["ordered_writes"], "write")
    if rules.guarantees == {RYW}:
        said = f"No session missed a write of its own, in {reads} that might have"
    elif rules.guarantees == {MR}:
        said = f"No session went back in time, in {reads} that might have"
    else:
        tested = " and ".join(told for told in (reads, writes) if not told.startswith("0 ")) or reads
        said = f"An order of the writes agrees with all {tested} that might have contradicted it"
    return f"{said}; {semantics}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
