"""One operation with both its ends, as the checkers of objects look at it, and all of them by key.

    call.response < other.invoke        call was over before the other began

A call that ended in doubt responds NEVER: it may take effect at any time, or not at all. One that failed did nothing;
what its error says (the queue was "empty", the lock was "held") is an observation all the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from checkers.tokens import thawed, token_of
from harness.history import History
from harness.history.operations import FAIL, INFO, OK, Operations
from harness.verdict import Anomaly

ANOMALIES_MAX = 100
_CHUNK = 65_536


class Call(msgspec.Struct, frozen=True, gc=False):
    """An operation of a client. A Struct, as a history has very many.

    Attributes:
        invoke: index of the invocation; response: of the completion, NEVER in doubt.
        argument: value of the invocation; result: of the completion.
        error: of one that failed, the first word, "" if there is none.
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
    for calls in _chunks(history):
        yield from calls


def by_key(history: History, fs: frozenset[str] | None = None) -> dict[Hashable, list[Call]]:
    """The calls of these functions (None: of all), by the token of their key."""
    found: dict[int, list[Call]] = {}
    keys = history.operations.key.tolist()
    place = 0
    for calls in _chunks(history):
        for call in calls:
            if fs is None or call.f in fs:
                found.setdefault(keys[place], []).append(call)
            place += 1
    return {token_of(calls[0].key): calls for calls in found.values()}


def _chunks(history: History) -> Iterator[Sequence[Call]]:
    """The calls, a good many at a time: Python numbers for all of a large history at once would take much room."""
    rows = history.operations
    fs, keys, values, names = rows.fs, rows.keys, list(rows.values), rows.names
    columns = (rows.invoke, rows.response, rows.status, rows.f, rows.key, rows.argument, rows.result, rows.process)
    for start in range(0, len(rows), _CHUNK):
        part = [column[start : start + _CHUNK].tolist() for column in columns]
        errors = _errors(rows, slice(start, start + _CHUNK))
        calls = [
            Call(invoke, response, status, fs[f], keys[key], values[argument], values[result], error, names[process])
            for invoke, response, status, f, key, argument, result, process, error in zip(*part, errors, strict=True)
        ]
        yield calls


def _errors(rows: Operations, part: slice) -> list[str]:
    """The first word of the error of each call that failed, "" of the others."""
    failed = rows.status[part] == FAIL
    if rows.error is not None:
        words = ["" if error is None else error.partition(":")[0] for error in rows.errors]
        return [words[code] for code in np.where(failed, rows.error[part], 0).tolist()]
    errors = [""] * len(failed)
    for place in np.flatnonzero(failed).tolist():
        errors[place] = (rows.events[int(rows.completion[part][place])].error or "").partition(":")[0]
    return errors


def shown(anomalies: list[Anomaly]) -> tuple[Anomaly, ...]:
    """The anomalies that a verdict shows: in order of what gives them away, at most ANOMALIES_MAX."""
    return tuple(sorted(anomalies, key=lambda anomaly: anomaly.culprit or 0)[:ANOMALIES_MAX])


def text(value: Any) -> str:
    """A value in a sentence."""
    return msgspec.json.encode(thawed(value)).decode()


def named(key: Any) -> str:
    """An object in a sentence: its name, where it has one."""
    return "" if key is None else f" {key if isinstance(key, str) else text(key)}"
