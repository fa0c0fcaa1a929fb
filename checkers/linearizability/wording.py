"""Says in a newcomer's words why a register is not linearizable, and writes the certificate that proves it."""

from __future__ import annotations

from typing import Any

import msgspec

from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import CAS, NO_VALUE, NOT, READ, Register
from checkers.linearizability.stale import possible_states
from checkers.linearizability.zones import VIRTUAL
from harness.history import History
from harness.verdict import Anomaly

STATES_NAMED = 4
"""More possible states than this say nothing to a reader."""
VALUE_LENGTH = 60


def anomaly_of(history: History, refutation: Refutation) -> Anomaly:
    """The anomaly that a refutation is."""
    register = refutation.register
    name, sentence = _Words(history, refutation).said()
    steps = _shown(refutation)
    invoke = register.invoke
    culprit = refutation.culprit
    return Anomaly(
        name=name,
        guarantee="linearizability",
        sentence=sentence,
        key=register.key,
        ops=tuple(sorted({invoke[step] for step in steps} | _failed(refutation))),
        culprit=invoke[culprit],
        before=_before(refutation, steps),
        rule=refutation.rule,
        certificate=_certificate(refutation),
    )


def key_text(key: Any) -> str:
    """A key for a person."""
    return "the only key" if key is None else f"key {_json(key)}" if not isinstance(key, str) else f"key {key}"


def _certificate(refutation: Refutation) -> dict[str, Any]:
    register = refutation.register
    ops = [None if step == VIRTUAL else register.invoke[step] for step in refutation.steps]
    if refutation.rule != "search":
        return {"ops": ops}
    return {"ops": ops, "since": refutation.since, "until": refutation.until}


def _shown(refutation: Refutation) -> list[int]:
    """The steps of the proof, and those that wrote the values that they saw, in order of invocation."""
    register = refutation.register
    steps = {step for step in refutation.shown or refutation.steps if step != VIRTUAL}
    if refutation.rule not in ("search", "unwritten-value"):
        seen = {register.expected[step] for step in steps if register.kind[step] in (READ, CAS)}
        steps |= {step for step, value in enumerate(register.produced) if value in seen}
    return sorted(steps)


def _failed(refutation: Refutation) -> set[int]:
    """The invocation that would have written the value that nobody wrote, had it not failed."""
    register = refutation.register
    failed = register.aborted.get(register.expected[refutation.culprit])
    return {failed} if refutation.rule == "unwritten-value" and failed is not None else set()


def _before(refutation: Refutation, steps: list[int]) -> str:
    """The only states possible when the first of the steps begins, if that says something."""
    register = refutation.register
    if refutation.shown:
        return _states_text(register, refutation.states)
    if len(steps) < 2:
        return ""
    moment = register.invoke[steps[0]]
    states = refutation.states_at(moment) if refutation.states_at else possible_states(register, moment)
    return _states_text(register, states)


def _states_text(register: Register, states: tuple[int, ...]) -> str:
    return " or ".join(_json(register.values[state]) for state in states) if len(states) <= STATES_NAMED else ""


def _json(value: Any) -> str:
    """A value as JSON, short."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= VALUE_LENGTH else text[:VALUE_LENGTH] + "…"


class _Words:
    """Sentences about the steps of one refutation."""

    def __init__(self, history: History, refutation: Refutation) -> None:
        self.events = history.events
        self.refutation = refutation
        self.register = refutation.register

    def said(self) -> tuple[str, str]:
        """Name and sentence of the anomaly."""
        rules = {
            "unwritten-value": self._unwritten,
            "double-cas": self._double,
            "cas-cycle": self._cycle,
            "chain-order": self._order,
            "blocks": self._blocks,
            "search": self._search,
        }
        return rules[self.refutation.rule]()

    # ── words for one step ───────────────────────────────────────────────────────────────────────────────────────────

    def _who(self, step: int) -> str:
        return f"p{self.events[self.register.invoke[step]].process}"

    def _value(self, code: int) -> str:
        return _json(self.register.values[code])

    def _phrase(self, step: int, forms: tuple[str, ...]) -> str:
        """Who did what; the forms are those of to read, to be refused, to write, to change, any other verb, to find."""
        register = self.register
        kind, expected, produced = register.kind[step], register.expected[step], register.produced[step]
        f = self.events[register.invoke[step]].f
        if f in ("acquire", "release"):
            return f"{self._who(step)} {forms[4].format(f.removesuffix('e'), f)} the mutex"
        if kind == READ and f == "cas":  # refused, and told what was there instead
            return f"{self._who(step)} {forms[5]} {self._value(expected)}"
        objects = {
            READ: self._value(expected),
            NOT: f"a change from {self._value(expected)}",
            CAS: f"{self._value(expected)} into {self._value(produced)}" if kind == CAS else "",
        }
        return f"{self._who(step)} {forms[kind]} {objects.get(kind) or self._value(produced)}"

    def _did(self, step: int) -> str:
        return self._phrase(step, ("read", "was refused", "wrote", "changed", "{0}ed", "found"))

    def _had(self, step: int) -> str:
        return self._phrase(
            step, ("had read", "had been refused", "had written", "had changed", "had {0}ed", "had found")
        )

    def _began(self, step: int) -> str:
        return self._phrase(
            step,
            (
                "began to read",
                "asked for, and was refused,",
                "began to write",
                "began to change",
                "asked to {1}",
                "looked for",
            ),
        )

    # ── one sentence for each rule ───────────────────────────────────────────────────────────────────────────────────

    def _unwritten(self) -> tuple[str, str]:
        step = self.refutation.culprit
        value = self.register.expected[step]
        if value == NO_VALUE:
            old = self._value_asked(step)
            return "non-linearizable", f"{self._who(step)} was refused a change from {old}, and told that it was {old}."
        failed = self.register.aborted.get(value)
        if failed is not None:
            event = self.events[failed]
            what = "write of" if event.f == "write" else "change to"
            return "aborted-read", f"{self._did(step)}, but the {what} that value by p{event.process} had failed."
        return "garbage-read", f"{self._did(step)}, but nobody ever wrote {self._value(value)}."

    def _value_asked(self, step: int) -> str:
        return _json(self.events[self.register.invoke[step]].value[0])

    def _double(self) -> tuple[str, str]:
        one, other = self.refutation.steps
        value = self._value(self.register.expected[one])
        both = f"{self._did(one)} and {self._did(other)}"
        return "lost-update", f"{both}, but it was {value} only once: one of the two changes was lost."

    def _cycle(self) -> tuple[str, str]:
        changes = ", ".join(self._did(step) for step in self.refutation.steps[:6])
        return "non-linearizable", f"{changes}: each of these changes needs another of them to come first."

    def _order(self) -> tuple[str, str]:
        first, then = self.refutation.steps
        if self.refutation.culprit == then:
            needed = self.register.produced[first] == self.register.expected[then]
            why = "" if needed else ", which had to come first"
            return "future-read", f"{self._did(then)} before {self._began(first)}{why}."
        value = self._value(self.register.expected[first])
        return "stale-read", f"{self._did(first)} after {self._had(then)}; by then {value} was replaced."

    def _blocks(self) -> tuple[str, str]:
        before, between, ended, culprit = self.refutation.steps
        if before == VIRTUAL:
            why = f"{self._value(self.register.initial)} was there only at the start, and nothing wrote it again"
        else:
            when = "before that" if between == ended else f"before {self._began(between)}"
            why = f"{self._had(before)} {when}, and each value was written once"
        name = "stale-read" if self.register.kind[culprit] == READ else "non-linearizable"
        return name, f"{self._did(culprit)} after {self._had(ended)}, but {why}."

    def _search(self) -> tuple[str, str]:
        steps, culprit = self.refutation.shown or self.refutation.steps, self.refutation.culprit
        others = [step for step in steps if step != culprit]
        seen = self.register.kind[culprit] == READ
        if self.refutation.shown:
            return "non-linearizable", self._shown_only(culprit, others)
        if not others:
            return (
                "future-read" if seen else "non-linearizable",
                f"{self._did(culprit)} before anybody had begun to write it.",
            )
        if len(others) == 1 and self.register.kind[culprit] in (READ, CAS) and self._before(others[0], culprit):
            value = self._value(self.register.expected[culprit])
            name = "stale-read" if seen else "non-linearizable"
            return name, f"{self._did(culprit)} after {self._had(others[0])}, and nothing made it {value} in between."
        listed = ", ".join(self._did(step) for step in others[:5]) + (" and more" if len(others) > 5 else "")
        return "non-linearizable", f"{self._did(culprit)}, which no order of this and the following explains: {listed}."

    def _shown_only(self, culprit: int, others: list[int]) -> str:
        states = _states_text(self.register, self.refutation.states)
        only = (
            f" The state could only be {states} when {self._began(min(culprit, *others, culprit))}." if states else ""
        )
        beside = ", or beside it," if others else ""
        return f"{self._did(culprit)}, and no order of what happened before it{beside} allows that.{only}"

    def _before(self, step: int, other: int) -> bool:
        return self.register.response[step] < self.register.invoke[other]
