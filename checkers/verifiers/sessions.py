"""Re-derives the certificates of session guarantees, and of what is built on them, from the raw events.

It shares no code with the checkers: it pairs events by itself, compares values by their JSON, follows the hops of a
proof one by one, and replays each session along the order that a certificate claims. It answers with what does not
stand, one sentence each; nothing is best.

    invalid   every anomaly: the operations are what the rule says, and the rule follows from them
    valid     in the claimed order of writes, what a session puts before a write comes before it, and no read returned
              something older than what it was obliged to see

What the columns of a history tell is confirmed there first: `session_columns` for the order of versions,
`session_orders` for another order, `session_lookup` for anomalies. What they do not confirm is judged
event by event, and so is every refusal.

Limits: it judges certificates, not completeness of an "invalid": other violations may be there as well. What a session
was obliged to see is collected operation by operation, for at most STEPS_MAX of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from checkers.verifiers.accesses import INFINITE, Did
from checkers.verifiers.durability import Durable
from checkers.verifiers.sequential import verify_sequential
from checkers.verifiers.session_columns import confirmed, trace_of
from checkers.verifiers.session_lookup import looked_up
from checkers.verifiers.session_orders import in_order, order_of
from checkers.verifiers.staleness import verify_staleness
from checkers.verifiers.token import verify_token
from checkers.verifiers.visible import Traced, doubts, traced_of
from harness.history import History
from harness.verdict import Anomaly, Verdict

RYW, MR, MW, WFR = "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"
ASKED: Final[dict[str, set[str]]] = {
    RYW: {RYW},
    MR: {MR},
    MW: {MW},
    WFR: {WFR},
    "pram": {RYW, MR, MW},
    "causal-convergent": {RYW, MR, MW, WFR},
    "causal": {RYW, MR, MW, WFR},
}
"""What each checker has to ask for; any combination of the four is a name as well, with plus signs."""


def verify_sessions(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.answer == "unknown":
        return []
    name = verdict.checker
    if name == "sequential":
        return verify_sequential(history, verdict)
    if name == "token":
        return verify_token(history, verdict)
    if name == "staleness":
        return verify_staleness(history, verdict)
    try:
        if name == "durability":
            durable = Durable(history)
            problems = [text for anomaly in verdict.anomalies for text in durable.refute(anomaly)]
            problems += list(durable.doubt(verdict)) if verdict.answer == "valid" else []
        elif (asked := ASKED.get(name) or set(name.split("+"))) <= {RYW, MR, MW, WFR}:
            problems = _problems(history, verdict, asked)
        else:
            return []
    except (KeyError, IndexError, TypeError, ValueError) as error:
        problems = [f"the certificate cannot be read: {type(error).__name__}: {error}."]
    if verdict.answer == "invalid" and not verdict.anomalies:
        problems.append("nothing is shown.")
    return [f"{name}: {text}" for text in problems]


def _problems(history: History, verdict: Verdict, asked: set[str]) -> list[str]:
    certificates = [anomaly.certificate for anomaly in verdict.anomalies]
    if verdict.answer == "valid":
        if "asked" not in verdict.certificate:
            return ["it has no certificate."]
        certificates = [verdict.certificate]
    if any(set(certificate["asked"]["guarantees"]) != asked for certificate in certificates):
        return ["its certificate is about other guarantees."]
    if verdict.answer == "valid":
        return [] if served(history, verdict.certificate) else list(doubts(traced_of(history), verdict.certificate))
    unproven = [anomaly for anomaly in verdict.anomalies if not proven(history, anomaly)]
    return [text for anomaly in unproven for text in Proof(traced_of(history), anomaly).problems()]


def served(history: History, certificate: Mapping[str, Any]) -> bool:
    """Whether columns confirm that the order, of versions or another, serves every read; if not, nothing is said."""
    if certificate["by"] == "order" and "order" in certificate:
        ordered = order_of(history, certificate["order"])
        return ordered is not None and in_order(ordered, certificate["asked"])
    trace = trace_of(history) if certificate["by"] == "versions" else None
    return trace is not None and confirmed(trace, certificate["asked"])


def proven(history: History, anomaly: Anomaly) -> bool:
    """Whether columns confirm an anomaly; if not, nothing is said."""
    looked = looked_up(history)
    try:
        return looked is not None and not any(Proof(looked, anomaly).problems())
    except (KeyError, IndexError, TypeError, ValueError):
        return False


class Proof:
    """One anomaly, held against the history."""

    def __init__(self, traced: Traced, anomaly: Anomaly) -> None:
        self.traced, self.anomaly = traced, anomaly
        self.certificate: Mapping[str, Any] = anomaly.certificate
        self.asked = self.certificate["asked"]

    def problems(self) -> Iterator[str]:
        """Why it is none."""
        rules: Mapping[str, Callable[[], Iterator[str]]] = {
            "garbage-read": self._impossible,
            "aborted-read": self._impossible,
            "future-read": self._impossible,
            "older-version": self._older,
            "initial-value": self._initial,
            "value-cycle": self._circle,
            "overwritten": self._overwritten,
        }
        if self.anomaly.rule not in rules:
            yield f"there is no rule {self.anomaly.rule!r}."
            return
        if self.anomaly.culprit not in self.anomaly.ops:
            yield "what gives it away is not shown."
        yield from rules[self.anomaly.rule]()

    def _named(self, name: str, fields: Mapping[str, Any]) -> Did:
        return self.traced.operations[fields[name]]

    # ── reads that cannot be ─────────────────────────────────────────────────────────────────────────────────────────

    def _impossible(self) -> Iterator[str]:
        read = self._named("read", self.certificate)
        at = read.begin.index
        if read.read is None or read.over == INFINITE:
            yield f"{at} is not a completed read."
            return
        writers = self.traced.writers(read, read.read)
        if read.read == self.traced.initial:
            yield f"{at} read the initial value."
        elif self.anomaly.rule == "future-read":
            if not writers or any(write.begin.index < read.over for write in writers):
                yield f"the value that {at} read was not written after it."
        elif writers:
            yield f"somebody wrote what {at} read."
        elif (self.anomaly.rule == "aborted-read") != self.traced.failed(read):
            yield f"{at} is not an {self.anomaly.rule}."

    # ── what a read was obliged to see ───────────────────────────────────────────────────────────────────────────────

    def _target(self, fields: Mapping[str, Any]) -> tuple[Did, Did, list[str]]:
        """A read, the write at the end of the path from it, and what is wrong with the hops between."""
        read = self._named("read", fields)
        here, before, problems = read, "", []
        for rule, index in fields["path"]:
            there = self.traced.operations[index]
            if not self._follows(rule, before, here, there, read):
                problems.append(f"{index} does not follow from {here.begin.index} by {rule!r}.")
            here, before = there, rule
        if here.wrote is None or (here is read and fields["path"]):
            problems.append("the path does not end with a write.")
        return read, here, problems

    def _follows(self, rule: str, before: str, here: Did, there: Did, read: Did) -> bool:
        if rule == "returned":
            return here.read is not None and self.traced.source(here) is there
        if before == "read-before" or here.session() != there.session() or there.over >= here.begin.index:
            return False
        guarantee, from_read, to_read = {
            "own-write": (RYW, True, False),
            "earlier-read": (MR, True, True),
            "earlier-write": (MW, False, False),
            "read-before": (WFR, False, True),
        }[rule]
        kinds = (here is read) if from_read else here.wrote is not None
        return guarantee in self.asked["guarantees"] and kinds and (there.read if to_read else there.wrote) is not None

    def _older(self) -> Iterator[str]:
        read, write, problems = self._target(self.certificate)
        yield from problems
        if not self.traced.same_key(read, write):
            yield "the operations are not on one key."
        newer, older = self.traced.version(write), self.traced.version(read)
        if newer is None or older is None or older >= newer:
            yield f"the read {read.begin.index} is not of an older version than {write.begin.index}."
        if problem := self.traced.contradiction(read):
            yield problem

    def _initial(self) -> Iterator[str]:
        read, write, problems = self._target(self.certificate)
        yield from problems
        if not self.traced.same_key(read, write):
            yield "the operations are not on one key."
        if read.read != self.traced.initial:
            yield f"the read {read.begin.index} is not of the initial value."
        if self.traced.source(read) is not None or self.traced.unknown(read):
            yield "somebody wrote the initial value."

    # ── circles ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _circle(self) -> Iterator[str]:
        steps = self.certificate["steps"]
        if not steps:
            yield "there is no step."
        readers = set()
        for step, after in zip(steps, [*steps[1:], *steps[:1]], strict=True):
            if step["after"] != after["before"] or step["before"] == step["after"]:
                yield f"the step to {step['after']} and the next do not meet."
            if not self._stands(step):
                yield f"{step['before']} need not come before {step['after']}."
            if step["rule"] == "sees":
                readers.add(self._named("read", step).session())
        if not self.asked["convergent"] and len(readers) > 1:
            yield "it takes the reads of several sessions, each of which has an order of its own."

    def _stands(self, step: Mapping[str, Any]) -> bool:
        before, after = self._named("before", step), self._named("after", step)
        asked, same = self.asked, self.traced.same_key(before, after)
        if before.wrote is None or after.wrote is None or (asked["per_key"] and not same):
            return False
        if step["rule"] == "sees":
            read, write, problems = self._target(step)
            return not problems and write is before and self.traced.source(read) is after and same
        if step["rule"] == "mw":
            together = before.session() == after.session()
            return MW in asked["guarantees"] and together and before.over < after.begin.index
        if step["rule"] == "wfr":
            read = self._named("read", step)
            together = read.session() == after.session() and read.over < after.begin.index
            return WFR in asked["guarantees"] and together and self.traced.source(read) is before
        if step["rule"] == "version":
            older, newer = self.traced.version(before), self.traced.version(after)
            told = older is not None and newer is not None and older < newer
            return told and same and not self.traced.contradiction(before)
        return step["rule"] == "real-time" and asked["linearizable_writes"] and before.over < after.begin.index

    # ── causal ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _overwritten(self) -> Iterator[str]:
        """The read returned `first`, which the reader knew to be overwritten: `first` is behind what it had to see."""
        read, write, problems = self._target(self.certificate)
        yield from problems
        first = self._named("first", self.certificate)
        if self.traced.source(read) is not first or first is write or not self.traced.same_key(first, write):
            yield f"{read.begin.index} did not return {first.begin.index}."
        here, before = write, ""
        for rule, index in self.certificate["behind"]:
            there = self.traced.operations[index]
            if not self._follows(rule, before, here, there, read):
                yield f"{index} does not follow from {here.begin.index} by {rule!r}."
            here, before = there, rule
        if here is not first:
            yield "what was returned is not behind what overwrote it."
