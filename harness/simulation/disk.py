"""A simulated disk: what was written is there, but only what was synced survives a loss of power.

Two things are kept twice, as the kernel sees them and as they are on the platter: the names (which file a path leads
to) and each file's content (`file.py`). What was done since the last sync is a list. When the power goes, a part of
each list survives, drawn from the seed: nothing, all, or something between. So a file can be there under a new name
with nothing in it, as on a journaling file system.

    disk = SimDisk(Random(1))
    disk.append("log", b"abc")
    disk.lose_power()             # 3, 2, 1 or 0: the bytes that are gone
    disk.read("log")              # FileNotFoundError, b"", b"a", b"ab", b"abc" or one of them with zeros to its size

`sync` of a file makes its content durable, and all changes of names so far, as syncing the folder does. The world says
how hard a loss of power is (`survivors`, `torn`), and whether names survive in order, as a journal keeps them, or any
of them (`names`: a rename without a sync of its folder may be there while an older one is not).

Limits: nothing decays by itself; reads cost nothing. What a disk does wrong while the power is on is in `trouble.py`.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from harness.disk import checked_path
from harness.simulation.file import PIECE_SURVIVES, File, lost_of
from harness.simulation.world import World
from harness.streams import Random
from harness.tape import happens

CAPACITY_BYTES: Final = 1 << 30
NameChange = tuple[tuple[str, File | None], ...]


class SimDisk:
    """Implements `harness.protocols.Disk`; `random` decides what a loss of power leaves."""

    def __init__(self, random: Random, capacity_bytes: int = CAPACITY_BYTES, world: World | None = None) -> None:
        self._random = random
        self._capacity_bytes = capacity_bytes
        self._world = World() if world is None else world
        self._used_bytes = 0
        self._names: dict[str, File] = {}
        self._synced_names: dict[str, File] = {}
        self._pending_names: list[NameChange] = []

    def read(self, path: str) -> bytes:
        """The whole file; FileNotFoundError."""
        return bytes(self._file(path).content)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end, creating the file; OSError(ENOSPC) when full, after as much as there was room for."""
        file = self._file_made(path)
        fitting = data[: max(0, self._capacity_bytes - self._used_bytes)]
        file.change(len(file.content), fitting)
        self._used_bytes += len(fitting)
        if len(fitting) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def write(self, path: str, data: bytes) -> None:
        """Replace the whole content, not atomically: first it is empty."""
        file = self._file_made(path)
        self._used_bytes -= len(file.content)
        file.change(0, b"")
        self.append(path, data)

    def truncate(self, path: str, size: int) -> None:
        """Cut to `size` bytes; ValueError when the file is shorter than that; FileNotFoundError."""
        file = self._file(path)
        found = len(file.content)
        if not 0 <= size <= found:
            raise ValueError(f"{path} has {found} bytes and cannot be cut to {size}.")
        file.change(size, b"")
        self._used_bytes -= found - size

    def rename(self, old: str, new: str) -> None:
        """Atomically replace `new` by `old`; FileNotFoundError."""
        file = self._file(old)
        if checked_path(new) == old:
            return
        replaced = self._names.get(new)
        if replaced is not None:
            self._used_bytes -= len(replaced.content)
        self._names[new] = file
        del self._names[old]
        self._pending_names.append(((new, file), (old, None)))  # one change: the power goes before or after it

    def remove(self, path: str) -> None:
        """Delete; FileNotFoundError."""
        self._used_bytes -= len(self._file(path).content)
        del self._names[path]
        self._pending_names.append(((path, None),))

    def sync(self, path: str) -> None:
        """Make the file's content durable, and all names; FileNotFoundError."""
        self._file(path).sync()
        self._settle_names(self._pending_names)

    def fail_sync(self, path: str) -> None:
        """A sync that the kernel could not carry out (see `File.fail_sync`)."""
        self._file(path).fail_sync()

    def list(self) -> list[str]:
        """All file names, sorted."""
        return sorted(self._names)

    def pending_checksum(self, path: str) -> int:
        """A number for what a sync of this file makes durable; for the digest."""
        checksum = 0
        for keep, data in self._file(path).pending:
            checksum = zlib.crc32(data, checksum ^ keep)
        return checksum

    # ── what happens to it ───────────────────────────────────────────────────────────────────────────────────────────

    def lose_power(self) -> int:
        """Forget what was not synced, or a part of it; return how many written bytes are gone."""
        world = self._world
        self._settle_names(self._surviving_names())
        before, self._names = self._names, dict(self._synced_names)
        lost = 0
        for path in sorted(before):
            if before[path] not in self._names.values():
                lost += len(before[path].content)
        for path in sorted(self._names):
            lost += self._names[path].lose_power(self._random, world.survivors, world.torn)
        self._used_bytes = sum(len(file.content) for file in self._names.values())
        return lost

    def damage(self, pattern: str, kind: str, amount: int, random: Random) -> str | None:
        """Cut so many bytes off one of the files that fit the pattern, or flip a bit in so many of its bytes.

        Returns what became of which; None when no file with anything in it fits.
        """
        candidates = [path for path in self.list() if fnmatchcase(path, pattern) and self._names[path].content]
        if not candidates:
            return None
        path = random.choice(candidates)
        file = self._names[path]
        before = len(file.content)
        if kind == "truncate":
            file.change(max(0, before - amount), b"")
            file.synced, file.pending = bytearray(file.content), []  # it is so on the platter, too
            self._used_bytes -= before - len(file.content)
            return f"{path}: cut from {before} to {len(file.content)} bytes"
        places = sorted(random.sample(range(before), min(amount, before)))
        for place in places:
            bit = 1 << random.randrange(8)
            for content in (file.content, file.synced):
                if place < len(content):
                    content[place] ^= bit
        return f"{path}: flipped a bit in byte {', '.join(map(str, places))}"

    def _surviving_names(self) -> Sequence[NameChange]:
        pending = self._pending_names
        if self._world.names == "subset":
            return [change for change in pending if not happens(self._random, "lost name", 1 - PIECE_SURVIVES)]
        return pending[: len(pending) - lost_of(self._random, "lost names", len(pending))]

    def _settle_names(self, changes: Iterable[NameChange]) -> None:
        for change in changes:
            for path, file in change:
                if file is None:
                    self._synced_names.pop(path, None)
                else:
                    self._synced_names[path] = file
        self._pending_names = []

    def _file(self, path: str) -> File:
        file = self._names.get(checked_path(path))
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return file

    def _file_made(self, path: str) -> File:
        if checked_path(path) not in self._names:
            self._names[path] = file = File()
            self._pending_names.append(((path, file),))
        return self._names[path]
