"""Runs on a node: writes and reads the settings of preload.c, the clock and the fsync of the server under test.

    python3 preload_file.py /run/splitbrain/preload make
    python3 preload_file.py /run/splitbrain/preload offset -250000000     the wall clock is 250 ms behind from now on
    python3 preload_file.py /run/splitbrain/preload rate 100000           and gains a tenth
    python3 preload_file.py /run/splitbrain/preload freeze 1
    python3 preload_file.py /run/splitbrain/preload monotonic 1           monotonic clocks go wrong alike
    python3 preload_file.py /run/splitbrain/preload fsync 1               0 honest, 1 lying, 2 failing
    python3 preload_file.py /run/splitbrain/preload show                  all of it, as JSON

Every change leaves the clock where it was just before, but for what was asked: a rate that is set right does not take
back what was gained meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import struct
import sys
import time  # noqa: TID251 - runs on a node, where there is no harness
from pathlib import Path

NAMES = (
    "sequence",
    "offset",
    "rate",
    "anchor",
    "frozen",
    "frozen_at",
    "monotonic",
    "monotonic_anchor",
    "fsync",
    "fsyncs",
)
LAYOUT = struct.Struct(f"={len(NAMES)}q")
Settings = dict[str, int]


def shown_ns(settings: Settings, wall_ns: int) -> int:
    """What the wall clock of the server shows while the kernel's shows `wall_ns`."""
    if settings["frozen"]:
        return settings["frozen_at"]
    return wall_ns + settings["offset"] + (wall_ns - settings["anchor"]) * settings["rate"] // 1_000_000


def changed(settings: Settings, verb: str, value: int, wall_ns: int, monotonic_ns: int) -> Settings:
    """The settings after a change at these times of the kernel's clocks."""
    now = shown_ns(settings, wall_ns) - wall_ns
    after = settings | {"offset": now, "anchor": wall_ns, "monotonic_anchor": monotonic_ns}
    if verb == "offset":
        return after | {"offset": value, "frozen_at": wall_ns + value}
    if verb == "rate":
        return after | {"rate": value}
    if verb == "freeze":
        return after | {"frozen": value, "frozen_at": wall_ns + now}
    assert verb in ("monotonic", "fsync"), verb
    return settings | {verb: value}


def main(path: Path, verb: str, value: int) -> None:
    """Do one thing to the file; one writer at a time."""
    if verb == "make":
        path.write_bytes(bytes(LAYOUT.size))
        return
    with path.open("r+b") as file, mmap.mmap(file.fileno(), LAYOUT.size) as shared:
        fcntl.flock(file, fcntl.LOCK_EX)
        settings = dict(zip(NAMES, LAYOUT.unpack(shared[:]), strict=True))
        if verb != "show":
            after = changed(settings, verb, value, time.time_ns(), time.monotonic_ns())
            shared[:8] = struct.pack("=q", settings["sequence"] + 1)
            end = LAYOUT.size - 8  # the count of fsyncs is the server's
            shared[8:end] = LAYOUT.pack(*(after[name] for name in NAMES))[8:end]
            shared[:8] = struct.pack("=q", settings["sequence"] + 2)
            settings = after
    sys.stdout.write(json.dumps(settings) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
