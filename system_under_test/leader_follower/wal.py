"""The write-ahead log on disk: what a node acknowledged survives its crash.

Segments `log-00000001`, `log-00000002`, ... hold frames: length and CRC-32C (4 bytes each, big-endian), then that many
bytes of JSON, a list of entries. One frame is one batch, written by one append and made durable by one sync (group
commit).

- The file is only ever appended to. A divergent tail is not cut out of it: an entry whose index was there before
  replaces that one and all after it, as they are read again. So no crash in the middle of a truncation can be.
- On opening, a broken frame at the very end is a write that was cut off, never acknowledged: it is cut away. A broken
  frame with a whole one after it is damage to what may have been acknowledged: `CorruptLog`, and the node does not
  start. (A whole frame cannot be found inside another's data: its length starts with a zero byte, and JSON has none.)
- So is a last frame that is all there, and does not agree with its checksum: a write that was cut off is too short, or
  has zeros where bytes are missing, which JSON has not.
- A snapshot names the first segment that goes with it; whole segments before that one are removed. A gap in the log is
  accepted only where the snapshot covers it: an unsynced tail can be gone while the snapshot is there.
- A new segment is begun only after the full one was synced, so only the last can have a torn tail.

>>> wal, entries = WriteAheadLog.open(disk)
>>> wal.append([Entry(1, 1, None)]); wal.write(); wal.sync()

Limits: a log that was cut after it was synced looks like a torn write, and is taken for one. An appended frame that
the disk holds wholly, but with a hole before it, is taken for corruption; with fsync `never` a power cut can do that on
file systems that write out of order.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterable
from typing import Any

from .crc32c import crc32c
from .json_text import to_json
from .log import size_of
from .machine import Disk
from .messages import NOTHING, Entry, Version

HEADER = struct.Struct(">II")
FRAME_BYTES_MAX = 1 << 20
FRAME_BYTES_AIM = 256 * 1024
SEGMENT_BYTES = 16 << 20
PREFIX = "log-"


class CorruptLog(Exception):  # noqa: N818 - it names a state of the disk, and is read as one
    """The log on disk is damaged where it had been whole."""


@functools.lru_cache(maxsize=8)
def checksum(data: bytes) -> int:
    """The one checksum of frames and snapshots: CRC-32C.

    A few are remembered: where all nodes live in one process, as in a simulation, each writes the same frame in turn.
    """
    return crc32c(data)


def encode_frame(payload: bytes) -> bytes:
    """Length, checksum, payload."""
    assert 2 <= len(payload) <= FRAME_BYTES_MAX, f"a frame of {len(payload)} bytes"
    return HEADER.pack(len(payload), checksum(payload)) + payload


def frame_at(data: bytes, offset: int, *, checked: bool = True) -> bytes | None:
    """The payload of the whole frame at `offset`, or None. With `checked` off (a planted bug) damage is not noticed."""
    if offset + HEADER.size > len(data):
        return None
    length, expected = HEADER.unpack_from(data, offset)
    start = offset + HEADER.size
    if not 2 <= length <= FRAME_BYTES_MAX or start + length > len(data):
        return None
    payload = data[start : start + length]
    return payload if not checked or checksum(payload) == expected else None


class WriteAheadLog:
    """Appends to the last segment; `open` makes one."""

    def __init__(self, disk: Disk, number: int, size: int, segment_bytes: int, ends: dict[int, int]) -> None:
        self._disk = disk
        self._number = number
        self._size = size
        self._segment_bytes = segment_bytes
        self._pending: list[Entry] = []
        self._torn = False
        self._ends = ends
        """The largest index in each segment that is there."""
        self.unsynced = size > 0
        """Whether something written may not be durable yet. What a killed process wrote is read again from the
        operating system's memory, and a power cut could still take it: so the server syncs once when it starts."""

    @classmethod
    def open(
        cls,
        disk: Disk,
        segment_bytes: int = SEGMENT_BYTES,
        *,
        first: int = 1,
        base: Version = NOTHING,
        keep_torn: bool = False,
        checked: bool = True,
    ) -> tuple[WriteAheadLog, list[Entry]]:
        """Read all segments from `first` on, cut a torn tail, and be ready to append; CorruptLog where that would lose
        more. Returned are the entries after `base`, which a snapshot stands for. Segments before `first` are removed.

        With `keep_torn` (a planted bug) the tail stays where it is; with `checked` off (another) checksums are not
        compared.
        """
        names = _segments_from(disk, first)
        entries: list[Entry] = []
        ends: dict[int, int] = {}
        size = 0
        for position, name in enumerate(names):
            if name != _segment(first + position):
                raise CorruptLog(f"segment {_segment(first + position)} of the log is missing")
            data = disk.read(name)
            size, ends[first + position] = _read_segment(name, data, entries, base[1], checked)
            if size < len(data) and not keep_torn:
                _refuse_unless_torn(name, data, size, last=position == len(names) - 1)
                disk.truncate(name, size)
                disk.sync(name)
        number = first + max(0, len(names) - 1)
        return cls(disk, number, size, segment_bytes, ends), _after(base, entries)

    def append(self, entries: Iterable[Entry]) -> None:
        """Take entries for the next `write`."""
        self._pending.extend(entries)

    def has_pending(self) -> bool:
        """Whether there is something to write."""
        return bool(self._pending)

    def write(self) -> Version:
        """Write what was taken, and return the last entry's name. OSError leaves it to be written again."""
        assert self._pending
        self._repair()
        if self._size >= self._segment_bytes:
            self._disk.sync(_segment(self._number))
            self._number, self._size = self._number + 1, 0
        data = b"".join(encode_frame(payload) for payload in _payloads(self._pending))
        self._torn = True
        self._disk.append(_segment(self._number), data)
        self._torn = False
        self._size += len(data)
        self.unsynced = True
        last = self._pending[-1].version()
        largest = max([entry.index for entry in self._pending])
        self._ends[self._number] = max(self._ends.get(self._number, 0), largest)
        self._pending = []
        return last

    def forget_pending(self) -> None:
        """What was taken and not yet written is not wanted any more."""
        self._pending = []

    def next_segment(self) -> int:
        """The number of the segment that `begin_anew` begins."""
        return self._number + 1

    def begin_anew(self) -> None:
        """Go on in a new segment, after a snapshot that is durable and stands for everything before it."""
        self._number, self._size, self._torn, self.unsynced = self._number + 1, 0, False, False
        self.remove_before(self._number)

    def segment_after(self, index: int) -> int:
        """The first segment that is needed with a snapshot at `index`: all before hold nothing later."""
        for number in sorted(self._ends):
            if self._ends[number] > index or number == self._number:
                return number
        return self._number

    def remove_before(self, segment: int) -> None:
        """Remove the segments that a durable snapshot covers."""
        for number in sorted(number for number in self._ends if number < segment):
            self._disk.remove(_segment(number))
            del self._ends[number]

    def sync(self) -> None:
        """Make all that was written durable. An error here is not to be survived: what it lost is unknown."""
        if self.unsynced:
            self._disk.sync(_segment(self._number))
            self.unsynced = False

    def _repair(self) -> None:
        """Cut away what a failed write may have left."""
        if self._torn and _segment(self._number) in self._disk.list():
            self._disk.truncate(_segment(self._number), self._size)
        self._torn = False


def _segment(number: int) -> str:
    return f"{PREFIX}{number:08d}"


def _segments_from(disk: Disk, first: int) -> list[str]:
    """The segments that are needed; the others, left by a crash after a snapshot, are removed."""
    names = [name for name in disk.list() if name.startswith(PREFIX)]
    for name in names:
        if name < _segment(first):
            disk.remove(name)
    return [name for name in names if name >= _segment(first)]


def _after(base: Version, entries: list[Entry]) -> list[Entry]:
    """The entries after the snapshot's last; CorruptLog where the two do not fit together."""
    if not entries or entries[-1].index <= base[1]:
        return []
    position = base[1] - entries[0].index
    if position >= 0 and entries[position].version() != base:
        raise CorruptLog(f"the log has entry {entries[position].version()} where the snapshot ends with {base}")
    return entries[position + 1 :]


def _payloads(entries: list[Entry]) -> Iterable[bytes]:
    """The entries in as few frames as their size allows."""
    whole = _encode(entries)
    if len(entries) == 1 or len(whole) <= FRAME_BYTES_AIM:
        yield whole
        return
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if size + size_of(entry) > FRAME_BYTES_AIM and batch:
            yield _encode(batch)
            batch, size = [], 0
        batch.append(entry)
        size += size_of(entry)
    yield _encode(batch)


def _encode(entries: list[Entry]) -> bytes:
    return to_json(entries).encode()


def _read_segment(name: str, data: bytes, entries: list[Entry], base: int, checked: bool) -> tuple[int, int]:
    """Add the segment's entries, and return the size of its whole part and its largest index."""
    offset = end = 0
    while (payload := frame_at(data, offset, checked=checked)) is not None:
        try:
            for generation, index, command in json.loads(payload):
                _replace_from(name, entries, Entry(generation, index, command), base)
                end = max(end, index)
        except (TypeError, ValueError) as error:
            raise CorruptLog(f"{name} has no entries at byte {offset}: {error}") from error
        offset += HEADER.size + len(payload)
    return offset, end


def _replace_from(name: str, entries: list[Entry], entry: Entry, base: int) -> None:
    """An entry ends what stood at its index and after. A gap is allowed only where the snapshot covers it."""
    first = entries[0].index if entries else entry.index
    due = max(entries[-1].index if entries else 0, base) + 1
    if not 1 <= entry.index <= due:
        raise CorruptLog(f"{name} has entry {entry.index} where {due} was due")
    if entry.index < first or (entries and entry.index > entries[-1].index + 1):
        entries.clear()
    del entries[max(0, entry.index - first) :]
    entries.append(entry)


def _refuse_unless_torn(name: str, data: bytes, offset: int, last: bool) -> None:
    whole: Any = next((p for p in range(offset + 1, len(data) - HEADER.size) if frame_at(data, p)), None)
    if whole is not None:
        raise CorruptLog(f"{name} is damaged at byte {offset}, and whole again at byte {whole}: not a torn write")
    if not last:
        raise CorruptLog(f"{name} is damaged at byte {offset}, and is not the last segment: not a torn write")
    if _is_complete(data[offset:]):
        raise CorruptLog(f"{name} is damaged at byte {offset}, and ends as it was written: not a torn write")


def _is_complete(rest: bytes) -> bool:
    """Whether a broken last frame is all there: nothing is cut off, and no zeros stand where bytes are missing."""
    header, payload = rest[: HEADER.size], rest[HEADER.size :]
    if not payload or payload[-1] == 0 or b"\0\0" in payload or not any(header):
        return False
    length, expected = HEADER.unpack(header)
    return bool(length <= len(payload)) or checksum(payload) == expected
