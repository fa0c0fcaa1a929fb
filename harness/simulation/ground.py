"""The simulated ground: `--on sim`.

    ground = SimGround(seed=7)
    loop = ground.new_event_loop()
    async with ground.cluster(system, ("n1", "n2", "n3"), options, "run-1") as cluster: ...

Everything of a run lives on the loop that `new_event_loop` gave last; a second call begins anew with the same seed, and
gives the same run again.

Limits: the same seed gives the same run for the same versions of Python, of this harness and of the system. A server or
client that lets in real time or real chance (see `guard.py` for what is caught) breaks that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from harness.errors import InfrastructureError
from harness.protocols import Cluster, Simulated, System
from harness.simulation.cluster import SimCluster
from harness.simulation.loop import SimLoop
from harness.streams import Streams


class SimGround:
    """Implements `harness.protocols.Ground`."""

    name = "sim"
    faults = frozenset({"net", "processes", "disks", "clocks"})

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._loop: SimLoop | None = None

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop on virtual time, at 0."""
        self._loop = SimLoop(Streams(self._seed))
        return self._loop

    def now_ns(self) -> int:
        """Virtual time on the loop made last; 0 before there is one."""
        return 0 if self._loop is None else self._loop.now_ns()

    def digest(self) -> str:
        """A digest over every event on the loop made last: equal runs have equal ones."""
        return "" if self._loop is None else self._loop.trace.digest()

    def cluster(
        self, system: System, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AbstractAsyncContextManager[Cluster]:
        """Nodes on simulated hosts, each running the system's own program.

        Raises:
            InfrastructureError: the system has no program that could run here, or the loop is not this ground's.
        """
        if not isinstance(system, Simulated):
            raise InfrastructureError(
                f"The system {system.name!r} cannot be simulated: it has no `program` that runs on an event loop. "
                "Choose another ground with --on."
            )
        return self._cluster(system, nodes, options)

    @asynccontextmanager
    async def _cluster(
        self, system: Simulated, nodes: Sequence[str], options: Mapping[str, Any]
    ) -> AsyncIterator[Cluster]:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimLoop) or loop is not self._loop:
            raise InfrastructureError("A simulated cluster lives on the loop that its ground's new_event_loop() gave.")
        cluster = SimCluster(loop, system, nodes, options)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.remove()
