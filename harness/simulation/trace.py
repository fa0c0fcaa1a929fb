"""A digest over everything that happened on a loop, to prove two runs equal or to find where they part.

What goes in, as whole numbers: every instant; which timer rang; which task, connection or socket ran; size and checksum
of all that arrived; what each sync made durable; the state that servers expose, every so many callbacks; and whatever
the loop's user adds, such as each outcome that a client saw. Task numbers are in it because two runs that cancel the
same tasks in another order are not the same run, even if every callback has the same name.

>>> trace = Trace()
>>> trace.add(1_000, 7)

Limits: tells that two runs differ, not where; `recording.py` and `compare.py` do that.
"""

from __future__ import annotations

import hashlib
import zlib
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

    def add(self, first: int, second: int) -> None:
        """Take what belongs together: a size and a checksum, a process and a checksum."""
        self.numbers.append(first)
        self.numbers.append(second)

    def add_bytes(self, data: bytes) -> None:
        """Take any data."""
        self.add(len(data), zlib.crc32(data))

    def fold(self) -> None:
        """Hash what was gathered; to be called now and then, so that it does not grow."""
        self._hash.update(self.numbers)
        self._folded += len(self.numbers)
        del self.numbers[:]

    @property
    def events(self) -> int:
        """How many numbers were taken."""
        return self._folded + len(self.numbers)

    def digest(self) -> str:
        """32 hexadecimal digits over all that was taken so far."""
        self.fold()
        return self._hash.hexdigest()
