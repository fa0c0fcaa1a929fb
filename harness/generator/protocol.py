"""What a generator is: a pure value that says what to do next.

A generator has two methods. `op` is asked, with a context that says what time it is and which threads are free, for
the next operation and for the generator that follows; it never blocks, sleeps or looks at a clock. `update` is told
every event (invocations and completions) and returns the generator that follows. Nothing is changed in place, so a
generator can be kept, compared, run twice, and run without a cluster.

Threads are the workers: 0, 1, 2, ... and NEMESIS. A thread runs one process at a time; when a process ends in doubt its
thread goes on as a new process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

from harness.op import Op
from harness.streams import Random


class Context(Protocol):
    """What a generator may know. Handed out by the interpreter and by the simulator."""

    time_ns: int
    random: Random
    """The seeded source for everything drawn."""

    @property
    def free(self) -> Sequence[int | str]:
        """Threads that could take an operation now, in a fair order."""

    @property
    def threads(self) -> Sequence[int | str]:
        """All threads that this generator may use."""

    def process(self, thread: int | str) -> int | str:
        """The process that a thread runs now."""

    def thread(self, process: int | str) -> int | str:
        """The thread that runs, or ran, a process."""

    def is_free(self, thread: int | str) -> bool:
        """Whether that thread could take an operation now."""

    def has(self, thread: int | str) -> bool:
        """Whether that thread is among those that this generator may use."""

    def free_thread(self) -> int | str | None:
        """The first of `free`, at a price that does not grow with their number; None when there is none."""

    def all_free(self) -> bool:
        """Whether every thread in `threads` is free."""

    def restrict(self, allowed: Allowed) -> Context:
        """The same moment, seen by a generator that may use only these of the threads."""


Allowed: TypeAlias = Callable[[int | str], bool] | frozenset[int | str]
"""Which threads: a predicate (a pure function, kept in one place so that its answers can be remembered), or a set."""


class Pending:
    """Says: nothing now. Ask again after the next event, or a little later.

    Attributes:
        until_ns: when known: unless an event happens, nothing will come before this time. None when unknown, and then
            the asker comes back every millisecond.
    """

    __slots__ = ("until_ns",)

    def __init__(self, until_ns: int | None = None) -> None:
        self.until_ns = until_ns

    def __repr__(self) -> str:
        return "PENDING" if self.until_ns is None else f"PENDING until {self.until_ns}"


PENDING: Final = Pending()
BUSY: Final = Pending(2**63 - 1)
"""Pending until an event happens, such as a thread coming free; time alone changes nothing."""


class Step(Protocol):
    """The two methods of a generator."""

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator] | None:
        """The next operation and the generator after it; `(PENDING, generator)`; or None when exhausted.

        The op has a process (of a free thread) and a `time` not before `ctx.time_ns`: a later one means "then".
        """

    def update(self, ctx: Context, event: Op) -> Generator:
        """The generator after an event happened."""


Generator: TypeAlias = Step | Op | Callable[["Context"], "Generator"] | Sequence["Generator"] | None
"""A `Step`, or plain data: an Op template (emitted once, process and time filled in), a function of the context that
returns a generator (called again and again until it returns None), a sequence of generators (one after another), or
None (nothing)."""
