"""Runs a checker in a process of its own, and ends it when it overruns its time or its memory.

A checker keeps its budget by asking `Budget.spent` now and then. One that is deep in a library call, or whose state
grows faster than it looks, does not; here the operating system keeps the budget for it.

    check_isolated(partial(read_history, path), Linearizability("register"), Budget(60.0, mebibytes=4096))

The verdict is then "unknown", with the last word of the checker on how far it was. The process is started afresh and
reads the history itself: nothing is shared, so nothing can be left in a bad state, threads of the caller's included.

Limits: a start costs a few tenths of a second and the history is read once more, which small histories need not pay.
Memory is bounded by RLIMIT_DATA, which Linux honours; elsewhere only the time is kept.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import msgspec

from checkers.compose import failed
from checkers.protocol import Budget, Checker
from harness.history import History
from harness.verdict import Verdict
from harness.workers import end_with

GRACE_S: Final = 5.0
"""How long after its budget a checker may take to start, to notice and to hand over what it has."""
POLL_S: Final = 0.1
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Isolated:
    """A checker that runs in a process of its own.

    Attributes:
        checker: what is run there; load: reads the history there.
    """

    checker: Checker
    load: Callable[[], History]

    @property
    def name(self) -> str:
        """The checker's."""
        return self.checker.name

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge what `load` reads, which is this very history."""
        return check_isolated(self.load, self.checker, budget)


def check_isolated(load: Callable[[], History], checker: Checker, budget: Budget) -> Verdict:
    """The verdict of a checker on the history that `load` reads; both must be picklable.

    It does not raise: what goes wrong in the other process becomes "unknown" with the reason.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    told = (os.getpid(), there, load, checker, budget.left_s(), budget.mebibytes)
    process = context.Process(target=_work, args=told, daemon=True)
    with _running(process, there):
        return _awaited(here, process, checker.name, budget)


@contextlib.contextmanager
def _running(process: BaseProcess, there: Connection) -> Iterator[None]:
    """The process, started; ended and reaped on every way out."""
    process.start()
    there.close()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _awaited(here: Connection, process: BaseProcess, name: str, budget: Budget) -> Verdict:
    """What the process says before its time is over."""
    deadline_s = budget.left_s() + GRACE_S
    patience = Budget(deadline_s, budget.now_ns)
    progress = "nothing was decided"
    while not patience.spent():
        if not here.poll(POLL_S):
            continue
        try:
            kind, content = here.recv()
        except EOFError:
            process.join(GRACE_S)
            return _unknown(name, f"its process ended with status {process.exitcode} before it had a verdict", progress)
        if kind == "verdict":
            return msgspec.json.decode(content, type=Verdict)
        progress = content
        budget.report(content)
    return _unknown(name, f"it did not end within its budget of {budget.seconds:g} s and was ended", progress)


def _unknown(name: str, why: str, progress: str) -> Verdict:
    return Verdict(name, "unknown", f"{name} could not be decided.", reason=f"{why}; {progress}.")


# ── in the other process ─────────────────────────────────────────────────────────────────────────────────────────────


def _work(
    parent: int, there: Connection, load: Callable[[], History], checker: Checker, seconds: float, mebibytes: int
) -> None:
    """Judge, and send the verdict; on the way, how far it is."""

    so_far = "nothing was decided"

    def tell(progress: str) -> None:
        nonlocal so_far
        so_far = progress
        with contextlib.suppress(OSError):
            there.send(("progress", progress))

    end_with(parent)
    _bound_memory(mebibytes)
    try:
        verdict = checker.check(load(), Budget(seconds, listener=tell))
    except MemoryError:
        _bound_memory(0)
        verdict = _unknown(checker.name, f"it needed more than its {mebibytes:,} MiB", so_far)
    except Exception as error:
        verdict = failed(checker.name, error)
    there.send(("verdict", msgspec.json.encode(verdict)))
    there.close()


def _bound_memory(mebibytes: int) -> None:
    """Let this process have so much more than it has now; 0: as much as it wants."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft: Any = resource.RLIM_INFINITY if not mebibytes else _data_bytes() + mebibytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (hard if soft == resource.RLIM_INFINITY else soft, hard))


def _data_bytes() -> int:
    """Private writable memory of this process; 0 where the system does not tell."""
    if not _STATUS.exists():
        return 0
    [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmData:")]
    return int(line.split()[1]) * 1024
