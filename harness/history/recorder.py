"""Writes the history to disk as it happens. The order in which it is told of events is the one total order.

One line per event, handed to the operating system at the latest `FLUSH_NS` after it happened (the interpreter calls
`flush` when there is nothing to record), so a harness that is killed leaves all but the last tenth of a second.
Each event is encoded when it is recorded: what becomes of a value afterwards does not matter.

    recorder = Recorder(run.history_path, Header(model="register"), clock.monotonic_ns)
    recorder.record(Op(process=0, f="read"))
    recorder.close()

Limits: all events are kept in memory as well, for the final reads; one takes about 200 bytes. Lines are not fsynced
one by one: a machine that loses power may lose the last seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from harness.errors import StoreError
from harness.history.header import Header
from harness.op import NEMESIS, Op

FLUSH_NS: Final = 50_000_000
FLUSH_LINES: Final = 4096


class Recorder:
    """See the module docstring.

    Attributes:
        events: what was recorded so far.
        listeners: each is told of every event, after it has its index and time.
    """

    def __init__(self, path: Path, header: Header, now_ns: Callable[[], int]) -> None:
        self.events: list[Op] = []
        self.listeners: list[Callable[[Op], None]] = []
        self._path = path
        self._now_ns = now_ns
        self._start_ns = now_ns()
        self._flushed_ns = self._start_ns
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = [msgspec.json.encode(header)]
        try:
            self._file: BinaryIO | None = path.open("xb", buffering=0)
        except OSError as error:
            raise StoreError(f"{path}: the history cannot be begun: {error.strerror}.") from error
        self.flush()

    def elapsed_ns(self) -> int:
        """Time since the recorder was made, on the run's clock."""
        return self._now_ns() - self._start_ns

    def record(self, op: Op) -> Op:
        """Give an event its index and time, write it, tell the listeners. Returns it as recorded.

        A value that JSON cannot hold is replaced by its text; an `ok` that had one is in doubt, and says so.

        Raises:
            StoreError: the disk is full or gone.
        """
        now_ns = self._now_ns()
        recorded = Op(
            len(self.events),
            now_ns - self._start_ns,
            op.process,
            op.type,
            op.f,
            op.key,
            op.value,
            op.node,
            op.session,
            op.version,
            op.error,
            op.token,
            op.applied,
        )
        try:
            line = self._encode(recorded)
        except (TypeError, ValueError, OverflowError) as error:
            recorded = _plain(recorded, error)
            line = self._encode(recorded)
        self.events.append(recorded)
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES or now_ns - self._flushed_ns >= FLUSH_NS:
            self.flush()
        for listener in self.listeners:
            listener(recorded)
        return recorded

    def flush(self) -> None:
        """Hand everything to the operating system.

        Raises:
            StoreError: the disk is full or gone. What was whole on it stays readable.
        """
        self._flushed_ns = self._now_ns()
        if not self._lines or self._file is None:
            return
        data = memoryview(b"\n".join(self._lines) + b"\n")
        self._lines = []
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise StoreError(
                f"{self._path}: the history cannot be written on: {error.strerror}. What was written is readable."
            ) from error

    def continue_in(self, path: Path, header: Header) -> None:
        """Go on in another file, under another header, which begins with all that there is; the former one stays.

        For a forked process, which shares the file with its parent: what that has not written yet, it will write.
        """
        assert self._file is not None, "a recorder that is closed does not go on"
        self._file.close()
        self._path, self._file = path, path.open("xb", buffering=0)
        self._lines = [msgspec.json.encode(header), *map(self._encode, self.events)]
        self.flush()

    def close(self) -> None:
        """Write what is left and make it durable; idempotent.

        Raises:
            StoreError: the disk is full or gone.
        """
        if self._file is None:
            return
        try:
            self.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
            self._file = None


def _plain(op: Op, error: Exception) -> Op:
    """The event with text for what JSON cannot hold."""
    doubtful = op.type == "ok" and op.process != NEMESIS
    return msgspec.structs.replace(
        op,
        type="info" if doubtful else op.type,
        key=op.key if isinstance(op.key, str | int | None) else repr(op.key),
        value=repr(op.value),
        error=f"unwritable-value: {error}" if doubtful or op.error is None else op.error,
    )
