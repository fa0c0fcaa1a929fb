"""What is found out about one object: an order of its operations, or a few of them that have none, or nothing.

    decide(calls, initial) -> Order       invocations, in an order that explains every answer and agrees with real time
                           -> Violation   the rule that is broken, and the operations that show it
                           -> None        this way of looking does not apply: ask the general engine

`calls` are the operations of one object, in order of invocation, failed ones too. Both definite answers are checked
again on the raw events by `checkers.verifiers.structures`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from checkers.objects.calls import Call
from checkers.tokens import thawed, token_of
from harness.verdict import Anomaly

Order = list[int]


class Violation(NamedTuple):
    """Operations of one object that no order explains.

    Attributes:
        name: the field's word: "fifo-inversion", "duplicate-element", ...
        rule: how to check it again.
        ops: their invocations, ascending.
        culprit: the one that gives it away.
        sentence: for a newcomer.
        certificate: what the rule needs.
    """

    name: str
    rule: str
    ops: tuple[int, ...]
    culprit: int
    sentence: str
    certificate: dict[str, Any]

    def anomaly(self, key: Any) -> Anomaly:
        """As a verdict has it."""
        return Anomaly(
            self.name, "linearizability", self.sentence, key, self.ops, self.culprit, "", self.rule, self.certificate
        )


Decision = Order | Violation | None
Decide = Callable[[Sequence[Call], Any], Decision]


def violation(
    name: str, rule: str, ops: Iterable[Call | None], culprit: Call, sentence: str, **certificate: Any
) -> Violation:
    """A violation by its calls; None among them stands for one that never came."""
    indices = {call.invoke for call in ops if call is not None} | {culprit.invoke}
    plain = {what: thawed(values) for what, values in certificate.items()}
    return Violation(name, rule, tuple(sorted(indices)), culprit.invoke, sentence, plain)


def token(value: Any) -> Hashable:
    """Equal for equal JSON values only."""
    kind = type(value)
    found: Hashable = value if kind is str or kind is int else token_of(value)
    return found
