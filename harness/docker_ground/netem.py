"""Shapes of links by the kernel's own means, `tc netem`, where it has them: what a node's `tc` is told.

    batch({"10.0.0.2": LinkShape(delay_ms=40, loss=0.1)}, "eth0")

        qdisc add dev eth0 root handle 1: htb default 1
        class add dev eth0 parent 1: classid 1:1 htb rate 10gbit
        class add dev eth0 parent 1: classid 1:2 htb rate 10gbit
        qdisc add dev eth0 parent 1:2 handle 2: netem limit 10000 delay 40ms loss 10%
        filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 10.0.0.2/32 flowid 1:2

It acts on the sending node, on what leaves for that peer; whatever else leaves is as ever. The whole is replaced by
deleting the root and adding it anew, so for a moment nothing is in force.

Limits: no machine at hand had netem, so these commands were never carried out by a kernel that does; the proof of each
fault says whether they worked. What is clogged is held by the queue all the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from harness.docker_ground.host import IN_CONTAINER
from harness.protocols import LinkShape

DEVICE: Final = "eth0"
"""A container's way to its only network."""
DROP_ALL: Final = ("tc", "qdisc", "del", "dev", DEVICE, "root")
"""Fails where there is none, which is as well."""
BATCH: Final = ("tc", "-batch", "-")
WIDE: Final = "10gbit"
LIMIT: Final = 10_000
TRIALS: Final = ("root handle 1: htb default 1", "parent 1: netem delay 1ms")
TRIAL_S: Final = 20


def batch(shapes: Mapping[str, LinkShape], device: str = DEVICE) -> bytes:
    """Input of `tc -batch`: these shapes by the peers' addresses; nothing for none."""
    return "".join(f"{line}\n" for line in _lines(shapes, device)).encode()


def _lines(shapes: Mapping[str, LinkShape], device: str) -> Iterator[str]:
    if not shapes:
        return
    yield f"qdisc add dev {device} root handle 1: htb default 1"
    yield f"class add dev {device} parent 1: classid 1:1 htb rate {WIDE}"
    for number, (address, shape) in enumerate(sorted(shapes.items()), 2):
        yield f"class add dev {device} parent 1: classid 1:{number:x} htb rate {WIDE}"
        yield f"qdisc add dev {device} parent 1:{number:x} handle {number:x}: netem {' '.join(words(shape))}"
        match = f"u32 match ip dst {address}/32"
        yield f"filter add dev {device} parent 1: protocol ip prio 1 {match} flowid 1:{number:x}"


def words(shape: LinkShape) -> list[str]:
    """A shape as netem's arguments: one that has none of it is left out."""
    found = ["limit", str(LIMIT)]
    if shape.delay_ms or shape.jitter_ms:
        found += ["delay", f"{shape.delay_ms:g}ms", *([f"{shape.jitter_ms:g}ms"] if shape.jitter_ms else [])]
    for name, share in (
        ("loss", shape.loss),
        ("duplicate", shape.duplicate),
        ("corrupt", shape.corrupt),
        ("reorder", shape.reorder),
    ):
        found += [name, f"{share * 100:g}%"] if share else []
    return found + (["rate", f"{shape.rate_kbit:g}kbit"] if shape.rate_kbit else [])


@cache
def no_netem() -> str | None:
    """Why links cannot be shaped so here, and what to do; None where the kernel took a trial, in a namespace apart."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("tc") is None:
        return "it can be tried by root with unshare and tc only; use --links queue"
    words = ["unshare", "--net", "sh", "-c", " && ".join(f"tc qdisc add dev lo {trial}" for trial in TRIALS)]
    done = subprocess.run(words, capture_output=True, timeout=TRIAL_S, env=IN_CONTAINER, check=False)  # noqa: S603 (our own words)
    return None if done.returncode == 0 else "this kernel has no netem; load its module sch_netem, or use --links queue"
