"""One simulated host: its disk, its wall clock, its log, and one life of the server after the other.

A `Machine` is handed to one life of the server. When that life is over, nothing that its code still does through the
machine has an effect: the disk is closed to it and its log takes nothing.

A SIGKILL or a loss of power strikes between two steps of a program, and a step may be in the middle of what the program
thinks is one thing: written, but not yet synced. So half of the blows wait, for STRIKE_WAIT_S at most, until the server
is about to use its disk, and strike there. Only so is it seen whether a server relies on what it has not synced yet.

Limits: the monotonic clock of every host runs at the same rate; wall clocks drift by up to DRIFT_PPM.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from harness.protocols import Disk, Machine, ProcessState
from harness.simulation.disk import SimDisk
from harness.simulation.handles import SimTask
from harness.simulation.process import CURRENT, Killed, Process
from harness.streams import Random

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

EPOCH_NS: Final = 1_700_000_000_000_000_000
"""What the harness' wall clock shows when a simulation begins: 14 November 2023."""
DRIFT_PPM: Final = 50
STRIKE_AT_DISK_SHARE: Final = 0.5
STRIKE_WAIT_S: Final = 0.05
STRIKE_OPERATIONS_MAX: Final = 6

Program = Callable[[Machine], Awaitable[None]]


class MachineDisk:
    """A host's disk as one process sees it: closed to the dead, and the place where a blow may strike."""

    def __init__(self, disk: SimDisk, process: Process, told: Callable[[str, str], None]) -> None:
        self._disk = disk
        self._process = process
        self._told = told
        self.strike: Callable[[], None] | None = None
        self.operations_to_strike = 0

    def read(self, path: str) -> bytes:
        """See `harness.protocols.Disk`."""
        return self._open().read(path)

    def append(self, path: str, data: bytes) -> None:
        """See `harness.protocols.Disk`."""
        self._open("append", path).append(path, data)

    def write(self, path: str, data: bytes) -> None:
        """See `harness.protocols.Disk`."""
        self._open("write", path).write(path, data)

    def truncate(self, path: str, size: int) -> None:
        """See `harness.protocols.Disk`."""
        self._open("truncate", path).truncate(path, size)

    def rename(self, old: str, new: str) -> None:
        """See `harness.protocols.Disk`."""
        self._open("rename", old).rename(old, new)

    def remove(self, path: str) -> None:
        """See `harness.protocols.Disk`."""
        self._open("remove", path).remove(path)

    def sync(self, path: str) -> None:
        """See `harness.protocols.Disk`."""
        self._open("sync", path).sync(path)

    def list(self) -> list[str]:
        """See `harness.protocols.Disk`."""
        return self._open().list()

    def _open(self, event: str = "", path: str = "") -> SimDisk:
        if event and self._process.state != "dead":
            self._told(event, path)
        if self._process.state != "dead" and self.strike is not None:
            self.operations_to_strike -= 1
            if self.operations_to_strike <= 0:
                self.strike()
        if self._process.state == "dead":
            raise Killed
        return self._disk


class SimMachine:
    """Implements `harness.protocols.Machine` for one life of a server."""

    def __init__(self, node: SimNode, process: Process, disk: MachineDisk) -> None:
        self.name = node.name
        self.disk: Disk = disk
        self.random = process.random
        self._node = node
        self._process = process

    def expose(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """See `harness.protocols.Exposing`."""
        self._process.exposed = state

    def monotonic_ns(self) -> int:
        """Virtual time."""
        return self._node.loop.now_ns()

    def wall_ns(self) -> int:
        """The host's wall clock."""
        return self._node.wall_ns()

    def log(self, message: str) -> None:
        """One line to the node's log."""
        if self._process.state != "dead":
            self._process.log(message)


class Life:
    """A process, what it was given, and its tasks."""

    def __init__(self, process: Process, disk: MachineDisk) -> None:
        self.process = process
        self.disk = disk
        self.main: SimTask | None = None
        self.remains: list[SimTask] = []


class SimNode:
    """A host.

    Attributes:
        lines: the log; clock_offset_ns: how far faults have set the wall clock off.
        listeners: who is told what it logs, and what it is about to do to its disk: (node, event, text).
    """

    def __init__(self, loop: SimLoop, name: str, program: Program) -> None:
        self.loop = loop
        self.name = name
        self.lines: list[str] = []
        self.listeners: list[Callable[[str, str, str], None]] = []
        self.clock_offset_ns = 0
        self._program = program
        self._disk = SimDisk(loop.streams.stream(f"disk/{name}"))
        self._drift_ppm = loop.streams.stream(f"clock/{name}").uniform(-DRIFT_PPM, DRIFT_PPM)
        self._lives: list[Life] = []
        loop.network.add_host(name)

    # ── clock and log ────────────────────────────────────────────────────────────────────────────────────────────────

    def offset_ns(self) -> int:
        """The wall clock minus the harness'."""
        return self.clock_offset_ns + int(self.loop.now_ns() * self._drift_ppm / 1_000_000)

    def wall_ns(self) -> int:
        """The wall clock."""
        return EPOCH_NS + self.loop.now_ns() + self.offset_ns()

    def log(self, message: str) -> None:
        """Add a line, with virtual seconds before it."""
        self.lines.append(f"{self.loop.time():.6f} {message}")
        self._tell("log", message)

    def _tell(self, event: str, text: str) -> None:
        for listener in self.listeners:
            listener(self.name, event, text)

    def observe(self) -> Mapping[str, Any]:
        """What the running server exposes of its state."""
        process = self._process()
        if process is None or process.state == "dead" or process.exposed is None:
            return {}
        return process.exposed()

    # ── lives ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self) -> ProcessState:
        """What the host's operating system says of the server."""
        process = self._process()
        if process is None or process.state == "dead":
            return "stopped"
        return "paused" if process.state == "paused" else "running"

    def start(self) -> None:
        """Power on, and begin a life on what is on the disk; nothing if one is going on."""
        if self.state() != "stopped":
            return
        self.loop.network.set_power(self.name, on=True)
        random: Random = self.loop.streams.stream(f"node/{self.name}/{len(self._lives)}")
        process = Process(self.name, self.log, self.wall_ns, random)
        life = Life(process, MachineDisk(self._disk, process, self._tell))
        self._lives.append(life)
        self.log("started")
        context = copy_context()
        context.run(CURRENT.set, process)
        machine = SimMachine(self, process, life.disk)
        life.main = self.loop.create_task(
            self._live(life, machine), name=f"{self.name}-{len(self._lives)}", context=context
        )

    async def _live(self, life: Life, machine: SimMachine) -> None:
        """Run the program; when it ends, whatever it left running ends with it."""
        try:
            await self._program(machine)
            said = "the server ended by itself"
        except Exception as error:
            said = f"the server ended: {type(error).__name__}: {error}"
        if life.process.state != "dead":
            self.log(said)
            self._end(life, quietly=False)

    def pause(self) -> None:
        """SIGSTOP."""
        process = self._process()
        if process is not None and process.state == "running":
            process.state = "paused"
            self.log("paused")

    def resume(self) -> None:
        """SIGCONT."""
        process = self._process()
        if process is not None and process.state == "paused":
            self.log("resumed")
            self.loop.resume(process)

    def strike(self, *, power: bool) -> None:
        """End the server at once; `kill` or `power_off` then find it ended."""
        if self.state() != "stopped":
            self.log("power lost" if power else "killed")
            self._end(self._lives[-1], quietly=power)

    async def kill(self) -> None:
        """SIGKILL: what was written is still there."""
        await self._blow("killed", quietly=False)

    async def power_off(self) -> int:
        """Cut the power; return the bytes lost."""
        await self._blow("power lost", quietly=True)
        self.loop.network.set_power(self.name, on=False)
        lost = self._disk.lose_power()
        self.log(f"{lost} bytes that were not synced are gone")
        return lost

    async def _blow(self, said: str, quietly: bool) -> None:
        if self.state() == "stopped":
            return
        life = self._lives[-1]
        struck = asyncio.Event()

        def strike() -> None:
            self.log(said)
            self._end(life, quietly)
            struck.set()

        # A stream for each moment, so that one blow does not change what another draws.
        blows = self.loop.streams.stream(f"blows/{self.name}/{self.loop.now_ns()}")
        if blows.random() < STRIKE_AT_DISK_SHARE:
            life.disk.operations_to_strike = blows.randint(1, STRIKE_OPERATIONS_MAX)
            life.disk.strike = strike
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STRIKE_WAIT_S):
                    await struck.wait()
            life.disk.strike = None
        if life.process.state != "dead":
            strike()

    def _end(self, life: Life, quietly: bool) -> None:
        """End a life. Its tasks are kept until the run is over: dropping them would run their `finally` blocks."""
        life.process.end(quietly)
        tasks = (task for task in asyncio.all_tasks(self.loop) if isinstance(task, SimTask))
        life.remains = sorted((task for task in tasks if task.process is life.process), key=hash)

    def _process(self) -> Process | None:
        return self._lives[-1].process if self._lives else None

    def bury(self) -> None:
        """End the last life, and let go of all tasks of all lives; their last words have no effect."""
        if self.state() != "stopped":
            self._end(self._lives[-1], quietly=True)
        for life in self._lives:
            context = copy_context()
            context.run(CURRENT.set, life.process)
            for task in life.remains:
                with contextlib.suppress(BaseException):
                    context.run(task.get_coro().close)
            life.remains.clear()
