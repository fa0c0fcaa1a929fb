"""Keys and values: what the log, applied in order, amounts to.

>>> store = Store()
>>> store.apply(Entry(1, 1, ["write", "x", 5]))
Outcome(done=True, value=5, version=(1, 1))
>>> store.apply(Entry(1, 2, ["cas", "x", 4, 6]))
Outcome(done=False, value=5, version=(1, 1))
>>> store.read("x"), store.applied
((5, (1, 1)), (1, 2))

A key that was never written reads as None, of version (0, 0). A compare-and-set is decided here, when its entry is
applied, so that every node decides alike and a mismatch tells a value that was current at that point of the log.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .messages import NOTHING, Entry, Version


class Outcome(NamedTuple):
    """Of an applied entry: whether it wrote, and the key's value and version as they now are."""

    done: bool
    value: Any
    version: Version


class Store:
    """The replicated state machine."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Any], tuple[Any, Version]] = {}
        self.applied: Version = NOTHING
        """Name of the last applied entry."""

    def read(self, key: Any) -> tuple[Any, Version]:
        """The key's value, and the entry that wrote it."""
        return self._cells.get(_cell(key), (None, NOTHING))

    def apply(self, entry: Entry) -> Outcome:
        """Apply the next entry of the log."""
        assert entry.index == self.applied[1] + 1, f"entry {entry.index} applied after {self.applied}"
        self.applied = entry.version()
        if entry.command is None:
            return Outcome(True, None, NOTHING)
        f, key, *arguments = entry.command
        if f == "cas":
            current, version = self.read(key)
            if not same(current, arguments[0]):
                return Outcome(False, current, version)
        self._cells[_cell(key)] = (arguments[-1], self.applied)
        return Outcome(True, arguments[-1], self.applied)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1, and 1 is not 1.0."""
    return type(one) is type(other) and bool(one == other)


def _cell(key: Any) -> tuple[str, Any]:
    return (type(key).__name__, key)
