"""What a ground says while it takes its time before a run can begin: images take minutes, and nobody likes silence.

ground.tell = lambda step, line: print(step, line)     # "building x, step 2/4: RUN make", "gcc -c y.c"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

Tell = Callable[[str, str], None]
"""What is being done, in a few words that change seldom; and the last that was heard of it, "" for nothing."""


@runtime_checkable
class Telling(Protocol):
    """A ground that says what it is at."""

    tell: Tell
    """Is called from any thread."""


def say_nothing(step: str, line: str) -> None:
    """To nobody."""
