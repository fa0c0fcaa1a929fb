"""Named random streams from one seed.

Each concern (network, disk, clocks, generator, faults, ...) draws from a stream of its own, whose seed is a hash of
the run's seed and the stream's name. Adding a stream, or drawing more from one, never shifts another: that is what lets
a fault be removed from a run without reshuffling the rest.

    >>> Streams(7).stream("network").random() == Streams(7).stream("network").random()
    True

What they draw can be recorded on a tape, and come from one instead of the seed (`harness/tape.py`). Then a stream is a
`TapedRandom`, which draws the same as the plain one, only slower; without tape and recording nothing is added, and this
file needs nothing but the standard library, as it also goes into containers.
"""

from __future__ import annotations

import hashlib
import random  # the one place that makes generators
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.tape import Deck, Tape

__all__ = ["Random", "Streams"]


class Streams:
    """A family of independent `random.Random`, each named.

    Attributes:
        seed: where they come from; taped: whether draws come from a tape or go to one.
    """

    def __init__(self, seed: int, tape: Tape | None = None, *, record: bool = False) -> None:
        self.seed = seed
        self.taped = record or tape is not None
        self._streams: dict[str, Random] = {}
        self._salt = ""
        self._deck: Deck | None = None
        if self.taped:
            from harness.tape import Deck

            self._deck = Deck(tape)

    def stream(self, name: str) -> Random:
        """The stream of that name; the same object each time it is asked for."""
        if name not in self._streams:
            source = random.Random(self._seed_of(name))
            self._streams[name] = source if self._deck is None else self._deck.random(name, source)
        return self._streams[name]

    def recorded(self) -> Tape:
        """All that was drawn so far, whether it came from the seed or from a tape; ValueError without recording."""
        if self._deck is None:
            raise ValueError("These streams do not record; make them with record=True.")
        return self._deck.recorded()

    def reseed(self, salt: str) -> None:
        """From here on, draw what another seed would: for exploring several futures of one past.

        What was drawn and recorded stays, so a tape still replays the whole run.
        """
        self._salt = f"/{salt}"
        for name, stream in self._streams.items():
            stream.seed(self._seed_of(name))

    def _seed_of(self, name: str) -> int:
        digest = hashlib.sha256(f"{self.seed}{self._salt}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big")
