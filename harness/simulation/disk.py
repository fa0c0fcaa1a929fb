"""A simulated disk: what was written is there, but only what was synced survives a loss of power.

Two things are kept twice, as the kernel sees them and as they are on the platter: the names (which file a path leads
to) and each file's content. What was done since the last sync is a list. When the power goes, of each list a part from
its beginning survives, drawn from the seed: nothing, all, or something between; and the last write that survives may be
torn, at any byte. So a file can be there under a new name with nothing in it, as on a journaling file system.

    disk = SimDisk(Random(1))
    disk.append("log", b"abc")
    disk.lose_power()             # 3, 2, 1 or 0: the bytes that are gone
    disk.read("log")              # FileNotFoundError, b"", b"a", b"ab" or b"abc"

`sync` of a file makes its content durable, and all changes of names so far, as syncing the folder does.

Limits: writes to one file survive in order, never with a hole; nothing decays; reads cost nothing.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from harness.disk import checked_path
from harness.streams import Random

CAPACITY_BYTES: Final = 1 << 30
KEEPS_NOTHING: Final = 0.4
KEEPS_ALL: Final = 0.2
"""The shares of unsynced lists that are lost whole, and kept whole, when the power goes."""


class File:
    """One file's content: as it is, and as it was when last synced with what was done since."""

    __slots__ = ("content", "pending", "synced")

    def __init__(self) -> None:
        self.content = bytearray()
        self.synced = bytearray()
        self.pending: list[tuple[int, bytes]] = []
        """Changes in order: (size to cut to first, bytes to add)."""

    def change(self, keep: int, data: bytes) -> None:
        """Cut to `keep` bytes, then add `data`."""
        _apply(self.content, keep, data)
        self.pending.append((keep, data))

    def sync(self) -> None:
        """All changes so far are durable."""
        for keep, data in self.pending:
            _apply(self.synced, keep, data)
        self.pending.clear()

    def lose_power(self, random: Random) -> int:
        """Keep a part of the pending changes, the last one maybe torn; return how many written bytes are gone."""
        written = sum(len(data) for _, data in self.pending)
        kept_bytes = 0
        kept = survivors(len(self.pending), random)
        for place, (keep, data) in enumerate(self.pending[:kept]):
            if place == kept - 1:
                data = data[: survivors(len(data), random)]
            _apply(self.synced, keep, data)
            kept_bytes += len(data)
        self.pending.clear()
        self.content = bytearray(self.synced)
        return written - kept_bytes


class SimDisk:
    """Implements `harness.protocols.Disk`; `random` decides what a loss of power leaves."""

    def __init__(self, random: Random, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._random = random
        self._capacity_bytes = capacity_bytes
        self._used_bytes = 0
        self._names: dict[str, File] = {}
        self._synced_names: dict[str, File] = {}
        self._pending_names: list[tuple[tuple[str, File | None], ...]] = []

    def read(self, path: str) -> bytes:
        """The whole file; FileNotFoundError."""
        return bytes(self._file(path).content)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end, creating the file; OSError(ENOSPC) when full, after as much as there was room for."""
        file = self._file_made(path)
        fitting = data[: self._capacity_bytes - self._used_bytes]
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
        self._sync_names(len(self._pending_names))

    def list(self) -> list[str]:
        """All file names, sorted."""
        return sorted(self._names)

    def lose_power(self) -> int:
        """Forget what was not synced, or a part of it; return how many written bytes are gone."""
        self._sync_names(survivors(len(self._pending_names), self._random))
        before, self._names = self._names, dict(self._synced_names)
        lost = 0
        for path in sorted(before):
            if before[path] not in self._names.values():
                lost += len(before[path].content)
        for path in sorted(self._names):
            lost += self._names[path].lose_power(self._random)
        self._used_bytes = sum(len(file.content) for file in self._names.values())
        return lost

    def _sync_names(self, count: int) -> None:
        for change in self._pending_names[:count]:
            for path, file in change:
                if file is None:
                    del self._synced_names[path]
                else:
                    self._synced_names[path] = file
        self._pending_names.clear()

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


def survivors(count: int, random: Random) -> int:
    """How many of so many unsynced things, from the first on, a loss of power leaves."""
    share = random.random()
    if share < KEEPS_NOTHING:
        return 0
    if share < KEEPS_NOTHING + KEEPS_ALL:
        return count
    return random.randint(0, count)


def _apply(content: bytearray, keep: int, data: bytes) -> None:
    del content[keep:]
    content += data
