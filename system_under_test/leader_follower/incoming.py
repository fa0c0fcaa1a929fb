"""A connection that a client or another node opened to this one.

A plain protocol, and no stream: what comes is looked at where it arrives, without a task that has to be woken for it.
One that does not read its answers is cut off; one that brings what is no frame of ours is closed, after what was asked
before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .wire import BadFrame, Decoder

if TYPE_CHECKING:
    from .server import Server

REPLY_BUFFER_BYTES_MAX = 4 << 20


class Incoming(asyncio.Protocol):
    """See the module docstring."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._decoder = Decoder()
        self._transport: Any = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open; the server may not want it."""
        self._transport = transport
        self._number = self._server.accept(self)
        if not self._number:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Take every frame that is complete now."""
        if not self._number:
            return
        try:
            for value in self._decoder.feed(data):
                self._server.take(self._number, value)
        except BadFrame as error:
            self._server.refuse(self._number, str(error))
            self._number = 0
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """It is over, whoever ended it."""
        self._server.forget(self._number)
        self._number = 0

    def reply(self, frame: bytes) -> None:
        """Send an answer, unless there is nobody any more who would read it."""
        transport = self._transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > REPLY_BUFFER_BYTES_MAX:
            transport.abort()
            return
        transport.write(frame)

    def abort(self) -> None:
        """Throw it away."""
        self._transport.abort()
