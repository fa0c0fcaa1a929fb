"""The simulated network: hosts, listeners, and the links between hosts.

Everything travels over a `Link`, one for each ordered pair of hosts, so that a cut holds for connections, handshakes,
datagrams and probes alike. A cut drops what is sent while it is in force; what was under way before arrives. Each link
draws its delays from a stream of its own: what one link carries does not shift the delays of another.

A handshake is as TCP's: the first message is repeated after 1, 2, 4, ... seconds when nothing comes back, a host
without listener refuses, a host without power is silent.

Limits: one protocol family; a port is cut only for what is sent to it, not for what comes back from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.protocols import LinkShape
from harness.simulation.datagram import SimDatagramTransport
from harness.simulation.link import PLAIN_SHAPE, Link
from harness.simulation.pipe import Pipe
from harness.simulation.process import CONTROL, CURRENT, current_host
from harness.simulation.server import SimServer
from harness.simulation.transport import SimTransport
from harness.simulation.world import World
from harness.streams import Streams

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

Address = tuple[str, int]
Way = tuple[str, str]

HANDSHAKE_WAITS_S: Final = (1, 2, 4, 8, 16, 32, 64)
"""Linux' six repetitions of a SYN."""
PROBE_TIMEOUT_S: Final = 0.2
PROBES: Final = 4
PROBE_LATE_S: Final = 3.0
ROUND_TRIP_TIMEOUT_S: Final = 2.0
BURST_GAP_S: Final = 0.002
BURST_WAIT_S: Final = 1.0
ROUND_TRIP_GAP_S: Final = 0.01
FIRST_EPHEMERAL_PORT: Final = 32768
LAST_PORT: Final = 65535
HERE: Final = frozenset({"", "localhost", "127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - no real socket


class Network:
    """Connects the hosts of one loop."""

    def __init__(self, loop: SimLoop, streams: Streams, world: World) -> None:
        self.loop = loop
        self._streams = streams
        self._world = world
        self._links: dict[Way, Link] = {}
        self._hosts = {CONTROL}
        self._listeners: dict[Address, SimServer] = {}
        self._datagrams: dict[Address, SimDatagramTransport] = {}
        self._next_ports: dict[str, int] = {}
        self._dark: set[str] = set()
        self._stalled: dict[str, int] = {}

    # ── hosts and faults ─────────────────────────────────────────────────────────────────────────────────────────────

    def add_host(self, name: str) -> None:
        """Let a host be known by its name."""
        self._hosts.add(name)

    def link(self, source: str, destination: str) -> Link:
        """The way from one host to another; the same object each time."""
        link = self._links.get((source, destination))
        if link is None:
            link = self._links[source, destination] = Link(source, destination, self._world, self._streams)
            link.stalled = source in self._stalled
            link.settle(dark=source in self._dark or destination in self._dark)
        return link

    def set_cuts(self, cuts: Iterable[Way]) -> None:
        """Drop, from now on, what goes these ways, and no others."""
        self._set(dict.fromkeys(cuts, True), lambda link, on: setattr(link, "cut", bool(on)))

    def add_cuts(self, cuts: Iterable[Way]) -> None:
        """Drop what goes these ways, too, until others are set."""
        for way in cuts:
            self.link(*way).cut = True
        self._settle()

    def set_resets(self, cuts: Iterable[Way]) -> None:
        """The same, but answered with a reset."""
        self._set(dict.fromkeys(cuts, True), lambda link, on: setattr(link, "reset", bool(on)))

    def set_clogs(self, ways: Iterable[Way]) -> None:
        """Hold, from now on, what goes these ways; what was held on others arrives."""
        self._set(dict.fromkeys(ways, True), lambda link, on: setattr(link, "clogged", bool(on)))

    def set_port_cuts(self, cuts: Iterable[Way], port: int, *, reset: bool) -> None:
        """Cut these ways for one port of the destination, and no other port of any."""
        ports = {port: reset}
        self._set(dict.fromkeys(cuts, ports), lambda link, on: setattr(link, "ports", on or {}))

    def set_shapes(self, shapes: Mapping[Way, LinkShape]) -> None:
        """Let these ways be so, and no others."""
        self._set(
            {way: PLAIN_SHAPE if shape == PLAIN_SHAPE else shape for way, shape in shapes.items()},
            lambda link, shape: setattr(link, "shape", shape or PLAIN_SHAPE),
        )

    def _set(self, wanted: Mapping[Way, Any], change: Callable[[Link, Any], None]) -> None:
        for host in {host for way in wanted for host in way}:
            if host == CONTROL or host not in self._hosts:
                raise ValueError(f"{host!r} is no node whose links can be cut.")
        for way in wanted:
            self.link(*way)
        for way, link in self._links.items():
            change(link, wanted.get(way))
        self._settle()

    def set_power(self, host: str, on: bool) -> None:
        """A host without power, or frozen, neither sends nor answers."""
        if on == (host in self._dark):
            (self._dark.discard if on else self._dark.add)(host)
            self._settle()

    def set_stalled(self, host: str, on: bool) -> None:
        """Whether a process of that host stands still with things to send; as often off as on."""
        self._stalled[host] = self._stalled.get(host, 0) + (1 if on else -1)
        if not self._stalled[host]:
            del self._stalled[host]
        for (source, _), link in self._links.items():
            link.stalled = source in self._stalled
        self._settle()

    def _settle(self) -> None:
        for (source, destination), link in self._links.items():
            link.settle(dark=source in self._dark or destination in self._dark)

    # ── probes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def probe(self, source: str, destination: str) -> bool:
        """Tell whether a message comes within PROBE_TIMEOUT_S. Kernels answer: no process is needed.

        One that does not come soon is sent again, so that a loss is not taken for a cut; and one that is under way on a
        slow link is waited for, PROBE_LATE_S at most, so that a delay is not taken for one.
        """
        loop, arrived, due_ns = self.loop, asyncio.Event(), 0

        def ring(when_ns: int) -> None:
            nonlocal due_ns
            due_ns = max(due_ns, when_ns)
            loop.call_at_ns(when_ns, arrived.set, (), loop.kernel_context)

        link = self.link(source, destination)
        for place in range(PROBES):
            if link.passage(0) == "open":
                link.carry(loop.now_ns(), 0, ring)
            late_s = min(PROBE_LATE_S, (due_ns - loop.now_ns()) / 1e9) if place == PROBES - 1 else 0.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_TIMEOUT_S / PROBES + max(0.0, late_s)):
                    await arrived.wait()
                    return True
        return False

    async def round_trip_ms(self, source: str, destination: str) -> float | None:
        """Send a datagram there and back; None when it did not come within ROUND_TRIP_TIMEOUT_S."""
        started_ns, back = self.loop.now_ns(), asyncio.Event()

        def answer() -> None:
            self._send_echo(destination, source, back.set)

        self._send_echo(source, destination, answer)
        try:
            async with asyncio.timeout(ROUND_TRIP_TIMEOUT_S):
                await back.wait()
        except TimeoutError:
            return None
        return (self.loop.now_ns() - started_ns) / 1e6

    async def echoes(self, source: str, destination: str, count: int) -> list[int]:
        """Send so many datagrams, BURST_GAP_S apart; the numbers of those that came back, in that order."""
        came: list[int] = []

        def answer(number: int) -> Callable[[], None]:
            return lambda: self._send_echo(destination, source, lambda: came.append(number))

        for number in range(1, count + 1):
            self._send_echo(source, destination, answer(number))
            await asyncio.sleep(BURST_GAP_S)
        await asyncio.sleep(BURST_WAIT_S)
        return came

    def _send_echo(self, source: str, destination: str, then: Callable[[], object]) -> None:
        link = self.link(source, destination)
        if link.passage(0) == "open":
            link.carry_datagram(
                self.loop.now_ns(),
                64,
                lambda when_ns: self.loop.call_at_ns(when_ns, then, (), self.loop.kernel_context),
            )

    async def try_port(self, source: str, destination: str, port: int) -> Literal["open", "refused", "silent"]:
        """What a connection from one host to a port of another would come to, within PROBE_TIMEOUT_S for each way."""
        try:
            server = await self._shake_hands(source, (destination, port))
        except ConnectionRefusedError:
            return "refused"
        return "silent" if server is None else "open"

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def listen(self, protocol_factory: Callable[[], Any], host: str, port: int) -> SimServer:
        """Accept connections to a port of the caller's own host; OSError when it is taken or not the caller's."""
        address = self._own_address(host, port)
        if address in self._listeners:
            raise os_error(errno.EADDRINUSE, address)
        server = SimServer(self, address, protocol_factory)
        self._listeners[address] = server
        return server

    def _own_address(self, host: str, port: int) -> Address:
        here = current_host()
        if host not in HERE and host != here:
            raise os_error(errno.EADDRNOTAVAIL, (host, port))
        return (here, port or self._ephemeral_port(here))

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
        raise os_error(errno.ETIMEDOUT, address)

    async def _shake_hands(self, source: str, address: Address) -> SimServer | None:
        """Go there and back. None when one of the ways was shut, or the listener has too many waiting."""
        destination, port = address
        there, back = self.link(source, destination), self.link(destination, source)
        passage = there.passage(port)
        if passage == "silent":
            return None
        await self._travel(there)
        if back.passage(0) != "open":
            return None
        server = self._listeners.get(address)
        if server is not None and server.is_full() and passage == "open":
            return None
        await self._travel(back)
        if server is None or not server.is_serving() or passage == "reset":
            raise os_error(errno.ECONNREFUSED, address)
        return server

    async def _travel(self, link: Link) -> None:
        loop = self.loop
        arrived = loop.create_future()
        if link.plain:
            loop.call_at_ns(loop.now_ns() + link.delay_ns(), _set_done, (arrived,))
        else:
            link.carry(loop.now_ns(), 64, lambda when_ns: loop.call_at_ns(when_ns, _set_done, (arrived,)))
        await arrived

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

    # ── datagrams ────────────────────────────────────────────────────────────────────────────────────────────────────

    def bind(self, protocol_factory: Callable[[], Any], local: Any, remote: Any) -> tuple[SimDatagramTransport, Any]:
        """A datagram socket of the caller's; OSError when the port is taken, gaierror when a name is not known."""
        here = current_host()
        address = self._own_address(*(local or ("", 0))[:2])
        if address in self._datagrams:
            raise os_error(errno.EADDRINUSE, address)
        peer = None if remote is None else (self._host_named(remote[0], here), int(remote[1]))
        transport = SimDatagramTransport(self, CURRENT.get(), copy_context(), address, peer)
        self._datagrams[address] = transport
        protocol = protocol_factory()
        transport.set_protocol(protocol)
        self.loop.call_soon(protocol.connection_made, transport)
        return transport, protocol

    def datagram_socket(self, address: Address) -> SimDatagramTransport | None:
        """Who takes datagrams there."""
        return self._datagrams.get(address)

    def forget_datagrams(self, transport: SimDatagramTransport) -> None:
        """The socket is closed."""
        if self._datagrams.get(transport.address) is transport:
            del self._datagrams[transport.address]

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

    def host_named(self, name: str) -> str:
        """The host that a name stands for where the caller is; gaierror when it is not known."""
        return self._host_named(name, current_host())

    def _ephemeral_port(self, host: str) -> int:
        port = self._next_ports.get(host, FIRST_EPHEMERAL_PORT)
        self._next_ports[host] = FIRST_EPHEMERAL_PORT if port == LAST_PORT else port + 1
        return port


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def os_error(number: int, address: Address) -> OSError:
    """As a real socket has it."""
    return OSError(number, f"{os.strerror(number)}: {address[0]}:{address[1]}")
