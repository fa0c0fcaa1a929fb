"""One file of a simulated disk: as the kernel sees it, as it is on the platter, and what a loss of power makes of it.

What was done since the last sync is a list of changes: (size to cut to first, bytes to add). Which of them survive is a
choice, after one of three models:

    ext4    a beginning of the changes, the last of them maybe torn; and maybe the size of later ones, with zeros where
            their bytes should be. So does a real ext4 with `data=ordered`: bytes that fit into the last block enlarge
            the file with the next commit of the journal, whoever asked for it, before they are written themselves.
            (tests/conformance/test_power_loss.py compares the two.)
    prefix  a beginning of the changes, the last of them maybe torn
    subset  of the pieces of all changes any, each by itself; what is missing before one that is there reads as zeros

A write tears between sectors of 512 bytes, or between any two bytes, as the world's `torn` says; the pieces of `subset`
are its sectors, or else its halves.

Limits: one file's bytes are never another's, and nothing that was synced decays by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from harness.streams import Random
from harness.tape import decide, happens

SECTOR_BYTES: Final = 512
KEEPS_NOTHING: Final = 0.4
KEEPS_ALL: Final = 0.2
"""The shares of unsynced lists that are lost whole, and kept whole, when the power goes."""
SIZE_GOES_AHEAD: Final = 0.3
PIECE_SURVIVES: Final = 0.5

Survivors = Literal["ext4", "prefix", "subset"]
Torn = Literal["byte", "sector"]
Change = tuple[int, bytes]


class File:
    """One file's content: as it is, and as it was when last synced with what was done since."""

    __slots__ = ("content", "pending", "synced")

    def __init__(self) -> None:
        self.content = bytearray()
        self.synced = bytearray()
        self.pending: list[Change] = []

    def change(self, keep: int, data: bytes) -> None:
        """Cut to `keep` bytes, then add `data`."""
        apply(self.content, keep, data)
        self.pending.append((keep, data))

    def sync(self) -> None:
        """All changes so far are durable."""
        for keep, data in self.pending:
            apply(self.synced, keep, data)
        self.pending.clear()

    def fail_sync(self) -> None:
        """The kernel could not write, said so once, and holds the pages for clean: their bytes will never get there.

        What is read stays right until the power goes; a later sync that succeeds makes zeros durable.
        """
        self.pending = [(keep, bytes(len(data))) for keep, data in self.pending]

    def lose_power(self, random: Random, model: Survivors, torn: Torn) -> int:
        """Keep a part of the pending changes; return how many written bytes are gone."""
        written = sum(len(data) for _, data in self.pending)
        kept = self._keep_pieces(random, torn) if model == "subset" else self._keep_beginning(random, model, torn)
        self.pending.clear()
        self.content = bytearray(self.synced)
        return written - kept

    def _keep_beginning(self, random: Random, model: Survivors, torn: Torn) -> int:
        pending, kept_bytes = self.pending, 0
        kept = len(pending) - lost_of(random, "lost changes", len(pending))
        for place, (keep, data) in enumerate(pending[:kept]):
            if place == kept - 1:
                data = data[: len(data) - self._torn_off(random, torn, keep, len(data))]
            apply(self.synced, keep, data)
            kept_bytes += len(data)
        if model == "ext4" and pending and happens(random, "size ahead", SIZE_GOES_AHEAD):
            first = max(0, kept - 1)  # the one that may be torn, or the first that is lost
            ahead = decide(
                random, "size of", len(pending) - first, lambda source: source.randrange(len(pending) - first)
            )
            keep, data = pending[first + ahead]
            resize(self.synced, keep + len(data))
        return kept_bytes

    @staticmethod
    def _torn_off(random: Random, torn: Torn, start: int, size: int) -> int:
        """How many bytes of a write that begins at `start` are missing at its end."""
        lost = lost_of(random, "torn off", size)
        if torn == "byte" or lost in (0, size):
            return lost
        return min(size, (start + size) - (start + size - lost) // SECTOR_BYTES * SECTOR_BYTES)

    def _keep_pieces(self, random: Random, torn: Torn) -> int:
        kept_bytes = 0
        for keep, data in self.pending:
            if not data and not happens(random, "lost truncation", 1 - PIECE_SURVIVES):
                del self.synced[keep:]
            for start, stop in pieces(keep, keep + len(data), torn):
                if happens(random, "lost piece", 1 - PIECE_SURVIVES):
                    continue
                resize(self.synced, max(len(self.synced), stop))
                self.synced[start:stop] = data[start - keep : stop - keep]
                kept_bytes += stop - start
        return kept_bytes


def pieces(start: int, end: int, torn: Torn) -> Iterator[tuple[int, int]]:
    """The parts of a write that survive each by itself: (from, to)."""
    if torn == "byte":
        middle = (start + end) // 2
        yield from ((begin, stop) for begin, stop in ((start, middle), (middle, end)) if begin < stop)
        return
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield start, stop
        start = stop


def lost_of(random: Random, label: str, count: int) -> int:
    """How many of so many unsynced things, from the last one back, a loss of power takes."""
    return decide(random, label, count + 1, lambda source: count - _survivors(count, source))


def _survivors(count: int, random: Random) -> int:
    share = random.random()
    if share < KEEPS_NOTHING:
        return 0
    if share < KEEPS_NOTHING + KEEPS_ALL:
        return count
    return random.randint(0, count)


def apply(content: bytearray, keep: int, data: bytes) -> None:
    """Carry out a change."""
    del content[keep:]
    content += data


def resize(content: bytearray, size: int) -> None:
    """Cut, or fill up with zeros."""
    del content[size:]
    content += bytes(size - len(content))
