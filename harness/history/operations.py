"""Client operations in columns: one row per invocation, values interned.

Order is by index in the history; `NEVER` is the response of an operation that never returned a definite answer, so
that `response[a] < invoke[b]` is real-time precedence for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.op import NEMESIS, Op, canonical

NEVER: Final = np.iinfo(np.int64).max
OK, FAIL, INFO = 0, 1, 2


class Interner:
    """Gives equal JSON values equal small numbers, in order of first sight. Number 0 is null."""

    def __init__(self) -> None:
        self.values: list[Any] = [None]
        self._codes: dict[Any, int] = {(None): 0}

    def code(self, value: Any) -> int:
        """The number of a value. 1, 1.0 and true are three different values."""
        token = self.token(value)
        code = self._codes.get(token)
        if code is None:
            code = self._codes[token] = len(self.values)
            self.values.append(value)
        return code

    @staticmethod
    def token(value: Any) -> Any:
        """Equal for equal JSON values, whose objects have no order of fields, and can be hashed."""
        kind = type(value)
        if kind is str or kind is int or value is None:
            return value
        return kind.__name__, canonical(value)


@dataclass(frozen=True)
class Operations:
    """Columns of equal length n, ordered by `invoke`.

    Attributes:
        invoke: int64, index of the invocation event.
        response: int64, index of the completion; NEVER for `info` and for what was still running.
        completion: int64, index of the completion event, also for `info`; -1 when there is none.
        status: uint8, OK, FAIL or INFO (still running counts as INFO).
        process, session, node: int32 codes into `names` (session falls back to process; node is the answering one).
        f: int16 code into `fs`.
        key: int32 code into `keys`.
        argument: int32 code into `values`: value of the invocation.
        result: int32 code into `values`: value of the completion (of the invocation, when there is none).
        generation, log_index: int64, the version; -1 where none was given.
        invoke_ns, response_ns: int64 times; -1 where unknown.
        events: the events themselves, for explanations.
        error: int32 code into `errors`, of the completion, 0 for none; None: nobody noted it, the events have it.
    """

    invoke: NDArray[np.int64]
    response: NDArray[np.int64]
    completion: NDArray[np.int64]
    status: NDArray[np.uint8]
    process: NDArray[np.int32]
    session: NDArray[np.int32]
    node: NDArray[np.int32]
    f: NDArray[np.int16]
    key: NDArray[np.int32]
    argument: NDArray[np.int32]
    result: NDArray[np.int32]
    generation: NDArray[np.int64]
    log_index: NDArray[np.int64]
    invoke_ns: NDArray[np.int64]
    response_ns: NDArray[np.int64]
    fs: list[str]
    keys: list[Any]
    values: Sequence[Any]
    names: list[Any]
    events: Sequence[Op]
    error: NDArray[np.int32] | None = None
    errors: Sequence[Any] = ()

    def __len__(self) -> int:
        return len(self.invoke)


def pair(events: Sequence[Op]) -> Operations:
    """Pair invocations with completions by process; fault events are left out.

    A completion without an invocation is ignored here: the reader refuses such files.
    """
    rows = list(_paired(events))
    names, keys, values, fs, errors = Interner(), Interner(), Interner(), Interner(), Interner()
    kinds = {"ok": OK, "fail": FAIL, "info": INFO, "invoke": INFO}

    def column(numbers: Iterable[int], dtype: Any) -> Any:
        return np.fromiter(numbers, dtype=dtype, count=len(rows))

    def session(op: Op) -> Any:
        return op.process if op.session is None else op.session

    return Operations(
        invoke=column((i.index for i, _ in rows), np.int64),
        response=column((NEVER if c is i or c.type == "info" else c.index for i, c in rows), np.int64),
        completion=column((-1 if c is i else c.index for i, c in rows), np.int64),
        status=column((kinds[c.type] for _, c in rows), np.uint8),
        process=column((names.code(i.process) for i, _ in rows), np.int32),
        session=column((names.code(session(i)) for i, _ in rows), np.int32),
        node=column((names.code(c.node) for _, c in rows), np.int32),
        f=column((fs.code(i.f) for i, _ in rows), np.int16),
        key=column((keys.code(i.key) for i, _ in rows), np.int32),
        argument=column((values.code(i.value) for i, _ in rows), np.int32),
        result=column((values.code(c.value) for _, c in rows), np.int32),
        generation=column((c.version[0] if c.version else -1 for _, c in rows), np.int64),
        log_index=column((c.version[1] if c.version else -1 for _, c in rows), np.int64),
        invoke_ns=column((-1 if i.time is None else i.time for i, _ in rows), np.int64),
        response_ns=column((-1 if c is i or c.time is None else c.time for i, c in rows), np.int64),
        fs=fs.values,
        keys=keys.values,
        values=values.values,
        names=names.values,
        events=events,
        error=column((errors.code(c.error) for _, c in rows), np.int32),
        errors=errors.values,
    )


def _paired(events: Sequence[Op]) -> list[tuple[Op, Op]]:
    """(invocation, completion) in order of invocation; an operation without completion is paired with itself."""
    rows: list[tuple[Op, Op]] = []
    open_rows: dict[int | str, int] = {}
    for op in events:
        if op.process == NEMESIS:
            continue
        if op.type == "invoke":
            open_rows[op.process] = len(rows)
            rows.append((op, op))
        elif (row := open_rows.pop(op.process, None)) is not None:
            rows[row] = (rows[row][0], op)
    return rows
