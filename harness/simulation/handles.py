"""Handles, tasks and futures whose identity is a number, not an address.

asyncio keeps tasks and futures in sets (TaskGroup, `wait`, `as_completed`, `all_tasks`). Their usual hash is their
address in memory, so the order in which those sets are walked differs from one run to the next, and with it the order
of cancellations. Here the hash is the number of creation on this loop, which is the same in every run.

`asyncio.gather` makes a future of its own class; while a simulated loop runs, those get numbers when they are first
asked for their hash (`numbered_gathers`).

Limits: a set that holds gathers must not outlive the run of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from harness.simulation.process import CURRENT, Process

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop


class SimHandle(asyncio.Handle):
    """A callback that is due now. Leaner than asyncio's: no debugging, no look-ups."""

    __slots__ = ()
    _callback: Any
    _args: Any
    _context: Context
    _cancelled: bool

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self._cancelled = True
        self._callback = None
        self._args = None

    def __repr__(self) -> str:
        return f"<SimHandle {name_of(self._callback)}>"


class SimTimer(asyncio.TimerHandle):
    """A callback that is due at a virtual time, in nanoseconds."""

    __slots__ = ("when_ns",)
    _callback: Any
    _args: Any
    _context: Context
    _cancelled: bool
    _loop: Any

    def __init__(
        self,
        when_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: SimLoop,
        context: Context | None,
    ) -> None:
        self.when_ns = when_ns
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False
        self._loop = loop

    def cancel(self) -> None:
        """Never run it."""
        if not self._cancelled:
            self._cancelled = True
            self._callback = None
            self._args = None
            self._loop.timer_cancelled()

    def when(self) -> float:
        """The deadline in seconds on `loop.time()`, as its process has it."""
        process = self._context.get(CURRENT)
        return (self.when_ns if process is None else process.monotonic.shown_at(self.when_ns)) / 1e9

    def __hash__(self) -> int:
        return self.when_ns

    def __repr__(self) -> str:
        return f"<SimTimer {name_of(self._callback)} at {self.when_ns} ns>"


Due = SimHandle | SimTimer
"""What a loop runs."""


class SimTask(asyncio.Task[Any]):
    """A task whose hash is its number of creation, and that knows its process."""

    sequence: int
    process: Process | None

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        loop: SimLoop,
        name: str | None = None,
        context: Context | None = None,
        **more: Any,
    ) -> None:
        self.sequence = sequence = loop.next_sequence()  # before asyncio puts the task into its first set
        self.process = CURRENT.get() if context is None else context.get(CURRENT)
        super().__init__(coro, loop=loop, name=name or f"Task-{sequence}", context=context, **more)

    def forget(self) -> None:
        """Nobody is to be told that it never ended: its process was killed."""
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self.sequence

    def __eq__(self, other: object) -> bool:
        return self is other


class SimFuture(asyncio.Future[Any]):
    """A future whose hash is its number of creation; `SimLoop.create_future` gives it one."""

    sequence: int

    def __hash__(self) -> int:
        return self.sequence

    def __eq__(self, other: object) -> bool:
        return self is other


@contextmanager
def numbered_gathers(loop: SimLoop) -> Iterator[None]:
    """Let the futures that `gather` makes be kept in order by sets, too."""
    kind: Any = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]  # private, and the only way to it
    real = kind.__hash__

    def number(gather: Any) -> int:
        if not hasattr(gather, "sequence"):
            gather.sequence = loop.next_sequence()
        sequence: int = gather.sequence
        return sequence

    kind.__hash__ = number
    try:
        yield
    finally:
        kind.__hash__ = real


def name_of(callback: object) -> str:
    """What a callback is called, without addresses."""
    return str(getattr(callback, "__qualname__", None) or type(callback).__qualname__)
