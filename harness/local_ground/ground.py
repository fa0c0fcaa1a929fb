"""Provisions the ground `local`: a folder, a command line and, where root allows, a network namespace for each node.

    async with LocalGround().cluster(system, ("n1", "n2", "n3"), options, run_id) as cluster:
        await cluster.processes.kill("n2")

Without namespaces all nodes are at 127.0.0.1, each at a port of its own; what asks for the network is refused
beforehand.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from harness import clock
from harness.errors import InfrastructureError, PlanError
from harness.local_ground.ledger import Ledger
from harness.local_ground.namespaces import Hosts, NamespaceNet, missing
from harness.local_ground.processes import LocalProcesses
from harness.nemesis.catalogue import FAULTS
from harness.protocols import Clocks, Cluster, Disks, Launchable, Net, Option, Processes, System

LOG = "server.log"


class LocalGround:
    """Implements `Ground` and `Tunable` of `harness.protocols`."""

    name = "local"
    options: tuple[Option, ...] = ()

    def __init__(self) -> None:
        self.no_net = missing()
        """Why links cannot be cut here; "" where they can."""

    @property
    def faults(self) -> frozenset[str]:
        """Processes; the network too, where there can be namespaces."""
        return frozenset({"processes"}) if self.no_net else frozenset({"processes", "net"})

    def refused(self, options: Mapping[str, Any]) -> str | None:
        """Nothing: it has no switches."""
        return None

    def lacking(self, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Faults of the network, where there can be no namespaces."""
        kinds = [kind for kind, fault in FAULTS.items() if self.no_net and "net" in fault.needs]
        return dict.fromkeys(kinds, self.no_net)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A plain one, on real time."""
        return asyncio.new_event_loop()

    def now_ns(self) -> int:
        """This machine's monotonic clock."""
        return clock.monotonic_ns()

    def cluster(
        self, system: System, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AbstractAsyncContextManager[Cluster]:
        """Start every server on entry; end them and remove what was made on exit.

        Raises:
            PlanError: the system cannot be run as a plain process.
            InfrastructureError: a server or a namespace could not be made.
        """
        if not isinstance(system, Launchable):
            raise PlanError(
                f"The system {system.name!r} does not run as a plain process; choose another ground with --on."
            )
        return self._cluster(system, nodes, options, run_id)

    @asynccontextmanager
    async def _cluster(
        self, system: Launchable, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AsyncIterator[Cluster]:
        with ExitStack() as stack:
            ledger = Ledger.open(run_id)
            stack.callback(ledger.remove_all)
            folder = Path(tempfile.mkdtemp(prefix=f"splitbrain-{run_id}-"))
            ledger.add(folder=str(folder))
            hosts = None if self.no_net else Hosts(run_id, nodes, folder)
            if hosts is not None:
                stack.callback(hosts.down)
                await asyncio.to_thread(hosts.up, ledger)
                hosts.listen()
            cluster = _provisioned(system, nodes, options, folder, hosts)
            stack.callback(cluster.servers.end_all)
            for node in nodes:
                await cluster.servers.start(node)
            yield cluster


class LocalCluster:
    """Implements `harness.protocols.Cluster`."""

    def __init__(self, addresses: Mapping[str, tuple[str, int]], servers: LocalProcesses, net: Net | None) -> None:
        self.nodes = tuple(addresses)
        self.servers = servers
        self.processes: Processes | None = servers
        self.net: Net | None = net
        self.clocks: Clocks | None = None
        self.disks: Disks | None = None
        self._addresses = dict(addresses)

    def address(self, node: str) -> tuple[str, int]:
        """Where its server listens."""
        return self._addresses[node]

    async def collect_logs(self, folder: Path) -> None:
        """Copy each node's log to `folder/<node>/server.log`; one that cannot be read is named in `missing.txt`."""
        for node, log in self.servers.logs.items():
            (folder / node).mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(log, folder / node / LOG)
            except OSError as error:
                told = f"The logs of {node} could not be read: {error}\n"
                (folder / node / "missing.txt").write_text(told, encoding="utf-8")


def _provisioned(
    system: Launchable, nodes: Sequence[str], options: Mapping[str, Any], folder: Path, hosts: Hosts | None
) -> LocalCluster:
    """Addresses, folders and command lines, and the cluster that has them."""
    if hosts is None:
        addresses = {node: ("127.0.0.1", port) for node, port in zip(nodes, _free_ports(len(nodes)), strict=True)}
    else:
        addresses = {node: (address, system.port) for node, address in hosts.addresses.items()}
    commands: dict[str, Sequence[str]] = {}
    logs: dict[str, Path] = {}
    for node in nodes:
        data = folder / node / "data"
        data.mkdir(parents=True)
        logs[node] = folder / node / LOG
        command = system.launch(node, addresses, options, data)
        commands[node] = command if hosts is None else hosts.inside(node, command)
    return LocalCluster(addresses, LocalProcesses(commands, logs), None if hosts is None else NamespaceNet(hosts))


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has now; taken all at once, so that they differ."""
    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        except OSError as error:
            raise InfrastructureError(f"127.0.0.1 has no free port: {error}.") from error
        return [taken.getsockname()[1] for taken in sockets]
