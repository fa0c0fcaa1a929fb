"""Reads a large file of transactions straight into columns: no operation becomes an object, so that memory stays small.

    read_transactions(Path("history.jsonl"))     a `LongHistory`, or None: read it with `harness.history.reader` instead

It takes one kind of file only, the one that becomes large: JSON lines, every client operation a `txn`, keys strings or
whole numbers, values whole numbers. Whatever is otherwise makes it return None, and the general reader then reads the
file, or says what is wrong with it. Both give the same table, and the same verdict.

The file is decoded block by block; of a block only the numbers stay. A second pass fetches the steps of transactions
that failed or are in doubt from their invocations, if there are any. Events are decoded again when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from checkers.transactions.table import APPEND, NULL, READ, WRITE, Codes, Columns, Heads, Ints, Table, assembled
from harness.history import Header, History
from harness.history.columnar import Events
from harness.history.operations import FAIL, INFO, NEVER, OK, Operations
from harness.memory import collector_at_rest, keep_pages
from harness.op import NEMESIS, Op

BLOCK_BYTES: Final = 1 << 22
INVOKE, SKIPPED = 3, 4
HUGE: Final = 1 << 62
_STEP = tuple[Literal["r", "append", "w"], int | str, list[int] | int | None]


class _Event(msgspec.Struct, gc=False):
    """An event of a client. What is null here must not be told, or the general reader reads it."""

    process: int
    f: Literal["txn"]
    type: Literal["invoke", "ok", "fail", "info"] = "invoke"
    time: int = -1
    index: int = -1
    value: msgspec.Raw = msgspec.Raw(b"null")
    session: None = None
    node: str | None = None
    error: str | None = None


_EVENTS: Final = msgspec.json.Decoder(_Event)
_STEPS: Final = msgspec.json.Decoder(list[list[_STEP]])
_OP: Final = msgspec.json.Decoder(Op)
_KINDS: Final[dict[str, int]] = {"invoke": INVOKE, "ok": OK, "fail": FAIL, "info": INFO, "fault": SKIPPED}
_TYPE, _PROCESS, _TIME, _VALUE = (attrgetter(name) for name in ("type", "process", "time", "value"))


class _Fault:
    """An event of the nemesis: it only takes its place."""

    process = -1
    time = -1
    type = "fault"


@dataclass(frozen=True)
class LongHistory(History):
    """A history of transactions whose steps are in a table; its events are decoded when somebody asks for them."""

    table: Table = field(kw_only=True, repr=False)

    @property
    def kind(self) -> str:
        """What its steps are: "list-append", "rw-register", or "" where they do not tell."""
        kinds = set(np.unique(self.table.step_f).tolist())
        if {APPEND} <= kinds <= {APPEND, READ}:
            return "list-append"
        return "rw-register" if {WRITE} <= kinds <= {WRITE, READ} else ""

    def meaning(self, header: Header) -> History:
        """The same events under another header."""
        other = LongHistory(header, self.events, self.truncated, table=self.table)
        other.__dict__.update({name: self.__dict__[name] for name in ("operations", "fault_events")})
        return other


class _Told(Sequence[Any]):
    """Values of events: number 0 is null, number 1 + i what event i tells."""

    def __init__(self, events: Sequence[Op]) -> None:
        self.events = events

    def __len__(self) -> int:
        return 1 + len(self.events)

    def __getitem__(self, code: Any) -> Any:
        return self.events[code - 1].value if code else None


class NotPlainError(Exception):
    """The file is not of the kind that is read here."""


def read_transactions(path: Path) -> LongHistory | None:
    """The history, or None where the general reader has to read the file."""
    try:
        with path.open("rb") as file:
            first = file.readline(BLOCK_BYTES)
        fields = msgspec.json.decode(first)
        if not isinstance(fields, dict):
            return None
        header = None
        if {"splitbrain", "model", "source"} & fields.keys():
            header = msgspec.convert(fields, Header)
        keep_pages()
        with collector_at_rest():
            return _Read(path, len(first) if header else 0).history(header or Header())
    except (NotPlainError, msgspec.DecodeError, OSError, KeyError, ValueError, OverflowError, RecursionError):
        return None


def begins_with_transactions(path: Path) -> bool:
    """Whether a file begins like one that is read here: a glance at its first two lines."""
    with path.open("rb") as file:
        lines = [file.readline(BLOCK_BYTES) for _ in range(2)]
    return any(line.startswith(b"{") and b'"txn"' in line for line in lines)


@dataclass
class _Read:
    """A file as it is read: from byte `start` on."""

    path: Path
    start: int
    keys: Codes = field(default_factory=Codes)
    kinds: list[NDArray[np.uint8]] = field(default_factory=list)
    processes: list[Ints] = field(default_factory=list)
    times: list[Ints] = field(default_factory=list)
    parts: list[Columns] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    firsts: list[int] = field(default_factory=lambda: [0])
    cut: bool = False
    line: int = 1

    def history(self, header: Header) -> LongHistory:
        """Read it all."""
        for block in self._blocks():
            self._take(block)
        if not self.kinds:
            raise NotPlainError
        kinds, processes, times = np.concatenate(self.kinds), np.concatenate(self.processes), np.concatenate(self.times)
        self.kinds, self.processes, self.times = [], [], []
        heads, end = _paired(kinds, processes)
        table = self._table(heads, end)
        _refuse_odd(table)
        history = LongHistory(header, self._events(), self._truncated(), table=table)
        faults = np.flatnonzero(kinds == SKIPPED).tolist()
        history.__dict__["operations"] = _operations(heads, end, times, history.events)
        history.__dict__["fault_events"] = [history.events[index] for index in faults]
        return history

    def _table(self, heads: Heads, end: Ints) -> Table:
        """Steps, in order of invocation, and keys, numbered as they come."""
        answered = np.flatnonzero(heads.status == OK)
        order, silent = answered[np.argsort(end[answered])], np.flatnonzero(heads.status != OK)
        parts, self.parts = self.parts, []
        if len(silent):
            parts = [*parts, self._asked(heads.invoke[silent])]
            order = np.concatenate([order, silent])
        steps = _in_order(parts, order)
        names = list(self.keys)
        numbers, by_sight = _numbered(steps.key, len(names))
        return assembled(heads, replace(steps, key=numbers), [names[code] for code in by_sight.tolist()])

    def _truncated(self) -> str:
        if not self.cut:
            return ""
        return f"{self.path.name} was cut off inside line {self.line}; events kept: the {self.firsts[-1]} before it."

    def _events(self) -> Events:
        """All of them, to be decoded when they are asked for."""
        return Events(self.path, self.starts[:-1], self.starts[1:], self.firsts[:-1], self.firsts[-1])

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines, without the header, and without a line that was cut off at the end."""
        place = self.start
        self.starts, self.line = [place], 2 if place else 1
        with self.path.open("rb") as file:
            file.seek(place)
            while block := file.read(BLOCK_BYTES):
                block += file.readline()
                if not block.endswith(b"\n"):
                    block = self._without_cut_line(block)
                place += len(block)
                self.line += block.count(b"\n")
                if block.strip():
                    self.starts.append(place)
                    yield block

    def _without_cut_line(self, block: bytes) -> bytes:
        end = block.rfind(b"\n") + 1
        try:
            msgspec.json.decode(block[end:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.cut = True
            return block[:end]
        return block

    def _take(self, block: bytes) -> None:
        if b"." in block and _may_hold_a_fraction(block):
            raise NotPlainError
        try:
            events: Sequence[Any] = _EVENTS.decode_lines(block)
        except (msgspec.DecodeError, RecursionError):
            events = [_event(line) for line in block.split(b"\n") if line.strip()]
        count = len(events)
        kinds = np.fromiter(map(_KINDS.__getitem__, map(_TYPE, events)), np.uint8, count)
        self.kinds.append(kinds)
        self.processes.append(np.fromiter(map(_PROCESS, events), np.int64, count))
        self.times.append(np.fromiter(map(_TIME, events), np.int64, count))
        answered = compress(events, (kinds == OK).tolist())
        self.parts.append(self._columns(map(_VALUE, answered)))
        self.firsts.append(self.firsts[-1] + count)

    def _asked(self, indices: Ints) -> Columns:
        """The steps of these invocations."""
        found: list[msgspec.Raw] = []
        first, wanted = 0, indices.tolist()
        for block in self._blocks():
            lines = [line for line in block.split(b"\n") if line.strip()]
            while len(found) < len(wanted) and wanted[len(found)] < first + len(lines):
                found.append(_EVENTS.decode(lines[wanted[len(found)] - first]).value)
            first += len(lines)
        return self._columns(found)

    def _columns(self, values: Iterable[msgspec.Raw]) -> Columns:
        """Decoded at one time, which is quicker than one by one."""
        return Columns.of(_STEPS.decode(b"[%b]" % b",".join(values)), self.keys)


def _may_hold_a_fraction(block: bytes) -> bool:
    """Whether a number may be written with a point; then 1 and 1.0 would be mixed up."""
    at = block.find(b".")
    while at >= 0:
        if block[at - 1 : at].isdigit() and block[at + 1 : at + 2].isdigit():
            return True
        at = block.find(b".", at + 1)
    return False


def _event(line: bytes) -> Any:
    try:
        return _EVENTS.decode(line)
    except (msgspec.DecodeError, RecursionError):
        if _OP.decode(line).process != NEMESIS:
            raise
        return _Fault()


def _paired(kinds: NDArray[np.uint8], processes: Ints) -> tuple[Heads, Ints]:
    """Heads in order of invocation, and the event that completes each, -1 for none."""
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
    by_invoke = np.argsort(invoke)
    invoke, end = invoke[by_invoke], end[by_invoke]
    status = np.where(end >= 0, kinds[end], INFO).astype(np.uint8)
    response = np.where(status == INFO, NEVER, end)
    names, codes = np.unique(processes[invoke], return_inverse=True)
    numbers, by_sight = _numbered(codes, len(names))
    return Heads(invoke, response, status, numbers, numbers, names[by_sight].tolist()), end


def _numbered(codes: NDArray[Any], count: int) -> tuple[NDArray[np.int32], Ints]:
    """Codes below `count`, numbered by first sight instead; and the codes in that order."""
    first = np.full(count, len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    by_sight = np.argsort(first, kind="stable")
    number = np.empty(count, np.int32)
    number[by_sight] = np.arange(count, dtype=np.int32)
    return number[codes], by_sight


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


def _refuse_odd(table: Table) -> None:
    """Raise where the general reader gives values other codes than themselves, or what is written is no number.

    Raises:
        NotPlainError: see above.
    """
    changes = table.step_f != READ
    if (table.step_value[changes] == NULL).any():
        raise NotPlainError
    values = table.step_value[table.step_value != NULL]
    for numbers in (values, table.elements):
        if len(numbers) and (int(numbers.max()) >= HUGE or int(numbers.min()) <= -HUGE):
            raise NotPlainError
    written = np.zeros(len(table.keys), bool)
    written[table.step_key[table.step_f == WRITE]] = True
    if (written[table.step_key] & (table.step_f != APPEND) & (table.step_len > 0)).any():
        raise NotPlainError


def _operations(heads: Heads, completion: Ints, times: Ints, events: Sequence[Op]) -> Operations:
    """The columns that any history has; what was asked for and told are numbers of events."""
    count = len(heads.invoke)
    there = completion >= 0
    told = np.where(there, completion, heads.invoke)
    nothing = np.zeros(count, np.int32)
    none: Any = np.broadcast_to(np.int64(-1), count)
    return Operations(
        invoke=heads.invoke,
        response=heads.response,
        completion=completion,
        status=heads.status,
        process=heads.process + 1,
        session=heads.session + 1,
        node=nothing,
        f=np.ones(count, np.int16),
        key=nothing,
        argument=(heads.invoke + 1).astype(np.int32),
        result=(told + 1).astype(np.int32),
        generation=none,
        log_index=none,
        invoke_ns=times[heads.invoke],
        response_ns=np.where(there, times[told], -1),
        fs=["", "txn"],
        keys=[None],
        values=_Told(events),
        names=[None, *heads.names],
        events=events,
    )
