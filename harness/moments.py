"""Chance that goes by the moment at which it is asked for, not by how often it was asked before.

A stream that draws one number after the other gives everything behind it another one as soon as a single draw is gone.
That is what makes a failing run hard to shrink: without one operation every later message takes another time, and the
failure is lost, whether the operation was needed or not. Here a draw is what is remembered of stream and moment, else a
hash of both. So what happens when it happened before meets the chance that it met before.

    streams.remember(now_ns)                        # in turn, as ever, and written down
    memory = streams.memory()                       # "node/n1/0@5.0=1c0e..."
    streams.by_moment(now_ns, read_memory(memory))  # the same again; what is not remembered is drawn by the seed

>>> now_ns = [5]
>>> one, other = (MomentRandom(7, lambda: now_ns[0], {}) for _ in range(2))
>>> _ = one.random(), one.random()
>>> now_ns[0] = 9
>>> one.random() == other.random()
True

Limits: slower than a plain generator, about a microsecond a draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from harness.errors import PlanError
from harness.streams import Random

MASK: Final = (1 << 64) - 1
GOLDEN: Final = 0x9E3779B97F4A7C15
FLOATS: Final = 1 << 53

Draws = dict[tuple[int, int], int]
"""What one stream drew: by moment, and how many it had drawn in that moment before."""
Memory = Mapping[str, Draws]
"""By the stream's name."""


class _Noting(Random):
    """Writes down what it draws."""

    def __init__(self, seed: int, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._at = (-1, 0)
        self.drawn: Draws = {}
        super().__init__(seed)

    def _next(self) -> tuple[int, int]:
        now_ns = self._now_ns()
        at_ns, turn = self._at
        self._at = (now_ns, turn + 1 if now_ns == at_ns else 0)
        return self._at


class InTurnRandom(_Noting):
    """Draws as a plain generator does."""

    def random(self) -> float:
        """In [0, 1)."""
        number = super().random()
        self.drawn[self._next()] = int(number * FLOATS)
        return number

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        bits = self.drawn[self._next()] = super().getrandbits(k)
        return bits


class MomentRandom(_Noting):
    """Draws what is remembered, else by a hash; see the module docstring."""

    def __init__(self, seed: int, now_ns: Callable[[], int], remembered: Mapping[tuple[int, int], int]) -> None:
        self._remembered = remembered
        super().__init__(seed, now_ns)

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Draw what is not remembered by another seed, a whole number, from now on."""
        self.gauss_next = None
        self._salt = int(a or 0) & MASK

    def random(self) -> float:
        """In [0, 1)."""
        return self._draw(53) / FLOATS

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        return self._draw(k) if k > 0 else 0

    def _draw(self, bits: int) -> int:
        at = self._next()
        number = self._remembered.get(at)
        if number is None or number >> bits:
            number = self._hashed(at, bits)
        self.drawn[at] = number
        return number

    def _hashed(self, at: tuple[int, int], bits: int) -> int:
        """The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over seed, moment and turn."""
        state = _mixed(_mixed(self._salt ^ at[0] * GOLDEN & MASK) + (at[1] + 1) * GOLDEN & MASK)
        number, have = state, 64
        while have < bits:
            state = _mixed(state + GOLDEN & MASK)
            number, have = number << 64 | state, have + 64
        return number >> have - bits


def _mixed(bits: int) -> int:
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & MASK
    return bits ^ bits >> 31


def told_memory(memory: Memory) -> str:
    """As `read_memory` reads it: NAME@NS.TURN=HEX for each draw, the name only where it is another one."""
    parts = []
    for name in sorted(memory):
        before = f"{name}@"
        for (at_ns, turn), number in sorted(memory[name].items()):
            parts.append(f"{before}{at_ns}.{turn}={number:x}")
            before = ""
    return " ".join(parts)


def read_memory(text: str) -> dict[str, Draws]:
    """A memory from its text.

    Raises:
        PlanError: naming the part that cannot be read.
    """
    memory: dict[str, Draws] = {}
    draws: Draws = {}
    for part in text.split():
        name, _, draw = part.rpartition("@")
        if name:
            draws = memory.setdefault(name, {})
        moment, _, number = draw.partition("=")
        at_ns, _, turn = moment.partition(".")
        try:
            draws[int(at_ns), int(turn)] = int(number, 16)
        except ValueError:
            raise PlanError(f"What a world remembers is NAME@NANOSECONDS.TURN=HEX ..., found {part!r}.") from None
    return memory


Skip = tuple[int, int]
"""Time that was taken out of a plan: from that nanosecond on, chance is drawn as for a moment so much later."""


def skipping(skips: Sequence[Skip], now_ns: Callable[[], int]) -> Callable[[], int]:
    """The moment that chance goes by."""
    if not skips:
        return now_ns

    def moment_ns() -> int:
        at_ns = now_ns()
        return at_ns + sum(skipped_ns for after_ns, skipped_ns in skips if after_ns <= at_ns)

    return moment_ns


def with_skip(skips: Sequence[Skip], at_ns: int, skipped_ns: int) -> list[Skip]:
    """The skips of a plan of which so much time is taken out before that nanosecond.

    >>> with_skip([(100, 5), (900, 5)], 500, 300)
    [(100, 5), (200, 300), (600, 5)]
    """
    place_ns = at_ns - skipped_ns
    moved = [(min(after_ns, max(place_ns, after_ns - skipped_ns)), skipped) for after_ns, skipped in skips]
    return sorted([*moved, (place_ns, skipped_ns)])


def told_skips(skips: Sequence[Skip]) -> str:
    """As `read_skips` reads them."""
    return ",".join(f"{after_ns}+{skipped_ns}" for after_ns, skipped_ns in skips)


def read_skips(text: str) -> list[Skip]:
    """NANOSECONDS+NANOSECONDS,...

    Raises:
        PlanError: it is not so.
    """
    found = [part.partition("+")[::2] for part in text.split(",") if part]
    if not all(after.isdecimal() and skipped.isdecimal() for after, skipped in found):
        raise PlanError(f"The simulated world's skips must be NANOSECONDS+NANOSECONDS,..., found {text!r}.")
    return [(int(after), int(skipped)) for after, skipped in found]
