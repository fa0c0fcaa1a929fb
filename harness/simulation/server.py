"""A listener: what `create_server` gives back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from harness.simulation.process import CURRENT

if TYPE_CHECKING:
    from harness.simulation.network import Address, Network
    from harness.simulation.transport import SimTransport

BACKLOG: Final = 100
"""Connections that the kernel has made and the process has not taken yet; a paused process' listener fills up."""


class ListeningSocket:
    """As much of a socket as code asks of a listener: where it listens."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        """Host and port."""
        return self._address


class SimServer(asyncio.AbstractServer):
    """Accepts connections into the process, and the context, that made it."""

    def __init__(self, network: Network, address: Address, protocol_factory: Callable[[], Any]) -> None:
        self.address = address
        self.process = CURRENT.get()
        self.context = copy_context()
        self._network = network
        self._protocol_factory = protocol_factory
        self._waiting = 0
        self._serving = True
        self._closed = network.loop.create_future()
        self._number = network.loop.next_sequence()
        if self.process is not None:
            self.process.sockets[self._number] = self

    @property
    def sockets(self) -> tuple[ListeningSocket, ...]:
        """One, or none once it is closed."""
        return (ListeningSocket(self.address),) if self._serving else ()

    def is_full(self) -> bool:
        """Whether the kernel would let a newcomer's first message drop."""
        return self._waiting >= BACKLOG

    def queue(self, transport: SimTransport) -> None:
        """The kernel made a connection; it waits to be accepted."""
        self._waiting += 1

    def accept(self, transport: SimTransport) -> None:
        """Hand a connection to a new protocol; in the process' own context."""
        self._waiting -= 1
        if not self._serving:
            transport.abort()
            return
        protocol = self._protocol_factory()
        transport.set_protocol(protocol)
        transport.begin_reading()
        protocol.connection_made(transport)

    def close(self) -> None:
        """Free the port. Connections that were accepted stay."""
        if not self._serving:
            return
        self._serving = False
        self._network.forget(self)
        if self.process is not None:
            self.process.sockets.pop(self._number, None)
        if not self._closed.done():
            self._closed.set_result(None)

    def owner_died(self, quietly: bool) -> None:
        """The process is gone: the port is free."""
        self._serving = False
        self._network.forget(self)

    async def wait_closed(self) -> None:
        """Return once it is closed."""
        if self._serving:
            await asyncio.shield(self._closed)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The simulated one."""
        return self._network.loop

    def is_serving(self) -> bool:
        """Whether the port is taken by it."""
        return self._serving

    async def start_serving(self) -> None:
        """It does from the start."""

    async def serve_forever(self) -> None:
        """Wait until cancelled, then close."""
        try:
            await asyncio.shield(self._closed)
        finally:
            self.close()
