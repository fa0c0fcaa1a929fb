"""The fault surfaces of a simulated cluster, each with all its further abilities (`harness/protocols.py`).

Limits: nothing counts a simulated process' memory, so `limit_memory` is refused; a server cannot be asked to end, since
it gets no signals, so `stop` is a kill that strikes between two steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args

from harness.errors import InfrastructureError
from harness.protocols import Cut, LinkShape, ProcessState
from harness.simulation.network import ROUND_TRIP_GAP_S
from harness.simulation.node import SimNode
from harness.simulation.trouble import BREAKAGES, Breakage
from harness.streams import Streams

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

DAMAGES: Final = ("truncate", "bitflip")


class SimNet:
    """Implements `Net`, `ShapesLinks`, `ClogsLinks`, `CutsPorts` and `ProbesPorts`."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._network = loop.network

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Exactly these cuts are in force."""
        self._network.set_cuts(self._noted("cut", cuts))

    async def heal(self) -> None:
        """No cut is in force."""
        self._network.set_cuts(self._noted("cut", ()))

    async def reaches(self, source: str, destination: str) -> bool:
        """Send a message and see whether it comes."""
        return await self._network.probe(source, destination)

    def shapes(self) -> frozenset[str]:
        """All of them."""
        return frozenset(LinkShape.__struct_fields__)

    async def shape(self, links: Mapping[Cut, LinkShape]) -> None:
        """Exactly these shapes are in force."""
        self._noted("shape", links)
        self._network.set_shapes(links)

    async def round_trip_ms(self, source: str, destination: str, count: int) -> list[float | None]:
        """Datagrams there and back, one after the other."""
        times: list[float | None] = []
        for _ in range(count):
            times.append(await self._network.round_trip_ms(source, destination))
            await asyncio.sleep(ROUND_TRIP_GAP_S)
        return times

    async def echoes(self, source: str, destination: str, count: int, over_ms: float = 0.0) -> list[int]:
        """Datagrams in a burst, and their answers; nobody leaves before they are back, so it need not last longer."""
        return await self._network.echoes(source, destination, count)

    async def clog(self, links: Iterable[Cut]) -> None:
        """Exactly these are clogged."""
        self._network.set_clogs(self._noted("clog", links))

    async def cut_port(self, cuts: Iterable[Cut], port: int, *, reset: bool = False) -> None:
        """Exactly these port cuts are in force."""
        self._network.set_port_cuts(self._noted(f"cut port {port}", cuts), port, reset=reset)

    async def resets(self, cuts: Iterable[Cut]) -> None:
        """Exactly these cuts are answered with resets."""
        self._network.set_resets(self._noted("reset", cuts))

    async def connects(self, source: str, destination: str, port: int) -> Literal["open", "refused", "silent"]:
        """Shake hands, or not."""
        return await self._network.try_port(source, destination, port)

    def _noted(self, what: str, cuts: Iterable[Cut]) -> list[Cut]:
        listed = sorted(cuts)
        told = ", ".join(f"{source}>{destination}" for source, destination in listed) or "none"
        self._loop.note("net", "control", f"{what}: {told}")
        return listed


class SimProcesses:
    """Implements `Processes`, `StopsProcesses`, `LimitsProcesses` and `TellsLimits`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def kill(self, node: str) -> None:
        """SIGKILL."""
        await self._nodes[node].kill()

    async def stop(self, node: str) -> None:
        """A kill, between two steps of the server."""
        self._nodes[node].strike(power=False)

    async def start(self, node: str) -> None:
        """Start, with power, on what is on the disk; where the world strikes recoveries, wait until that is over."""
        self._nodes[node].start()
        if self._nodes[node].loop.world.recovery_crashes:
            await self._nodes[node].recovered()

    async def pause(self, node: str) -> None:
        """SIGSTOP."""
        self._nodes[node].pause()

    async def resume(self, node: str) -> None:
        """SIGCONT."""
        self._nodes[node].resume()

    async def state(self, node: str) -> ProcessState:
        """As the host's operating system has it."""
        return self._nodes[node].state()

    async def limit_cpu(self, node: str, share: float) -> None:
        """It runs for that share of every tenth of a second, and stands still for the rest."""
        self._nodes[node].limit_cpu(share)

    async def limit_memory(self, node: str, mebibytes: int) -> None:
        """Refused, but for lifting it."""
        if mebibytes:
            raise InfrastructureError(f"The memory of {node} cannot be limited: the simulation does not count it.")

    async def freeze(self, node: str) -> None:
        """The machine stands still, and its kernel answers nothing."""
        self._nodes[node].freeze(on=True)

    async def thaw(self, node: str) -> None:
        """It goes on."""
        self._nodes[node].freeze(on=False)

    async def limits(self, node: str) -> Mapping[str, float]:
        """As set."""
        host = self._nodes[node]
        return {
            "cpu_share": host.cpu_share,
            "memory_mib": 0.0,
            "throttled_ms": host.throttled_ns / 1e6,
            "frozen": float(host.frozen),
        }


class SimDisks:
    """Implements `Disks` and `BreaksDisks`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def power_off(self, node: str) -> int:
        """The host goes dark; bytes lost."""
        return await self._nodes[node].power_off()

    def breakages(self) -> frozenset[str]:
        """All of them."""
        return BREAKAGES

    async def break_disk(self, node: str, kind: str) -> str:
        """One breakage is in force; a second one takes its place."""
        if kind not in BREAKAGES:
            raise InfrastructureError(f"No disk breaks like {kind!r}; {', '.join(get_args(Breakage))} are known.")
        host = self._nodes[node]
        host.mend()
        host.trouble.breakage = kind  # type: ignore[assignment]  # it is one of them
        host.loop.note("disk", node, f"breaks: {kind}")
        return self._tried(host)

    async def mend_disk(self, node: str) -> str:
        """No breakage is in force."""
        host = self._nodes[node]
        host.mend()
        host.loop.note("disk", node, "mended")
        return self._tried(host)

    async def corrupt(self, node: str, path: str, kind: str, amount: int, seed: int) -> str:
        """One of the files that fit is damaged; the seed decides which, and where."""
        if kind not in DAMAGES:
            raise InfrastructureError(f"No file is damaged by {kind!r}; {' and '.join(DAMAGES)} are known.")
        host = self._nodes[node]
        told = host.disk.damage(path, kind, amount, Streams(seed).stream(f"corrupt/{node}"))
        if told is None:
            return f"{node} has no file with anything in it that fits {path!r}"
        host.loop.note("disk", node, told)
        return told

    @staticmethod
    def _tried(host: SimNode) -> str:
        """What a write and a sync would answer now."""
        trouble = host.trouble
        if trouble.breakage in ("slow", "hung"):
            return f"a test write on {host.name}: {'no answer' if trouble.breakage == 'hung' else 'done after 100 ms'}"
        if trouble.breakage == "lying-fsync":
            return f"a test write on {host.name}: synced, and gone after a loss of power"
        error = trouble.answer("append")
        return f"a test write on {host.name}: {'done' if error is None else error}"


class SimClocks:
    """Implements `Clocks` and `DriftsClocks`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def offset_ns(self, node: str) -> int:
        """The host's wall clock minus the harness'."""
        return self._nodes[node].clock.offset_ns()

    async def set_offset_ns(self, node: str, offset_ns: int) -> None:
        """Jump; what the clock drifted so far is undone, too."""
        self._note(node, f"offset {offset_ns} ns")
        self._nodes[node].clock.set_offset_ns(offset_ns)

    async def set_rate_ppm(self, node: str, ppm: int) -> None:
        """On top of the drift that it has."""
        self._note(node, f"rate {ppm} ppm")
        self._nodes[node].clock.set_rate_ppm(ppm)

    async def freeze_clock(self, node: str, on: bool) -> None:
        """The wall clock stands still, or goes on from there."""
        self._note(node, "frozen" if on else "goes on")
        self._nodes[node].clock.freeze(on)

    async def monotonic_offset_ns(self, node: str) -> int:
        """What it drifted by itself: faults reach wall clocks only."""
        host = self._nodes[node]
        return host.monotonic.now_ns() - host.loop.virtual_ns

    def _note(self, node: str, what: str) -> None:
        self._nodes[node].loop.note("clock", node, what)
