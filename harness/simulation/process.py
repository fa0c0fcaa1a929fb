"""Who is running: the simulated operating system's idea of a process.

Every callback on the simulated loop runs in a context, and the context says to which process it belongs. Code outside
of any node (harness, clients, nemesis) belongs to no process; it lives on the host `CONTROL`. One life of a server,
from a start to the kill, is one `Process`: a restart is a new one on the same host.

    running ──pause──▶ paused ──resume──▶ running ──kill──▶ dead (for good)

A paused process' callbacks are held and run, in order, when it is resumed. A dead process' callbacks are dropped: what
would have run in its `finally` blocks has no effect, just as after a SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from harness.streams import Random

if TYPE_CHECKING:
    from harness.simulation.handles import Due

CONTROL: Final = "control"
"""The host of everything that is not a node."""


class Killed(BaseException):
    """Unwinds the code of a process that was killed in the middle of what it did. Nothing it does on the way counts."""


class Socket(Protocol):
    """What the operating system closes when a process is gone: a connection's end, or a listener."""

    def owner_died(self, quietly: bool) -> None:
        """Let go; quietly: the whole machine is gone, so that nobody is told."""


class Process:
    """One life of a server on a host.

    Attributes:
        host: the name of the host it runs on.
        state: see the module docstring.
        held: callbacks that wait for a resume.
        sockets: what it has open, by number.
        log: takes one line; errors that nobody caught go there.
        wall_ns: what the host's wall clock says.
        random: the chance that it is given instead of the real one.
        exposed: gives what it lets be seen of its state, if it does.
    """

    __slots__ = ("exposed", "held", "host", "log", "random", "sockets", "state", "wall_ns")

    def __init__(self, host: str, log: Callable[[str], None], wall_ns: Callable[[], int], random: Random) -> None:
        self.host = host
        self.state: Literal["running", "paused", "dead"] = "running"
        self.held: list[Due] = []
        self.sockets: dict[int, Socket] = {}
        self.log = log
        self.wall_ns = wall_ns
        self.random = random
        self.exposed: Callable[[], Mapping[str, Any]] | None = None

    def hold(self, handle: Due) -> None:
        """Take a callback that must not run now: kept while paused, dropped when dead."""
        if self.state == "paused":
            self.held.append(handle)

    def end(self, quietly: bool) -> None:
        """Be dead: nothing of it runs any more, and its sockets are let go, in the order they were opened."""
        self.state = "dead"
        self.held.clear()
        for socket in list(self.sockets.values()):
            socket.owner_died(quietly)
        self.sockets.clear()


CURRENT: Final[ContextVar[Process | None]] = ContextVar("splitbrain_process", default=None)
"""The process that the running code belongs to; None for harness and clients."""


def current_host() -> str:
    """The name of the host that the running code is on."""
    process = CURRENT.get()
    return CONTROL if process is None else process.host
