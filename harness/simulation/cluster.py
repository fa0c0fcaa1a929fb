"""The nodes of one simulated run, and the four fault surfaces that act on them.

Nothing here is harsher or kinder than on a real ground: cuts act on the network and leave connections to find out by
themselves, a kill leaves what was written, a start begins on what the disk has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.protocols import Clocks, Cut, Disks, Net, Processes, ProcessState, Simulated
from harness.simulation.node import SimNode

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

START_SPREAD_NS: Final = 20_000_000
"""Machines do not come up in the same instant."""


class SimNet:
    """Implements `harness.protocols.Net`."""

    def __init__(self, loop: SimLoop) -> None:
        self._network = loop.network

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Exactly these cuts are in force."""
        self._network.set_cuts(cuts)

    async def heal(self) -> None:
        """No cut is in force."""
        self._network.set_cuts(())

    async def reaches(self, source: str, destination: str) -> bool:
        """Send a message and see whether it comes."""
        return await self._network.probe(source, destination)


class SimProcesses:
    """Implements `harness.protocols.Processes`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def kill(self, node: str) -> None:
        """SIGKILL."""
        await self._nodes[node].kill()

    async def start(self, node: str) -> None:
        """Start, with power, on what is on the disk."""
        self._nodes[node].start()

    async def pause(self, node: str) -> None:
        """SIGSTOP."""
        self._nodes[node].pause()

    async def resume(self, node: str) -> None:
        """SIGCONT."""
        self._nodes[node].resume()

    async def state(self, node: str) -> ProcessState:
        """As the host's operating system has it."""
        return self._nodes[node].state()


class SimDisks:
    """Implements `harness.protocols.Disks`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def power_off(self, node: str) -> int:
        """The host goes dark; bytes lost."""
        return await self._nodes[node].power_off()


class SimClocks:
    """Implements `harness.protocols.Clocks`."""

    def __init__(self, nodes: Mapping[str, SimNode]) -> None:
        self._nodes = nodes

    async def offset_ns(self, node: str) -> int:
        """The host's wall clock minus the harness'."""
        return self._nodes[node].offset_ns()

    async def set_offset_ns(self, node: str, offset_ns: int) -> None:
        """Jump; what the clock drifted so far is undone, too."""
        host = self._nodes[node]
        host.clock_offset_ns += offset_ns - host.offset_ns()


class SimCluster:
    """Implements `harness.protocols.Cluster`."""

    def __init__(self, loop: SimLoop, system: Simulated, names: Sequence[str], options: Mapping[str, Any]) -> None:
        self.nodes = tuple(names)
        self._port = system.port
        addresses = {name: self.address(name) for name in names}

        def program(machine: Any) -> Any:
            return system.program(machine, addresses, options)

        self._hosts = {name: SimNode(loop, name, program) for name in names}
        self._loop = loop
        self.net: Net | None = SimNet(loop)
        self.processes: Processes | None = SimProcesses(self._hosts)
        self.disks: Disks | None = SimDisks(self._hosts)
        self.clocks: Clocks | None = SimClocks(self._hosts)

    def address(self, node: str) -> tuple[str, int]:
        """Hosts are called by their names."""
        return (node, self._port)

    def start(self) -> None:
        """Start every node, at slightly different times."""
        random = self._loop.streams.stream("start")
        for host in self._hosts.values():
            self._loop.call_at_ns(self._loop.now_ns() + int(random.random() * START_SPREAD_NS), host.start, ())

    def listen(self, listener: Callable[[str, str, str], None]) -> None:
        """See `harness.protocols.ObservesNodes`."""
        for host in self._hosts.values():
            host.listeners.append(listener)

    def strike(self, node: str, *, power: bool) -> None:
        """As above."""
        self._hosts[node].strike(power=power)

    def observe(self, node: str) -> Mapping[str, Any]:
        """As above."""
        return self._hosts[node].observe()

    async def collect_logs(self, folder: Path) -> None:
        """`folder/<node>/server.log`; its last line says in which state the node was found."""
        for name, host in self._hosts.items():
            path = folder / name / "server.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{line}\n" for line in [*host.lines, f"{self._loop.time():.6f} now {host.state()}"])
            path.write_text(text, encoding="utf-8")

    def remove(self) -> None:
        """End everything, and heal the network for whoever comes next on this loop."""
        self._loop.network.set_cuts(())
        for host in self._hosts.values():
            host.bury()
