"""Links to the other nodes: one outgoing connection each, over which messages go and nothing comes back.

A link keeps trying. Messages that cannot go now are dropped, not kept: the core repeats what matters, and an old
heartbeat is worth nothing. What a partition leaves behind is a connection that will be quiet for a long time after the
network is whole again (TCP waits twice as long after each loss), so a link over which much was said while nothing was
heard from that peer, on any connection, is thrown away and made anew.
"""

from __future__ import annotations

import asyncio
import contextlib

from .configuration import MILLISECOND_NS

BUFFER_BYTES_MAX = 4 << 20
RETRY_S_MIN = 0.02
RETRY_S_MAX = 0.25


class PeerLink:
    """The way to one peer."""

    def __init__(self, address: tuple[str, int], patience_ns: int) -> None:
        self._address = address
        self._patience_ns = patience_ns
        self._transport: asyncio.WriteTransport | None = None
        self._lost = asyncio.Event()
        self._unanswered_since_ns: int | None = None

    async def run(self) -> None:
        """Connect, stay connected, connect again; until cancelled."""
        retry_s = RETRY_S_MIN
        while True:
            try:
                async with asyncio.timeout(self._patience_ns / 1e9):
                    reader, writer = await asyncio.open_connection(*self._address)
            except (OSError, TimeoutError):
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_S_MAX)
                continue
            retry_s = RETRY_S_MIN
            await self._stay(reader, writer)

    def send(self, frame: bytes, now_ns: int) -> None:
        """Send, or drop."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._unanswered_since_ns is None:
            self._unanswered_since_ns = now_ns
        overdue = now_ns - self._unanswered_since_ns > self._patience_ns
        if overdue or transport.get_write_buffer_size() > BUFFER_BYTES_MAX:
            self.drop()
            return
        transport.write(frame)

    def heard(self) -> None:
        """Something came from that peer."""
        self._unanswered_since_ns = None

    def drop(self) -> None:
        """Throw the connection away; `run` makes another."""
        self._lost.set()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _stay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold the connection until it ends or is dropped."""
        self._transport, self._unanswered_since_ns = writer.transport, None
        self._lost = asyncio.Event()
        watch = asyncio.ensure_future(self._watch(reader))
        try:
            await self._lost.wait()
        finally:
            watch.cancel()
            writer.transport.abort()
            self._transport = None

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Nothing is ever said on this side: whatever is read is the end."""
        with contextlib.suppress(OSError):
            await reader.read(1)
        self._lost.set()


def patience_ns(election_timeout_ms: int) -> int:
    """How long a peer may be silent under talk before its link is made anew."""
    return 2 * election_timeout_ms * MILLISECOND_NS
