"""Hosts on this machine: a network namespace for each node, a switch between them, and cuts in each one's own filter.

    this machine ──┐
    n1 ────────────┤ switch (a bridge, in a namespace of its own)
    n2 ────────────┘

The switch is a namespace of its own because this machine's packet filter may drop what passes its bridges, as a Docker
engine's does. Cuts are rules on the destination's INPUT chain, replaced as a whole, so they are one-way and break open
connections; this machine reaches every node at all times. A probe is one datagram, which the destination notes.

Limits: needs root, `ip`, `iptables-restore` and bash, and up to 250 nodes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from harness.docker_ground.net import LISTEN_S, SEND_PROBE
from harness.docker_ground.node_image import CHAIN, PROBE_PORT
from harness.docker_ground.node_image import FOLDER as NODE_FOLDER
from harness.docker_ground.rules import Faults, rules
from harness.errors import InfrastructureError
from harness.local_ground import commands
from harness.local_ground.ledger import Ledger
from harness.protocols import Cut
from harness.workers import end_with

CHAINS: Final = {"filter": "INPUT", "raw": "PREROUTING"}
"""Tables of the packet filter that have our chain, and where it is called from."""
PROGRAMS: Final = ("ip", "iptables", "iptables-restore", "bash")
LISTENER: Final = NODE_FOLDER / "probe_listener.py"


def missing() -> str:
    """Why there can be no namespaces here; "" where there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces; run as root, or use --on sim"
    absent = [program for program in PROGRAMS if commands.found(program) is None]
    return f"there is no {absent[0]!r} on this machine; install iproute2 and iptables" if absent else ""


class Hosts:
    """The namespaces of one run: `up` makes them, `listen` and `down` start and end what listens in them; the
    ledger removes them.

    Attributes:
        addresses: IP address by node.
    """

    def __init__(self, run_id: str, nodes: Sequence[str], folder: Path) -> None:
        digest = hashlib.sha256(run_id.encode()).digest()
        self._token, self._run_id, self._folder = digest.hex()[:6], run_id, folder
        self._subnet = f"10.{200 + digest[0] % 50}.{digest[1]}"
        self.addresses = {node: f"{self._subnet}.{number}" for number, node in enumerate(nodes, 1)}
        self._listeners: list[subprocess.Popen[bytes]] = []

    def up(self, ledger: Ledger) -> None:
        """Make switch, namespaces and links.

        Raises:
            InfrastructureError: a command failed; what was made is in the ledger.
        """
        switch = self.namespace("switch")
        self._namespace(ledger, switch)
        commands.check(["ip", "-n", switch, "link", "add", "bridge", "type", "bridge"])
        commands.check(["ip", "-n", switch, "link", "set", "bridge", "up"])
        self._plug(ledger, None, f"{self._subnet}.254")
        for node, address in self.addresses.items():
            self._namespace(ledger, self.namespace(node))
            self._plug(ledger, node, address)
            self._filter(node)

    def listen(self) -> None:
        """Start a probe listener on each node; see `workers.end_with` for the thread."""
        for node in self.addresses:
            self.heard(node).mkdir(parents=True)
            command = self.inside(
                node, [sys.executable, "-I", "-S", str(LISTENER), str(PROBE_PORT), str(self.heard(node))]
            )
            self._listeners.append(
                subprocess.Popen(  # noqa: S603 - our own program
                    command, stdin=subprocess.DEVNULL, preexec_fn=partial(end_with, os.getpid())
                )
            )

    def namespace(self, node: str) -> str:
        """Its name."""
        return f"splitbrain-{self._run_id}-{node}"

    def inside(self, node: str, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on a node."""
        return [commands.found("ip") or "ip", "netns", "exec", self.namespace(node), *command]

    def heard(self, node: str) -> Path:
        """The folder in which the node's listener notes what it heard."""
        return self._folder / node / "probes" / "heard"

    def down(self) -> None:
        """End the listeners."""
        for listener in self._listeners:
            listener.kill()
            listener.wait()

    def _namespace(self, ledger: Ledger, name: str) -> None:
        ledger.add(namespace=name)
        commands.check(["ip", "netns", "add", name])
        commands.check(["ip", "-n", name, "link", "set", "lo", "up"])

    def _plug(self, ledger: Ledger, node: str | None, address: str) -> None:
        """A cable between the switch and a node, or this machine."""
        number = address.rpartition(".")[2]
        port, plug, switch = f"sp{self._token}{number}", f"sb{self._token}{number}", self.namespace("switch")
        ledger.add(link=plug)
        commands.check(["ip", "link", "add", plug, "type", "veth", "peer", "name", port, "netns", switch])
        commands.check(["ip", "-n", switch, "link", "set", port, "master", "bridge", "up"])
        there: list[str] = []
        if node is not None:
            commands.check(["ip", "link", "set", plug, "netns", self.namespace(node)])
            there = ["-n", self.namespace(node)]
        commands.check(["ip", *there, "address", "add", f"{address}/24", "dev", plug])
        commands.check(["ip", *there, "link", "set", plug, "up"])

    def _filter(self, node: str) -> None:
        for table, called_from in CHAINS.items():
            commands.check(self.inside(node, ["iptables", "-w", "5", "-t", table, "-N", CHAIN]))
            commands.check(self.inside(node, ["iptables", "-w", "5", "-t", table, "-I", called_from, "-j", CHAIN]))


class NamespaceNet:
    """Implements `harness.protocols.Net`."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Make exactly these cuts the ones in force on every node.

        Raises:
            InfrastructureError: a cut names no node, or a node did not take its rules.
        """
        faults = Faults(cut=frozenset(cuts))
        for source, destination in sorted(faults.cut):
            if not {source, destination} <= set(self._hosts.addresses):
                raise InfrastructureError(f"The link {source}→{destination} cannot be cut: there are no such nodes.")
        await asyncio.gather(*(asyncio.to_thread(self._restore, node, faults) for node in self._hosts.addresses))

    async def heal(self) -> None:
        """Remove every cut; idempotent."""
        await self.cut(())

    async def reaches(self, source: str, destination: str) -> bool:
        """Send one datagram from source to destination, and look whether it was noted there."""
        probe = secrets.token_hex(8)
        noted = self._hosts.heard(destination) / probe
        words = ["bash", "-c", SEND_PROBE, "probe", probe, self._hosts.addresses[destination], str(PROBE_PORT)]
        await asyncio.to_thread(commands.check, self._hosts.inside(source, words))
        for pause_s in LISTEN_S:
            await asyncio.sleep(pause_s)
            if noted.exists():
                noted.unlink()
                return True
        return False

    def _restore(self, node: str, faults: Faults) -> None:
        words = ["iptables-restore", "--noflush", "--wait", "5"]
        commands.check(self._hosts.inside(node, words), stdin=rules(faults, node, self._hosts.addresses))
