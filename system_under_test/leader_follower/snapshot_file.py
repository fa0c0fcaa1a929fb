"""The snapshot on disk: written aside, synced, renamed over the old one, and the name synced too.

A crash leaves the old snapshot or the new one, whole. The file names the first segment of the log that goes with it:
what comes before that segment is covered, and is removed once the snapshot is durable. So a crash between the two
leaves segments that nobody reads, which the next start removes.

>>> save_snapshot(disk, Snapshot((2, 9), (0, 0), ("n1",), "{...}"), segment=3)
>>> load_snapshot(disk)
(Snapshot(version=(2, 9), ...), 3)
"""

from __future__ import annotations

import json

from .machine import Disk
from .messages import Snapshot
from .wal import HEADER, CorruptLog, checksum

NAME = "snapshot"
ASIDE = "snapshot.new"


def load_snapshot(disk: Disk, *, checked: bool = True) -> tuple[Snapshot | None, int]:
    """(snapshot, first segment of its log); (None, 1) on a disk without one. `checked` as in `wal.frame_at`.

    Raises:
        CorruptLog: the file is damaged; the entries that it stood for are gone from the log.
    """
    if NAME not in disk.list():
        return None, 1
    data = disk.read(NAME)
    length, expected = HEADER.unpack_from(data) if len(data) >= HEADER.size else (0, 0)
    payload = data[HEADER.size :]
    if not payload or len(payload) != length or (checked and checksum(payload) != expected):
        raise CorruptLog(f"{NAME} is damaged: the entries that it stood for are not in the log any more")
    disk.sync(NAME)  # a rename that was not durable could still be taken back by a power cut
    version, members_version, members, state, segment = json.loads(payload)
    snapshot = Snapshot((version[0], version[1]), (members_version[0], members_version[1]), tuple(members), state)
    return snapshot, segment


def save_snapshot(disk: Disk, snapshot: Snapshot, segment: int) -> None:
    """Durable when it returns; OSError leaves the old one."""
    payload = json.dumps([*snapshot, segment], separators=(",", ":")).encode()
    try:
        disk.write(ASIDE, HEADER.pack(len(payload), checksum(payload)) + payload)
    except OSError:
        if ASIDE in disk.list():
            disk.remove(ASIDE)  # half a snapshot must not keep a full disk full
        raise
    disk.sync(ASIDE)
    disk.rename(ASIDE, NAME)
    disk.sync(NAME)
