"""The log in memory: entries from index 1 without gaps.

>>> log = Log([Entry(1, 1, None), Entry(1, 2, ["write", "x", 5])])
>>> log.last_version(), log.matches(1, 2), log.matches(2, 2)
((1, 2), True, False)

Limits: the whole log is kept; snapshots will let the front go.
"""

from __future__ import annotations

from collections.abc import Iterable

from .messages import NOTHING, Entry, Version

NUMBER_BYTES = 26
"""Of a number, a truth value or null as JSON, with a comma, at most."""
ENTRY_OVERHEAD = 64
"""Bytes of an entry on the wire besides its command, generously."""


class Log:
    """A list of entries, with index 0 standing for the empty beginning."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self.extend(entries)

    @property
    def last_index(self) -> int:
        """Index of the last entry; 0 when empty."""
        return len(self._entries)

    def last_version(self) -> Version:
        """Name of the last entry; (0, 0) when empty."""
        return self._entries[-1].version() if self._entries else NOTHING

    def generation_at(self, index: int) -> int:
        """Generation of the entry at `index`; 0 before the first entry, -1 past the last."""
        if index == 0:
            return 0
        return self._entries[index - 1].generation if 0 < index <= len(self._entries) else -1

    def entry(self, index: int) -> Entry:
        """The entry at `index`, which must be there."""
        assert 0 < index <= len(self._entries), f"no entry {index} in a log of {len(self._entries)}"
        return self._entries[index - 1]

    def matches(self, generation: int, index: int) -> bool:
        """Whether this entry is in the log; then (log matching) so is all before it."""
        return self.generation_at(index) == generation

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add at the end."""
        for entry in entries:
            assert entry.index == len(self._entries) + 1, f"entry {entry.index} after {len(self._entries)}"
            self._entries.append(entry)

    def truncate_after(self, index: int) -> None:
        """Forget all entries past `index`."""
        del self._entries[index:]

    def first_of_generation(self, index: int) -> int:
        """The first index of the run of entries that share the generation of the one at `index`."""
        generation = self.generation_at(index)
        while index > 1 and self.generation_at(index - 1) == generation:
            index -= 1
        return index

    def batch(self, first: int, count: int, size: int) -> list[Entry]:
        """Entries from `first` on: at most `count`, and no more than one past `size` bytes."""
        entries = self._entries[first - 1 : first - 1 + count]
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
