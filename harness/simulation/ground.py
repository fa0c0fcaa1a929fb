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

import msgspec

from harness.errors import InfrastructureError
from harness.op import Op
from harness.protocols import Cluster, Option, Simulated, System, abilities
from harness.simulation.cluster import SimCluster
from harness.simulation.loop import SimLoop
from harness.simulation.recording import Recording
from harness.simulation.surfaces import SimClocks, SimDisks, SimNet, SimProcesses
from harness.simulation.world import World, read_world
from harness.streams import Streams
from harness.tape import Tape


class SimGround:
    """Implements `harness.protocols.Ground`, `Traced`, `Taped` and `Worldly`.

    Attributes (all may be set until the loop is made):
        seed: decides everything; world: what kind of cluster it is.
        tape: where choices come from instead of the seed; record_choices: whether they go to one,
            `streams().recorded()`.
        record: whether everything that happens is listed, in `recording()`.
    """

    name = "sim"
    options: tuple[Option, ...] = ()
    faults = frozenset({"net", "processes", "disks", "clocks"}) | abilities(SimNet, SimProcesses, SimDisks, SimClocks)

    def __init__(
        self,
        seed: int,
        world: World | None = None,
        *,
        tape: Tape | None = None,
        record: bool = False,
        record_choices: bool = False,
    ) -> None:
        self.seed = seed
        self.world = World() if world is None else world
        self.tape = tape
        self.record = record
        self.record_choices = record_choices
        self._loop: SimLoop | None = None

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop on virtual time, at 0."""
        streams = Streams(self.seed, self.tape, record=self.record_choices)
        self._loop = SimLoop(streams, self.world, Recording() if self.record else None)
        return self._loop

    def configure(self, fields: Mapping[str, Any]) -> None:
        """Be another kind of world from the next loop on: a plan's `world`; PlanError names the field."""
        self.world = read_world(fields)

    def refused(self, options: Mapping[str, Any]) -> str | None:
        """Nothing is: a simulation can always be started."""
        return None

    def lacking(self, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Faults that cannot be made here: by kind, why and what to do about it."""
        return {"memory": "the simulation does not count a process' memory; use --on docker"}

    def streams(self) -> Streams:
        """All chance of the loop made last; those who draw on its behalf draw from here, so that the tape is whole."""
        return self._made().streams

    def recording(self) -> Recording:
        """Everything that happened on the loop made last; ValueError unless the ground was made with `record=True`."""
        recording = self._made().recording
        if recording is None:
            raise ValueError("This ground does not record; make it with record=True.")
        return recording

    def note(self, op: Op) -> None:
        """Let the digest cover an outcome that a client saw, or any other event of the history."""
        loop = self._made()
        loop.trace.add_bytes(msgspec.json.encode(op))
        if loop.recording is not None:
            loop.note(
                "client", "control", f"{op.process} {op.type} {op.f} {op.key} {op.value} {op.error or ''}".rstrip()
            )

    def _made(self) -> SimLoop:
        if self._loop is None:
            raise ValueError("There is no loop yet; call new_event_loop() first.")
        return self._loop

    def now_ns(self) -> int:
        """Virtual time on the loop made last; 0 before there is one."""
        return 0 if self._loop is None else self._loop.virtual_ns

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
