"""One run's share of the engine: network, containers, the way to each node, its disks, its servers.

`up` makes it, `down` removes it, whatever came of `up`. The engine's SDK blocks: `Threads` lets an event loop wait for
such calls without ever forgetting one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from docker import DockerClient

from harness import ssh
from harness.docker_ground import containers, volumes
from harness.docker_ground.clocks import PreloadClocks
from harness.docker_ground.cluster import DockerCluster
from harness.docker_ground.control import Control, Remote
from harness.docker_ground.disks import DockerDisks
from harness.docker_ground.engine import FAILURES, calls_at_once, plain
from harness.docker_ground.host import Host
from harness.docker_ground.limits import ContainerLimits
from harness.docker_ground.net import IptablesNet
from harness.docker_ground.node_image import CAPTURE, LOG_FOLDER, PRELOAD
from harness.docker_ground.owner import this_process
from harness.docker_ground.paths import ThreadedRemote, enter, execute
from harness.docker_ground.processes import ContainerProcesses, ServerProcesses
from harness.docker_ground.vdso_clocks import VdsoClocks
from harness.docker_ground.volume import Volume
from harness.errors import InfrastructureError
from harness.protocols import Packaged

T = TypeVar("T")
SSH_PORT: Final = 22
"""Inside the containers, which nobody but this machine reaches."""
START_CAPTURE: Final = 'setsid "$@" </dev/null >/dev/null 2>&1 &'


class Threads:
    """Blocking calls from an event loop, of which none is forgotten when its caller is cancelled."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(calls_at_once(), thread_name_prefix="docker-ground")
        self._running: set[asyncio.Future[Any]] = set()
        self._leaving = False

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make the call on a thread, and wait for it; cancelled, the call itself goes on."""
        future = asyncio.get_running_loop().run_in_executor(self.pool, partial(call, *arguments))
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.shield(future)

    def is_leaving(self) -> bool:
        """Whether nobody wants what the calls under way will come to; those that take long ask."""
        return self._leaving

    async def settled(self) -> None:
        """Wait until no call is under way, whatever it comes to."""
        self._leaving = True
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def close(self) -> None:
        """End the threads, each after its call."""
        self.pool.shutdown(wait=False, cancel_futures=True)


class Provision:
    """One run's share of the engine: made by `up`, removed by `down`, whatever came of `up`."""

    def __init__(self, client: DockerClient, threads: Threads, run_id: str) -> None:
        self._client, self._threads, self._run_id = client, threads, run_id
        self._control: Control | None = None
        self._containers: dict[str, str] = {}
        self._disks_folder: Path | None = None

    async def up(self, system: Packaged, nodes: Sequence[str], options: Mapping[str, Any], image: str) -> DockerCluster:
        """Make network and containers, connect to each, give each its disk, and start every server."""
        made = await self._make(nodes, image)
        self._control = control = self._connect(made, str(options.get("control", "ssh")))
        volumes_made = await self._make_disks(made) if options.get("disk") == "loop" else {}
        addresses = {one.node: (one.address, system.port) for one in made}
        net = IptablesNet(control, by_netem=options.get("links") == "netem")
        limits = ContainerLimits(self._client, self._containers, control, self._threads.run)
        commands = {node: list(system.command(node, addresses, options)) for node in nodes}
        if options.get("clock_by") == "vdso":
            vdso = VdsoClocks({one.node: _here(one) for one in made}, self._threads.run)
            commands = {node: ["env", "--unset=LD_PRELOAD", *command] for node, command in commands.items()}
            clocks: VdsoClocks | PreloadClocks = vdso
            servers, preload = ServerProcesses(control, commands, vdso.started), False
        else:
            clocks, servers = PreloadClocks(control), ServerProcesses(control, commands)
            preload = (await control.run(nodes[0], ["test", "-e", PRELOAD], repeatable=True)).status == 0
        processes = ContainerProcesses(servers, limits)
        disks = DockerDisks(control, processes, volumes_made, self._threads.run, fsync=preload)
        if options.get("clocks") == "all":
            await clocks.go_wrong_together()
        if options.get("capture"):
            start = ["sh", "-c", START_CAPTURE, "capture", *CAPTURE]
            await control.everywhere(nodes, lambda node: control.check(node, start))
        await control.everywhere(nodes, processes.start)
        return DockerCluster(addresses, net, processes, clocks, disks, self._read_logs)

    async def _make(self, nodes: Sequence[str], image: str) -> list[containers.Made]:
        self._key = ssh.generate_key()
        public = ssh.public_line(self._key, f"splitbrain-{self._run_id}")
        network = await self._threads.run(containers.make_network, self._client, self._run_id)
        made = await asyncio.gather(
            *(
                self._threads.run(containers.make_container, self._client, self._run_id, node, image, network, public)
                for node in nodes
            )
        )
        self._containers = {one.node: one.container for one in made}
        return list(made)

    def _connect(self, made: Sequence[containers.Made], path: str) -> Control:
        """The way to each node that was asked for."""
        make = {"ssh": self._by_ssh, "exec": self._by_exec, "nsenter": self._by_nsenter}[path]
        addresses = {one.node: one.address for one in made}
        return Control({one.node: make(one) for one in made}, addresses, self._why_ended)

    def _by_ssh(self, one: containers.Made) -> Remote:
        login = ssh.RunKey((one.address, SSH_PORT), "root", self._key, one.host_key)
        return ssh.Connection(one.node, login, threads=self._threads.pool)

    def _by_exec(self, one: containers.Made) -> Remote:
        return ThreadedRemote(one.node, partial(execute, self._client, one.node, one.container), self._threads.pool)

    def _by_nsenter(self, one: containers.Made) -> Remote:
        return ThreadedRemote(one.node, partial(enter, _here(one)), self._threads.pool)

    async def _make_disks(self, made: Sequence[containers.Made]) -> dict[str, Volume]:
        """A volume for each node, mounted where its data goes."""
        folder = await self._threads.run(volumes.make_folder, self._run_id)
        self._disks_folder = folder
        disks = {one.node: Volume(_here(one), folder / f"{one.node}.image") for one in made}
        await asyncio.gather(*(self._threads.run(disk.make) for disk in disks.values()))
        return disks

    async def down(self) -> None:
        """Close what is open, wait for what is under way, remove what carries the run's label."""
        if self._control is not None:
            self._control.close()
        await self._threads.settled()
        try:
            await self._threads.run(
                containers.remove_run, self._client, self._run_id, this_process(), self._threads.pool
            )
        except FAILURES as error:
            raise InfrastructureError(
                f"What the run {self._run_id} made could not be removed: {plain(error)}. Try `splitbrain cleanup`."
            ) from error
        finally:
            if self._disks_folder is not None:
                await self._threads.run(volumes.remove_folder, self._disks_folder)

    async def _why_ended(self, node: str) -> str | None:
        try:
            return await self._threads.run(containers.why_ended, self._client, self._containers[node])
        except FAILURES:
            return None  # the engine cannot tell either; what the node's connection said stands

    def _read_logs(self, node: str) -> IO[bytes]:
        try:
            return containers.read_archive(self._client, self._containers[node], LOG_FOLDER)
        except FAILURES as error:
            raise InfrastructureError(f"{plain(error)}.") from error


def _here(one: containers.Made) -> Host:
    """This machine's view of a container that must be on it.

    Raises:
        InfrastructureError: it is not.
    """
    host = Host(one.node, one.container, one.pid)
    if not host.is_here():
        raise InfrastructureError(
            f"{one.node}: the engine's processes are not this machine's, so --disk loop, --control nsenter and"
            " --clock-by vdso cannot be used; run splitbrain on the engine's machine."
        )
    return host
