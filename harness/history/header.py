"""The first line of a history file: what its operations mean. It names no time and no machine."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

FailedCas = Literal["drop", "mismatch", "returned"]


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """Semantics of a history; unknown fields of foreign headers are ignored.

    Attributes:
        splitbrain: version of our format; 0 for a foreign file.
        model: the object: "register", "cas-register", ...; "" when the file does not say.
        initial: state of every object before its first operation.
        fail_cas: what a failed compare-and-set means. "drop": it says nothing. "mismatch": at some point within the
            operation the state differed from the expected value. "returned": as mismatch, and the third element of the
            value is the state that was seen instead, so it is a read.
        workload: which workload wrote it.
        plan: digest of the plan.
        source: where a foreign history came from.
        level: isolation level that transactions are judged at, or several names for it; "" leaves it to the checker.
        order: "session" where positions of events tell the order within a session only, as in histories that were put
            together from several recorders; "" for one order of all.
        expected: the verdict that a foreign file claims; for people, checkers do not look.
    """

    splitbrain: int = 0
    model: str = ""
    initial: Any = None
    fail_cas: FailedCas = "drop"
    workload: str = ""
    plan: str = ""
    source: str = ""
    level: str | tuple[str, ...] = ""
    order: str = ""
    expected: bool | None = None
