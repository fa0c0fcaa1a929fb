"""A simulated datagram socket: what `loop.create_datagram_endpoint` gives.

Datagrams travel each for itself: they are lost in a cut without a word, overtake each other, come twice where the world
or a fault says so. A socket takes so many that the process has not looked at, and drops the rest, as a kernel does.

Limits: IPv4 names only; no broadcast, no multicast; an unreachable port is told to connected sockets only, as on Linux.
"""

from __future__ import annotations

import asyncio
import errno
import os
import zlib
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from harness.simulation.process import Killed, Process

if TYPE_CHECKING:
    from harness.simulation.network import Address, Network

DATAGRAM_BYTES_MAX: Final = 65_507
WAITING_MAX: Final = 256


class SimDatagramTransport(asyncio.DatagramTransport):
    """See the module docstring.

    Attributes:
        sequence: its number, for the trace; address: where it is bound; context: in which its protocol is called.
    """

    def __init__(
        self, network: Network, process: Process | None, context: Context, address: Address, peer: Address | None
    ) -> None:
        super().__init__({"sockname": address, "peername": peer})
        self.sequence = network.loop.next_sequence()
        self.address = address
        self.context = context
        self._network = network
        self._loop = network.loop
        self._process = process
        self._peer = peer
        self._protocol: Any = None
        self._closed = False
        self._waiting = 0
        if process is not None:
            process.sockets[self.sequence] = self

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send, and never know."""
        if self._peer is not None and addr not in (None, self._peer):
            raise ValueError(f"Invalid address: must be None or {self._peer}")
        if self._closed or (self._process is not None and self._process.state == "dead"):
            return
        target = self._peer if addr is None else (self._network.host_named(str(addr[0])), int(addr[1]))
        if target is None:
            raise ValueError("A datagram socket that is not connected needs an address to send to.")
        payload = bytes(data)
        if len(payload) > DATAGRAM_BYTES_MAX:
            self._protocol.error_received(OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE)))
            return
        process = self._process
        if process is None:
            self._depart(target, payload)
            return
        process.effect("send", "before", target[0])
        if process.blocked:
            process.outbox.append(lambda: self._depart(target, payload))
        elif process.state != "dead":
            self._depart(target, payload)
        process.effect("send", "after", target[0])
        if process.state == "dead":
            raise Killed

    def _depart(self, target: Address, payload: bytes) -> None:
        loop, here = self._loop, self.address[0]
        message = 0 if loop.recording is None else loop.recording.next_message()
        loop.note("send", here, "datagram", target[0], len(payload), message)
        link = self._network.link(here, target[0])
        passage = link.passage(target[1])
        if passage == "silent":
            loop.note("drop", here, "datagram", target[0], len(payload), message)
            return
        arrive = self._refused if passage == "reset" else self._arrive
        link.carry_datagram(
            loop.now_ns(),
            len(payload),
            lambda when_ns: loop.call_at_ns(when_ns, arrive, (target, payload, message), loop.kernel_context),
        )

    def _arrive(self, target: Address, payload: bytes, message: int) -> None:
        socket = self._network.datagram_socket(target)
        if socket is None:
            self._refused(target, payload, message)
        elif socket._waiting < WAITING_MAX:
            socket._waiting += 1
            self._loop.call_soon(socket.receive, payload, self.address, message, context=socket.context)

    def _refused(self, target: Address, _payload: bytes, _message: int) -> None:
        """The kernel there says that nobody takes it, if it can; only a connected socket is told."""
        back = self._network.link(target[0], self.address[0])
        if self._peer is not None and back.passage(self.address[1]) == "open":
            error = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            self._loop.call_at_ns(self._loop.now_ns() + back.delay_ns(), self._told, (error,), self.context)

    def _told(self, error: OSError) -> None:
        if not self._closed:
            self._protocol.error_received(error)

    def receive(self, payload: bytes, source: Address, message: int) -> None:
        """A datagram arrives; in the owning process' context."""
        self._waiting -= 1
        if self._closed or (self._peer is not None and source != self._peer):
            return
        self._loop.trace.add(len(payload), zlib.crc32(payload))
        self._loop.note("deliver", self.address[0], "datagram", source[0], len(payload), message, payload)
        try:
            self._protocol.datagram_received(payload, source)
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "A protocol failed on a datagram", "exception": error, "transport": self}
            )

    def close(self) -> None:
        """Take and send nothing any more."""
        if not self._closed:
            self._let_go()
            if self._process is not None:
                self._process.sockets.pop(self.sequence, None)
            if not self._loop.is_closed():
                self._loop.call_soon(self._protocol.connection_lost, None, context=self.context)

    def abort(self) -> None:
        """The same: nothing waits to be sent."""
        self.close()

    def owner_died(self, quietly: bool) -> None:
        """The process is gone: the port is free."""
        self._let_go()

    def _let_go(self) -> None:
        self._closed = True
        self._network.forget_datagrams(self)

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._closed or self._loop.is_closed()

    def get_write_buffer_size(self) -> int:
        """Nothing waits to be sent."""
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have it."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who has it."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol
