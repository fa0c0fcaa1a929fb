"""The simulated network: hosts, listeners, cuts, and how long a message takes.

Everything travels through `is_open` and `delay_ns`, so that a cut holds for connections, handshakes and probes alike. A
cut drops what is sent while it is in force; what was under way before arrives. Each ordered pair of hosts draws its
delays from a stream of its own: what one link carries does not shift the delays of another.

A handshake is as TCP's: the first message is repeated after 1, 2, 4, ... seconds when nothing comes back, a host
without listener refuses, a host without power is silent.

Limits: streams only. No loss but by cuts, since TCP would hide it; no bandwidth.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from harness.simulation.pipe import Pipe
from harness.simulation.process import CONTROL, CURRENT, current_host
from harness.simulation.server import SimServer
from harness.simulation.transport import SimTransport
from harness.streams import Streams

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

Address = tuple[str, int]

DELAY_MIN_NS: Final = 200_000
DELAY_SPAN_NS: Final = 1_800_000
SLOW_SHARE: Final = 0.01
"""One message in a hundred meets a queue somewhere, and takes up to SLOW_SPAN_NS longer."""
SLOW_SPAN_NS: Final = 20_000_000
LOOPBACK_MIN_NS: Final = 20_000
LOOPBACK_SPAN_NS: Final = 40_000
HANDSHAKE_WAITS_S: Final = (1, 2, 4, 8, 16, 32, 64)
"""Linux' six repetitions of a SYN."""
PROBE_TIMEOUT_S: Final = 0.2
FIRST_EPHEMERAL_PORT: Final = 32768
LAST_PORT: Final = 65535
HERE: Final = frozenset({"", "localhost", "127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - no real socket


class Network:
    """Connects the hosts of one loop.

    Attributes:
        troubled: whether there is any cut or any host without power; the shortcut of every message in quiet times.
    """

    def __init__(self, loop: SimLoop, streams: Streams) -> None:
        self.loop = loop
        self.troubled = False
        self._streams = streams
        self._delays: dict[tuple[str, str], Callable[[], int]] = {}
        self._hosts = {CONTROL}
        self._listeners: dict[Address, SimServer] = {}
        self._next_ports: dict[str, int] = {}
        self._cuts: frozenset[tuple[str, str]] = frozenset()
        self._dark: frozenset[str] = frozenset()

    # ── hosts and faults ─────────────────────────────────────────────────────────────────────────────────────────────

    def add_host(self, name: str) -> None:
        """Let a host be known by its name."""
        self._hosts.add(name)

    def set_cuts(self, cuts: Iterable[tuple[str, str]]) -> None:
        """Drop, from now on, what goes from source to destination of these pairs, and of no others."""
        self._cuts = frozenset(cuts)
        for host in {host for cut in self._cuts for host in cut}:
            if host == CONTROL or host not in self._hosts:
                raise ValueError(f"{host!r} is no node whose links can be cut.")
        self.troubled = bool(self._cuts or self._dark)

    def set_power(self, host: str, on: bool) -> None:
        """A host without power neither sends nor answers."""
        self._dark = self._dark - {host} if on else self._dark | {host}
        self.troubled = bool(self._cuts or self._dark)

    def is_open(self, source: str, destination: str) -> bool:
        """Whether what source sends now reaches destination."""
        if not self.troubled:
            return True
        return not (source in self._dark or destination in self._dark or (source, destination) in self._cuts)

    def delays(self, source: str, destination: str) -> Callable[[], int]:
        """Draws how long, in nanoseconds, the next message from source to destination takes."""
        link = (source, destination)
        if link not in self._delays:
            self._delays[link] = self._new_delays(source, destination)
        return self._delays[link]

    def _new_delays(self, source: str, destination: str) -> Callable[[], int]:
        chance = self._streams.stream(f"network/{source}>{destination}").random
        if source == destination:
            return lambda: LOOPBACK_MIN_NS + int(chance() * LOOPBACK_SPAN_NS)

        def delay_ns() -> int:
            share = chance()
            usual = DELAY_MIN_NS + int(share * DELAY_SPAN_NS)
            return usual + int(chance() * SLOW_SPAN_NS) if share < SLOW_SHARE else usual

        return delay_ns

    async def probe(self, source: str, destination: str) -> bool:
        """Send one message, and tell whether it came within PROBE_TIMEOUT_S. Kernels answer: no process is needed."""
        arrived = asyncio.Event()
        if self.is_open(source, destination):
            self.loop.call_at_ns(self.loop.now_ns() + self.delays(source, destination)(), arrived.set, ())
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await arrived.wait()
        except TimeoutError:
            return False
        return True

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def listen(self, protocol_factory: Callable[[], Any], host: str, port: int) -> SimServer:
        """Accept connections to a port of the caller's own host; OSError when it is taken or not the caller's."""
        here = current_host()
        if host not in HERE and host != here:
            raise _os_error(errno.EADDRNOTAVAIL, (host, port))
        address = (here, port or self._ephemeral_port(here))
        if address in self._listeners:
            raise _os_error(errno.EADDRINUSE, address)
        server = SimServer(self, address, protocol_factory)
        self._listeners[address] = server
        return server

    def forget(self, server: SimServer) -> None:
        """The listener is closed: its port is free."""
        if self._listeners.get(server.address) is server:
            del self._listeners[server.address]

    async def connect(self, protocol_factory: Callable[[], Any], host: str, port: int) -> tuple[SimTransport, Any]:
        """The client's end of a new connection, and its protocol.

        Raises:
            OSError: nobody listens, nobody answers, or the host is not known.
        """
        source = current_host()
        address = (self._host_named(host, source), port)
        for wait_s in HANDSHAKE_WAITS_S:
            server = await self._shake_hands(source, address)
            if server is not None:
                return self._connected(protocol_factory, source, server)
            await asyncio.sleep(wait_s)
        raise _os_error(errno.ETIMEDOUT, address)

    async def _shake_hands(self, source: str, address: Address) -> SimServer | None:
        """Go there and back. None when one of the ways was shut, or the listener has too many waiting."""
        destination = address[0]
        if not self.is_open(source, destination):
            return None
        await self._travel(source, destination)
        if not self.is_open(destination, source):
            return None
        server = self._listeners.get(address)
        if server is not None and server.is_full():
            return None
        await self._travel(destination, source)
        if server is None or not server.is_serving():
            raise _os_error(errno.ECONNREFUSED, address)
        return server

    async def _travel(self, source: str, destination: str) -> None:
        arrived = self.loop.create_future()
        when_ns = self.loop.now_ns() + self.delays(source, destination)()
        timer = self.loop.call_at_ns(when_ns, _set_done, (arrived,))
        try:
            await arrived
        finally:
            timer.cancel()

    def _connected(
        self, protocol_factory: Callable[[], Any], source: str, server: SimServer
    ) -> tuple[SimTransport, Any]:
        local = (source, self._ephemeral_port(source))
        number = self.loop.next_sequence()
        client = SimTransport(self.loop, number, CURRENT.get(), copy_context(), local, server.address)
        accepted = SimTransport(
            self.loop, self.loop.next_sequence(), server.process, server.context.copy(), server.address, local
        )
        client.attach(Pipe(self, client, accepted), Pipe(self, accepted, client))
        accepted.attach(client.incoming, client.outgoing)
        protocol = protocol_factory()
        client.set_protocol(protocol)
        server.queue(accepted)
        client.outgoing.open(server)
        protocol.connection_made(client)
        return client, protocol

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def resolve(self, host: str, port: int) -> list[Any]:
        """In the shape of `socket.getaddrinfo`; gaierror when the name is not known."""
        name = self._host_named(host, current_host())
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, port))]

    def _host_named(self, name: str, here: str) -> str:
        if name in HERE:
            return here
        if name not in self._hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"{name!r} is no host of this simulation")
        return name

    def _ephemeral_port(self, host: str) -> int:
        port = self._next_ports.get(host, FIRST_EPHEMERAL_PORT)
        self._next_ports[host] = FIRST_EPHEMERAL_PORT if port == LAST_PORT else port + 1
        return port


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _os_error(number: int, address: Address) -> OSError:
    return OSError(number, f"{os.strerror(number)}: {address[0]}:{address[1]}")
