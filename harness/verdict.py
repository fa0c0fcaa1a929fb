"""What a checker says of a history.

`valid < unknown < invalid`; merging takes the worst. Every definite verdict carries a certificate, and every invalid
one names the fewest operations that show it, in a sentence that a newcomer understands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

Answer = Literal["valid", "unknown", "invalid"]
_ORDER: Final[dict[Answer, int]] = {"valid": 0, "unknown": 1, "invalid": 2}


class Anomaly(msgspec.Struct, frozen=True, omit_defaults=True):
    """One broken promise.

    Attributes:
        name: the field's word for it: "non-linearizable", "stale-read", "lost-write", "read-your-writes", ...
        guarantee: which promise it breaks: "linearizability", "read-your-writes", "monotonic-reads", "durability".
        sentence: what happened, for a newcomer, naming processes and values.
        key: the object, where there are several.
        ops: indices (`Op.index`) of the invocations of the operations that show it, in history order, few.
        culprit: index of the invocation of the operation that gives it away; one of `ops`.
        before: the only states possible when the window opens, in words ("3", "1 or 2"); "" where that means nothing.
        rule: the rule of the certificate, for `checkers.verify`.
        certificate: JSON data from which `checkers.verify` re-derives the violation on raw operations.
    """

    name: str
    guarantee: str
    sentence: str
    key: Any = None
    ops: tuple[int, ...] = ()
    culprit: int | None = None
    before: str = ""
    rule: str = ""
    certificate: dict[str, Any] = msgspec.field(default_factory=dict)


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one checker says.

    Attributes:
        checker: its registered name.
        answer: see the module docstring.
        summary: one sentence for a person.
        anomalies: worst first, at most 100; `counts["anomalies"]` has the true number.
        counts: named whole numbers (ops checked, keys decided, ...).
        measures: named real numbers, units in the name (`unavailable_s_max`).
        reason: for "unknown": why, and how much was decided.
        certificate: for "valid": JSON data that `checkers.verify` replays (per key a linearization, ...); may be large.
        parts: verdicts of the parts of a composed checker.
    """

    checker: str
    answer: Answer
    summary: str = ""
    anomalies: tuple[Anomaly, ...] = ()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    measures: dict[str, float] = msgspec.field(default_factory=dict)
    reason: str = ""
    certificate: dict[str, Any] = msgspec.field(default_factory=dict)
    parts: tuple[Verdict, ...] = ()


def worst(answers: Iterable[Answer]) -> Answer:
    """The worst of the answers; "valid" of none."""
    return max(answers, key=_ORDER.__getitem__, default="valid")


Outcome = Literal["valid", "violation", "inconclusive", "vacuous", "infrastructure", "harness"]
"""What a whole run came to; causes are kept apart."""

EXIT_CODES: Final[dict[Outcome, int]] = {
    "valid": 0,
    "violation": 1,
    "inconclusive": 2,
    "vacuous": 2,
    "infrastructure": 255,
    "harness": 255,
}
