"""Real time and real chance, kept away from simulated servers that ask for them without being handed any.

A server that takes its clock and its randomness from its `Machine` never comes here. One that calls `time.time()`,
`random.choice()` or `uuid.uuid4()` would bring in what no seed decides; while the loop runs, these functions look who
asks. A simulated process gets virtual time, its host's wall clock and seeded bytes; threads and blocking sleeps are
refused. The harness, the clients and other threads get what they always get.

Limits: `datetime.now`, a name bound by `from time import time` before the loop ran, and C code are not seen.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - it is guarded here, not used
import threading
import time  # noqa: TID251 - it is guarded here, not used
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.simulation.process import CURRENT, Process
from harness.simulation.refusals import RefusedError


@contextmanager
def guarded(now_ns: Callable[[], int]) -> Iterator[None]:
    """Put the functions that look who asks in place of the real ones, and back again."""
    previous: list[tuple[Any, str, Any]] = []
    try:
        for module, name, answer in _answers(now_ns):
            real = getattr(module, name)
            previous.append((module, name, real))
            setattr(module, name, _asking(real, answer))
        yield
    finally:
        for module, name, real in reversed(previous):
            setattr(module, name, real)


Answer = Callable[..., Any]


def _asking(real: Callable[..., Any], answer: Answer) -> Callable[..., Any]:
    def ask(*arguments: Any, **more: Any) -> Any:
        process = CURRENT.get()
        return real(*arguments, **more) if process is None else answer(process, *arguments, **more)

    return ask


def _answers(now_ns: Callable[[], int]) -> Iterator[tuple[Any, str, Answer]]:
    """What is guarded, and what a simulated process is told instead."""
    for clock in ("monotonic", "perf_counter"):
        yield time, clock, lambda _process: now_ns() / 1e9
        yield time, f"{clock}_ns", lambda _process: now_ns()
    yield time, "time", lambda process: process.wall_ns() / 1e9
    yield time, "time_ns", lambda process: process.wall_ns()
    yield time, "sleep", _refusing("time.sleep", "await asyncio.sleep")
    yield threading.Thread, "start", _refusing("threading.Thread.start", "use tasks")
    yield os, "urandom", _bytes
    yield random, "_urandom", _bytes
    shared = random.random.__self__  # type: ignore[attr-defined]  # a bound method of the module's hidden instance
    for name in random.__all__:
        if getattr(getattr(random, name), "__self__", None) is shared:
            yield random, name, _drawing(name)


def _refusing(call: str, instead: str) -> Answer:
    def refuse(*_arguments: Any, **_more: Any) -> Any:
        raise RefusedError(call, instead)

    return refuse


def _drawing(name: str) -> Answer:
    def draw(process: Process, *arguments: Any, **more: Any) -> Any:
        return getattr(process.random, name)(*arguments, **more)

    return draw


def _bytes(process: Process, size: int) -> bytes:
    return process.random.randbytes(size)
