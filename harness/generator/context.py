"""The context that interpreter and simulator hand to generators: threads, which of them are free, and what time it is.

Threads are numbered, so a set of them is the bits of one whole number: restricting a context to some threads is one
`&`, and an operation taken or given back is one bit, however many workers there are. The last bit is the nemesis.
A context is never changed; `busy`, `freed`, `retired` and `at` give the next one.

Free threads are offered in rotation, beginning after the one used last, so that no worker is favoured.

    >>> from harness.streams import Streams
    >>> ctx = ThreadContext.start(3, Streams(7).stream("generator"))
    >>> ctx.busy(0, time_ns=5).free
    (1, 2, 'nemesis')

Limits: a worker's processes are thread, thread + concurrency, thread + 2 * concurrency, ..., which is what lets
`thread` be a remainder rather than a table.
"""

from __future__ import annotations

from typing import Final

import msgspec

from harness.generator.protocol import Allowed
from harness.op import NEMESIS
from harness.streams import Random

Thread = int | str


class ThreadTable:
    """What stays the same for a whole run: how many workers, and the bits of every restriction ever asked for."""

    __slots__ = ("_masks", "concurrency", "full")

    def __init__(self, concurrency: int, nemesis: bool) -> None:
        self.concurrency: Final = concurrency
        self.full: Final = (1 << (concurrency + 1)) - 1 if nemesis else (1 << concurrency) - 1
        self._masks: dict[Allowed, int] = {}

    def mask(self, allowed: Allowed) -> int:
        """The bits of the threads that are allowed; computed once for each restriction."""
        mask = self._masks.get(allowed)
        if mask is None:
            mask = self._masks[allowed] = self._compute(allowed)
        return mask

    def _compute(self, allowed: Allowed) -> int:
        accepts = allowed if callable(allowed) else allowed.__contains__
        return sum(1 << bit for bit in bits(self.full) if accepts(self.name(bit)))

    def name(self, bit: int) -> Thread:
        """The thread of a bit."""
        return NEMESIS if bit == self.concurrency else bit


class ThreadContext(msgspec.Struct, eq=False, gc=False):  # a Struct because several are made for every operation
    """One moment, as a generator sees it. Build the first with `start`.

    Attributes:
        time_ns: nanoseconds since the start of the run.
        random: the seeded source for everything drawn.
        table: what the contexts of one run share.
        free_mask, allowed: bits of the free threads and of all threads, both of this restriction.
        processes: the process that each worker runs now.
        cursor: the bit with which the rotation goes on.
    """

    time_ns: int
    random: Random
    table: ThreadTable
    free_mask: int
    allowed: int
    processes: tuple[int, ...]
    cursor: int

    @classmethod
    def start(cls, concurrency: int, random: Random, *, nemesis: bool = True) -> ThreadContext:
        """Time zero: every worker free, running the process of its own number."""
        table = ThreadTable(concurrency, nemesis)
        return cls(0, random, table, table.full, table.full, tuple(range(concurrency)), 0)

    # ── what generators ask ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def free(self) -> tuple[Thread, ...]:
        """Threads that could take an operation now, beginning after the one used last."""
        later = self.free_mask >> self.cursor << self.cursor
        return self._names(later) + self._names(self.free_mask ^ later)

    @property
    def threads(self) -> tuple[Thread, ...]:
        """All threads that this generator may use, in order."""
        return self._names(self.allowed)

    def _names(self, mask: int) -> tuple[Thread, ...]:
        return tuple(self.table.name(bit) for bit in bits(mask))

    def process(self, thread: Thread) -> Thread:
        """The process that a thread runs now."""
        return self.processes[thread] if isinstance(thread, int) else thread

    def thread(self, process: Thread) -> Thread:
        """The thread that runs, or ran, a process."""
        return process % self.table.concurrency if isinstance(process, int) else process

    def bit(self, process: Thread) -> int:
        """The bit of the thread that runs, or ran, a process."""
        concurrency = self.table.concurrency
        return process % concurrency if isinstance(process, int) else concurrency

    def is_free(self, thread: Thread) -> bool:
        """Whether that thread could take an operation now."""
        bit = thread if isinstance(thread, int) else self.table.concurrency
        return self.free_mask >> bit & 1 == 1

    def has(self, thread: Thread) -> bool:
        """Whether that thread is among those that this generator may use."""
        bit = thread if isinstance(thread, int) else self.table.concurrency
        return self.allowed >> bit & 1 == 1

    def free_thread(self) -> Thread | None:
        """The first of `free`, at a price that does not grow with their number; None when there is none."""
        mask = self.free_mask
        if not mask:
            return None
        cursor = self.cursor
        later = mask >> cursor
        bit = (later & -later).bit_length() - 1 + cursor if later else (mask & -mask).bit_length() - 1
        return NEMESIS if bit == self.table.concurrency else bit

    def all_free(self) -> bool:
        """Whether every thread in `threads` is free."""
        return self.free_mask == self.allowed

    def restrict(self, allowed: Allowed) -> ThreadContext:
        """The same moment, seen by a generator that may use only these of the threads."""
        mask = self.table.mask(allowed)
        return ThreadContext(
            self.time_ns,
            self.random,
            self.table,
            self.free_mask & mask,
            self.allowed & mask,
            self.processes,
            self.cursor,
        )

    # ── what interpreter and simulator do ────────────────────────────────────────────────────────────────────────────

    def at(self, time_ns: int) -> ThreadContext:
        """The same threads at another time."""
        return self._with(time_ns, self.free_mask, self.processes, self.cursor)

    def busy(self, thread: Thread, time_ns: int) -> ThreadContext:
        """After a thread took an operation."""
        bit = thread if isinstance(thread, int) else self.table.concurrency
        return self._with(time_ns, self.free_mask & ~(1 << bit), self.processes, bit + 1)

    def freed(self, thread: Thread, time_ns: int) -> ThreadContext:
        """After a thread gave its operation back."""
        bit = thread if isinstance(thread, int) else self.table.concurrency
        return self._with(time_ns, self.free_mask | 1 << bit, self.processes, self.cursor)

    def retired(self, thread: int) -> ThreadContext:
        """After the process of a worker ended in doubt: the worker goes on as a process with a new number."""
        processes = list(self.processes)
        processes[thread] += self.table.concurrency
        return self._with(self.time_ns, self.free_mask, tuple(processes), self.cursor)

    def _with(self, time_ns: int, free_mask: int, processes: tuple[int, ...], cursor: int) -> ThreadContext:
        return ThreadContext(time_ns, self.random, self.table, free_mask, self.allowed, processes, cursor)


def bits(mask: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found
