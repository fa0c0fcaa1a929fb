"""A node's real disk: the files below one folder, with honest syncs.

The real twin of the simulated disk. It runs inside the containers too, so it needs nothing but the standard library.
A name becomes durable only when its folder is synced, which is why `sync` syncs both.

    disk = RealDisk(Path("/var/lib/node"))
    disk.append("log-1", b"...")
    disk.sync("log-1")

Limits: one process at a time; symbolic links below the folder are followed, not judged.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path, PurePosixPath


@functools.lru_cache(maxsize=1024)
def checked_path(path: str) -> str:
    """The path as it is, if it names a file below the disk's top; ValueError else. Both twins ask this."""
    if not path or PurePosixPath(path).is_absolute() or ".." in path.split("/") or str(PurePosixPath(path)) != path:
        raise ValueError(
            f"{path!r} is no path below the disk's top: relative, '/'-separated, without '..', was wanted."
        )
    return path


class RealDisk:
    """Implements `harness.protocols.Disk`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        """The whole file; FileNotFoundError."""
        return self._at(path).read_bytes()

    def append(self, path: str, data: bytes) -> None:
        """Add to the end, creating the file; OSError(ENOSPC) when full, and then a part may have been added."""
        with self._made(path).open("ab") as file:
            file.write(data)

    def write(self, path: str, data: bytes) -> None:
        """Replace the whole content, not atomically."""
        self._made(path).write_bytes(data)

    def truncate(self, path: str, size: int) -> None:
        """Cut to `size` bytes; ValueError when the file is shorter than that; FileNotFoundError."""
        target = self._at(path)
        found = target.stat().st_size
        if not 0 <= size <= found:
            raise ValueError(f"{path} has {found} bytes and cannot be cut to {size}.")
        os.truncate(target, size)

    def rename(self, old: str, new: str) -> None:
        """Atomically replace `new` by `old`; FileNotFoundError."""
        source = self._at(old)
        source.lstat()  # a missing source must not leave a folder made for the target
        source.replace(self._made(new))

    def remove(self, path: str) -> None:
        """Delete; FileNotFoundError."""
        self._at(path).unlink()

    def sync(self, path: str) -> None:
        """fsync the file and every folder on the way to it. Durable when it returns; FileNotFoundError."""
        target = self._at(path)
        _sync(target, os.O_RDWR)
        for folder in target.parents:
            _sync(folder, os.O_RDONLY)
            if folder == self._root:
                return

    def list(self) -> list[str]:
        """All file names, sorted."""
        return sorted(path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file())

    def _at(self, path: str) -> Path:
        return self._root / checked_path(path)

    def _made(self, path: str) -> Path:
        """The place of a file, in a folder that is there."""
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
