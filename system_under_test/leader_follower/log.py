"""The log in memory: entries without gaps, after a base that a snapshot stands for.

>>> log = Log([Entry(1, 1, None), Entry(1, 2, ["write", "x", 5])])
>>> log.last_version(), log.matches(1, 2), log.matches(2, 2)
((1, 2), True, False)
>>> log.release(1)
>>> log.base, log.generation_at(1), log.last_index
((1, 1), 1, 2)

Limits: of the entries before the base nothing is known but that they are gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from .messages import NOTHING, Entry, Version

NUMBER_BYTES = 26
"""Of a number, a truth value or null as JSON, with a comma, at most."""
ENTRY_OVERHEAD = 64
"""Bytes of an entry on the wire besides its command, generously."""


class Log:
    """A list of entries after `base`, the name of the last entry before them; (0, 0) is the empty beginning."""

    def __init__(self, entries: Iterable[Entry] = (), base: Version = NOTHING) -> None:
        self._entries: list[Entry] = []
        self.base = base
        self.last_index = base[1]
        """Index of the last entry; that of the base when there is none."""
        self.extend(entries)

    def last_version(self) -> Version:
        """Name of the last entry; the base when there is none."""
        return self._entries[-1].version() if self._entries else self.base

    def generation_at(self, index: int) -> int:
        """Generation of the entry at `index`; -1 before the base and past the last."""
        generation, base = self.base
        if index == base:
            return generation
        return self._entries[index - 1 - base].generation if base < index <= self.last_index else -1

    def entry(self, index: int) -> Entry:
        """The entry at `index`, which must be there."""
        assert self.base[1] < index <= self.last_index, f"no entry {index} in a log of {self.base} to {self.last_index}"
        return self._entries[index - 1 - self.base[1]]

    def matches(self, generation: int, index: int) -> bool:
        """Whether this entry is in the log; then (log matching) so is all before it."""
        return self.generation_at(index) == generation

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add at the end."""
        for entry in entries:
            assert entry.index == self.last_index + 1, f"entry {entry.index} after {self.last_index}"
            self._entries.append(entry)
            self.last_index = entry.index

    def truncate_after(self, index: int) -> None:
        """Forget all entries past `index`, which is not before the base."""
        assert index >= self.base[1], f"cut after {index}, but the log begins after {self.base[1]}"
        del self._entries[index - self.base[1] :]
        self.last_index = min(self.last_index, index)

    def release(self, index: int) -> None:
        """Let the front go, up to the entry at `index`: it becomes the base."""
        base = (self.generation_at(index), index)
        del self._entries[: index - self.base[1]]
        self.base = base

    def first_of_generation(self, index: int) -> int:
        """The first index of the run of entries, after the base, that share the generation of the one at `index`."""
        generation = self.generation_at(index)
        while index > self.base[1] + 1 and self.generation_at(index - 1) == generation:
            index -= 1
        return index

    def batch(self, first: int, count: int, size: int) -> list[Entry]:
        """Entries from `first` on: at most `count`, and no more than one past `size` bytes."""
        entries = self._entries[first - 1 - self.base[1] : first - 1 - self.base[1] + count]
        if len(entries) <= 1:
            return entries
        total = 0
        for position, entry in enumerate(entries):
            total += size_of(entry)
            if total > size:
                return entries[: position + 1]
        return entries


def size_of(entry: Entry) -> int:
    """An upper bound on the entry's bytes as JSON; a character takes at most six as ASCII (twelve beyond 16 bits)."""
    return ENTRY_OVERHEAD + _size_of(entry.command)


def _size_of(part: object) -> int:
    """Of a part of a command."""
    if isinstance(part, list):
        return 2 + sum(map(_size_of, part))
    return 12 * len(part) + 3 if isinstance(part, str) else NUMBER_BYTES
