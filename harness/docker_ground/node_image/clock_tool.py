"""Runs on a node, with preload.so as the server has it: how far the server's clock is from the kernel's.

    LD_PRELOAD=/opt/splitbrain/node/preload.so python3 clock_tool.py wall
    LD_PRELOAD=/opt/splitbrain/node/preload.so python3 clock_tool.py monotonic

Prints nanoseconds. The kernel is asked by system calls that no library answers, just before and just after the clock
that programs see; of LOOKS such looks the quickest counts, so the answer is good to some microseconds however busy the
machine is.

Limits: x86-64, as preload.so.
"""

from __future__ import annotations

import ctypes
import sys
import time  # noqa: TID251 - runs on a node, where there is no harness

CLOCK_GETTIME = 228
CLOCKS = {"wall": (0, time.time_ns), "monotonic": (1, time.monotonic_ns)}
LOOKS = 20


class Timespec(ctypes.Structure):
    """What the kernel fills in."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def kernel_ns(clock: int) -> int:
    """What the kernel's clock of that number shows."""
    shown = Timespec()
    if ctypes.CDLL(None, use_errno=True).syscall(CLOCK_GETTIME, clock, ctypes.byref(shown)) != 0:
        raise OSError(ctypes.get_errno(), "clock_gettime")
    return int(shown.seconds) * 1_000_000_000 + int(shown.nanoseconds)


def offset_ns(name: str) -> int:
    """How far ahead that clock is for programs."""
    number, show = CLOCKS[name]
    looks = []
    for _ in range(LOOKS):
        before, shown, after = kernel_ns(number), show(), kernel_ns(number)
        looks.append((after - before, shown - (before + after) // 2))
    return min(looks)[1]


if __name__ == "__main__":
    sys.stdout.write(f"{offset_ns(sys.argv[1])}\n")
