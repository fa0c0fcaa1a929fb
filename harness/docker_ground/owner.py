"""Telling whether the harness that made a container is still there.

Every container and network carries a label that names the process that made it: machine start, process namespace,
process number, and the start time of that number, because numbers are given out again.

Limits: of a process on another machine or in another namespace nothing can be known, so it counts as alive; so does
every process on a machine without /proc.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def this_process() -> str:
    """Names this process, for a label."""
    return f"{_place()}/{os.getpid()}/{_started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process that a label names is, or may be, running."""
    place, _, rest = owner.partition("/")
    number, _, started = rest.partition("/")
    if not place or place != _place() or not number.isdigit():
        return True
    return _started(int(number)) == started


def _place() -> str:
    """This start of this machine, and this process namespace; "" where neither can be known."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{boot}.{namespace.removeprefix('pid:')}"


def _started(number: int) -> str:
    """Field 22 of /proc/PID/stat; "" of a process that is not there or only waits to be collected."""
    try:
        fields = (PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X", "x") else fields[19]
