"""The machines of one run: prepared and installed all at once, and cleaned one by one, whatever came of it.

A machine that cannot be prepared fails the run with its name and reason, after the others were cleaned.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from harness.docker_ground.control import Control
from harness.docker_ground.net import IptablesNet
from harness.docker_ground.node_image import CHAIN, LOG_FOLDER, PROBE_PORT
from harness.docker_ground.processes import ServerProcesses
from harness.errors import InfrastructureError, RemoteError
from harness.protocols import Clocks, Disks, Installable, Net, Processes
from harness.ssh import Completed, Connection
from harness.ssh_ground.installation import MACHINE_SCRIPT, archive
from harness.ssh_ground.login import Access
from harness.ssh_ground.machines import Machine, named

SETUP_S: Final = 60.0
CLEAN_S: Final = 20.0
LOG: Final = "server.log"
LOG_BYTES_MAX: Final = 4_000_000
"""Of each log the end is kept."""


class Fleet:
    """The machines of one run, or of a clean-up."""

    def __init__(self, machines: Mapping[str, Machine], access: Access, threads: ThreadPoolExecutor) -> None:
        logins = {node: access.login(machine) for node, machine in machines.items()}
        connections = {node: Connection(node, login, threads=threads) for node, login in logins.items()}
        self.nodes = tuple(machines)
        self.remotes = {
            node: AsRoot(connection) if access.sudo else connection for node, connection in connections.items()
        }
        self._logins = logins
        self._prepared: set[str] = set()

    async def up(self, system: Installable, options: Mapping[str, Any], run_id: str) -> SshCluster:
        """Prepare and install every machine at once, then start every server."""
        addresses = {node: (await self._resolved(node), system.port) for node in self.nodes}
        control = Control(self.remotes, {node: host for node, (host, _) in addresses.items()}, _nobody_knows)
        packed = await asyncio.to_thread(archive, system.files())
        await self._everywhere(lambda node: self._install(node, run_id, packed))
        processes = ServerProcesses(control, {node: system.command(node, addresses, options) for node in self.nodes})
        await self._everywhere(processes.start)
        return SshCluster(addresses, IptablesNet(control), processes, self.remotes)

    async def down(self) -> list[str]:
        """Clean every machine that was touched; the nodes that are not known to be clean, with the reason."""
        results = await asyncio.gather(*(self.clean(node) for node in self._prepared), return_exceptions=True)
        for remote in self.remotes.values():
            remote.close()
        return [str(result) for result in results if isinstance(result, InfrastructureError)]

    async def clean(self, node: str) -> None:
        """End and remove all that a run made there; may be done twice, and is, when its connection is cut."""
        words = ["sh", "-s", "--", "clean", CHAIN]
        script = MACHINE_SCRIPT.read_bytes()
        for attempt in (1, 2):
            try:
                await self.remotes[node].check(words, timeout_s=CLEAN_S, stdin=script)
                return
            except RemoteError:
                if attempt == 2:
                    raise

    async def _install(self, node: str, run_id: str, packed: bytes) -> None:
        """Not repeated when cut off in the middle: a second `prepare` would find the machine in use, by ourselves."""
        remote, script = self.remotes[node], MACHINE_SCRIPT.read_bytes()
        prepare = ["sh", "-s", "--", "prepare", run_id, CHAIN, str(PROBE_PORT)]
        done = await remote.run(prepare, timeout_s=SETUP_S, stdin=script)
        if done.status == 3:
            raise InfrastructureError(f"{node} ({self._told(node)}): {done.errors.strip() or 'it cannot be prepared'}.")
        self._prepared.add(node)
        if done.status != 0:
            raise RemoteError(node, "prepare", done.status, done.errors)
        await remote.check(["tar", "-x", "-f", "-", "-C", "/", "--no-same-owner"], timeout_s=SETUP_S, stdin=packed)
        await remote.check(["sh", "-s", "--", "listen", str(PROBE_PORT)], timeout_s=SETUP_S, stdin=script)

    async def _everywhere(self, work: Callable[[str], Awaitable[object]]) -> None:
        results = await asyncio.gather(*(work(node) for node in self.nodes), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, InfrastructureError):
                raise failure
        if failures:
            raise InfrastructureError(" ".join(map(str, failures)))

    async def _resolved(self, node: str) -> str:
        host, _ = self._logins[node].address
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            pass
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
        except OSError as error:
            raise InfrastructureError(f"{node}: the name {host!r} has no address: {error}.") from error
        return str(found[0][4][0])

    def _told(self, node: str) -> str:
        host, port = self._logins[node].address
        return f"{host}:{port}"


class AsRoot:
    """A connection whose commands run by way of `sudo -n`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> Completed:
        """As `Connection.run`."""
        return await self._connection.run(["sudo", "-n", "--", *arguments], timeout_s=timeout_s, stdin=stdin)

    async def check(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> str:
        """As `Connection.check`."""
        return await self._connection.check(["sudo", "-n", "--", *arguments], timeout_s=timeout_s, stdin=stdin)

    def is_connected(self) -> bool:
        """As `Connection.is_connected`."""
        return self._connection.is_connected()

    def close(self) -> None:
        """As `Connection.close`."""
        self._connection.close()


class SshCluster:
    """Implements `harness.protocols.Cluster`. Clocks and disks of machines that exist are left alone."""

    def __init__(
        self,
        addresses: Mapping[str, tuple[str, int]],
        net: Net,
        processes: Processes,
        remotes: Mapping[str, Connection | AsRoot],
    ) -> None:
        self.nodes = tuple(addresses)
        self.net: Net | None = net
        self.processes: Processes | None = processes
        self.clocks: Clocks | None = None
        self.disks: Disks | None = None
        self._addresses, self._remotes = dict(addresses), dict(remotes)

    def address(self, node: str) -> tuple[str, int]:
        """Where its server listens."""
        return self._addresses[node]

    async def collect_logs(self, folder: Path) -> None:
        """Write the end of each node's log to `folder/<node>/server.log`; why one is missing, to `missing.txt`."""
        await asyncio.gather(*(self._collect(node, folder / node) for node in self.nodes))

    async def _collect(self, node: str, folder: Path) -> None:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            words = ["tail", "-c", str(LOG_BYTES_MAX), f"{LOG_FOLDER}/{LOG}"]
            text = await self._remotes[node].check(words, timeout_s=30.0)
            (folder / LOG).write_text(text, encoding="utf-8")
        except InfrastructureError as error:
            (folder / "missing.txt").write_text(f"The logs of {node} could not be read: {error}\n", encoding="utf-8")


async def _nobody_knows(_node: str) -> str | None:
    """Nobody but the machine itself can say why it does not answer."""
    return None


def clean_machines(machines: Sequence[Machine], access: Access) -> list[str]:
    """Remove from machines what a killed harness left there; one sentence for each machine that answers.

    Raises:
        InfrastructureError: machines that could not be cleaned, after the others were.
    """

    async def clean() -> list[str]:
        with ThreadPoolExecutor(len(machines), thread_name_prefix="ssh-clean") as threads:
            fleet = Fleet(named(machines), access, threads)
            results = await asyncio.gather(*(fleet.clean(node) for node in fleet.nodes), return_exceptions=True)
            for remote in fleet.remotes.values():
                remote.close()
        failures = [str(result) for result in results if isinstance(result, BaseException)]
        if failures:
            raise InfrastructureError(" ".join(failures))
        return [f"{node} is clean" for node in fleet.nodes]

    return asyncio.run(clean())
