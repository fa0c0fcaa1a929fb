"""Processes that end with whoever started them, even if that one is killed.

A pool's workers wait for work at a pipe that they hold both ends of, so nothing tells them that nobody is left to send
any: after a SIGKILL of the harness they would wait for ever.

    with workers(jobs) as pool:
        futures = [pool.submit(judge, history) for history in histories]

Fresh processes, not forks: what this one has open must not leak into a run.
Limits: only Linux ends them so; elsewhere they are left behind by a harness that is killed. What a worker was doing is
lost with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of so many processes; whatever has not begun when it is left is cancelled.

    Work is handed in by the thread that enters, since the processes end with the thread that made them.
    """
    with ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)
    ) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def end_with(parent: int) -> None:
    """Called in a new process: Linux is to kill it when the thread that made it ends.

    So such processes are made on a thread that ends with the harness, and on no other.

    Args:
        parent: the process that made it, which may be gone already.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
