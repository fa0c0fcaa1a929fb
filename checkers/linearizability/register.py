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

from collections.abc import Iterator, Sequence
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
from harness.history.values import Values
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
        aborted: value → invocation of a write or a change to it that failed.
    """

    key: Any
    initial: int
    kind: list[int]
    expected: list[int]
    produced: list[int]
    invoke: list[int]
    response: list[int]
    values: Sequence[Any]
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
        moves = [(-1 if kind in (WRITE, NOT) else expected, produced) for kind, expected, produced in actions]
        return Steps(action, self.invoke, self.response, observes, self.initial, _Effects(list(actions)), moves)


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
    columns = columns_of(history, model)
    for place in range(columns.places):
        yield columns.register(columns.rows(place))


def columns_of(history: History, model: str) -> Columns:
    """All registers of a history, in columns.

    Raises:
        HistoryError: as `registers`.
    """
    _refuse_unknown(history.operations, model)
    return Columns(history.operations, history.header, model)


def _refuse_unknown(operations: Operations, model: str) -> None:
    known = MODELS[model]
    for code, f in enumerate(operations.fs):
        rows = np.flatnonzero(operations.f == code) if f not in known else np.empty(0)
        if len(rows):
            first = operations.invoke[rows[0]]
            raise HistoryError(f"Event {first} asks for {f!r}; the model {model} has {', '.join(known)}.")


class Columns:
    """Kind, expected and produced value of every operation of a history, and the place of its register."""

    def __init__(self, operations: Operations, header: Header, model: str) -> None:
        self.operations = operations
        self.codes = _Codes(operations.values)
        self.initial = self.codes.code("free" if model == "mutex" else header.initial)
        self.kind = np.full(len(operations), -1, dtype=np.int8)
        self.expected = np.full(len(operations), NO_VALUE, dtype=np.int64)
        self.produced = np.full(len(operations), NO_VALUE, dtype=np.int64)
        self.aborted: NDArray[np.bool_] = np.zeros(len(operations), dtype=np.bool_)
        self.intended: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # what the aborted ones would have produced
        self._keys()
        if model == "mutex":
            self._mutex()
        else:
            self._plain()
            self._compare_and_sets(header)
        self.values = self.codes.values

    def _keys(self) -> None:
        """Number the registers in order of the first operation on each."""
        key = self.operations.key
        self.order: NDArray[np.intp] | None = None
        if len(key) and int(key.min()) == int(key.max()):
            self.place, self.places = np.zeros(len(key), dtype=np.int64), 1
            return
        distinct, first, back = np.unique(key, return_index=True, return_inverse=True)
        places = np.empty(len(distinct), dtype=np.int64)
        places[np.argsort(first)] = np.arange(len(distinct))
        self.place, self.places = places[back], len(distinct)
        self.order = np.argsort(self.place, kind="stable")
        self.edges = np.searchsorted(self.place[self.order], np.arange(self.places + 1))

    def rows(self, place: int) -> NDArray[np.intp]:
        """The rows of one register."""
        if self.order is None:
            return np.arange(len(self.kind))
        return self.order[self.edges[place] : self.edges[place + 1]]

    def failures_behind(self, rows: NDArray[np.intp], own: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which of the register's `own` rows are no steps of it, but tell why a value that `rows` saw was not there."""
        told = own[self.aborted[own] & (self.kind[own] < 0)]
        return told[np.isin(self.intended[told], self.expected[rows])] if len(told) else told

    def key(self, place: int) -> Any:
        """Whose steps they are."""
        return self.operations.keys[self.operations.key[self.rows(place)[0] if self.order is not None else 0]]

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
            values=self.values,
            aborted=dict(zip(self.intended[aborted].tolist(), operations.invoke[aborted].tolist(), strict=True)),
        )

    def _rows(self, f: str) -> NDArray[np.bool_]:
        operations = self.operations
        code = operations.fs.index(f) if f in operations.fs else -1
        return np.equal(operations.f, code)

    def _plain(self) -> None:
        operations = self.operations
        reads = self._rows("read") & (operations.status == OK)
        writes = self._rows("write")
        self.expected[reads] = operations.result[reads]
        self.produced[writes] = operations.argument[writes]
        self.kind[reads] = READ
        self.aborted = writes & (operations.status == FAIL)
        self.intended = np.where(self.aborted, self.produced, NO_VALUE)
        self.kind[writes & ~self.aborted] = WRITE

    def _compare_and_sets(self, header: Header) -> None:
        operations = self.operations
        rows = np.flatnonzero(self._rows("cas"))
        argument = operations.argument[rows]
        values = operations.values
        if isinstance(values, Values):  # pairs of numbers are numbered already
            numbers = len(values.numbers)
            pair = argument - 1 - numbers
            plain = (pair >= 0) & (pair < len(values.firsts))
            self.expected[rows[plain]] = values.firsts[pair[plain]]
            self.produced[rows[plain]] = values.seconds[pair[plain]]
            rest, argument = rows[~plain], argument[~plain]
        else:
            rest = rows
        self._pairs(rest, argument)
        self.kind[rows] = CAS
        failed = rows[operations.status[rows] == FAIL]
        self.aborted[failed] = True
        self.intended[failed] = self.produced[failed]
        self.produced[failed] = NO_VALUE
        self.kind[failed] = -1
        if header.fail_cas != "drop":
            for row in failed.tolist():
                self._refused(row, operations.events[int(operations.completion[row])], header)

    def _pairs(self, rows: NDArray[np.intp], arguments: NDArray[np.int32]) -> None:
        operations, code = self.operations, self.codes.code
        pairs: dict[int, tuple[int, int]] = {}
        for row, argument in zip(rows.tolist(), arguments.tolist(), strict=True):
            if argument not in pairs:
                value = operations.values[argument]
                if not isinstance(value, list | tuple) or len(value) < 2:
                    raise HistoryError(f"Event {operations.invoke[row]}: a cas wants [old, new], found {value!r}.")
                pairs[argument] = (code(value[0]), code(value[1]))
            self.expected[row], self.produced[row] = pairs[argument]

    def _refused(self, row: int, completion: Op, header: Header) -> None:
        """A compare-and-set that failed: what it says depends on the system."""
        old = self.expected[row]
        told = (completion.error or "mismatch").startswith("mismatch")
        self.kind[row] = NOT if told else -1
        value = completion.value
        if told and header.fail_cas == "returned" and isinstance(value, list | tuple) and len(value) == 3:
            current = self.codes.code(value[2])
            self.kind[row] = READ
            self.expected[row] = NO_VALUE if current == old else current

    def _mutex(self) -> None:
        for f, (old, new) in _MUTEX.items():
            rows = self._rows(f) & (self.operations.status != FAIL)
            self.kind[rows] = CAS
            self.expected[rows], self.produced[rows] = self.codes.code(old), self.codes.code(new)


class _Codes:
    """Numbers of values: those of the history, and more behind them for values that are only a part of one there."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.source = values
        self.values = values
        self.more: list[Any] = []
        self.known: dict[Any, int] | None = None

    def code(self, value: Any) -> int:
        """The number of a value. 1, 1.0 and true are three different values."""
        if value is None:
            return 0
        numbers = self.source.numbers if isinstance(self.source, Values) else None
        if numbers is not None and type(value) is int:
            place = int(np.searchsorted(numbers, value))
            if place < len(numbers) and numbers[place] == value:
                return place + 1
        if self.known is None:
            first = 0 if numbers is None else 1 + len(numbers)
            self.known = {Interner.token(None): 0}
            self.known |= {Interner.token(self.source[code]): code for code in range(first, len(self.source))}
            self.more = list(self.source)
            self.values = self.more
        token = Interner.token(value)
        code = self.known.setdefault(token, len(self.values))
        if code == len(self.values):
            self.more.append(value)
        return code


__all__ = [
    "CAS",
    "INFO",
    "MODELS",
    "NEVER",
    "NOT",
    "NO_VALUE",
    "READ",
    "WRITE",
    "Columns",
    "Register",
    "after",
    "columns_of",
    "registers",
]
