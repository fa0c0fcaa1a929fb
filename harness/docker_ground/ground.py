"""The `docker` ground: real processes in containers on a private network, broken by the kernel's own means.

    async with DockerGround(None).cluster(system, ("n1", "n2", "n3"), options, run_id) as cluster:
        await cluster.net.cut([("n1", "n2")])

The engine's SDK blocks, and so does paramiko: their calls run on threads. What a thread began cannot be called back, so
leaving waits for those that are still at it, and then removes whatever carries the run's label.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import IO, Any, Final, TypeVar

import docker.errors
import requests
from docker import DockerClient

from harness import clock, ssh
from harness.docker_ground import containers, images
from harness.docker_ground.cluster import DockerCluster
from harness.docker_ground.control import Control
from harness.docker_ground.engine import connect, plain
from harness.docker_ground.net import IptablesNet
from harness.docker_ground.node_image import LOG_FOLDER
from harness.docker_ground.owner import this_process
from harness.docker_ground.processes import ServerProcesses
from harness.errors import InfrastructureError, PlanError
from harness.protocols import Cluster, Packaged, System

T = TypeVar("T")
THREADS_MAX: Final = 64
PREFLIGHT_S: Final = 10.0
SSH_PORT: Final = 22
"""Inside the containers, which nobody but this machine reaches."""


class DockerGround:
    """Implements `harness.protocols.Ground`.

    Args:
        base_image: what nodes are built on; else SPLITBRAIN_BASE_IMAGE; else a Debian (`images.find_base`).
    """

    name = "docker"
    faults = frozenset({"net", "processes"})

    def __init__(self, base_image: str | None) -> None:
        self.base_image = base_image or os.environ.get("SPLITBRAIN_BASE_IMAGE") or None

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A plain one, on real time."""
        return asyncio.new_event_loop()

    def now_ns(self) -> int:
        """This machine's monotonic clock."""
        return clock.monotonic_ns()

    def preflight(self) -> None:
        """Ask whether an engine answers.

        Raises:
            InfrastructureError: none does; why, and what to do.
        """
        with connect(PREFLIGHT_S):
            pass

    @asynccontextmanager
    async def cluster(
        self, system: System, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AsyncIterator[Cluster]:
        """Build, provision and start on entry; remove everything on exit.

        Raises:
            PlanError: the system has no image.
            InfrastructureError: no engine, no image, or a container that did not come up; why, and what to do.
        """
        if not isinstance(system, Packaged):
            raise PlanError(f"The system {system.name!r} has no image, so it cannot run on the ground 'docker'.")
        threads = Threads()
        with ExitStack() as stack:
            stack.callback(threads.close)
            async with _undone(threads.settled):
                client = await threads.run(stack.enter_context, connect())
                image = await threads.run(images.system_image, client, system, self.base_image, threads.is_leaving)
                provision = Provision(client, threads, run_id)
                async with _undone(provision.down):
                    yield await provision.up(system, nodes, options, image)


class Threads:
    """Blocking calls from an event loop, of which none is forgotten when its caller is cancelled."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="docker-ground")
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

    async def up(self, system: Packaged, nodes: Sequence[str], options: Mapping[str, Any], image: str) -> DockerCluster:
        """Make network and containers, connect to each, and start every server."""
        made = await self._make(nodes, image)
        addresses = {one.node: (one.address, system.port) for one in made}
        control = self._control
        assert control is not None
        net = IptablesNet(control)
        processes = ServerProcesses(control, {node: system.command(node, addresses, options) for node in nodes})
        await control.everywhere(nodes, processes.start)
        return DockerCluster(addresses, net, processes, self._read_logs)

    async def _make(self, nodes: Sequence[str], image: str) -> list[containers.Made]:
        key = ssh.generate_key()
        public = ssh.public_line(key, f"splitbrain-{self._run_id}")
        network = await self._threads.run(containers.make_network, self._client, self._run_id)
        made = await asyncio.gather(
            *(
                self._threads.run(containers.make_container, self._client, self._run_id, node, image, network, public)
                for node in nodes
            )
        )
        self._containers = {one.node: one.container for one in made}
        self._control = Control(
            {
                one.node: ssh.Connection(
                    one.node,
                    ssh.RunKey((one.address, SSH_PORT), "root", key, one.host_key),
                    threads=self._threads.pool,
                )
                for one in made
            },
            {one.node: one.address for one in made},
            self._why_ended,
        )
        return list(made)

    async def down(self) -> None:
        """Close what is open, wait for what is under way, remove what carries the run's label."""
        if self._control is not None:
            self._control.close()
        await self._threads.settled()
        try:
            await self._threads.run(
                containers.remove_run, self._client, self._run_id, this_process(), self._threads.pool
            )
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise InfrastructureError(
                f"What the run {self._run_id} made could not be removed: {plain(error)}. Try `splitbrain cleanup`."
            ) from error

    async def _why_ended(self, node: str) -> str | None:
        try:
            return await self._threads.run(containers.why_ended, self._client, self._containers[node])
        except (docker.errors.DockerException, requests.RequestException):
            return None  # the engine cannot tell either; what the node's connection said stands

    def _read_logs(self, node: str) -> IO[bytes]:
        try:
            return containers.read_archive(self._client, self._containers[node], LOG_FOLDER)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise InfrastructureError(f"{plain(error)}.") from error


@asynccontextmanager
async def _undone(undo: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Undo on every way out. What went wrong first is what is told; that undoing failed too is noted on it."""
    try:
        yield
    except BaseException as first:
        try:
            await _to_the_end(undo())
        except InfrastructureError as second:
            first.add_note(str(second))
        raise
    await _to_the_end(undo())


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even if cancelled meanwhile, then be cancelled: a half-removed cluster helps nobody."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
