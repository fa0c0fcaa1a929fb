"""What a disk does wrong while its power is on, and the disk as one life of a server sees it.

Troubles are of two kinds. Some begin and end (`harness.protocols.BreaksDisks`): a disk that is full, read-only, slow,
hung, failing, or lying about syncs. Others come by chance, as the world has them: a sync that lies, a bit that flips as
it is read, an error that is gone at the next try.

A call of a disk cannot wait in the middle of a callback. So on a slow or hung disk the call is carried out at once, and
then the whole process stands still, as a process does whose one thread is in the kernel: what it sends from then on
stays in it, none of its callbacks run, until the disk has done its work.

Every call has two boundaries, before and after, at which whoever watches effects may strike the process dead.

Limits: a read is not watched. The clock does not move within a callback, so the code that made a slow call does not see
by the clock that it was slow.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeVar, TypeVarTuple

from harness.simulation.disk import SimDisk
from harness.simulation.process import Killed, Process
from harness.simulation.world import World
from harness.streams import Random
from harness.tape import decide, happens

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

Breakage = Literal["full", "read-only", "slow", "hung", "error", "lying-fsync"]
BREAKAGES: Final = frozenset({"full", "read-only", "slow", "hung", "error", "lying-fsync"})
SLOW_NS: Final = 100_000_000
"""How long a slow disk takes for each call."""
REFUSALS: Final[dict[str | None, int]] = {"full": errno.ENOSPC, "read-only": errno.EROFS, "error": errno.EIO}
GROWING: Final = frozenset({"append", "write"})

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class Trouble:
    """What is wrong with one host's disk now.

    Attributes:
        breakage: the one that is in force, or None.
    """

    def __init__(self, random: Random, world: World) -> None:
        self.breakage: Breakage | None = None
        self._random = random
        bad = happens(random, "bad disk", world.bad_disks) if 0 < world.bad_disks < 1 else world.bad_disks > 0
        self._lying_syncs = world.lying_syncs if bad else 0.0
        self._flipped_reads = world.flipped_reads if bad else 0.0
        self._failed_writes = world.failed_writes if bad else 0.0

    def refuses(self, what: str) -> int | None:
        """The error number with which a change, or a sync, is answered; None if it is carried out."""
        number = REFUSALS.get(self.breakage)
        if number is not None and not (number == errno.ENOSPC and what not in GROWING):
            return number
        if self._failed_writes and what in ("append", "write", "sync"):
            return errno.EIO if happens(self._random, "write fails", self._failed_writes) else None
        return None

    def answer(self, what: str) -> str | None:
        """What whoever is refused reads, for as long as the breakage lasts; None if nobody is."""
        number = REFUSALS.get(self.breakage)
        return None if number is None or (number == errno.ENOSPC and what not in GROWING) else os.strerror(number)

    def lies(self) -> bool:
        """Whether a sync does nothing and says that all is well."""
        if self.breakage == "lying-fsync":
            return True
        return bool(self._lying_syncs) and happens(self._random, "sync lies", self._lying_syncs)

    def read_back(self, content: bytes) -> bytes:
        """What a read gives, if this is the content."""
        if not (content and self._flipped_reads and happens(self._random, "read flips", self._flipped_reads)):
            return content
        bits = len(content) * 8
        place = decide(self._random, "flipped bit", bits, lambda random: random.randrange(bits))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        return bytes(flipped)


class MachineDisk:
    """A host's disk as one process sees it: closed to the dead, and the place where a blow may strike.

    Implements `harness.protocols.Disk`.
    """

    def __init__(self, loop: SimLoop, disk: SimDisk, process: Process, trouble: Trouble) -> None:
        self._loop = loop
        self._disk = disk
        self._process = process
        self._trouble = trouble

    def read(self, path: str) -> bytes:
        """See `harness.protocols.Disk`."""
        return self._do("read", path, self._read, path)

    def append(self, path: str, data: bytes) -> None:
        """See `harness.protocols.Disk`."""
        self._do("append", path, self._disk.append, path, data)

    def write(self, path: str, data: bytes) -> None:
        """See `harness.protocols.Disk`."""
        self._do("write", path, self._disk.write, path, data)

    def truncate(self, path: str, size: int) -> None:
        """See `harness.protocols.Disk`."""
        self._do("truncate", path, self._disk.truncate, path, size)

    def rename(self, old: str, new: str) -> None:
        """See `harness.protocols.Disk`."""
        self._do("rename", old, self._disk.rename, old, new)

    def remove(self, path: str) -> None:
        """See `harness.protocols.Disk`."""
        self._do("remove", path, self._disk.remove, path)

    def sync(self, path: str) -> None:
        """See `harness.protocols.Disk`."""
        self._do("sync", path, self._sync, path)

    def list(self) -> list[str]:
        """See `harness.protocols.Disk`."""
        return self._do("list", "", self._disk.list)

    def _read(self, path: str) -> bytes:
        return self._trouble.read_back(self._disk.read(path))

    def _sync(self, path: str) -> None:
        checksum = self._disk.pending_checksum(path)
        if not self._trouble.lies():
            self._disk.sync(path)
        self._loop.trace.add(self._process.number, checksum)

    def _do(self, what: str, path: str, act: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        process = self._process
        process.effect(what, "before", path)
        _unwind_dead(process)
        if what not in ("read", "list"):
            self._refuse(what, path)
        if self._loop.recording is not None:
            size = sum(len(arg) for arg in args if isinstance(arg, bytes))
            self._loop.recording.add(self._loop.now_ns(), process.host, "disk", f"{what} {path}".strip(), "", size)
        result = act(*args)
        if self._trouble.breakage in ("slow", "hung"):
            self._stall()
        process.effect(what, "after", path)
        _unwind_dead(process)
        return result

    def _refuse(self, what: str, path: str) -> None:
        number = self._trouble.refuses(what)
        if number is None:
            return
        if what == "sync" and number == errno.EIO:
            self._disk.fail_sync(path)
        raise OSError(number, os.strerror(number), path)

    def _stall(self) -> None:
        """The process stands still until the disk has done this call: for good, or for a while."""
        loop, process = self._loop, self._process
        loop.block(process)
        if self._trouble.breakage == "slow":
            process.blocked_until_ns = max(process.blocked_until_ns, loop.now_ns()) + SLOW_NS
            loop.call_at_ns(process.blocked_until_ns, self._done, (process.blocked_until_ns,), loop.kernel_context)

    def _done(self, when_ns: int) -> None:
        if self._process.blocked_until_ns == when_ns and self._trouble.breakage != "hung":
            self._loop.release(self._process)


def _unwind_dead(process: Process) -> None:
    if process.state == "dead":
        raise Killed
