"""Two habits of memory that are wrong where a long history is taken up: the collector's, and the C library's.

Python's collector of cycles looks through what there is whenever so much is new. A history of a million operations
becomes millions of small things that stay: it finds nothing among them and takes a third of the time.

    @collector_at_rest()
    def check(self, history, budget): ...

    with collector_at_rest(): ...

glibc asks the kernel for each large piece of memory and hands it back when it is freed, and the kernel clears every
page before it gives it out again: a sixth of the time of reading a file block by block. It stops doing so for pieces
as large as any that it has seen freed (mallopt(3): M_MMAP_THRESHOLD is dynamic), and keeps twice as much.

    keep_pages()             # once, before the blocks

Limits: cycles that are made meanwhile stay until the end, so not for searches, which make and drop states for minutes.
Up to 32 MiB that are free are kept until the process ends. Other C libraries do as they like.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PIECE: Final = 16 << 20


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


def keep_pages() -> None:
    """See the module docstring: a piece, whose pages nobody touches, is taken and freed."""
    bytes(_PIECE)
