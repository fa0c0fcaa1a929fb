"""Runs on every node: notes which probes reached it, so that a one-way cut can be told from a two-way one.

    python3 probe_listener.py 7999 /run/splitbrain/heard

A probe is one UDP datagram of 16 hexadecimal digits; for each an empty file of that name appears in the folder, which
whoever asked for the probe removes. Nothing is answered, since only the way there is probed; anything else is ignored.
Once it listens, there is a file `listening` beside the folder.

Limits: past FILES_MAX files that nobody removed, probes are no longer noted.
"""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

FILES_MAX = 10_000


def listen(port: int, folder: Path) -> None:
    """Note probes for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("", port))
        (folder.parent / "listening").touch()
        while True:
            note(receiver.recv(64), folder)


def note(datagram: bytes, folder: Path) -> bool:
    """Make the file of one probe; returns whether it was one."""
    text = datagram.decode("ascii", errors="replace")
    if re.fullmatch("[0-9a-f]{16}", text) is None or sum(1 for _ in folder.iterdir()) >= FILES_MAX:
        return False
    (folder / text).touch()
    return True


if __name__ == "__main__":
    listen(int(sys.argv[1]), Path(sys.argv[2]))
