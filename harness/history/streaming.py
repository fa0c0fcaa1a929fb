"""Reads a history of any length piece by piece: one JSON operation per line, a header before them.

    stream = EventStream(Path("history.jsonl"))
    for events in stream:          # lists of events, a block's worth each
        ...
    stream.truncated               # known at the end

The same is checked as in `harness.history.reader`: fields and their types, and that invocations and completions of a
process alternate. Events are numbered afresh, and the last line may be cut off.

Limits: one block of BLOCK_BYTES, its events, and one entry per process are in memory. Other formats are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from harness.errors import HistoryError
from harness.history.header import Header
from harness.op import NEMESIS, Op

BLOCK_BYTES: Final = 4 << 20
SHOWN: Final = 60
"""Bytes of a broken line that a message shows."""


class EventStream:
    """See the module docstring.

    Attributes:
        header: of the file, or the defaults where it has none.
        count: events so far.
        truncated: a sentence when the file was cut off inside a line, else "".
    """

    def __init__(self, path: Path, block_bytes: int = BLOCK_BYTES) -> None:
        self.path = path = path / "history.jsonl" if path.is_dir() else path
        self.count = 0
        self.truncated = ""
        self._block_bytes = block_bytes
        self._line = 1
        self._running: dict[int | str, int] = {}
        self._decode_lines = msgspec.json.Decoder(Op).decode_lines
        self.header, self._skip = self._read_header()

    def __iter__(self) -> Iterator[list[Op]]:
        """Lists of events, in order.

        Raises:
            HistoryError: one sentence that names the file, the line, the field, what was found and what was wanted.
        """
        with self._open() as file:
            file.seek(self._skip)
            rest = b""
            while block := file.read(self._block_bytes):
                whole, _, rest_of_block = block.rpartition(b"\n")
                if not whole and b"\n" not in block:
                    rest += block
                    continue
                text, rest = rest + whole, rest_of_block
                yield self._events(text)
                self._line += text.count(b"\n") + 1
            yield from self._last(rest)

    def _last(self, rest: bytes) -> Iterator[list[Op]]:
        """What stands behind the last line break: a whole line, or one that was cut off."""
        if not rest.strip():
            return
        try:
            msgspec.json.decode(rest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.truncated = (
                f"{self.path.name} was cut off inside line {self._line}; events kept: the {self.count} before it."
            )
            return
        yield self._events(rest)

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise HistoryError(f"{self.path}: the history cannot be read: {error.strerror}.") from error

    def _read_header(self) -> tuple[Header, int]:
        """The header, and where the events begin."""
        with self._open() as file:
            first = file.readline(BLOCK_BYTES)
        text = first.removeprefix(b"\xef\xbb\xbf").strip()
        if not text.startswith(b"{"):
            raise HistoryError(
                f"{self.path}, line 1: only one JSON operation per line can be streamed, found"
                f" {text[:SHOWN].decode('utf-8', errors='replace')}."
            )
        try:
            fields = msgspec.json.decode(text)
            if isinstance(fields, dict) and {"splitbrain", "model", "source"} & fields.keys():
                self._line = 2
                return msgspec.convert(fields, Header), len(first)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HistoryError(f"{self.path}, line 1: {_problem(error)}; wanted a header or an operation.") from error
        return Header(), len(first) - len(first.removeprefix(b"\xef\xbb\xbf"))

    def _events(self, text: bytes) -> list[Op]:
        """Decode, number and check the lines of a block."""
        try:
            events = self._decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            lines = enumerate(text.split(b"\n"), self._line)
            events = [self._event(line, number) for number, line in lines if line.strip()]
        running, index = self._running, self.count
        for place, op in enumerate(events):
            if op.index != index:
                events[place] = msgspec.structs.replace(op, index=index)
            if op.process != NEMESIS:
                if op.type == "invoke":
                    if op.process in running or (op.process == -1 and not op.f):
                        self._refuse(op, index)
                    running[op.process] = index
                elif running.pop(op.process, None) is None:
                    self._refuse(op, index)
            index += 1
        self.count = index
        return events

    def _event(self, line: bytes, number: int) -> Op:
        """One line. In a foreign file the fields that decide nothing are taken as they come."""
        try:
            fields = msgspec.json.decode(line)
            if self.header.splitbrain == 0 and isinstance(fields, dict):
                fields.pop("index", None)
                for name in ("error", "node"):
                    if not isinstance(fields.get(name), str | None):
                        fields[name] = msgspec.json.encode(fields[name]).decode()
                if isinstance(fields.get("time"), float):
                    fields["time"] = int(fields["time"])
            return msgspec.convert(fields, Op)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            shown = line[:SHOWN].decode("utf-8", errors="replace")
            raise HistoryError(
                f"{self.path}, line {number}: {_problem(error)}: found {shown}; wanted an operation."
            ) from error

    def _refuse(self, op: Op, index: int) -> None:
        where = f"{self.path}, event {index}"
        if op.process == -1 and not op.f:
            raise HistoryError(f"{where}: found neither process nor f; wanted an operation.")
        if op.type == "invoke":
            raise HistoryError(
                f"{where}: process {op.process} invokes {op.f or 'an operation'} while what it invoked in event"
                f" {self._running[op.process]} is still running; wanted one operation at a time."
            )
        raise HistoryError(
            f"{where}: process {op.process} completes {op.f or 'an operation'} as {op.type} without having invoked it;"
            " wanted an invocation before it."
        )


def _problem(error: Exception) -> str:
    """What msgspec says, as half a sentence."""
    if isinstance(error, msgspec.ValidationError):
        return f"this is no operation ({error})".replace("`", "'")
    return "its brackets are nested too deeply" if isinstance(error, RecursionError) else "this is not JSON"
