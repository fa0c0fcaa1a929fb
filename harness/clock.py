"""The only door to real time. Everything else is handed a clock."""

from __future__ import annotations

import datetime
import time


def monotonic_ns() -> int:
    """Nanoseconds on a clock that never jumps; only differences mean anything."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """Nanoseconds since 1970 on the wall clock, which may jump: for names and for people, never for order."""
    return time.time_ns()


def utc_now() -> datetime.datetime:
    """The wall clock in UTC, for names of runs and for people."""
    return datetime.datetime.now(datetime.UTC)


def sleep_s(seconds: float) -> None:
    """Block this thread; never on an event loop."""
    time.sleep(seconds)


def processor_ns() -> int:
    """Nanoseconds of processor that this process has used: what a simulation costs, whatever else the machine does."""
    return time.process_time_ns()
