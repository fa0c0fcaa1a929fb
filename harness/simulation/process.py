"""Who is running: the simulated operating system's idea of a process.

Every callback on the simulated loop runs in a context, and the context says to which process it belongs. Code outside
of any node (harness, clients, nemesis) belongs to no process; it lives on the host `CONTROL`. One life of a server,
from a start to the kill, is one `Process`: a restart is a new one on the same host.

    running ──pause──▶ paused ──resume──▶ running ──kill──▶ dead (for good)
       └─ free ◀─▶ blocked: stands in the kernel, as on a hung disk

A paused or blocked process' callbacks are held and run, in order, when it is free again; what a blocked one sent in
the step that blocked it leaves then, too. A dead process' callbacks are dropped: what would have run in its `finally`
blocks has no effect, just as after a SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal, Protocol

from harness.streams import Random

if TYPE_CHECKING:
    from harness.simulation.clock import MonotonicClock
    from harness.simulation.handles import Due

CONTROL: Final = "control"
"""The host of everything that is not a node."""

When = Literal["before", "after"]
EffectHook = Callable[[str, When, str], None]
"""Told of each effect: what ("append", "sync", "rename", "send", ...), before or after it, and on what."""


class Killed(BaseException):
    """Unwinds the code of a process that was killed in the middle of what it did. Nothing it does on the way counts."""


class Socket(Protocol):
    """What the operating system closes when a process is gone: a connection's end, or a listener."""

    def owner_died(self, quietly: bool) -> None:
        """Let go; quietly: the whole machine is gone, so that nobody is told."""


class Process:
    """One life of a server on a host.

    Attributes:
        host: the name of the host it runs on; number: which life on this loop it is.
        state: see the module docstring; free: whether its callbacks run now, which is less than running.
        blocked, blocked_until_ns: whether it stands in the kernel, and until when if that is known.
        throttled: whether it is blocked for having used up its share of a core.
        held: callbacks that wait until it is free; outbox: what it sent since it was blocked.
        sockets: what it has open, by number.
        log: takes one line; errors that nobody caught go there.
        wall_ns: what the host's wall clock says; monotonic: the clock by which it sleeps.
        random: the chance that it is given instead of the real one.
        watched: who is told of its effects, or None.
    """

    __slots__ = (
        "blocked", "blocked_until_ns", "free", "held", "host", "log", "monotonic", "number", "outbox", "random",
        "sockets", "state", "throttled", "wall_ns", "watched",
    )  # fmt: skip

    def __init__(
        self,
        host: str,
        number: int,
        log: Callable[[str], None],
        wall_ns: Callable[[], int],
        random: Random,
        monotonic: MonotonicClock,
    ) -> None:
        self.host = host
        self.number = number
        self.state: Literal["running", "paused", "dead"] = "running"
        self.free = True
        self.blocked = False
        self.blocked_until_ns = 0
        self.held: list[Due] = []
        self.outbox: list[Callable[[], None]] = []
        self.sockets: dict[int, Socket] = {}
        self.log = log
        self.wall_ns = wall_ns
        self.monotonic = monotonic
        self.random = random
        self.throttled = False
        self.watched: EffectHook | None = None

    def effect(self, what: str, when: When, on: str) -> None:
        """Something that others can see is about to happen, or has happened."""
        if self.watched is not None and self.state != "dead":
            self.watched(what, when, on)

    def hold(self, handle: Due) -> None:
        """Take a callback that must not run now: kept while it is to run again, dropped when dead."""
        if self.state != "dead":
            self.held.append(handle)

    def pause(self) -> None:
        """SIGSTOP."""
        if self.state == "running":
            self.state = "paused"
            self.free = False

    def block(self) -> None:
        """Go into the kernel and not come back for now."""
        if self.state != "dead":
            self.blocked = True
            self.free = False

    def end(self, quietly: bool) -> None:
        """Be dead: nothing of it runs any more, and its sockets are let go, in the order they were opened."""
        self.state = "dead"
        self.free = False
        self.held.clear()
        self.outbox.clear()
        for socket in list(self.sockets.values()):
            socket.owner_died(quietly)
        self.sockets.clear()


CURRENT: Final[ContextVar[Process | None]] = ContextVar("splitbrain_process", default=None)
"""The process that the running code belongs to; None for harness and clients."""


def current_host() -> str:
    """The name of the host that the running code is on."""
    process = CURRENT.get()
    return CONTROL if process is None else process.host
