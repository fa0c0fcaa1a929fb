"""The choice tape: everything that chance decided in a run, one choice after the other, to be replayed and edited.

A seed decides a run, but cannot be made a little smaller. A tape can: it is a list of (stream, label, bound, value),
and whoever shrinks a failure drops the end of it, or sets values to 0. Each stream reads its own choices in order, so
editing one link's delays does not shift the faults.

    streams = Streams(7, record=True)
    streams.stream("network/n1>n2").randrange(10)
    tape = streams.recorded()            # Tape((Choice("network/n1>n2", "below", 10, 4),))
    Streams(7, tape=tape)                # draws the same again
    Streams(7, tape=tape.first(0))       # nothing on it: draws 0, the mildest

A value lies in 0 ... bound - 1, and 0 is the mildest: first come first served, no fault, least delay, nothing lost.
Past its end a tape goes on with the mildest choice. The chance that belongs to the program under test and to its load
has no mildest value (nodes that all draw the same election timeout never elect); streams under SEEDED go on with the
seed, just where the tape left them.

Limits: `gammavariate`, `betavariate` and `vonmisesvariate` are refused. A tape fits the versions that made it. A choice
whose label is not the one asked for is passed over as the mildest; one that is too large counts as the largest.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from harness.errors import SplitbrainError, UsageError
from harness.streams import Random

CHOICES_MAX: Final = 20_000_000
FLOAT_CHOICES: Final = 1 << 53

SEEDED: Final = ("node/", "client/", "generator")
"""Names of streams begin so whose draws after the tape's end come from the seed."""


class Choice(NamedTuple):
    """One draw: from which stream, what for, out of how many, and what came; 0 <= value < bound."""

    stream: str
    label: str
    bound: int
    value: int


@dataclass(frozen=True)
class Tape:
    """All choices of a run in the order in which they were made.

    Attributes:
        seeded: prefixes of the streams that go on with the seed where the tape ends; () for none, ("",) for all.
    """

    choices: tuple[Choice, ...] = ()
    seeded: tuple[str, ...] = SEEDED

    def first(self, count: int) -> Tape:
        """Only the first so many choices."""
        return replace(self, choices=self.choices[:count])

    def with_values(self, values: Iterable[tuple[int, int]]) -> Tape:
        """Other values at some places: pairs of (place, value)."""
        choices = list(self.choices)
        for place, value in values:
            choices[place] = choices[place]._replace(value=value)
        return replace(self, choices=tuple(choices))

    def without(self, stream: str) -> Tape:
        """No choices of the streams whose names begin so."""
        return replace(self, choices=tuple(choice for choice in self.choices if not choice.stream.startswith(stream)))

    def to_json(self) -> str:
        """One line for each choice; equal tapes give equal text."""
        lines = [json.dumps({"seeded": list(self.seeded)}), *(json.dumps(list(choice)) for choice in self.choices)]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_json(cls, text: str) -> Tape:
        """What `to_json` wrote; UsageError that names the line."""
        lines = text.splitlines()
        try:
            seeded = tuple(str(prefix) for prefix in json.loads(lines[0])["seeded"])
        except (ValueError, KeyError, TypeError, IndexError):
            raise UsageError('Line 1 of the tape: wanted {"seeded": [...]}.') from None
        return cls(tuple(_choice(number, line) for number, line in enumerate(lines[1:], 2)), seeded)


def _choice(number: int, line: str) -> Choice:
    try:
        stream, label, bound, value = json.loads(line)
    except (ValueError, TypeError):
        raise UsageError(f"Line {number} of the tape: wanted [stream, label, bound, value], found {line!r}.") from None
    named = isinstance(stream, str) and isinstance(label, str)
    if not named or not all(type(part) is int for part in (bound, value)) or not 0 <= value < bound:
        raise UsageError(f"Line {number} of the tape: wanted two names and 0 <= value < bound, found {line!r}.")
    return Choice(stream, label, bound, value)


class Deck:
    """What the streams of one run are played from and recorded on."""

    def __init__(self, tape: Tape | None) -> None:
        self._made: list[Choice] = []
        self._seeded = SEEDED if tape is None else tape.seeded
        self._given: dict[str, list[Choice]] | None = None if tape is None else {}
        for choice in () if tape is None else tape.choices:
            assert self._given is not None
            self._given.setdefault(choice.stream, []).append(choice)

    def random(self, name: str, source: Random) -> TapedRandom:
        """The stream of that name, over its own source."""
        given = None if self._given is None else self._given.get(name, [])
        return TapedRandom(name, source, given, self._made, seeded=name.startswith(self._seeded))

    def recorded(self) -> Tape:
        """All that was drawn."""
        return Tape(tuple(self._made), self._seeded)


class TapedRandom(Random):
    """Draws as `source` does, writes down what came, and takes it from the given choices where there are any.

    The source moves on with every draw, whatever is given: where the given choices end, it is where the recorded run
    had it.
    """

    def __init__(self, name: str, source: Random, given: list[Choice] | None, made: list[Choice], seeded: bool) -> None:
        super().__init__(0)
        self._source = source
        self._name = name
        self._given = given
        self._place = 0
        self._made = made
        self._seeded = seeded

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Make what is not given come from another seed."""
        self.gauss_next = None
        if hasattr(self, "_source"):  # not yet while it is being made
            self._source.seed(a, version)

    def take(self, label: str, bound: int, drawn: int) -> int:
        """The value of the next choice, if `drawn` is what the source would have; 0 <= drawn < bound."""
        value = drawn
        if self._given is not None:
            if self._place < len(self._given):
                choice = self._given[self._place]
                self._place += 1
                value = min(choice.value, bound - 1) if choice.label == label else 0
            elif not self._seeded:
                value = 0
        if len(self._made) >= CHOICES_MAX:
            raise SplitbrainError(f"The tape is full: a run of more than {CHOICES_MAX} choices was to be recorded.")
        self._made.append(Choice(self._name, label, bound, value))
        return value

    def decide(self, label: str, bound: int, draw: Callable[[Random], int]) -> int:
        """One choice, whatever `draw` needs to draw from the source for it."""
        return self.take(label, bound, draw(self._source))

    def random(self) -> float:
        """In [0, 1)."""
        return self.take("random", FLOAT_CHOICES, int(self._source.random() * FLOAT_CHOICES)) / FLOAT_CHOICES

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        return self.take("bits", 1 << k, self._source.getrandbits(k))

    def _randbelow(self, n: int) -> int:
        """What `randrange`, `choice`, `sample` and `shuffle` draw from; one choice, not several bits until one fits."""
        return self.take("below", n, self._source._randbelow(n))  # type: ignore[attr-defined]  # made to be overridden

    def normalvariate(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """One choice: the bits of the standard normal number, so that 0 stands for the mean.

        The plain one draws until something fits, and would never end on a tape of zeros.
        """
        drawn = int.from_bytes(struct.pack(">d", self._source.normalvariate()), "big")
        number: float = struct.unpack(">d", self.take("normal", 1 << 64, drawn).to_bytes(8, "big"))[0]
        return mu + number * sigma

    def gammavariate(self, alpha: float, beta: float) -> float:
        """Refused, as the other two are: they draw until something fits."""
        raise _not_on_tape("gammavariate")

    def betavariate(self, alpha: float, beta: float) -> float:
        """Refused."""
        raise _not_on_tape("betavariate")

    def vonmisesvariate(self, mu: float, kappa: float) -> float:
        """Refused."""
        raise _not_on_tape("vonmisesvariate")


def _not_on_tape(name: str) -> SplitbrainError:
    return SplitbrainError(f"Random.{name} draws until something fits, which has no place on a tape.")


def decide(stream: Random, label: str, bound: int, draw: Callable[[Random], int]) -> int:
    """A choice out of `bound`, 0 being the mildest; `draw` makes it from chance."""
    if isinstance(stream, TapedRandom):
        return stream.decide(label, bound, draw)
    return draw(stream)


def happens(stream: Random, label: str, share: float) -> bool:
    """Whether something that happens in so large a share of cases does so now."""
    return bool(decide(stream, label, 2, lambda source: int(source.random() < share)))
