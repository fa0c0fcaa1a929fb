"""Named random streams from one seed.

Each concern (network, disk, clocks, generator, faults, ...) draws from a stream of its own, whose seed is a hash of
the run's seed and the stream's name. Adding a stream, or drawing more from one, never shifts another: that is what lets
a fault be removed from a run without reshuffling the rest.

    >>> Streams(7).stream("network").random() == Streams(7).stream("network").random()
    True

What they draw can be recorded on a tape, and come from one instead of the seed (`harness/tape.py`). Then a stream is a
`TapedRandom`, which draws the same as the plain one, only slower; without tape and recording nothing is added, and this
file needs nothing but the standard library, as it also goes into containers. Draws can also go by the moment, and be
remembered by it (`harness/moments.py`).
"""

from __future__ import annotations

import hashlib
import random  # the one place that makes generators
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.moments import Draws, Memory
    from harness.tape import Deck, Tape

__all__ = ["Random", "Streams"]

NUMBERED = ("node/", "blows/")


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
        self._now_ns: Callable[[], int] | None = None
        self._remembered: Memory | None = None
        if self.taped:
            from harness.tape import Deck

            self._deck = Deck(tape)

    def by_moment(self, now_ns: Callable[[], int], remembered: Memory) -> None:
        """Let the streams that are made from now on draw by the moment, and remember it."""
        self._now_ns, self._remembered = now_ns, remembered

    def remember(self, now_ns: Callable[[], int]) -> None:
        """Let the streams that are made from now on draw in turn, and remember the moment."""
        self._now_ns = now_ns

    def memory(self) -> Memory:
        """What was drawn when, by those that remember it."""
        memory: dict[str, Draws] = {}
        for name, stream in self._streams.items():
            if drawn := getattr(stream, "drawn", None):
                memory.setdefault(_unnumbered(name), {}).update(drawn)
        return memory

    def stream(self, name: str) -> Random:
        """The stream of that name; the same object each time it is asked for."""
        if self._remembered is not None:
            name = _unnumbered(name)
        if name not in self._streams:
            source = self._source(name)
            self._streams[name] = source if self._deck is None else self._deck.random(name, source)
        return self._streams[name]

    def _source(self, name: str) -> Random:
        seed = self._seed_of(name)
        if self._now_ns is None:
            return random.Random(seed)
        from harness.moments import InTurnRandom, MomentRandom

        if self._remembered is None:
            return InTurnRandom(seed, self._now_ns)
        return MomentRandom(seed, self._now_ns, self._remembered.get(name, {}))

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


def _unnumbered(name: str) -> str:
    """Of the streams of a node's life and of a blow, the name without the number: where draws go by moments, these tell
    them apart, and one life less must not rename the others."""
    stem, _, number = name.rpartition("/")
    return stem if name.startswith(NUMBERED) and number.isdecimal() else name
