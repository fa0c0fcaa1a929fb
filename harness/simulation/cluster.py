"""The nodes of one simulated run.

Nothing here is harsher or kinder than on a real ground: cuts act on the network and leave connections to find out by
themselves, a kill leaves what was written, a start begins on what the disk has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.protocols import Clocks, Cut, Disks, Net, Processes, Simulated
from harness.simulation.node import SimNode
from harness.simulation.surfaces import SimClocks, SimDisks, SimNet, SimProcesses

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

START_SPREAD_NS: Final = 20_000_000
"""Machines do not come up in the same instant."""


class SimCluster:
    """Implements `harness.protocols.Cluster` and `ObservesNodes`."""

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
            self._loop.call_at_ns(self._loop.virtual_ns + int(random.random() * START_SPREAD_NS), host.start, ())

    def listen(self, listener: Callable[[str, str, str], None]) -> None:
        """See `harness.protocols.ObservesNodes`; besides, "... done" after each use of the disk."""
        for host in self._hosts.values():
            host.listen(listener)

    def strike(self, node: str, *, power: bool) -> None:
        """As above."""
        self._hosts[node].strike(power=power)

    def sever(self, cuts: Iterable[Cut]) -> None:
        """As above."""
        self._loop.network.add_cuts(cuts)

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
        network = self._loop.network
        network.set_cuts(())
        network.set_resets(())
        network.set_port_cuts((), 0, reset=False)
        network.set_shapes({})
        for host in self._hosts.values():
            host.limit_cpu(0)
            host.bury()
        network.set_clogs(())
