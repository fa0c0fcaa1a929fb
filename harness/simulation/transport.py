"""One end of a simulated connection: the transport that asyncio's protocols and streams talk to.

Kernel and process are kept apart. `receive` runs in the owning process' context, so a paused process takes nothing in
and a dead one nothing ever; `kernel_lost` runs in nobody's, as resets and timeouts happen to a socket whatever its
process does, and only tells the process in its own time.

Limits: `BufferedProtocol` is refused; nothing is encrypted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import zlib
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from harness.simulation.pipe import Pipe, Segment
from harness.simulation.process import Killed, Process
from harness.simulation.refusals import RefusedError

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

KERNEL_BUFFER_BYTES: Final = 256 * 1024
"""What the two kernels take off the sender's hands before the transport's own buffer fills."""
HIGH_WATER_BYTES: Final = 64 * 1024


class SimTransport(asyncio.Transport):
    """See the module docstring.

    Attributes:
        sequence: its number, for the trace; host, port: where it is; context: in which its protocol is called;
        process: whose it is.
        gone: the socket is closed; what still comes is answered with a reset.
        writing_paused: whether its protocol was told to write no more for now.
        outgoing, incoming: the two directions.
    """

    outgoing: Pipe
    incoming: Pipe

    def __init__(
        self,
        loop: SimLoop,
        sequence: int,
        process: Process | None,
        context: Context,
        local: tuple[str, int],
        remote: tuple[str, int],
    ) -> None:
        super().__init__({"sockname": local, "peername": remote})
        self.sequence = sequence
        self.host, self.port = local
        self.context = context
        self.gone = False
        self._loop = loop
        self.process = process
        self._protocol: Any = None
        self._eof_written = False
        self._reading = True
        self._takes = True
        self._inbox: deque[Segment] = deque()
        self.writing_paused = False
        self._low, self._high = HIGH_WATER_BYTES // 4, HIGH_WATER_BYTES
        if process is not None:
            process.sockets[sequence] = self

    def attach(self, outgoing: Pipe, incoming: Pipe) -> None:
        """Give it its directions; once."""
        self.outgoing, self.incoming = outgoing, incoming

    def __repr__(self) -> str:
        return f"<SimTransport {self.sequence} on {self.host}{' closed' if self.gone else ''}>"

    # ── what comes in ────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, segment: Segment) -> None:
        """A segment arrives; in the owning process' context."""
        if self.gone:
            self.incoming.refuse(segment, self._loop.virtual_ns)
        elif self._takes or segment.kind == "open":
            self._take(segment)
        else:
            self._inbox.append(segment)

    def _take(self, segment: Segment) -> None:
        if self._loop.recording is not None:
            self._note(segment)
        try:
            if segment.kind == "data":
                self._take_data(segment.parts)
            elif segment.kind == "end":
                if not self._protocol.eof_received():
                    self.close()
            elif segment.server is not None:
                segment.server.accept(self)
            else:
                self._lose(ConnectionResetError(*_told(errno.ECONNRESET)))
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": f"A protocol failed on {segment.kind}", "exception": error, "transport": self}
            )
            self.abort()

    def _take_data(self, parts: list[bytes]) -> None:
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        size = len(data)
        record = self._loop.trace.numbers.append
        record(size)
        record(zlib.crc32(data))
        self.incoming.taken(size)
        self._protocol.data_received(data)

    def _note(self, segment: Segment) -> None:
        data = b"".join(segment.parts)
        self._loop.note("deliver", self.host, segment.kind, self.outgoing.destination, len(data), segment.message, data)

    def begin_reading(self) -> None:
        """A listener took the connection. As on a real loop, what came meanwhile is read a little later, after all that
        came on connections that were there before."""
        self._takes = False
        self._loop.call_soon(self._take_waiting, context=self.context)

    def pause_reading(self) -> None:
        """Leave what comes in the kernel."""
        self._reading = self._takes = False

    def resume_reading(self) -> None:
        """Take what came, and what comes."""
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._take_waiting, context=self.context)

    def _take_waiting(self) -> None:
        while self._inbox and self._reading and not self.gone:
            self._take(self._inbox.popleft())
        self._takes = self._reading

    def is_reading(self) -> bool:
        """Whether what comes is taken."""
        return self._reading and not self.gone

    # ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, data: Any) -> None:
        """Send; what is written after the end of the connection is dropped, as asyncio does."""
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.gone or not data:
            return
        process, outgoing = self.process, self.outgoing
        if process is None or process.watched is None:
            outgoing.write(bytes(data))
        elif not self._write_watched(process, bytes(data)):
            return
        if outgoing.queued_bytes > KERNEL_BUFFER_BYTES + self._high and not self.writing_paused:
            self.writing_paused = True
            self._protocol.pause_writing()

    def _write_watched(self, process: Process, data: bytes) -> bool:
        """Write, with somebody looking who may strike the process before and after; whether it still lives."""
        process.effect("send", "before", self.outgoing.destination)
        if not self.gone:
            self.outgoing.write(data)
            process.effect("send", "after", self.outgoing.destination)
        if process.state == "dead":
            raise Killed
        return not self.gone

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def room_made(self) -> None:
        """The other process took something."""
        if self.writing_paused and self.outgoing.queued_bytes <= KERNEL_BUFFER_BYTES + self._low:
            self.writing_paused = False
            self._loop.call_soon(self._resume_writing, context=self.context)

    def _resume_writing(self) -> None:
        if not self.gone:
            self._protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        """Bytes that no kernel has taken."""
        queued = self.outgoing.queued_bytes
        return queued - KERNEL_BUFFER_BYTES if queued > KERNEL_BUFFER_BYTES else 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high)."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As in asyncio."""
        high = (HIGH_WATER_BYTES if low is None else 4 * low) if high is None else high
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._low, self._high = low, high

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more will be sent; reading goes on."""
        if not self._eof_written and not self.gone:
            self._eof_written = True
            self.outgoing.end()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def is_closing(self) -> bool:
        """Whether it is closed, whoever did it. With the loop everything is: streams are dropped after the run."""
        return self.gone or self._loop.closed

    def close(self) -> None:
        """The kernel sends what was written, and then the end."""
        if not self.is_closing():
            self.write_eof()
            self._lose(None)

    def abort(self) -> None:
        """Throw away what was not sent, and reset the connection."""
        if not self.is_closing():
            self.outgoing.reset()
            self._lose(None)

    def kernel_lost(self, error: int) -> None:
        """The kernel gave the connection up, or was told that it is no more."""
        if not self.gone:
            self.outgoing.silence()
            kind = ConnectionResetError if error == errno.ECONNRESET else OSError
            self._lose(kind(*_told(error)))

    def owner_died(self, quietly: bool) -> None:
        """The process is gone. Its kernel sends what was written and the end, or a reset if there was more to read."""
        self.gone = True
        if quietly:
            self.outgoing.silence()
        elif self.incoming.queued_bytes:
            self.outgoing.reset()
        elif not self._eof_written:
            self.outgoing.end()

    def _lose(self, error: Exception | None) -> None:
        self.gone = True
        self._inbox.clear()
        if self.process is not None:
            self.process.sockets.pop(self.sequence, None)
        if self._protocol is not None:
            self._loop.call_soon(self._protocol.connection_lost, error, context=self.context)

    # ── the protocol ─────────────────────────────────────────────────────────────────────────────────────────────────

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have the connection."""
        if isinstance(protocol, asyncio.BufferedProtocol):
            raise RefusedError("A BufferedProtocol", "use asyncio.Protocol or streams")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who has the connection."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


def _told(error: int) -> tuple[int, str]:
    return error, os.strerror(error)
