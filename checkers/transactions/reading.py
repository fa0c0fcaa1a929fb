"""Reads a large file of transactions straight into columns: no operation becomes an object, so that memory stays small.

    read_table(Path("history.jsonl"))      (header, table), or None: read it with `harness.history.reader` instead

It takes one kind of file only, the one that becomes large: JSON lines, one header, every client operation a `txn`, keys
strings or whole numbers, values whole numbers. Whatever is otherwise makes it return None, and the general reader then
reads the file, or says what is wrong with it. Both give the same table.

The file is decoded block by block; of a block only the numbers stay. A second pass fetches the steps of transactions
that failed or are in doubt from their invocations, if there are any.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from checkers.transactions.table import Codes, Columns, Heads, Ints, Table, assembled
from harness.history import Header
from harness.history.operations import FAIL, INFO, NEVER, OK
from harness.op import NEMESIS

BLOCK_BYTES: Final = 1 << 24
INVOKE, SKIPPED = 3, 4
_STEP = tuple[Literal["r", "append", "w"], int | str, list[int] | int | None]


class _Invoke(msgspec.Struct, tag_field="type", tag="invoke", gc=False):
    process: int
    f: Literal["txn"]


class _Asked(msgspec.Struct, gc=False):
    value: list[_STEP]


class _Ok(msgspec.Struct, tag_field="type", tag="ok", gc=False):
    process: int
    f: Literal["txn"]
    value: list[_STEP]


class _Fail(msgspec.Struct, tag_field="type", tag="fail", gc=False):
    process: int
    f: Literal["txn"]


class _Info(msgspec.Struct, tag_field="type", tag="info", gc=False):
    process: int
    f: Literal["txn"]


class _Other(msgspec.Struct):
    process: int | str


_EVENTS: Final = msgspec.json.Decoder(_Invoke | _Ok | _Fail | _Info)
_ASKED: Final = msgspec.json.Decoder(_Asked)
_OTHER: Final = msgspec.json.Decoder(_Other)
_KINDS: Final[dict[Any, int]] = {_Invoke: INVOKE, _Ok: OK, _Fail: FAIL, _Info: INFO}


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Without the garbage collector: what is made meanwhile holds no cycles, and looking for some takes long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class NotPlainError(Exception):
    """The file is not of the kind that is read here."""


def read_table(path: Path) -> tuple[Header, Table] | None:
    """Header and table, or None where the general reader has to read the file."""
    try:
        with path.open("rb") as file:
            first = file.readline()
        fields = msgspec.json.decode(first)
        if not isinstance(fields, dict) or not {"splitbrain", "model", "source"} & fields.keys():
            return None
        header = msgspec.convert(fields, Header)
        with collector_at_rest():
            return header, _Read(path).table()
    except (NotPlainError, msgspec.DecodeError, UnicodeDecodeError, OSError, KeyError, ValueError, OverflowError):
        return None


@dataclass
class _Read:
    """A file as it is read."""

    path: Path
    keys: Codes = field(default_factory=Codes)
    kinds: list[NDArray[np.uint8]] = field(default_factory=list)
    processes: list[Ints] = field(default_factory=list)
    parts: list[Columns] = field(default_factory=list)

    def table(self) -> Table:
        """Read it all."""
        for block in self._blocks():
            self._take(block)
        if not self.kinds:
            raise NotPlainError
        kinds, processes = np.concatenate(self.kinds), np.concatenate(self.processes)
        self.kinds, self.processes = [], []
        heads, rows_of_ok, silent = _paired(kinds, processes)
        parts, order = self.parts, rows_of_ok
        if len(silent):
            # (event of the invocation, row) of what has no answer to go by
            parts = [*parts, self._asked(heads.invoke[silent])]
            order = np.concatenate([rows_of_ok, silent])
        self.parts = []
        return assembled(heads, _in_order(parts, order), list(self.keys))

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines, without the header."""
        with self.path.open("rb") as file:
            file.readline()
            while block := file.read(BLOCK_BYTES):
                yield block + file.readline()

    def _take(self, block: bytes) -> None:
        if b"." in block and _may_hold_a_fraction(block):
            raise NotPlainError
        try:
            events: Sequence[Any] = _EVENTS.decode_lines(block)
        except msgspec.DecodeError:
            events = [_event(line) for line in block.split(b"\n") if line.strip()]
        self.kinds.append(np.fromiter((_KINDS.get(type(e), SKIPPED) for e in events), np.uint8, len(events)))
        self.processes.append(np.fromiter((e.process for e in events), np.int64, len(events)))
        self.parts.append(Columns.of([event.value for event in events if type(event) is _Ok], self.keys))

    def _asked(self, indices: Ints) -> Columns:
        """The steps of these invocations."""
        found: list[Any] = []
        first, wanted = 0, indices.tolist()
        for block in self._blocks():
            lines = [line for line in block.split(b"\n") if line.strip()]
            while len(found) < len(wanted) and wanted[len(found)] < first + len(lines):
                found.append(_ASKED.decode(lines[wanted[len(found)] - first]).value)
            first += len(lines)
        return Columns.of(found, self.keys)


def _may_hold_a_fraction(block: bytes) -> bool:
    """Whether a number may be written with a point; then 1 and 1.0 would be mixed up."""
    at = block.find(b".")
    while at >= 0:
        if block[at - 1 : at].isdigit() and block[at + 1 : at + 2].isdigit():
            return True
        at = block.find(b".", at + 1)
    return False


class _Fault:
    """An event of the nemesis, or what a client did that is no transaction: it only takes its place."""

    process = -1


def _event(line: bytes) -> Any:
    try:
        return _EVENTS.decode(line)
    except msgspec.DecodeError:
        if _OTHER.decode(line).process != NEMESIS:
            raise
        return _Fault


def _paired(kinds: NDArray[np.uint8], processes: Ints) -> tuple[Heads, Ints, Ints]:
    """Heads in order of invocation; the row of each ok event, in their order; the rows without an ok."""
    events = np.flatnonzero(kinds != SKIPPED)
    order = events[np.argsort(processes[events], kind="stable")]
    kind, process = kinds[order], processes[order]
    same = np.zeros(len(order), bool)
    same[1:] = process[1:] == process[:-1]
    completes = kind != INVOKE
    before = np.ones(len(order), bool)
    before[1:] = completes[:-1]
    if (completes & ~same).any() or (completes & before).any() or (~completes & same & ~before).any():
        raise NotPlainError
    at = np.flatnonzero(~completes)
    answered = np.zeros(len(at), bool)
    has_next = at + 1 < len(order)
    answered[has_next] = completes[at[has_next] + 1]
    invoke, end = order[at], np.full(len(at), -1)
    end[answered] = order[at[answered] + 1]
    status = np.where(answered, kinds[np.maximum(end, 0)], INFO).astype(np.uint8)
    by_invoke = np.argsort(invoke)
    invoke, end, status = invoke[by_invoke], end[by_invoke], status[by_invoke]
    response = np.where(answered[by_invoke] & (status != INFO), end, NEVER)
    rows = np.flatnonzero(status == OK)
    names, codes = np.unique(processes[invoke], return_inverse=True)
    code = codes.astype(np.int32)
    heads = Heads(invoke, response, status, code, code, names.tolist())
    return heads, rows[np.argsort(end[rows])], np.flatnonzero(status != OK)


def _in_order(parts: Sequence[Columns], rows: Ints) -> Columns:
    """One part in order of rows, from parts in the order that `rows` tells."""
    counts = np.concatenate([part.counts for part in parts])
    by_row = np.argsort(rows, kind="stable")
    starts = np.cumsum(counts, dtype=np.int64) - counts
    taken = counts[by_row]
    steps = np.repeat(starts[by_row] - (np.cumsum(taken, dtype=np.int64) - taken), taken) + np.arange(taken.sum())
    f, key, value, length, elements = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("f", "key", "value", "length", "elements")
    )
    held = np.maximum(length, 0).astype(np.int64)
    return Columns(taken, f[steps], key[steps], value[steps], length[steps], elements, (np.cumsum(held) - held)[steps])
