"""Reads a long `history.jsonl` straight into columns, without an object for every event.

Most lines of a history differ in their numbers only. So a block of lines is taken apart by whole-block operations: what
is left of each line without its digits is its shape, of which there are few; a shape is decoded once, by the decoder
that every other file goes through, and tells where its numbers belong; all numbers of a block are read in one sweep.
A word that ends with a number ("n1") has a mark in place of it. A block with anything else in it (other digits inside
of strings, floats, nested values) is decoded line by line as usual.

That a block is what it seems is checked before it is used: no digit is before anything but the end of a number or a
word, there are as many numbers as the shapes have places, they have as many digits as were taken out, and `index`
counts the lines.

    history = read_columns(path, start, header)     None: read it plainly; also whenever something is wrong with it,
                                                    for then the plain reader finds the words

Events are decoded again, block by block, when somebody asks for them: see `Events`.

Limits: processes are whole numbers or strings; a file that is cut off is read plainly.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, cast, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import HistoryError
from harness.history.header import Header
from harness.history.history import History
from harness.history.operations import FAIL, INFO, NEVER, OK, Interner, Operations
from harness.history.values import ABSENT, NUMBER, OTHER, PAIR, Values, ranks
from harness.memory import collector_at_rest, keep_pages
from harness.op import NEMESIS, Op

Numbers = NDArray[np.int64]

BLOCK: Final = 2 << 20
SHAPES_MAX: Final = 200
PATIENCE: Final = 4
"""After so many blocks in a row that had no shapes, only every so many more are tried."""
_OPS: Final = msgspec.json.Decoder(Op)
_DIGITS: Final = b"0123456789"
_WITHIN: Final = bytes(c if c in b"0123456789-" else 32 for c in range(256))
"""Translation that leaves numbers and makes all else blank."""
_BESIDE: Final = bytes(
    1 if c in _DIGITS else 2 if chr(c).isalnum() or c in b"_-.+" or c > 127 else 4 if c == 34 else 0 for c in range(256)
)
"""Digits to 1; what must not follow a digit to 2; quotes to 4."""
_MARK: Final = b"#"
"""Stands in a shape for the number that ends a word, as in "n1"."""
_PLACE: Final = re.compile(rb"(?<=[:\[,])( *)(-?)(?=[,\]}])|#")
_WORD: Final = re.compile(r"([A-Za-z_]*)(\d+)")
_LIMIT: Final = 1 << 53
_KINDS: Final = {"ok": OK, "fail": FAIL, "info": INFO, "invoke": 3}
_PROCESS, _TYPE, _F, _NODE, _ERROR = (attrgetter(name) for name in ("process", "type", "f", "node", "error"))
_KEY, _VALUE, _TIME, _VERSION, _SESSION = (attrgetter(name) for name in ("key", "value", "time", "version", "session"))
_NUMBERS: Final[dict[type, bool]] = {int: True, type(None): False}
UNUSED: Final = "unused"
_UNUSED, _VERSIONS = (UNUSED, UNUSED), ("generation", "log_index")
_WORDS: Final = ("key", "node")
"""What may be a word that ends with a number."""
_SIMPLE: Final = {int, str, type(None)}
_POWERS: Final = 10 ** np.arange(1, 17, dtype=np.int64)


class Events(Sequence[Op]):
    """The events of a file, decoded when they are asked for; a few blocks are kept.

    Raises:
        HistoryError: the file was changed since it was read.
    """

    def __init__(self, path: Path, starts: list[int], ends: list[int], firsts: list[int], count: int) -> None:
        self._path, self._starts, self._ends, self._firsts, self._count = path, starts, ends, firsts, count
        stat = path.stat()
        self._stamp = (stat.st_size, stat.st_mtime_ns)
        self._kept: dict[int, list[Op]] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Op: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Op]: ...
    def __getitem__(self, place: int | slice) -> Op | Sequence[Op]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        number = place + self._count if place < 0 else place
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} events, none with index {place}")
        block = bisect_right(self._firsts, number) - 1
        if block not in self._kept:
            if len(self._kept) >= 4:
                self._kept.pop(next(iter(self._kept)))
            self._kept[block] = self._decoded(block)
        return self._kept[block][number - self._firsts[block]]

    def __iter__(self) -> Iterator[Op]:
        for block in range(len(self._starts)):
            yield from self._decoded(block)

    def _decoded(self, block: int) -> list[Op]:
        stat = self._path.stat()
        if (stat.st_size, stat.st_mtime_ns) != self._stamp:
            raise HistoryError(f"{self._path}: the file was changed while it was judged.")
        with self._path.open("rb") as file:
            file.seek(self._starts[block])
            ops = _OPS.decode_lines(file.read(self._ends[block] - self._starts[block]))
        first = self._firsts[block]
        return [
            op if op.index == index else msgspec.structs.replace(op, index=index) for index, op in enumerate(ops, first)
        ]


@dataclass(frozen=True)
class _Shape:
    """What all lines with the same letters are: a decoded example, and which number goes where.

    `places` has, for each number of the line, the name of its column, UNUSED where nobody needs it; `words` what stands
    before the number of a key or a node that is a word.
    """

    op: Op
    places: tuple[str, ...]
    tag: int
    words: dict[str, str]


def _marked(text: bytes, marks: NDArray[np.intp]) -> bytes:
    """The text with a mark in these places."""
    if not len(marks):
        return text
    marked = bytearray(text)
    np.frombuffer(marked, dtype=np.uint8)[marks] = _MARK[0]
    return bytes(marked)


def _shape(skeleton: bytes) -> _Shape | None:
    """The shape of a line without its digits; None if digits may have been anywhere else than in numbers."""
    if (
        b"[]" in skeleton
        or re.search(rb'"(?![A-Za-z_]*#?")', re.sub(rb'"[A-Za-z_]*#?"', b"", skeleton))
        or b"\\" in skeleton
    ):
        return None
    count = 0

    def numbered(match: re.Match[bytes]) -> bytes:
        nonlocal count
        count += 1
        return (match[1] or b"") + (match[2] or b"") + str(1000 + count).encode()

    try:
        op = msgspec.json.decode(_PLACE.sub(numbered, skeleton), type=Op)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    places = [""] * count
    words: dict[str, str] = {}

    def settle(name: str, value: Any) -> bool:
        word = _WORD.fullmatch(value) if isinstance(value, str) and name in _WORDS else None
        if word:
            words[name], value = word[1], int(word[2])
        number = isinstance(value, int) and not isinstance(value, bool) and 1000 < abs(value) <= 1000 + count
        if number:
            places[abs(value) - 1001] = name
        return number

    for name in ("index", "time", "process", "key", "node"):
        settle(name, getattr(op, name))
    for versions, names in ((op.version, _VERSIONS), (op.token, _UNUSED), (op.applied, _UNUSED)):
        for name, number in zip(names, versions or (), strict=False):
            settle(name, number)
    simple = settle("first", op.value)
    tag = NUMBER if simple else ABSENT if op.value is None else OTHER
    if isinstance(op.value, list):
        if len(op.value) != 2 or not (settle("first", op.value[0]) and settle("second", op.value[1])):
            return None
        tag = PAIR
    unusual = op.session is not None or isinstance(op.value, dict | float)
    if unusual or places.count("") or not isinstance(op.key, int | str | None) or "index" not in places:
        return None
    return _Shape(op, tuple(places), tag, words)


_TYPES: Final[dict[str, tuple[Any, int]]] = {
    "kind": (np.uint8, 0),
    "process": (np.int64, 0),
    "f": (np.int16, 0),
    "key": (np.int32, 0),
    "tag": (np.uint8, ABSENT),
    "first": (np.int64, 0),
    "second": (np.int64, 0),
    "time": (np.int64, -1),
    "node": (np.int32, 0),
    "session": (np.int32, -1),
    "generation": (np.int64, -1),
    "log_index": (np.int64, -1),
    "error": (np.int32, 0),
}
"""Of each column: type of its numbers, and what is there where nothing was said."""


class _Block:
    """Columns of the events of one block, or of all; a column is made when it first says something."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.columns: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            kind, value = _TYPES[name]
            self.columns[name] = np.full(self.rows, value, dtype=kind)
        return self.columns[name]

    def at(self, name: str, rows: NDArray[Any]) -> NDArray[Any]:
        """A column at some rows; where it says nothing, of no size in memory."""
        kind, value = _TYPES[name]
        silent: NDArray[Any] = np.broadcast_to(np.array(value, dtype=kind), len(rows))
        said: NDArray[Any] = self.columns[name][rows] if name in self.columns else silent
        return said

    @staticmethod
    def of(blocks: list[_Block]) -> _Block:
        """All blocks in one."""
        whole = _Block(sum(block.rows for block in blocks))
        for name in _TYPES:
            if any(name in block.columns for block in blocks):
                whole.columns[name] = np.concatenate([block[name] for block in blocks])
                for block in blocks:
                    del block.columns[name]
        return whole


class _Numbers(dict[bytes, int]):
    """Lines without their digits, numbered as they come up."""

    def __missing__(self, skeleton: bytes) -> int:
        self[skeleton] = len(self)
        return len(self) - 1


@dataclass
class _Reader:
    """Turns blocks of lines into columns. Names of processes that are no numbers are negative, from -2 down."""

    names: Interner = field(default_factory=Interner)
    fs: Interner = field(default_factory=Interner)
    keys: Interner = field(default_factory=Interner)
    others: Interner = field(default_factory=Interner)
    words: Interner = field(default_factory=Interner)
    errors: Interner = field(default_factory=Interner)
    shapes: _Numbers = field(default_factory=_Numbers)
    known: list[_Shape | None] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self.coded_fs, self.coded_names, self.coded_keys = _Codes(self.fs), _Codes(self.names), _Codes(self.keys)

    def block(self, text: bytes, first: int) -> _Block | None:
        """The columns of a block of whole lines, of which `first` is the index of the first event."""
        worth = self.refused < PATIENCE or self.refused % PATIENCE == 0
        found = self._by_shapes(text, first) if worth and len(self.shapes) < SHAPES_MAX else None
        self.refused = 0 if found is not None else self.refused + 1
        return found if found is not None else self._by_lines(text)

    # ── by shapes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _by_shapes(self, text: bytes, first: int) -> _Block | None:
        if _MARK in text:
            return None
        beside = np.frombuffer(text.translate(_BESIDE), dtype=np.uint8)
        digits, after = beside[:-1] == 1, beside[1:]
        if bool(np.any(digits & (after == 2))):
            return None
        marks = np.flatnonzero(digits & (after == 4))
        skeletons = _marked(text, marks).translate(None, _DIGITS)
        lines = skeletons.split(b"\n")
        lines.pop()
        which = np.fromiter(map(self.shapes.__getitem__, lines), dtype=np.int32, count=len(lines))
        if len(self.shapes) > SHAPES_MAX:
            return None
        self.known += map(_shape, list(self.shapes)[len(self.known) :])
        present = np.flatnonzero(np.bincount(which, minlength=len(self.known)))
        if any(self.known[number] is None for number in present.tolist()):
            return None
        numbers = np.fromstring(text.translate(_WITHIN), sep=" ", dtype=np.int64)
        width = np.array([len(shape.places) if shape else 0 for shape in self.known])[which]
        begins = np.cumsum(width) - width
        if len(numbers) != int(width.sum()) or not self._plain(numbers, len(text) - len(skeletons) + len(marks)):
            return None
        block = _Block(len(lines))
        for number in present.tolist():
            shape, rows = self.known[number], np.flatnonzero(which == number)
            assert shape is not None
            if not self._fill(block, rows, shape, numbers, begins[rows], first):
                return None
        return block

    def _plain(self, numbers: Numbers, digits: int) -> bool:
        """Whether the numbers are written as JSON writes them, and none is too long."""
        size = np.abs(numbers)
        if len(size) and int(size.max()) >= _LIMIT:
            return False
        longest = int(size.max()) if len(size) else 0
        counted = len(size) + sum(
            int(np.count_nonzero(size >= power)) for power in _POWERS.tolist() if power <= longest
        )
        return counted == digits

    def _fill(
        self, block: _Block, rows: NDArray[np.intp], shape: _Shape, numbers: Numbers, begins: Numbers, first: int
    ) -> bool:
        op = shape.op
        block["kind"][rows] = _KINDS[op.type]
        block["f"][rows] = self.fs.code(op.f)
        block["tag"][rows] = shape.tag
        if isinstance(op.process, str):
            block["process"][rows] = -1 - self.words.code(op.process)
        if isinstance(op.key, str):
            block["key"][rows] = self.keys.code(op.key)
        if shape.tag == OTHER:
            block["first"][rows] = self.others.code(op.value)
        if op.node is not None and "node" not in shape.words:
            block["node"][rows] = self.names.code(op.node)
        if op.error is not None:
            block["error"][rows] = self.errors.code(op.error)
        for place, name in enumerate(shape.places):
            column = numbers[begins + place]
            if name == "index":
                if not np.array_equal(column, rows + first):
                    return False
            elif name in _WORDS:
                back, distinct = ranks(column)
                codes = (self.coded_keys if name == "key" else self.coded_names).__getitem__
                word = shape.words.get(name)
                named = [number if word is None else f"{word}{number}" for number in distinct.tolist()]
                block[name][rows] = np.array(list(map(codes, named)))[back]
            elif name != UNUSED:
                block[name][rows] = column
        return True

    # ── line by line ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _by_lines(self, text: bytes) -> _Block | None:
        try:
            ops = _OPS.decode_lines(text)
            block = _Block(len(ops))
            if not self._processes(block, ops):
                return None
            self._words(block, ops)
            self._numbers(block, ops)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
            return None
        return block

    def _processes(self, block: _Block, ops: Sequence[Op]) -> bool:
        """Fill in who did it; False where a number is none that a process may have."""
        processes = list(map(_PROCESS, ops))
        if set(map(type, processes)) != {int}:
            words = self.words.code
            processes = [-1 - words(one) if type(one) is str else one if one >= 0 else _LIMIT for one in processes]
            block["process"][:] = processes
        else:
            block["process"][:] = np.fromiter(processes, np.int64, len(ops))
            if int(block["process"].min()) < 0:
                return False
        return int(block["process"].max()) < 1 << 31

    def _words(self, block: _Block, ops: Sequence[Op]) -> None:
        """Fill in what is one of few."""
        block["kind"][:] = np.fromiter(map(_KINDS.__getitem__, map(_TYPE, ops)), np.uint8, len(ops))
        for name, told, codes in (("f", _F, self.coded_fs), ("node", _NODE, self.coded_names)):
            block[name][:] = np.fromiter(map(codes.__getitem__, map(told, ops)), np.int32, len(ops))
        keys = list(map(_KEY, ops))
        if set(map(type, keys)) <= _SIMPLE:
            block["key"][:] = np.fromiter(map(self.coded_keys.__getitem__, keys), np.int32, len(ops))
        else:
            block["key"][:] = list(map(self.keys.code, keys))
        errors = list(map(_ERROR, ops))
        if any(errors):
            block["error"][:] = list(map(self.errors.code, errors))
        sessions = list(map(_SESSION, ops))
        if set(sessions) != {None}:
            block["session"][:] = [-1 if session is None else self.names.code(session) for session in sessions]

    def _numbers(self, block: _Block, ops: Sequence[Op]) -> None:
        """Fill in what is mostly numbers."""
        times = list(map(_TIME, ops))
        known = set(map(type, times)) == {int}
        block["time"][:] = np.fromiter(times, np.int64, len(ops)) if known else [_or_absent(one) for one in times]
        versions = list(map(_VERSION, ops))
        told = np.fromiter(map(bool, versions), np.bool_, len(ops))
        if told.any():
            parts = chain.from_iterable(compress(versions, told.tolist()))
            both = np.fromiter(cast(Iterable[int], parts), np.int64, 2 * np.count_nonzero(told)).reshape(-1, 2)
            block["generation"][told], block["log_index"][told] = both[:, 0], both[:, 1]
        values = list(map(_VALUE, ops))
        kinds = list(map(type, values))
        if set(kinds) <= _NUMBERS.keys():
            number = np.fromiter(map(_NUMBERS.__getitem__, kinds), np.bool_, len(ops))
            first = np.fromiter(compress(values, number.tolist()), np.int64, np.count_nonzero(number))
            if not len(first) or int(np.abs(first).max()) < _LIMIT:
                block["tag"][number] = NUMBER
                block["first"][number] = first
                return
        told_parts = [_parts(value, self.others.code) for value in values]
        for place, name in enumerate(("tag", "first", "second")):
            block[name][:] = [part[place] for part in told_parts]


class _Codes(dict[Any, int]):
    """Codes of words and whole numbers, looked up at once when they were seen before."""

    def __init__(self, interner: Interner) -> None:
        self.interner = interner

    def __missing__(self, word: Any) -> int:
        code = self[word] = self.interner.code(word)
        return code


def _or_absent(number: int | None) -> int:
    return -1 if number is None else number


def _parts(value: Any, other: Any) -> tuple[int, int, int]:
    """(tag, first, second) of a value."""
    if value is None:
        return (ABSENT, 0, 0)
    if type(value) is int and -_LIMIT < value < _LIMIT:
        return (NUMBER, value, 0)
    if type(value) is list and len(value) == 2:
        one, two = value
        if type(one) is int and type(two) is int and -_LIMIT < one < _LIMIT and -_LIMIT < two < _LIMIT:
            return (PAIR, one, two)
    return (OTHER, other(value), 0)


def read_columns(path: Path, start: int, header: Header) -> History | None:
    """Read the events that begin at a byte of a file; see the module docstring."""
    keep_pages()
    with collector_at_rest():
        return _read(path, start, header)


def _read(path: Path, start: int, header: Header) -> History | None:
    reader = _Reader()
    blocks: list[_Block] = []
    starts: list[int] = []
    ends: list[int] = []
    firsts = [0]
    with path.open("rb") as file:
        file.seek(start)
        while text := file.read(BLOCK):
            if not text.endswith(b"\n"):
                text += file.readline()
                if not text.endswith(b"\n"):
                    return None
            block = reader.block(text, firsts[-1])
            if block is None:
                return None
            starts.append(start)
            start += len(text)
            ends.append(start)
            blocks.append(block)
            firsts.append(firsts[-1] + block.rows)
    if not blocks or "" in reader.fs.values:
        return None
    columns = _Block.of(blocks)
    events = Events(path, starts, ends, firsts[:-1], firsts[-1])
    faults = columns["process"] == -1 - reader.words.code(NEMESIS)
    operations = _paired(columns, faults, reader, events)
    if operations is None:
        return None
    history = History(header, events)
    history.__dict__["operations"] = operations
    history.__dict__["fault_events"] = [events[place] for place in np.flatnonzero(faults).tolist()]
    return history


def _paired(columns: _Block, faults: NDArray[np.bool_], reader: _Reader, events: Events) -> Operations | None:
    """Invocations with their completions; None if they do not alternate within each process."""
    asks = columns["kind"] == 3
    completion_of = _completions(columns["process"], asks, faults, len(reader.words.values))
    if completion_of is None:
        return None
    invoke = np.flatnonzero(asks & ~faults) if faults.any() else np.flatnonzero(asks)
    completion = completion_of[invoke]
    answered = completion >= 0
    at = completion if answered.all() else np.where(answered, completion, invoke)
    status = columns["kind"][at]
    status[~answered] = INFO
    table, codes = Values.of(columns["tag"], columns["first"], columns["second"], reader.others.values)
    names = reader.names
    process = _process_codes(columns["process"][invoke], reader)
    session = columns.at("session", invoke)
    return Operations(
        invoke=invoke,
        response=np.where(status == INFO, NEVER, completion),
        completion=completion,
        status=status,
        process=process,
        session=np.where(session < 0, process, session) if "session" in columns.columns else process,
        node=columns.at("node", at),
        f=columns["f"][invoke],
        key=columns.at("key", invoke),
        argument=codes[invoke],
        result=codes[at],
        generation=columns.at("generation", at),
        log_index=columns.at("log_index", at),
        invoke_ns=columns.at("time", invoke),
        response_ns=np.where(answered, columns["time"][at], -1)
        if "time" in columns.columns
        else columns.at("time", at),
        fs=reader.fs.values,
        keys=reader.keys.values,
        values=table,
        names=names.values,
        events=events,
        error=columns.at("error", at),
        errors=reader.errors.values,
    )


def _completions(
    process: Numbers, asks: NDArray[np.bool_], faults: NDArray[np.bool_], words: int
) -> NDArray[np.int64] | None:
    """Event → the event that completes it, -1 for none; None if invocations and completions do not alternate."""
    small = process + words
    small = small.astype(np.uint16) if len(small) and int(small.max()) < 1 << 16 else small
    rows = np.argsort(small, kind="stable")
    if faults.any():
        rows = rows[~faults[rows]]
    sorted_process, sorted_asks = small[rows], asks[rows]
    after_ask = np.zeros(len(rows), dtype=np.bool_)
    np.logical_and(sorted_process[1:] == sorted_process[:-1], sorted_asks[:-1], out=after_ask[1:])
    if bool(np.any(sorted_asks == after_ask)):
        return None
    found = np.full(len(process), -1, dtype=np.int64)
    ends = np.flatnonzero(after_ask)
    found[rows[ends - 1]] = rows[ends]
    return found


def _process_codes(process: Numbers, reader: _Reader) -> NDArray[np.int32]:
    """Codes into the names of numbers and words."""
    places, distinct = ranks(process)
    words = reader.words.values
    codes = [reader.names.code(words[-1 - number] if number < 0 else number) for number in distinct.tolist()]
    return np.array(codes, dtype=np.int32)[places]
