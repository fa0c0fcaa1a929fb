"""A digest over everything that happened on a loop, to prove two runs equal or to find where they part.

Each event is two whole numbers: the virtual time and what it was (which task woke, which timer rang, the checksum of
which bytes arrived). Task numbers are in it because two runs that cancel the same tasks in another order are not the
same run, even if every callback has the same name.

>>> trace = Trace()
>>> trace.add(1_000, 7)

Limits: tells that two runs differ, not what each did; `events` tells how many there were.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Final

FOLD_NUMBERS: Final = 1 << 16


class Trace:
    """Numbers are gathered in an array and hashed in bulk, which costs a tenth of hashing one by one."""

    __slots__ = ("_folded", "_hash", "numbers")

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._folded = 0
        self.numbers = array("q")

    def add(self, time_ns: int, identity: int) -> None:
        """Take one event."""
        self.numbers.append(time_ns)
        self.numbers.append(identity)

    def fold(self) -> None:
        """Hash what was gathered; to be called now and then, so that it does not grow."""
        self._hash.update(self.numbers)
        self._folded += len(self.numbers) // 2
        del self.numbers[:]

    @property
    def events(self) -> int:
        """How many events were taken."""
        return self._folded + len(self.numbers) // 2

    def digest(self) -> str:
        """32 hexadecimal digits over all events so far."""
        self.fold()
        return self._hash.hexdigest()
