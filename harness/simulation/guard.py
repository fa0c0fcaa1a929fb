"""Real time, chance, files, sockets and threads, kept away from simulated servers that reach for them.

A server that takes its clock, its disk and its randomness from its `Machine` never comes here. One that calls
`time.time()` or `open("data", "w")` would bring in, or leave behind, what no seed decides; while the loop runs, these
functions look who asks. To a simulated process

- clocks tell what its host's clocks show, and the functions of `random` draw from the seed;
- `os.urandom`, `secrets` and `uuid` are refused, or draw from the seed where the world says `entropy="seeded"`;
- threads, subprocesses, sockets, blocking sleeps, and files other than for reading are refused.

What is refused names the line that asked. The harness, the clients and other threads get what they always get.

Limits: `datetime.now`, a name bound by `from time import time` before the loop ran, and C code are not seen. The order
of a set of strings depends on PYTHONHASHSEED and is the program's to sort.
"""

from __future__ import annotations

import _thread
import builtins
import io
import os
import random  # noqa: TID251 - it is guarded here, not used
import socket
import subprocess
import threading
import time  # noqa: TID251 - it is guarded here, not used
import uuid  # noqa: TID251 - it is guarded here, not used
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from harness.simulation.process import CURRENT, Process
from harness.simulation.refusals import RefusedError, call_site

WRITING: Final = frozenset("wax+")
FILE_CALLS: Final = (
    "open", "remove", "unlink", "rename", "replace", "mkdir", "rmdir", "truncate", "link", "symlink", "chmod",
)  # fmt: skip
PROCESS_CALLS: Final = ("fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp", "execv", "execve", "kill")


@contextmanager
def guarded(entropy: Literal["refused", "seeded"] = "refused") -> Iterator[None]:
    """Put the functions that look who asks in place of the real ones, and back again."""
    previous: list[tuple[Any, str, Any]] = []
    try:
        for module, name, answer in _answers(entropy):
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
        return real(*arguments, **more) if process is None else answer(real, process, *arguments, **more)

    return ask


def _answers(entropy: str) -> Iterator[tuple[Any, str, Answer]]:
    """What is guarded, and what a simulated process is told instead."""
    yield from _clocks()
    yield from _chance(entropy)
    yield builtins, "open", _opening
    yield io, "open", _opening
    for name in FILE_CALLS:
        yield os, name, _refusing(f"os.{name}", "use the machine's disk")
    for name in PROCESS_CALLS:
        if hasattr(os, name):
            yield os, name, _refusing(f"os.{name}", "there are no other processes")
    yield subprocess.Popen, "__init__", _refusing("subprocess.Popen", "there are no other processes")
    yield socket.socket, "__init__", _refusing("socket.socket", "use asyncio.open_connection and asyncio.start_server")
    yield threading.Thread, "start", _refusing("threading.Thread.start", "use tasks")
    yield _thread, "start_new_thread", _refusing("_thread.start_new_thread", "use tasks")


def _clocks() -> Iterator[tuple[Any, str, Answer]]:
    for clock in ("monotonic", "perf_counter"):
        yield time, clock, lambda _real, process: process.monotonic.now_ns() / 1e9
        yield time, f"{clock}_ns", lambda _real, process: process.monotonic.now_ns()
    yield time, "time", lambda _real, process: process.wall_ns() / 1e9
    yield time, "time_ns", lambda _real, process: process.wall_ns()
    yield time, "sleep", _refusing("time.sleep", "await asyncio.sleep")


def _chance(entropy: str) -> Iterator[tuple[Any, str, Answer]]:
    instead = 'draw from the machine\'s `random`, or choose a world with entropy="seeded"'
    if entropy == "seeded":
        yield os, "urandom", _bytes
        yield random, "_urandom", _bytes
    else:
        yield os, "urandom", _refusing("os.urandom", instead)
        yield random, "_urandom", _refusing("random.SystemRandom", instead)
    yield uuid, "uuid1", _refusing("uuid.uuid1", "it is made of the real machine's address and clock")
    yield random.Random, "seed", _seeding
    shared = random.random.__self__  # type: ignore[attr-defined]  # a bound method of the module's hidden instance
    for name in random.__all__:
        if getattr(getattr(random, name), "__self__", None) is shared:
            yield random, name, _drawing(name)


def _refusing(call: str, instead: str) -> Answer:
    def refuse(*_arguments: Any, **_more: Any) -> Any:
        raise RefusedError(call, instead, call_site())

    return refuse


def _drawing(name: str) -> Answer:
    def draw(_real: Any, process: Process, *arguments: Any, **more: Any) -> Any:
        return getattr(process.random, name)(*arguments, **more)

    return draw


def _seeding(real: Any, process: Process, generator: random.Random, a: Any = None, version: int = 2) -> None:
    """A generator that is given no seed takes the process' chance, not the real machine's."""
    real(generator, process.random.getrandbits(64) if a is None else a, version)


def _bytes(_real: Any, process: Process, size: int) -> bytes:
    return process.random.randbytes(size)


def _opening(real: Any, _process: Process, file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
    """Reading is allowed: a program may come with files of its own."""
    if WRITING & set(mode):
        raise RefusedError(f"open({os.fspath(file) if not isinstance(file, int) else file!r}, {mode!r})",
                           "use the machine's disk", call_site())  # fmt: skip
    return real(file, mode, *arguments, **more)
