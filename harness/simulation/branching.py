"""Several futures of one past: a run that has come somewhere promising is forked there, and each child goes on by
chance of its own.

What led there is not run again, which is most of the cost when it took long. A branch is written down as a `Turn` of
its world: the nanosecond after which chance is drawn otherwise, and by which name. A run of the same plan with that
turn is the branch again, from its beginning, in any process (`world.py`, `Streams.reseed`).

    def promising():                              # called from a callback of the run
        loop.at_turn(loop.virtual_ns, split)

    def split():                                  # between two instants
        told = fork_each(loop, ("b1", "b2"), patience_s=60)
        if isinstance(told, Child):               # here in each child, ...
            child = told                          # which later calls child.tell(data), and is gone
        else:                                     # here in the parent, when all children are gone
            print([one.data for one in told])

A child is a copy of the whole process, so nothing that it shares with its parent may be touched: files that are open,
folders that are removed on the way out. Whoever forks sees to that, and to it that a child ends by `tell` or `leave`
and by nothing else. The parent waits meanwhile: one core, one run at a time. A child that says nothing for too long is
killed.

Limits: needs `os.fork`; a process with threads must not fork. Timers of the process (`signal.setitimer`) are not
inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from harness import clock
from harness.simulation.world import Turn

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

CAN_BRANCH: Final = hasattr(os, "fork")
CHUNK_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Child:
    """This process is a branch.

    Attributes:
        turn: which one.
    """

    turn: Turn
    _pipe: int

    def tell(self, data: bytes) -> NoReturn:
        """Hand the parent what came of it, and be gone."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._pipe, rest) :]
        except OSError:  # the parent is gone
            leave(1)
        leave(0)


@dataclass(frozen=True)
class Told:
    """What came of one branch.

    Attributes:
        turn: which one; data: what it told; why: in a sentence, if it told nothing.
    """

    turn: Turn
    data: bytes | None
    why: str = ""


def leave(status: int = 1) -> NoReturn:
    """End a child at once: no `finally`, no exit handler, no flushing of what the parent has buffered as well."""
    os._exit(status)


def fork_each(loop: SimLoop, salts: Sequence[str], patience_s: float) -> Child | list[Told]:
    """Make a child for each name, one after the other, each with chance of its own from here on.

    Returns twice or more: in each child who it is, and in the parent, once all are gone, what each told.
    """
    told: list[Told] = []
    for salt in salts:
        turn = Turn(loop.virtual_ns - 1, salt)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            asyncio._set_running_loop(loop)  # asyncio forgets it in a child
            loop.streams.reseed(salt)
            return Child(turn, writing)
        os.close(writing)
        told.append(_heard(turn, pid, reading, patience_s))
    return told


def _heard(turn: Turn, pid: int, reading: int, patience_s: float) -> Told:
    """Read all that a child tells, and bury it, whatever happens meanwhile."""
    status = -1
    try:
        data = _read(reading, clock.monotonic_ns() + round(patience_s * 1e9))
    finally:
        os.close(reading)
        # It has told everything or is too late; either way nothing that it still does counts.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if data is None:
        return Told(turn, None, f"The branch {turn.salt} said nothing for {patience_s:g} s, and was ended.")
    if not data:
        return Told(turn, None, f"The branch {turn.salt} ended without a word (status {status}).")
    return Told(turn, data)


def _read(reading: int, until_ns: int) -> bytes | None:
    """All that comes to the end; None when that takes too long."""
    parts: list[bytes] = []
    while True:
        left_s = (until_ns - clock.monotonic_ns()) / 1e9
        if left_s <= 0 or not select.select([reading], [], [], left_s)[0]:
            return None
        part = os.read(reading, CHUNK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
