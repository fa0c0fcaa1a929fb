"""Python's collector of cycles, put to rest while something is made that holds none.

A history of a million operations becomes millions of small things that stay: the collector, which looks through what
there is whenever so much is new, finds nothing among them and takes a third of the time.

    @collector_at_rest()
    def check(self, history, budget): ...

    with collector_at_rest(): ...

Limits: cycles that are made meanwhile stay until the end; not for searches, which make and drop states for minutes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """See the module docstring."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
