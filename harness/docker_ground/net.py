"""The network fault surface: cuts as rules in each node's packet filter, shapes by a queue, probes that go one way.

What each fault becomes is in `rules.py`; slow, lossy and clogged links are made by `link_queue.py` on the receiving
node, to which the packet filter hands what arrives, or, if asked for, by the sending node's kernel (`netem.py`). Only
nodes' addresses are concerned: clients and the harness reach every node at all times. Rules belong to the node, not to
its server, so they outlive the server's restarts.

A probe is one datagram, and the destination tells over the control path whether it came: nothing travels back over the
link.

Limits: faults appear on one node after another, within some 20 ms. The loss that a queue makes is on top of what the
network loses.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec

from harness.docker_ground import netem
from harness.docker_ground.control import Control
from harness.docker_ground.node_image import HEARD_FOLDER, PROBE_PORT, TELL_LINKS
from harness.docker_ground.rules import Faults, rules
from harness.errors import InfrastructureError, RemoteError
from harness.protocols import Cut, LinkShape

LISTEN_S: Final = (0.0, 0.03, 0.1, 0.4)
"""Pauses before each look whether a probe came; a probe that comes is usually there at the first."""
SEND_PROBE: Final = 'printf %s "$1" >"/dev/udp/$2/$3"'
"""For bash, which has datagrams built in."""
CONNECT: Final = 'exec 3<>"/dev/tcp/$1/$2"'
CONNECT_S: Final = "0.7"
PING_EVERY_S: Final = 0.02
PING_WAIT_S: Final = 1
BURST_EVERY_S: Final = 0.002
SHAPES: Final = frozenset(LinkShape.__struct_fields__)
UNSHAPED: Final = LinkShape()


class IptablesNet:
    """Implements `Net`, `ShapesLinks`, `ClogsLinks`, `CutsPorts` and `ProbesPorts` of `harness.protocols`."""

    def __init__(self, control: Control, *, by_netem: bool = False) -> None:
        self._control, self._by_netem = control, by_netem
        self._faults = Faults()
        self._shapes: dict[Cut, LinkShape] = {}
        self._clogged: frozenset[Cut] = frozenset()
        self._shaped: frozenset[Cut] = frozenset()

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Make exactly these cuts the ones in force on every node.

        Raises:
            InfrastructureError: a node did not take its rules; the others were told all the same.
        """
        await self._enforce(replace(self._faults, cut=frozenset(cuts)))

    async def heal(self) -> None:
        """Remove every cut; idempotent."""
        await self.cut(())

    async def resets(self, cuts: Iterable[Cut]) -> None:
        """Cut these, and answer what is sent with a reset."""
        await self._enforce(replace(self._faults, reset=frozenset(cuts)))

    async def cut_port(self, cuts: Iterable[Cut], port: int, *, reset: bool = False) -> None:
        """Cut this port of the destinations only."""
        await self._enforce(replace(self._faults, ports=frozenset((cut, port, reset) for cut in cuts)))

    def shapes(self) -> frozenset[str]:
        """All of them."""
        return SHAPES

    async def shape(self, links: Mapping[Cut, LinkShape]) -> None:
        """Make exactly these shapes the ones in force on every node."""
        if self._by_netem:
            await self._tell_tc({cut: shape for cut, shape in links.items() if shape != UNSHAPED})
            return
        await self._queue({cut: shape for cut, shape in links.items() if shape != UNSHAPED}, self._clogged)

    async def clog(self, links: Iterable[Cut]) -> None:
        """Hold what comes over exactly these links."""
        await self._queue(self._shapes, frozenset(links))

    async def reaches(self, source: str, destination: str) -> bool:
        """Send one datagram from source to destination, and ask the destination whether it came."""
        probe = secrets.token_hex(8)
        address = self._control.addresses[destination]
        send = ["bash", "-c", SEND_PROBE, "probe", probe, address, str(PROBE_PORT)]
        await self._control.check(source, send, repeatable=True)
        for pause_s in LISTEN_S:
            await asyncio.sleep(pause_s)
            look = await self._control.run(destination, ["test", "-e", f"{HEARD_FOLDER}/{probe}"], repeatable=True)
            if look.status == 0:
                await self._control.run(destination, ["rm", "--force", f"{HEARD_FOLDER}/{probe}"], repeatable=True)
                return True
        return False

    async def round_trip_ms(self, source: str, destination: str, count: int) -> list[float | None]:
        """Ping; None for each ping that was not answered within PING_WAIT_S.

        Timed by ping itself (-U): the kernel's own times of arrival are those before a queue.
        """
        return pinged(await self._ping(source, destination, count, PING_EVERY_S), count)

    async def echoes(self, source: str, destination: str, count: int, over_ms: float = 0.0) -> list[int]:
        """Ping in a burst: the numbers of the pings in the order in which they were answered, doubles and all."""
        every_s = max(BURST_EVERY_S, round(over_ms / 1e3 / count, 3))
        return answered(await self._ping(source, destination, count, every_s))

    async def _ping(self, source: str, destination: str, count: int, every_s: float) -> str:
        address = self._control.addresses[destination]
        words = ["ping", "-n", "-U", "-c", str(count), "-i", str(every_s), "-W", str(PING_WAIT_S), address]
        done = await self._control.run(source, words, repeatable=True)
        if done.status not in (0, 1):  # 1: some were not answered
            raise RemoteError(source, " ".join(words), done.status, done.errors)
        return done.output

    async def connects(self, source: str, destination: str, port: int) -> Literal["open", "refused", "silent"]:
        """Try a TCP connection, from inside the source."""
        address = self._control.addresses[destination]
        words = ["timeout", CONNECT_S, "bash", "-c", CONNECT, "connect", address, str(port)]
        done = await self._control.run(source, words, repeatable=True)
        if done.status == 0:
            return "open"
        return "refused" if "refused" in done.errors or "reset" in done.errors else "silent"

    async def _tell_tc(self, shapes: dict[Cut, LinkShape]) -> None:
        """Shape what leaves the sources for these destinations, and nothing else."""
        concerned = sorted({source for source, _ in {*shapes, *self._shaped}})
        for node in concerned:
            peers = {self._control.addresses[cut[1]]: shape for cut, shape in shapes.items() if cut[0] == node}
            await self._control.run(node, netem.DROP_ALL, repeatable=True)
            await self._control.check(node, netem.BATCH, stdin=netem.batch(peers))
        self._shaped = frozenset(shapes)

    async def _queue(self, shapes: dict[Cut, LinkShape], clogged: frozenset[Cut]) -> None:
        """Tell the queues of all concerned nodes, then hand them what arrives, so that none answers for nothing."""
        queued = frozenset(shapes) | clogged
        faults = replace(self._faults, queued=queued)
        self._check(faults)
        concerned = {destination for _, destination in queued | self._faults.queued}
        told = {
            node: queue_words(
                {self._control.addresses[cut[0]]: (shapes.get(cut), cut in clogged) for cut in queued if cut[1] == node}
            )
            for node in concerned
        }
        await self._control.everywhere(
            sorted(concerned),
            lambda node: self._control.check(node, TELL_LINKS, stdin=told[node], repeatable=True),
        )
        self._shapes, self._clogged = shapes, clogged
        await self._enforce(faults)

    async def _enforce(self, faults: Faults) -> None:
        self._check(faults)
        self._faults = faults
        await self._control.everywhere(
            self._control.nodes,
            lambda node: self._control.check(
                node,
                ["iptables-restore", "--noflush", "--wait", "5"],
                stdin=rules(faults, node, self._control.addresses),
                repeatable=True,
            ),
        )

    def _check(self, faults: Faults) -> None:
        known = set(self._control.nodes)
        for source, destination in sorted(faults.links()):
            if not {source, destination} <= known:
                raise InfrastructureError(f"The link {source}→{destination} cannot be cut: there are no such nodes.")


def queue_words(links: Mapping[str, tuple[LinkShape | None, bool]]) -> bytes:
    """What link_queue.py is told: by address, its shape and whether all is held."""
    told: dict[str, dict[str, Any]] = {}
    for address, (shape, hold) in links.items():
        fields = msgspec.structs.asdict(shape or UNSHAPED)
        told[address] = {name: value for name, value in fields.items() if value} | ({"hold": True} if hold else {})
    return json.dumps({"seed": len(told), "links": told}, sort_keys=True).encode()


def pinged(output: str, count: int) -> list[float | None]:
    """Round trips in ms by number of the probe, from what ping printed."""
    found = re.findall(r"icmp_seq=(\d+) .*time=([\d.]+) ms", output)
    times = {int(number): float(ms) for number, ms in reversed(found)}  # of an answer that came twice, the first
    return [times.get(number) for number in range(1, count + 1)]


def answered(output: str) -> list[int]:
    """The numbers of the probes that were answered, from what ping printed, in that order."""
    return [int(number) for number in re.findall(r"bytes from .* icmp_seq=(\d+) ", output)]
