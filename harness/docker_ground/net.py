"""The network fault surface: cuts as rules in each node's own iptables chain, and probes that go one way.

    :SPLITBRAIN - [0:0]
    -A SPLITBRAIN -s 172.18.0.2 -j DROP

The chain is called from INPUT and holds the cuts and nothing else, so replacing it as a whole, which iptables-restore
does in one step, puts exactly the wanted cuts in force. Dropping on arrival makes cuts one-way, and breaks connections
that are open. Only nodes' addresses are dropped: clients and the harness reach every node at all times.

A probe is one datagram, and the destination tells over SSH whether it came: nothing travels back over the link.

Limits: cuts appear on one node after another, within some 20 ms.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Final

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import CHAIN, HEARD_FOLDER, PROBE_PORT
from harness.errors import InfrastructureError
from harness.protocols import Cut

LISTEN_S: Final = (0.0, 0.03, 0.1, 0.4)
"""Pauses before each look whether a probe came; a probe that comes is usually there at the first."""
SEND_PROBE: Final = 'printf %s "$1" >"/dev/udp/$2/$3"'
"""For bash, which has datagrams built in."""


class IptablesNet:
    """Implements `harness.protocols.Net` on the nodes' own packet filters."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Make exactly these cuts the ones in force on every node.

        Raises:
            InfrastructureError: a node did not take its rules; the others were told all the same.
        """
        sources: dict[str, set[str]] = {node: set() for node in self._control.nodes}
        for source, destination in cuts:
            if source not in sources or destination not in sources:
                raise InfrastructureError(f"The link {source}→{destination} cannot be cut: there are no such nodes.")
            sources[destination].add(self._control.addresses[source])
        await self._control.everywhere(
            self._control.nodes,
            lambda node: self._control.check(
                node,
                ["iptables-restore", "--noflush", "--wait", "5"],
                stdin=rules(sources[node]),
                repeatable=True,
            ),
        )

    async def heal(self) -> None:
        """Remove every cut; idempotent."""
        await self.cut(())

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


def rules(addresses: Iterable[str]) -> bytes:
    """Input of iptables-restore that drops what these addresses send, and nothing else."""
    drops = [f"-A {CHAIN} -s {address} -j DROP" for address in sorted(addresses)]
    return "\n".join(["*filter", f":{CHAIN} - [0:0]", *drops, "COMMIT", ""]).encode()
