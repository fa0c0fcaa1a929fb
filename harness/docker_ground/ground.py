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
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

from harness import clock
from harness.docker_ground import images
from harness.docker_ground.abilities import OPTIONS, lacking, refused
from harness.docker_ground.clocks import PreloadClocks
from harness.docker_ground.disks import DockerDisks
from harness.docker_ground.engine import connect
from harness.docker_ground.net import IptablesNet
from harness.docker_ground.processes import ContainerProcesses
from harness.docker_ground.provision import Provision, Threads
from harness.errors import InfrastructureError, PlanError
from harness.protocols import Cluster, Packaged, System, abilities
from harness.telling import Tell, say_nothing

PREFLIGHT_S: Final = 10.0


class DockerGround:
    """Implements `harness.protocols.Ground`.

    Args:
        base_image: what nodes are built on; else SPLITBRAIN_BASE_IMAGE; else a Debian (`images.find_base`).
    """

    name = "docker"
    faults = frozenset({"net", "processes", "clocks", "disks"}) | abilities(
        IptablesNet, ContainerProcesses, PreloadClocks, DockerDisks
    )

    options = OPTIONS

    tell: Tell

    def __init__(self, base_image: str | None) -> None:
        self.base_image = base_image or os.environ.get("SPLITBRAIN_BASE_IMAGE") or None
        self.tell = say_nothing

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

    def refused(self, options: Mapping[str, Any]) -> str | None:
        """Why this machine cannot have these switches (`abilities.refused`)."""
        return refused(options)

    def lacking(self, options: Mapping[str, Any]) -> Mapping[str, str]:
        """What this machine or these switches do not allow (`abilities.lacking`)."""
        return lacking(options)

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
                image = await threads.run(
                    images.system_image, client, system, self.base_image, threads.is_leaving, self.tell
                )
                provision = Provision(client, threads, run_id)
                async with _undone(provision.down):
                    yield await provision.up(system, nodes, options, image)


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
