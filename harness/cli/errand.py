"""Runs for a Dask worker: they are made in a process of their own, which is kept for the next ones.

A run is bounded by a signal, and signals are for main threads; a Dask worker hands its tasks to other threads. So each
of these threads has a process beside it, to which tasks go as bytes, each message led by its length in eight bytes. It
ends when the worker does, since its standard input does.

    findings = msgspec.msgpack.decode(explore_encoded(msgspec.msgpack.encode(tasks)), type=list[Finding])
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import IO, Final

import msgspec

from harness.cli.exploring import Task, explore_some
from harness.errors import InfrastructureError

LENGTH_BYTES: Final = 8
PROGRAM: Final = "from harness.cli.errand import serve; serve()"
_beside = threading.local()


class Child:
    """A process that makes runs."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - a constant program
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )

    def ask(self, data: bytes) -> bytes:
        """The answer to a message.

        Raises:
            InfrastructureError: the process ended; its last words.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):  # what it said in the end says why
            _send(self._process.stdin, data)
        answer = _receive(self._process.stdout)
        if answer is None:
            raise InfrastructureError(f"A worker's run failed: {self._last_words()}")
        return answer

    def close(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()
        self._process.wait()

    def _last_words(self) -> str:
        self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with {self._process.returncode}"


def explore_encoded(data: bytes) -> bytes:
    """`explore_some` on bytes, for transports that know nothing of our types.

    Raises:
        InfrastructureError: the process that makes the runs ended; the next call begins another.
    """
    child: Child | None = getattr(_beside, "child", None)
    if child is None:
        child = _beside.child = Child()
    try:
        return child.ask(data)
    except InfrastructureError:
        _beside.child = None
        child.close()
        raise


def serve() -> None:
    """Tasks from standard input, findings to standard output, until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a system under test prints is no answer
    while (data := _receive(source)) is not None:
        _send(sink, msgspec.msgpack.encode(explore_some(msgspec.msgpack.decode(data, type=list[Task]))))


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """One message; None when the stream ended before it was whole."""
    head = stream.read(LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    data = stream.read(length) if len(head) == LENGTH_BYTES else b""
    return data if len(head) == LENGTH_BYTES and len(data) == length else None
