"""The part of a history that one register sees, in small numbers.

A history is linearizable exactly if the part of each object is (Herlihy and Wing, 1990), so every key is judged alone.
What is no evidence is left out here: reads that never answered, and whatever failed without saying anything about the
state. What is left are four kinds of steps:

    READ  the state was `expected`                    definite
    NOT   the state was something else                definite (a compare-and-set that was refused)
    WRITE the state becomes `produced`                definite, or perhaps never
    CAS   it was `expected` and becomes `produced`    definite, or perhaps never

A mutex is a register too: to acquire is the compare-and-set from "free" to "held", to release is the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.linearizability.steps import Rows, Steps
from harness.errors import HistoryError
from harness.history import History
from harness.history.header import Header
from harness.history.operations import FAIL, INFO, NEVER, OK, Interner, Operations
from harness.op import Op

READ, NOT, WRITE, CAS = 0, 1, 2, 3
NO_VALUE: Final = -1
"""In `expected` and `produced`: none. A READ that expects it can never be right."""
MODELS: Final[dict[str, tuple[str, ...]]] = {
    "register": ("read", "write", "cas"),
    "cas-register": ("read", "write", "cas"),
    "mutex": ("acquire", "release"),
}
_MUTEX: Final = {"acquire": ("free", "held"), "release": ("held", "free")}


@dataclass(frozen=True)
class Register:
    """Steps on one register, ordered by invocation; all lists have the same length.

    Attributes:
        key: whose steps these are.
        initial: state before the first step.
        kind, expected, produced: see the module docstring; values are codes into `values`.
        invoke, response: indices of events; the response of what may never have happened is NEVER.
        values: code → JSON value.
        aborted: value → invocation of a write of it that failed.
    """

    key: Any
    initial: int
    kind: list[int]
    expected: list[int]
    produced: list[int]
    invoke: list[int]
    response: list[int]
    values: list[Any]
    aborted: dict[int, int]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def doubtful(self) -> int:
        """How many steps perhaps never happened."""
        return self.response.count(NEVER)

    @cached_property
    def steps(self) -> Steps:
        """The same for the searches; states are the codes of values."""
        actions: dict[tuple[int, int, int], int] = {}
        effects = zip(self.kind, self.expected, self.produced, strict=True)
        action = [actions.setdefault(effect, len(actions)) for effect in effects]
        observes = [kind in (READ, NOT) for kind, _, _ in actions]
        return Steps(action, self.invoke, self.response, observes, self.initial, _Effects(list(actions)))


class _Effects(Rows):
    """Where the actions of a register lead."""

    def __init__(self, effects: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.effects = effects

    def leads(self, state: int, action: int) -> int:
        return after(state, *self.effects[action])


def after(state: int, kind: int, expected: int, produced: int) -> int:
    """The state that a step leaves behind; NO_VALUE when it cannot be taken in this state."""
    if kind == WRITE:
        return produced
    if kind == NOT:
        return NO_VALUE if state == expected else state
    if state != expected:
        return NO_VALUE
    return produced if kind == CAS else state


def registers(history: History, model: str) -> Iterator[Register]:
    """The parts of a history, one register at a time, in order of the first operation on each.

    Raises:
        HistoryError: an operation that the model does not have, or a compare-and-set without its two values.
    """
    operations = history.operations
    header = history.header
    _refuse_unknown(operations, model)
    columns = _Columns(operations, header, model)
    order = np.argsort(operations.key, kind="stable")
    starts = np.flatnonzero(np.diff(operations.key[order], prepend=-1))
    for part in np.split(order, starts[1:]) if len(order) else []:
        yield columns.register(part)


def _refuse_unknown(operations: Operations, model: str) -> None:
    known = MODELS[model]
    for code, f in enumerate(operations.fs):
        rows = np.flatnonzero(operations.f == code) if f not in known else np.empty(0)
        if len(rows):
            first = operations.invoke[rows[0]]
            raise HistoryError(f"Event {first} asks for {f!r}; the model {model} has {', '.join(known)}.")


class _Columns:
    """Kind, expected and produced value of every operation of a history."""

    def __init__(self, operations: Operations, header: Header, model: str) -> None:
        self.operations = operations
        self.interner = Interner()
        self.initial = self.interner.code("free" if model == "mutex" else header.initial)
        self.kind = np.full(len(operations), -1, dtype=np.int8)
        self.expected = np.full(len(operations), NO_VALUE, dtype=np.int64)
        self.produced = np.full(len(operations), NO_VALUE, dtype=np.int64)
        self.aborted: NDArray[np.bool_] = np.zeros(len(operations), dtype=np.bool_)
        if model == "mutex":
            self._mutex()
        else:
            self._plain()
            self._compare_and_sets(header)

    def register(self, rows: NDArray[np.intp]) -> Register:
        """The register of these rows, which share a key."""
        operations = self.operations
        aborted = rows[self.aborted[rows]]
        kept = rows[self.kind[rows] >= 0]
        return Register(
            key=operations.keys[operations.key[rows[0]]],
            initial=self.initial,
            kind=self.kind[kept].tolist(),
            expected=self.expected[kept].tolist(),
            produced=self.produced[kept].tolist(),
            invoke=operations.invoke[kept].tolist(),
            response=operations.response[kept].tolist(),
            values=self.interner.values,
            aborted=dict(zip(self.produced[aborted].tolist(), operations.invoke[aborted].tolist(), strict=True)),
        )

    def _rows(self, f: str) -> NDArray[np.bool_]:
        operations = self.operations
        code = operations.fs.index(f) if f in operations.fs else -1
        return np.equal(operations.f, code)

    def _coded(self, codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Codes of the history as codes of ours."""
        distinct, places = np.unique(codes, return_inverse=True)
        values = self.operations.values
        return np.array([self.interner.code(values[code]) for code in distinct.tolist()], dtype=np.int64)[places]

    def _plain(self) -> None:
        operations = self.operations
        reads = self._rows("read") & (operations.status == OK)
        writes = self._rows("write")
        self.expected[reads] = self._coded(operations.result[reads])
        self.produced[writes] = self._coded(operations.argument[writes])
        self.kind[reads] = READ
        self.aborted = writes & (operations.status == FAIL)
        self.kind[writes & ~self.aborted] = WRITE

    def _compare_and_sets(self, header: Header) -> None:
        operations, code = self.operations, self.interner.code
        rows = np.flatnonzero(self._rows("cas"))
        pairs: dict[int, tuple[int, int]] = {}
        for row, argument in zip(rows.tolist(), operations.argument[rows].tolist(), strict=True):
            if argument not in pairs:
                value = operations.values[argument]
                if not isinstance(value, list | tuple) or len(value) < 2:
                    raise HistoryError(f"Event {operations.invoke[row]}: a cas wants [old, new], found {value!r}.")
                pairs[argument] = (code(value[0]), code(value[1]))
            self.expected[row], self.produced[row] = pairs[argument]
        self.kind[rows] = CAS
        for row in rows[operations.status[rows] == FAIL].tolist():
            completion = operations.events[int(operations.completion[row])]
            self._refused(row, completion, header)

    def _refused(self, row: int, completion: Op, header: Header) -> None:
        """A compare-and-set that failed: what it says depends on the system."""
        old = self.expected[row]
        self.produced[row] = NO_VALUE
        told = header.fail_cas != "drop" and (completion.error or "mismatch").startswith("mismatch")
        self.kind[row] = NOT if told else -1
        value = completion.value
        if told and header.fail_cas == "returned" and isinstance(value, list | tuple) and len(value) == 3:
            current = self.interner.code(value[2])
            self.kind[row] = READ
            self.expected[row] = NO_VALUE if current == old else current

    def _mutex(self) -> None:
        for f, (old, new) in _MUTEX.items():
            rows = self._rows(f) & (self.operations.status != FAIL)
            self.kind[rows] = CAS
            self.expected[rows], self.produced[rows] = self.interner.code(old), self.interner.code(new)


__all__ = ["CAS", "INFO", "MODELS", "NEVER", "NOT", "NO_VALUE", "READ", "WRITE", "Register", "after", "registers"]
