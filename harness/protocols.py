"""The seams: every place where one room plugs into another, as small protocols.

Nothing here is to be subclassed; anything of the right shape will do. Optional abilities are protocols of their own
(`Packaged`, `Simulated`, `Net`, ...): code asks for the ability, never for the class.

    Ground ──enters──▶ Cluster ──offers──▶ Net, Processes, Clocks, Disks      (fault surfaces; None where absent)
    System ──opens───▶ Client  ──answers─▶ Op                                  (one per process)
    Workload ─makes──▶ generator + checkers                                    (pure)
    Nemesis ──acts on surfaces, never on a ground

Every seam has a real and an in-memory twin, and one conformance test that runs on both (tests/conformance).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

import msgspec

from harness.history.circumstances import Situation
from harness.op import Op
from harness.streams import Random, Streams

if TYPE_CHECKING:
    import asyncio

# ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Client(Protocol):
    """Speaks to the system on behalf of one process. Opened fresh for every new process.

    It must not retry by itself (a silent retry turns "at most once" into "maybe twice" and invents violations).
    """

    async def invoke(self, op: Op) -> Op:
        """Do it and return the completion, made by `op.ok`, `op.fail` or `op.info`.

        Errors are answers: a connection refused before anything was sent is `fail`; anything doubtful is `info`. What
        it raises is recorded as `info`. It may be cancelled at its deadline at any await.
        """

    async def close(self) -> None:
        """Give everything back. Must not raise, must not wait for the network."""


# ── grounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Cut = tuple[str, str]  # (source, destination): destination drops whatever source sends
ProcessState = Literal["running", "paused", "stopped"]


class Net(Protocol):
    """Fault surface: the network between nodes. Clients always reach every node."""

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Make exactly these one-way cuts the ones in force, replacing all earlier ones."""

    async def heal(self) -> None:
        """Remove every cut; idempotent."""

    async def reaches(self, source: str, destination: str) -> bool:
        """Probe by real traffic whether destination receives what source sends (evidence for a fault)."""


class Processes(Protocol):
    """Fault surface: the server process of each node. All idempotent."""

    async def kill(self, node: str) -> None:
        """End it at once (SIGKILL); what it wrote, synced or not, stays in the machine's page cache."""

    async def start(self, node: str) -> None:
        """Start it again on the data it left."""

    async def pause(self, node: str) -> None:
        """Stop it from running (SIGSTOP); its connections stay open."""

    async def resume(self, node: str) -> None:
        """Let it run on (SIGCONT)."""

    async def state(self, node: str) -> ProcessState:
        """Ask the operating system (evidence for a fault)."""


class Disks(Protocol):
    """Fault surface: the disk of each node."""

    async def power_off(self, node: str) -> int:
        """Cut the power: the process dies and what was not fsynced is gone. Returns the bytes lost (evidence)."""


class Clocks(Protocol):
    """Fault surface: the wall clock of each node."""

    async def offset_ns(self, node: str) -> int:
        """The node's wall clock minus the harness'."""

    async def set_offset_ns(self, node: str, offset_ns: int) -> None:
        """Jump the node's wall clock."""


# ── further abilities of the surfaces: an object may have them or not; code asks with isinstance ─────────────────────


class LinkShape(msgspec.Struct, frozen=True):
    """What happens to what goes one way over a link. Zero means "not at all".

    Attributes:
        delay_ms: added one way; jitter_ms: uniform around the delay, both ways.
        loss: share of packets; on `sim` of messages, which shows as the delay of a retransmission.
        duplicate, reorder: share that comes twice, that overtakes; only where datagrams allow.
        corrupt: share that arrives damaged; TCP drops what is, so it shows as loss.
        rate_kbit: bandwidth, in kilobits per second.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    rate_kbit: float = 0.0


@runtime_checkable
class ShapesLinks(Protocol):
    """On `net`: links that are slow, lossy or narrow."""

    def shapes(self) -> frozenset[str]:
        """Which fields of LinkShape this ground can do."""

    async def shape(self, links: Mapping[Cut, LinkShape]) -> None:
        """Make exactly these shapes the ones in force, replacing all earlier ones; {} lifts all."""

    async def round_trip_ms(self, source: str, destination: str, count: int) -> list[float | None]:
        """Send `count` probes that are answered; None for each that was lost (evidence for a fault)."""


@runtime_checkable
class ClogsLinks(Protocol):
    """On `net`: links that hold what is sent, and give it all at once when they are released."""

    async def clog(self, links: Iterable[Cut]) -> None:
        """Make exactly these links the clogged ones; what was held of others is released at once."""


@runtime_checkable
class CutsPorts(Protocol):
    """On `net`: cuts of one port only, and cuts that are answered with a reset instead of silence."""

    async def cut_port(self, cuts: Iterable[Cut], port: int, *, reset: bool = False) -> None:
        """Make exactly these cuts of a TCP port of the destination the ones in force; () lifts all."""

    async def resets(self, cuts: Iterable[Cut]) -> None:
        """As `Net.cut`, but each connection is answered with a reset; () lifts all."""


@runtime_checkable
class ProbesPorts(Protocol):
    """On `net`: evidence for faults of single ports."""

    async def connects(self, source: str, destination: str, port: int) -> Literal["open", "refused", "silent"]:
        """Try a TCP connection from source to a port of the destination."""


@runtime_checkable
class StopsProcesses(Protocol):
    """On `processes`: asking a server to end, as an operator does."""

    async def stop(self, node: str) -> None:
        """SIGTERM; SIGKILL where it has not ended after some seconds. Returns when it is gone; idempotent."""


@runtime_checkable
class LimitsProcesses(Protocol):
    """On `processes`: machines that are slow, small, or stand still as a whole."""

    async def limit_cpu(self, node: str, share: float) -> None:
        """Of one core; 0 lifts."""

    async def limit_memory(self, node: str, mebibytes: int) -> None:
        """What goes beyond is killed; 0 lifts."""

    async def freeze(self, node: str) -> None:
        """Stop every process of the machine, so that nothing on it can be asked either; `thaw` lifts."""

    async def thaw(self, node: str) -> None:
        """Let the machine run on."""


@runtime_checkable
class TellsLimits(Protocol):
    """On `processes`: what a limit did, as the operating system has it (evidence for a fault)."""

    async def limits(self, node: str) -> Mapping[str, float]:
        """`cpu_share` and `memory_mib` in force, 0 for none; `throttled_ms` so far; `frozen` 0 or 1."""


@runtime_checkable
class BreaksDisks(Protocol):
    """On `disks`: disks that fail in other ways than by loss of power."""

    def breakages(self) -> frozenset[str]:
        """Of "full", "read-only", "slow", "hung", "error", "lying-fsync"."""

    async def break_disk(self, node: str, kind: str) -> str:
        """Break it; returns evidence in words, e.g. what a test write answered."""

    async def mend_disk(self, node: str) -> str:
        """Lift whatever `break_disk` did; returns evidence. Idempotent."""

    async def corrupt(self, node: str, path: str, kind: str, amount: int, seed: int) -> str:
        """Damage a file for good: "truncate" by, or "bitflip" in, `amount` bytes; returns what was damaged.

        `path` is a glob within the data folder; the seed decides which file, and where.
        """


@runtime_checkable
class DriftsClocks(Protocol):
    """On `clocks`: wall clocks that run fast, slow, or not at all."""

    async def set_rate_ppm(self, node: str, ppm: int) -> None:
        """The wall clock runs faster by `ppm` (1_000_000: twice as fast); 0 lifts."""

    async def freeze_clock(self, node: str, on: bool) -> None:
        """The wall clock stands still, or goes on."""

    async def monotonic_offset_ns(self, node: str) -> int:
        """The node's monotonic clock minus the harness' (evidence that it did not move)."""


def abilities(*surfaces: type) -> frozenset[str]:
    """Names of the further abilities that classes of surfaces have: what a ground says that it offers.

    >>> sorted(abilities())
    []
    """
    return frozenset(
        name for name, ability in ABILITIES.items() if any(issubclass(surface, ability) for surface in surfaces)
    )


ABILITIES: Final[Mapping[str, type]] = {
    "shapes": ShapesLinks,
    "clogs": ClogsLinks,
    "ports": CutsPorts,
    "stops": StopsProcesses,
    "limits": LimitsProcesses,
    "breakages": BreaksDisks,
    "rates": DriftsClocks,
}
"""By the name under which a fault asks for it."""


class Cluster(Protocol):
    """Nodes that are up, with the system installed and started on them."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names, in order."""

    @property
    def net(self) -> Net | None:
        """None where the ground lacks it."""

    @property
    def processes(self) -> Processes | None:
        """None where the ground lacks it."""

    @property
    def clocks(self) -> Clocks | None:
        """None where the ground lacks it."""

    @property
    def disks(self) -> Disks | None:
        """None where the ground lacks it."""

    def address(self, node: str) -> tuple[str, int]:
        """Host and port where a client reaches the node's server."""

    async def collect_logs(self, folder: Path) -> None:
        """Write every node's logs below `folder/<node>/`; a dead node is named in the file, not raised."""


@runtime_checkable
class ObservesNodes(Protocol):
    """A cluster whose nodes can be listened to as they run, and struck then and there."""

    def listen(self, listener: Callable[[str, str, str], None]) -> None:
        """Tell `listener(node, event, text)` at once: of a line in a node's log ("log"), of what it is about to do to a
        file ("append", "sync", ...; the path), of a message that is to leave it ("send") or left ("sent"; where to)."""

    def strike(self, node: str, *, power: bool) -> None:
        """End the node's process amid what it does; power: as when the machine goes dark. The rest surfaces do."""

    def sever(self, cuts: Iterable[Cut]) -> None:
        """Cut these ways at once, besides those that are; `Net.cut` then says which are."""

    def observe(self, node: str) -> Mapping[str, Any]:
        """What the running server says of its own state, where it offers to; else nothing."""


class Ground(Protocol):
    """A place where nodes run."""

    @property
    def name(self) -> str:
        """As registered."""

    @property
    def faults(self) -> frozenset[str]:
        """The surfaces that it offers: of "net", "processes", "clocks", "disks"; and of ABILITIES what these have."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which cluster, clients, interpreter and nemesis of one run all live."""

    def cluster(
        self, system: System, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AbstractAsyncContextManager[Cluster]:
        """Provision, install and start on entry; remove everything on exit, in reverse, also after a failure.

        Raises:
            InfrastructureError: what could not be provisioned and what to do about it.
        """

    def now_ns(self) -> int:
        """Monotonic nanoseconds on this ground's clock (virtual on `sim`)."""


@runtime_checkable
class Preflighted(Protocol):
    """A ground that can say beforehand that nothing will start on it."""

    def preflight(self) -> None:
        """Return quickly, with nothing started.

        Raises:
            InfrastructureError: what is missing and what to do about it.
        """


@runtime_checkable
class Tunable(Protocol):
    """A ground that has switches of its own, and whose faults depend on them and on the machine."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its switches; they come to `cluster` among the system's."""

    def refused(self, options: Mapping[str, Any]) -> str | None:
        """Why nothing can be started with these switches, and what to do about it; None if it can."""

    def lacking(self, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Faults that cannot be made with these switches: by kind, why and what to do about it."""


@runtime_checkable
class Counted(Protocol):
    """A ground whose machines are there already, so that it knows how many nodes there can be."""

    def count(self, options: Mapping[str, Any]) -> int:
        """How many machines these switches name; 0: none."""


@runtime_checkable
class Traced(Protocol):
    """A ground on which a run can be told by one number: equal seeds, equal digests."""

    def digest(self) -> str:
        """Of everything that happened so far, in order."""


@runtime_checkable
class Worldly(Protocol):
    """A ground that can be made kinder or harder beforehand."""

    def configure(self, fields: Mapping[str, Any]) -> None:
        """Be so from the next loop on: a plan's `world`; PlanError names what is unknown."""


@runtime_checkable
class Taped(Protocol):
    """A ground all of whose chance can be recorded and replayed, and whose digest can cover what clients saw."""

    def streams(self) -> Streams:
        """All chance of the loop made last: whoever draws on its behalf draws from here."""

    def note(self, op: Op) -> None:
        """Let the digest cover this event of the history, too."""


# ── systems under test ───────────────────────────────────────────────────────────────────────────────────────────────


class Option(msgspec.Struct, frozen=True):
    """One switch of a system or a workload; becomes `--name` on the command line.

    `default` fixes the type (str, int, float, bool); `choices` the values, where they are few.
    """

    name: str
    default: str | int | float | bool
    help: str
    choices: tuple[str, ...] = ()


class System(Protocol):
    """A product that can be tested."""

    @property
    def name(self) -> str:
        """As registered."""

    @property
    def operations(self) -> frozenset[str]:
        """The `f` values that its clients understand."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its switches."""

    def client(self, cluster: Cluster, home: str, options: Mapping[str, Any], seed: int) -> Client:
        """A client whose first choice of node is `home`. Opens connections when first used."""

    async def wait_ready(self, cluster: Cluster, options: Mapping[str, Any], timeout_s: float) -> None:
        """Return once the system serves writes with every node in it; SetupError names what is missing."""

    async def leader(self, cluster: Cluster) -> str | None:
        """The node that is the leader by its peers' newest word, as asked now; None when nobody is."""


class Disk(Protocol):
    """A node's files, so that a simulated twin can forget what was not synced. Paths are relative, '/'-separated."""

    def read(self, path: str) -> bytes:
        """The whole file; FileNotFoundError."""

    def append(self, path: str, data: bytes) -> None:
        """Add to the end, creating the file; OSError(ENOSPC) when full."""

    def write(self, path: str, data: bytes) -> None:
        """Replace the whole content (not atomic; write aside, `sync`, then `rename`)."""

    def truncate(self, path: str, size: int) -> None:
        """Cut to `size` bytes; ValueError when the file is shorter, since nothing is ever made up."""

    def rename(self, old: str, new: str) -> None:
        """Atomically replace `new` by `old`."""

    def remove(self, path: str) -> None:
        """Delete; FileNotFoundError."""

    def sync(self, path: str) -> None:
        """fsync the file (and its directory entry). Durable when it returns."""

    def list(self) -> list[str]:
        """All file names, sorted."""


class Machine(Protocol):
    """What a server may use of the computer it runs on: passed in, so that it runs unchanged in a simulation."""

    @property
    def name(self) -> str:
        """The node."""

    @property
    def disk(self) -> Disk:
        """Its files."""

    @property
    def random(self) -> Random:
        """Its source of chance."""

    def monotonic_ns(self) -> int:
        """A clock that never jumps."""

    def wall_ns(self) -> int:
        """The node's wall clock, which faults may set."""

    def log(self, message: str) -> None:
        """One line to the node's log."""


@runtime_checkable
class Announcing(Protocol):
    """A system whose nodes' logs tell of what happens, so that faults can be timed by it."""

    events: Mapping[str, str]
    """A regular expression for each event ("elected", "deposed", ...), searched in every line that a node logs."""


@runtime_checkable
class Exposing(Protocol):
    """A machine to which a server may show its state, for whoever explores what states there are."""

    def expose(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """`state()` gives role, generation, last_index, commit_index, or whatever tells states apart."""


@runtime_checkable
class Simulated(Protocol):
    """A system whose server can run inside the simulation."""

    def program(
        self, machine: Machine, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]
    ) -> Awaitable[None]:
        """The server's main: listens with asyncio on its own address and never returns by itself.

        It is cancelled without ceremony when the node is killed: nothing after an await may be relied on.
        """

    port: int


@runtime_checkable
class Packaged(Protocol):
    """A system whose server is installed into an image and started by a command."""

    port: int
    image: str
    """Name of the image, without tag."""

    def build_context(self) -> Mapping[str, bytes | Path]:
        """Files for the image build by name inside the context; must have "Dockerfile" (`ARG BASE`, `FROM ${BASE}`)."""

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        """The command line that runs the server in the foreground; data lives in /var/lib/splitbrain."""


@runtime_checkable
class Installable(Protocol):
    """A system whose server is files that are copied to a machine, and a command."""

    port: int

    def files(self) -> Mapping[str, bytes | Path]:
        """Files by name below /opt/splitbrain."""

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        """As in `Packaged`."""


@runtime_checkable
class Launchable(Protocol):
    """A system whose server runs as a plain process of this machine."""

    port: int

    def launch(
        self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any], data: Path
    ) -> Sequence[str]:
        """The command line that runs the server in the foreground, listening on its own address, its data in `data`."""


@runtime_checkable
class ChangesMembers(Protocol):
    """A system whose nodes can be taken out of the cluster, and added again, while it runs."""

    async def members(self, cluster: Cluster) -> tuple[str, ...] | None:
        """The members by the leader's word; None while nobody leads."""

    async def remove_node(self, cluster: Cluster, node: str) -> str | None:
        """Ask for a node to be taken out; None when it is done, else the answer in words."""

    async def add_node(self, cluster: Cluster, node: str) -> str | None:
        """Ask for a node to be added; None when it is done, else the answer in words."""


@runtime_checkable
class TellsSituation(Protocol):
    """A system whose nodes say what they are, so that it is known whom a fault hits, and in which phase."""

    async def situation(self, cluster: Cluster) -> Situation:
        """As asked now, of all nodes at once; nodes that do not answer are left out."""


# ── faults, workloads, checkers ──────────────────────────────────────────────────────────────────────────────────────


class Nemesis(Protocol):
    """Makes one kind of fault happen, proves it, and lifts it."""

    @property
    def fs(self) -> frozenset[str]:
        """The `f` values that it handles."""

    async def invoke(self, op: Op) -> Op:
        """Inject or lift; completes `ok` with evidence in the value, or `info` with an error."""

    async def heal(self) -> None:
        """Lift everything that is in force; idempotent."""


Progress = Callable[[str], None]
"""Told one line about what goes on."""
