"""Every kind of fault by its name: what it is, what it needs, and how its nemesis is made.

    fault("clock-drift").needs                   {"clocks", "rates"}: a surface, and what that must be able to do
    fault("clock-drift").make(Making("clock-drift", plan, cluster, random))

Faults are entry points of the group `splitbrain.nemeses`, so a package can bring one of its own: a `Fault` whose `make`
gives a `Member` (`compose.py`), which an `EffectNemesis` is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from harness import registry
from harness.errors import PlanError
from harness.nemesis import disk, drift, links, machine, process, restarts
from harness.nemesis.clock import ClockNemesis
from harness.nemesis.effect import Effect, EffectNemesis
from harness.nemesis.membership import Membership
from harness.nemesis.partition import PartitionNemesis
from harness.plan import Plan
from harness.protocols import Clocks, Cluster, Disks, Net, Processes
from harness.streams import Random

LINK_SLOTS: Final = frozenset({"cut", "shape"})
WHOLE: Final = frozenset({"net", "processes", "disks", "clocks"})
"""The surfaces; other needs are what these must be able to do besides, or `membership`, which a system must."""


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


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        summary: what it does, in few words.
        needs: surfaces, what these must be able to do besides (`harness.protocols.ABILITIES`), and "membership" where
            the system under test must change its members.
        make: the nemesis, a `compose.Member`.
        holds: whether it holds a node's process, so that a second such fault there could be neither proven nor lifted.
        slot: what it sets, where others set the same: of two that do, one would silently end the other, so they do not
            fall on the same node; of those of links, never two are in force. "": nothing that others set.
    """

    summary: str
    needs: frozenset[str]
    make: Callable[[Making], Any]
    holds: bool = False
    slot: str = ""


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


def _broken_disk(of: Making) -> Effect:
    return disk.BrokenDisk(of.kind.removeprefix("disk-"), of.disks, of.processes)


def _clock(of: Making) -> ClockNemesis:
    return ClockNemesis(of.cluster, of.clocks, of.plan.target, of.random)


def _fault(summary: str, needs: str, make: Callable[[Making], Any], *, holds: bool = False, slot: str = "") -> Fault:
    return Fault(summary, frozenset(needs.split()), make, holds, slot)


_shaped = _effect(lambda of: links.ShapedLinks(of.kind, of.cluster, of.net, of.random))
_rounds = _effect(lambda of: restarts.Rounds(of.kind, of.processes, of.random))
_wrong = _effect(lambda of: drift.WrongClock(of.kind, of.cluster, of.clocks, of.random))
PARTITION: Final = _fault("links are cut one way or both, and probed", "net", _cut(lambda of: of.net), slot="cut")
PACKET: Final = _fault("any of these and those of packets below, or two, as drawn", "net shapes", _shaped, slot="shape")
LATENCY: Final = _fault("links are slow", "net shapes", _shaped, slot="shape")
LOSS: Final = _fault("links lose packets", "net shapes", _shaped, slot="shape")
BANDWIDTH: Final = _fault("links are narrow", "net shapes", _shaped, slot="shape")
PACKET_REORDER: Final = _fault("packets overtake others", "net shapes", _shaped, slot="shape")
PACKET_DUPLICATE: Final = _fault("packets come twice", "net shapes", _shaped, slot="shape")
PACKET_CORRUPT: Final = _fault("packets are damaged on their way", "net shapes", _shaped, slot="shape")
CLOG: Final = _fault(
    "links hold everything, and give it all at once",
    "net clogs",
    _effect(lambda of: links.Clog(of.cluster, of.net)),
    slot="cut",
)
SWIZZLE: Final = _fault(
    "links of one node after another hold everything, and let go in another order",
    "net clogs",
    _effect(lambda of: links.Swizzle(of.cluster, of.net, of.random)),
    slot="cut",
)
RESET: Final = _fault("links answer with a reset", "net ports", _cut(lambda of: links.ResetNet(of.net)), slot="cut")
PORT: Final = _fault(
    "the servers' port is cut, and nothing else",
    "net ports",
    _cut(lambda of: links.PortNet(of.cluster, of.net, of.random), between_servers=True),
    slot="cut",
)
KILL: Final = _fault(
    "servers are killed and started", "processes", _blow(lambda of: process.kill_blow(of.processes)), holds=True
)
PAUSE: Final = _fault(
    "servers are stopped and continued", "processes", _blow(lambda of: process.pause_blow(of.processes)), holds=True
)
STOP: Final = _fault(
    "servers are asked to end", "processes stops", _blow(lambda of: process.stop_blow(of.processes)), holds=True
)
RESTART: Final = _fault(
    "servers are killed and started at once",
    "processes",
    _effect(lambda of: restarts.Restart(of.processes)),
    holds=True,
)
ROLLING_RESTART: Final = _fault("servers are restarted one after another", "processes", _rounds, holds=True)
CRASH_LOOP: Final = _fault("servers are restarted again and again", "processes", _rounds, holds=True)
CPU: Final = _fault(
    "nodes have a share of a core",
    "processes limits",
    _effect(lambda of: machine.SlowCpu(of.processes, of.random)),
    slot="cpu",
)
MEMORY: Final = _fault(
    "nodes have little memory", "processes limits", _effect(lambda of: machine.LittleMemory(of.processes)), holds=True
)
FREEZE: Final = _fault(
    "nodes stand still as a whole", "processes limits", _effect(lambda of: machine.Freeze(of.processes)), holds=True
)
POWER: Final = _fault(
    "what was not fsynced is forgotten",
    "processes disks",
    _blow(lambda of: process.power_blow(of.processes, of.disks)),
    holds=True,
)
DISK_FULL: Final = _fault("disks have no room", "processes disks breakages", _effect(_broken_disk), holds=True)
DISK_READ_ONLY: Final = _fault("disks refuse writes", "processes disks breakages", _effect(_broken_disk), holds=True)
DISK_SLOW: Final = _fault("disks are slow", "processes disks breakages", _effect(_broken_disk), holds=True)
DISK_HUNG: Final = _fault("disks answer nothing", "processes disks breakages", _effect(_broken_disk), holds=True)
DISK_ERROR: Final = _fault("fsync fails", "processes disks breakages", _effect(_broken_disk), holds=True)
DISK_LYING_FSYNC: Final = _fault("fsync does nothing", "processes disks breakages", _effect(_broken_disk), holds=True)
CORRUPT: Final = _fault(
    "files are cut or have bits turned", "processes disks breakages", _effect(_corruption), holds=True
)
CLOCK: Final = _fault("wall clocks jump", "clocks", _clock, slot="clock")
CLOCK_DRIFT: Final = _fault("wall clocks run fast or slow", "clocks rates", _wrong, slot="clock")
CLOCK_FREEZE: Final = _fault("wall clocks stand still", "clocks rates", _wrong, slot="clock")
CLOCK_STROBE: Final = _fault(
    "wall clocks jump to and fro", "clocks", _effect(lambda of: drift.Strobe(of.clocks, of.random)), slot="clock"
)
MEMBERSHIP: Final = _fault(
    "nodes are taken out and added again, where the system can",
    "membership",
    _effect(lambda of: Membership(of.cluster, registry.load("systems", of.plan.system))),
    slot="members",
)
FAULTS: Final[dict[str, Fault]] = {
    "partition": PARTITION,
    "packet": PACKET,
    "latency": LATENCY,
    "loss": LOSS,
    "bandwidth": BANDWIDTH,
    "packet-reorder": PACKET_REORDER,
    "packet-duplicate": PACKET_DUPLICATE,
    "packet-corrupt": PACKET_CORRUPT,
    "clog": CLOG,
    "swizzle": SWIZZLE,
    "reset": RESET,
    "port": PORT,
    "kill": KILL,
    "pause": PAUSE,
    "stop": STOP,
    "restart": RESTART,
    "rolling-restart": ROLLING_RESTART,
    "crash-loop": CRASH_LOOP,
    "cpu": CPU,
    "memory": MEMORY,
    "freeze": FREEZE,
    "power": POWER,
    "disk-full": DISK_FULL,
    "disk-read-only": DISK_READ_ONLY,
    "disk-slow": DISK_SLOW,
    "disk-hung": DISK_HUNG,
    "disk-error": DISK_ERROR,
    "disk-lying-fsync": DISK_LYING_FSYNC,
    "corrupt": CORRUPT,
    "clock": CLOCK,
    "clock-drift": CLOCK_DRIFT,
    "clock-freeze": CLOCK_FREEZE,
    "clock-strobe": CLOCK_STROBE,
    "membership": MEMBERSHIP,
}
SURFACES: Final = {kind: fault.needs for kind, fault in FAULTS.items()}
"""What each of our own kinds needs."""
BLOWS: Final = tuple(kind for kind, fault in FAULTS.items() if fault.holds)


def fault(kind: str) -> Fault:
    """A fault by its name: one of ours, or one that a package brought.

    Raises:
        PlanError: there is none, or what is registered is no fault.
    """
    found = FAULTS.get(kind) or registry.load("nemeses", kind)
    if not isinstance(found, Fault):
        raise PlanError(
            f"The nemesis {kind!r} is registered as {found!r}, which is no harness.nemesis.catalogue.Fault."
        )
    return found
