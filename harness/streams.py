"""Named random streams from one seed.

Each concern (network, disk, clocks, generator, faults, ...) draws from a stream of its own, whose seed is a hash of
the run's seed and the stream's name. Adding a stream, or drawing more from one, never shifts another: that is what lets
a fault be removed from a run without reshuffling the rest.

    >>> Streams(7).stream("network").random() == Streams(7).stream("network").random()
    True
"""

from __future__ import annotations

import hashlib
import random  # the one place that makes generators
from random import Random

__all__ = ["Random", "Streams"]


class Streams:
    """A family of independent `random.Random`, each named."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Random] = {}

    def stream(self, name: str) -> Random:
        """The stream of that name; the same object each time it is asked for."""
        if name not in self._streams:
            digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
            self._streams[name] = random.Random(int.from_bytes(digest[:8], "big"))
        return self._streams[name]
