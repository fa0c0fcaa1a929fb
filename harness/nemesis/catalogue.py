"""Every kind of fault by its name: what it needs, and how its nemesis is made.

    SURFACES["clock-drift"]      frozenset({"clocks", "rates"}): a surface, and what that surface must be able to do
    MAKERS["clock-drift"](Making("clock-drift", plan, cluster, random))

A kind is a line in each, and one class in this room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from harness import registry
from harness.nemesis import disk, drift, links, machine, process, restarts
from harness.nemesis.clock import ClockNemesis
from harness.nemesis.effect import Effect, EffectNemesis
from harness.nemesis.membership import Membership
from harness.nemesis.partition import PartitionNemesis
from harness.plan import Plan
from harness.protocols import Clocks, Cluster, Disks, Net, Processes
from harness.streams import Random

WHOLE: Final = frozenset({"net", "processes", "disks", "clocks"})
BREAKAGES: Final = ("full", "read-only", "slow", "hung", "error", "lying-fsync")
SURFACES: Final[dict[str, frozenset[str]]] = {
    "partition": frozenset({"net"}),
    "kill": frozenset({"processes"}),
    "pause": frozenset({"processes"}),
    "power": frozenset({"processes", "disks"}),
    "clock": frozenset({"clocks"}),
    "packet": frozenset({"net", "shapes"}),
    "latency": frozenset({"net", "shapes"}),
    "loss": frozenset({"net", "shapes"}),
    "bandwidth": frozenset({"net", "shapes"}),
    "clog": frozenset({"net", "clogs"}),
    "reset": frozenset({"net", "ports"}),
    "port": frozenset({"net", "ports"}),
    "stop": frozenset({"processes", "stops"}),
    "restart": frozenset({"processes"}),
    "rolling-restart": frozenset({"processes"}),
    "crash-loop": frozenset({"processes"}),
    "cpu": frozenset({"processes", "limits"}),
    "memory": frozenset({"processes", "limits"}),
    "freeze": frozenset({"processes", "limits"}),
    **{f"disk-{breakage}": frozenset({"processes", "disks", "breakages"}) for breakage in BREAKAGES},
    "corrupt": frozenset({"processes", "disks", "breakages"}),
    "clock-drift": frozenset({"clocks", "rates"}),
    "clock-freeze": frozenset({"clocks", "rates"}),
    "clock-strobe": frozenset({"clocks"}),
    "membership": frozenset({"membership"}),
}
"""What each kind needs: surfaces, what these must be able to do besides (`harness.protocols.ABILITIES`), and of the
system under test that it changes its members."""
BLOWS: Final = (
    "kill",
    "pause",
    "power",
    "stop",
    "restart",
    "rolling-restart",
    "crash-loop",
    "memory",
    "freeze",
    *(f"disk-{breakage}" for breakage in BREAKAGES),
    "corrupt",
)
"""The faults that hold a node's process: a second one there could be neither proven nor lifted."""


@dataclass(frozen=True)
class Making:
    """What a nemesis is made of. The surfaces are there, since the plan was validated."""

    kind: str
    plan: Plan
    cluster: Cluster
    random: Random

    @property
    def net(self) -> Net:
        """The network."""
        assert self.cluster.net is not None
        return self.cluster.net

    @property
    def processes(self) -> Processes:
        """The servers."""
        assert self.cluster.processes is not None
        return self.cluster.processes

    @property
    def disks(self) -> Disks:
        """The disks."""
        assert self.cluster.disks is not None
        return self.cluster.disks

    @property
    def clocks(self) -> Clocks:
        """The clocks."""
        assert self.cluster.clocks is not None
        return self.cluster.clocks


def _blow(make: Callable[[Making], process.Blow]) -> Callable[[Making], Any]:
    return lambda of: process.ProcessNemesis(of.cluster, of.processes, make(of), of.plan.target, of.random)


def _cut(make: Callable[[Making], Net], *, between_servers: bool = False) -> Callable[[Making], Any]:
    def maker(of: Making) -> PartitionNemesis:
        plan, net = of.plan, make(of)
        return PartitionNemesis(
            of.cluster, net, plan.partition, plan.target, of.random, kind=of.kind, between_servers=between_servers
        )

    return maker


def _effect(make: Callable[[Making], Effect]) -> Callable[[Making], Any]:
    return lambda of: EffectNemesis(of.cluster, make(of), of.plan.target, of.random)


def _corruption(of: Making) -> Effect:
    harmed = disk.may_be_harmed(of.cluster.nodes, of.plan.seed)
    return disk.Corruption(of.disks, of.processes, harmed, of.random)


MAKERS: Final[dict[str, Callable[[Making], Any]]] = {
    "partition": _cut(lambda of: of.net),
    "reset": _cut(lambda of: links.ResetNet(of.net)),
    "port": _cut(lambda of: links.PortNet(of.cluster, of.net, of.random), between_servers=True),
    **dict.fromkeys(
        ("packet", "latency", "loss", "bandwidth"),
        _effect(lambda of: links.ShapedLinks(of.kind, of.cluster, of.net, of.random)),
    ),
    "clog": _effect(lambda of: links.Clog(of.cluster, of.net)),
    "kill": _blow(lambda of: process.kill_blow(of.processes)),
    "pause": _blow(lambda of: process.pause_blow(of.processes)),
    "stop": _blow(lambda of: process.stop_blow(of.processes)),
    "power": _blow(lambda of: process.power_blow(of.processes, of.disks)),
    "restart": _effect(lambda of: restarts.Restart(of.processes)),
    **dict.fromkeys(
        ("rolling-restart", "crash-loop"), _effect(lambda of: restarts.Rounds(of.kind, of.processes, of.random))
    ),
    "cpu": _effect(lambda of: machine.SlowCpu(of.processes, of.random)),
    "memory": _effect(lambda of: machine.LittleMemory(of.processes)),
    "freeze": _effect(lambda of: machine.Freeze(of.processes)),
    **dict.fromkeys(
        (f"disk-{breakage}" for breakage in BREAKAGES),
        _effect(lambda of: disk.BrokenDisk(of.kind.removeprefix("disk-"), of.disks, of.processes)),
    ),
    "corrupt": _effect(_corruption),
    "clock": lambda of: ClockNemesis(of.cluster, of.clocks, of.plan.target, of.random),
    **dict.fromkeys(
        ("clock-drift", "clock-freeze"),
        _effect(lambda of: drift.WrongClock(of.kind, of.cluster, of.clocks, of.random)),
    ),
    "clock-strobe": _effect(lambda of: drift.Strobe(of.clocks, of.random)),
    "membership": _effect(lambda of: Membership(of.cluster, registry.load("systems", of.plan.system))),
}
"""How the nemesis of each kind is made."""
assert MAKERS.keys() == SURFACES.keys()
