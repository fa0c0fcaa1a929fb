"""Runs on a node: tries whether its disk takes writes, and damages files.

    python3 disk_tool.py probe /var/lib/splitbrain 400            write and sync a little; wait for it so many ms
    python3 disk_tool.py truncate /var/lib/splitbrain '*.log' 100 7    cut 100 bytes off one file that matches
    python3 disk_tool.py bitflip /var/lib/splitbrain '*.log' 3 7       turn one bit in each of 3 bytes of one

Prints one JSON object: {"answer": "written", "ms": 0.7}, or {"file": "log-1", "size": 900, "places": [17, 24, 801]}.
The last number is a seed, which decides which file and where.

Limits: a write that hangs is left to itself, for nobody can end it before the disk goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import random  # noqa: TID251 - runs on a node, where there is no harness
import sys
import time  # noqa: TID251 - as above
from pathlib import Path
from typing import Any

PROBE = ".splitbrain-probe"
PROBE_BYTES = 4096


def probe(folder: Path, wait_ms: int) -> dict[str, Any]:
    """What a test write answers, and how long it took; "hangs" after `wait_ms`."""
    reading, writing = os.pipe()
    began = time.monotonic_ns()
    if os.fork() == 0:
        for descriptor in (0, 1, 2):
            os.dup2(os.open("/dev/null", os.O_RDWR), descriptor)
        os.write(writing, write(folder / PROBE).encode())
        os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    answer = b""
    while not answer and time.monotonic_ns() - began < wait_ms * 1_000_000:
        time.sleep(0.001)
        try:
            answer = os.read(reading, 1000)
        except BlockingIOError:
            continue
    return {"answer": answer.decode() or "hangs", "ms": (time.monotonic_ns() - began) / 1e6}


def write(path: Path) -> str:
    """Write and sync a file, and remove it; "written", or what the kernel said."""
    try:
        with path.open("wb") as file:
            file.write(os.urandom(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return os.strerror(error.errno or 0)
    return "written"


def damage(folder: Path, pattern: str, kind: str, amount: int, seed: int) -> dict[str, Any]:
    """Damage one of the files that match and are not empty; {} where there is none."""
    chance = random.Random(seed)  # noqa: S311 - it is not for secrets
    files = [path for path in sorted(folder.rglob(pattern)) if path.is_file() and path.stat().st_size > 0]
    if not files:
        return {}
    path = chance.choice(files)
    size = path.stat().st_size
    told: dict[str, Any] = {"file": path.relative_to(folder).as_posix(), "size": size}
    if kind == "truncate":
        os.truncate(path, max(0, size - amount))
        return told | {"places": [max(0, size - amount)]}
    places = sorted(chance.sample(range(size), min(amount, size)))
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))
        os.fsync(file.fileno())
    return told | {"places": places}


if __name__ == "__main__":
    verb, where, *rest = sys.argv[1:]
    if verb == "probe":
        found = probe(Path(where), int(rest[0]))
    else:
        found = damage(Path(where), rest[0], verb, int(rest[1]), int(rest[2]))
    sys.stdout.write(json.dumps(found) + "\n")
