"""Which faults the ground `docker` can make on this machine with these switches, and what to do about the others.

    lacking({"disk": "image"})["power"]        "only on disks of the nodes' own; use --disk loop"

Each answer is a sentence's end, for `splitbrain run` to refuse a plan with and for `splitbrain doctor` to print. What
is looked at is looked at now: who we are, which devices there are, whether the kernel queues packets.

Limits: whether the engine runs on this machine is seen when a cluster is provisioned; whether a product under test
reads its clock through a libc is seen when its clock is set.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from harness.docker_ground import node_image
from harness.docker_ground.host import IN_CONTAINER, why_not
from harness.docker_ground.netem import no_netem
from harness.protocols import Option

OPTIONS: Final = (
    Option("control", "ssh", "docker: how commands reach the nodes", ("ssh", "exec", "nsenter")),
    Option(
        "disk", "image", "docker: where nodes keep their data; loop: on a disk that can be broken", ("image", "loop")
    ),
    Option("clocks", "wall", "docker: which clocks the clock faults make wrong", ("wall", "all")),
    Option(
        "clock_by",
        "preload",
        "docker: what makes clocks wrong; vdso: those of static programs, too, by root",
        ("preload", "vdso"),
    ),
    Option(
        "links",
        "queue",
        "docker: what makes links slow or lossy; netem: the kernel's own way, where it has it",
        ("queue", "netem"),
    ),
    Option("capture", False, "docker: write each node's packets to nodes/<node>/packets.pcap"),
)
"""The switches of the ground."""
ON_LOOP: Final = ("power", "disk-full", "disk-read-only", "disk-slow", "disk-hung")
ON_QUEUE: Final = (
    *("packet", "latency", "loss", "bandwidth", "packet-reorder", "packet-duplicate", "packet-corrupt"),
    *("clog", "swizzle"),
)
CLOCKS: Final = ("clock", "clock-drift", "clock-strobe", "clock-freeze")
FSYNC: Final = ("disk-error", "disk-lying-fsync")
ON_PRELOAD: Final = (*CLOCKS, *FSYNC)
PROGRAMS: Final = ("nsenter", "losetup", "mkfs.ext4")
QUEUE_TRIAL: Final = "import sys; sys.path.insert(0, sys.argv[1]); import link_queue; link_queue.bind(7)"
"""Asks the kernel for a queue in a network namespace of its own, which goes with the process."""


def lacking(options: Mapping[str, Any]) -> dict[str, str]:
    """Faults that cannot be made, with why and what to do."""
    found: dict[str, str] = {}
    if (reason := no_loop(options)) is not None:
        found |= dict.fromkeys(ON_LOOP, reason)
    if (reason := no_preload()) is not None:
        found |= dict.fromkeys(ON_PRELOAD, reason)
    elif options.get("clock_by") == "vdso":
        found |= dict.fromkeys(FSYNC, "servers have no preload.so then; use --clock-by preload")
    if (reason := no_queue()) is not None:
        found |= dict.fromkeys(ON_QUEUE if options.get("links") != "netem" else ("clog", "swizzle"), reason)
    if "disk-slow" not in found and not _throttles():
        found["disk-slow"] = "this kernel has no control group that throttles disks; boot one with blkio or io"
    return found


def refused(options: Mapping[str, Any]) -> str | None:
    """Why these switches cannot be had at all on this machine; None if they can."""
    if options.get("disk") == "loop" and (reason := no_loop(options)) is not None:
        return f"--disk loop: {reason}"
    if options.get("clock_by") == "vdso" and (reason := why_not()) is not None:
        return f"--clock-by vdso: {reason}"
    if options.get("links") == "netem" and (reason := no_netem()) is not None:
        return f"--links netem: {reason}"
    if options.get("control") == "nsenter" and (reason := why_not()) is not None:
        return f"--control nsenter: {reason}"
    return None


def no_loop(options: Mapping[str, Any]) -> str | None:
    """Why disks cannot be broken."""
    if (reason := why_not()) is not None:
        return reason
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{missing[0]} is not on this machine; install util-linux and e2fsprogs"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices; load the kernel's module loop"
    if options.get("disk") != "loop":
        return "only on disks of the nodes' own; use --disk loop"
    return None


def no_preload() -> str | None:
    """Why the servers have no clock of their own."""
    if platform.machine() == "x86_64":
        return None
    return f"preload.c and vdso.c know x86-64 only, and this machine is {platform.machine()}; use --on sim"


@cache
def no_queue() -> str | None:
    """Why the kernel does not queue packets; None also where that cannot be tried without root."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return None
    words = ["unshare", "--net", sys.executable, "-I", "-S", "-c", QUEUE_TRIAL, str(node_image.FOLDER)]
    done = subprocess.run(words, capture_output=True, timeout=20, env=IN_CONTAINER, check=False)  # noqa: S603 (no shell)
    return None if done.returncode == 0 else "this kernel does not queue packets; load its module nfnetlink_queue"


def _throttles() -> bool:
    return any(Path("/sys/fs/cgroup", name).exists() for name in ("blkio", "cgroup.controllers"))
