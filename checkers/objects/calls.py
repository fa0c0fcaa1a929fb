"""One operation with both its ends, as the checkers of objects look at it, and all of them by key.

    call.response < other.invoke        call was over before the other began

A call that ended in doubt responds NEVER: it may take effect at any time, or not at all. One that failed did nothing;
what its error says (the queue was "empty", the lock was "held") is an observation all the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from checkers.sessions.accesses import token_of
from harness.history import History
from harness.history.operations import FAIL, INFO, OK
from harness.verdict import Anomaly

ANOMALIES_MAX = 100


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of a client.

    Attributes:
        invoke: index of the invocation; response: of the completion, NEVER in doubt.
        argument: value of the invocation; result: of the completion.
        error: its first word, "" if there is none.
    """

    invoke: int
    response: int
    status: int
    f: str
    key: Any
    argument: Any
    result: Any
    error: str
    process: Any

    @property
    def ok(self) -> bool:
        """It happened."""
        return self.status == OK

    @property
    def doubtful(self) -> bool:
        """Nobody knows whether it happened."""
        return self.status == INFO

    def refused(self, error: str) -> bool:
        """Whether it failed with that word, which says what the object was like."""
        return self.status == FAIL and self.error == error


def calls_of(history: History) -> Iterator[Call]:
    """Every client operation, in order of invocation."""
    rows = history.operations
    columns = (rows.invoke, rows.response, rows.completion, rows.status, rows.f, rows.key, rows.argument, rows.result)
    for row, process in zip(zip(*(column.tolist() for column in columns), strict=True), rows.process, strict=True):
        invoke, response, completion, status, f, key, argument, result = row
        error = (rows.events[completion].error or "") if completion >= 0 else ""
        yield Call(
            invoke,
            response,
            status,
            rows.fs[f],
            rows.keys[key],
            rows.values[argument],
            rows.values[result],
            error.partition(":")[0],
            rows.names[process],
        )


def by_key(history: History, fs: frozenset[str]) -> dict[Hashable, list[Call]]:
    """The calls of these functions, by the token of their key."""
    found: dict[Hashable, list[Call]] = {}
    for call in calls_of(history):
        if call.f in fs:
            found.setdefault(token_of(call.key), []).append(call)
    return found


def shown(anomalies: list[Anomaly]) -> tuple[Anomaly, ...]:
    """The anomalies that a verdict shows: in order of what gives them away, at most ANOMALIES_MAX."""
    return tuple(sorted(anomalies, key=lambda anomaly: anomaly.culprit or 0)[:ANOMALIES_MAX])


def text(value: Any) -> str:
    """A value in a sentence."""
    return msgspec.json.encode(value).decode()


def named(key: Any) -> str:
    """An object in a sentence: its name, where it has one."""
    return "" if key is None else f" {key if isinstance(key, str) else text(key)}"
