"""What the server uses of the computer it runs on, as small protocols of its own.

The shapes are those of `harness.protocols.Disk` and `Machine`, said again here so that the server imports nothing that
a bare Python does not have. A simulated machine and a real one fit equally.
"""

from __future__ import annotations

from typing import Protocol


class Disk(Protocol):
    """A node's files. Paths are relative, '/'-separated."""

    def read(self, path: str) -> bytes:
        """The whole file; FileNotFoundError."""

    def append(self, path: str, data: bytes) -> None:
        """Add to the end, creating the file; OSError(ENOSPC) when full."""

    def write(self, path: str, data: bytes) -> None:
        """Replace the whole content, not atomically."""

    def truncate(self, path: str, size: int) -> None:
        """Cut to `size` bytes."""

    def rename(self, old: str, new: str) -> None:
        """Atomically replace `new` by `old`."""

    def remove(self, path: str) -> None:
        """Delete; FileNotFoundError."""

    def sync(self, path: str) -> None:
        """Make the file and its name durable."""

    def list(self) -> list[str]:
        """All file names, sorted."""


class Chance(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Uniform in [0, 1)."""


class Machine(Protocol):
    """Disk, chance, clock and log of one node."""

    @property
    def name(self) -> str:
        """The node's name."""

    @property
    def disk(self) -> Disk:
        """The node's files."""

    @property
    def random(self) -> Chance:
        """The node's randomness."""

    def monotonic_ns(self) -> int:
        """A clock that never jumps."""

    def wall_ns(self) -> int:
        """The wall clock."""

    def log(self, message: str) -> None:
        """One line to the node's log."""
