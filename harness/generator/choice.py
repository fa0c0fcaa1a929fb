"""Generators that choose between others: the soonest, one at random, in turn, by the clock.

Where several could go on at the same moment, one is drawn, each with its weight. An alternative that waits keeps what
it learned by waiting; one that offered an operation and was not chosen stays as it was, and is asked again.

    >>> from harness.generator.simulate import quick
    >>> both = flip_flop([Op(f="a"), Op(f="a")], [Op(f="b")])
    >>> [op.f for op in quick(both, concurrency=1) if op.type == "invoke"]
    ['a', 'b', 'a']
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from harness.generator.lift import Next, ask, tell
from harness.generator.protocol import BUSY, PENDING, Context, Generator, Pending
from harness.generator.timing import SECOND_NS
from harness.op import Op

UNKNOWN_NS: Final = -1
"""The wait of an alternative that does not know how long."""


def any_(*generators: Generator) -> Generator:
    """Whichever of them comes soonest, operation by operation."""
    return AnyOf(tuple(generators))


def mix(*generators: Generator) -> Generator:
    """One of them at random, operation by operation; ends when all have."""
    return Mix(tuple(generators))


def flip_flop(*generators: Generator) -> Generator:
    """One operation of each in turn; ends when the one whose turn it is has."""
    return FlipFlop(tuple(generators))


def cycle_times(*parts: float | Generator) -> Generator:
    """`cycle_times(5, a, 10, b)`: five seconds of `a`, ten of `b`, then `a` again where it was left, and so on.

    Ends when the one whose time it is has.
    """
    periods = tuple(round(float(part) * SECOND_NS) for part in parts[::2])  # type: ignore[arg-type]  # places alternate
    return CycleTimes(periods, tuple(parts[1::2]))  # type: ignore[arg-type]


class Offers:
    """Collects what alternatives answered at one moment, and picks.

    Attributes:
        alternatives: what each has become; None for an exhausted one.
    """

    __slots__ = ("_best", "_until_ns", "_waiting", "_weights", "alternatives")

    def __init__(self, count: int) -> None:
        self.alternatives: list[Generator] = [None] * count
        self._best: list[tuple[int, Op, Generator]] = []
        self._weights: list[int] = []
        self._waiting = False
        self._until_ns: int = BUSY.until_ns or 0

    def add(self, place: int, before: Generator, step: Next, weight: int = 1) -> None:
        """What the alternative at that place answered when it was `before`."""
        if step is None:
            return
        answer, rest = step
        if isinstance(answer, Pending):
            self.alternatives[place] = rest
            self._waiting = True
            self._until_ns = min(self._until_ns, UNKNOWN_NS if answer.until_ns is None else answer.until_ns)
            return
        self.alternatives[place] = before
        time = answer.time or 0
        if self._best and time > (self._best[0][1].time or 0):
            return
        if self._best and time < (self._best[0][1].time or 0):
            self._best, self._weights = [], []
        self._best.append((place, answer, rest))
        self._weights.append(weight)

    def pick(self, ctx: Context) -> Op | Pending | None:
        """The operation chosen, with its alternative moved on; how long to wait; or None when all are exhausted."""
        if not self._best:
            return self._wait(self._until_ns) if self._waiting else None
        soonest_ns = self._best[0][1].time or 0
        if self._waiting and soonest_ns > ctx.time_ns:
            # An operation for later may yet be forgotten by its asker, and with it what the others learned by waiting.
            # So wait first: it is offered again when its moment comes.
            return self._wait(min(self._until_ns, soonest_ns))
        place, op, rest = self._drawn(ctx)
        self.alternatives[place] = rest
        return op

    @staticmethod
    def _wait(until_ns: int) -> Pending:
        return PENDING if until_ns == UNKNOWN_NS else Pending(until_ns)

    def _drawn(self, ctx: Context) -> tuple[int, Op, Generator]:
        if len(self._best) == 1:
            return self._best[0]
        point = ctx.random.random() * sum(self._weights)
        for offer, weight in zip(self._best, self._weights, strict=True):
            point -= weight
            if point < 0:
                return offer
        return self._best[-1]


def updated(generators: Sequence[Generator], ctx: Context, event: Op) -> tuple[Generator, ...] | None:
    """All of them told of an event; None when that changed nothing."""
    after = tuple(tell(generator, ctx, event) for generator in generators)
    return None if all(new is old for new, old in zip(after, generators, strict=True)) else after


def _left(generators: Iterable[Generator]) -> tuple[Generator, ...]:
    return tuple(generator for generator in generators if generator is not None)


class AnyOf(msgspec.Struct, frozen=True):
    """See `any_`."""

    generators: tuple[Generator, ...]

    def op(self, ctx: Context) -> Next:
        """The soonest offer."""
        offers = Offers(len(self.generators))
        for place, generator in enumerate(self.generators):
            offers.add(place, generator, ask(generator, ctx))
        chosen = offers.pick(ctx)
        return None if chosen is None else (chosen, AnyOf(_left(offers.alternatives)))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to all."""
        after = updated(self.generators, ctx, event)
        return self if after is None else AnyOf(after)


class Mix(msgspec.Struct, frozen=True):
    """See `mix`; `chosen` is whose turn it is, drawn when the turn before ended."""

    generators: tuple[Generator, ...]
    chosen: int | None = None

    def op(self, ctx: Context) -> Next:
        """Ask the chosen one; draw again when it is exhausted or has emitted."""
        generators = self.generators
        chosen = self.chosen
        while generators:
            place = ctx.random.randrange(len(generators)) if chosen is None else chosen
            step = ask(generators[place], ctx)
            if step is not None:
                after = (*generators[:place], step[1], *generators[place + 1 :])
                return step[0], Mix(after, place if isinstance(step[0], Pending) else None)
            generators, chosen = generators[:place] + generators[place + 1 :], None
        return None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to all."""
        after = updated(self.generators, ctx, event)
        return self if after is None else Mix(after, self.chosen)


class FlipFlop(msgspec.Struct, frozen=True):
    """See `flip_flop`; `turn` is whose it is."""

    generators: tuple[Generator, ...]
    turn: int = 0

    def op(self, ctx: Context) -> Next:
        """Ask whose turn it is."""
        turn = self.turn
        step = ask(self.generators[turn], ctx)
        if step is None:
            return None
        following = turn if isinstance(step[0], Pending) else (turn + 1) % len(self.generators)
        return step[0], FlipFlop((*self.generators[:turn], step[1], *self.generators[turn + 1 :]), following)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to all."""
        after = updated(self.generators, ctx, event)
        return self if after is None else FlipFlop(after, self.turn)


class CycleTimes(msgspec.Struct, frozen=True):
    """See `cycle_times`; `began_ns` is when it was first asked."""

    periods_ns: tuple[int, ...]
    generators: tuple[Generator, ...]
    began_ns: int | None = None

    def op(self, ctx: Context) -> Next:
        """Ask whose time it is; what would begin after its time waits for its next."""
        began_ns = ctx.time_ns if self.began_ns is None else self.began_ns
        place, ends_ns = self._now(ctx.time_ns - began_ns)
        ends_ns += began_ns
        step = ask(self.generators[place], ctx)
        if step is None:
            return None
        answer, rest = step
        if isinstance(answer, Op) and (answer.time or 0) >= ends_ns:
            return Pending(ends_ns), CycleTimes(self.periods_ns, self.generators, began_ns)
        after = (*self.generators[:place], rest, *self.generators[place + 1 :])
        if isinstance(answer, Pending) and answer.until_ns is not None:
            answer = Pending(min(answer.until_ns, ends_ns))
        return answer, CycleTimes(self.periods_ns, after, began_ns)

    def _now(self, elapsed_ns: int) -> tuple[int, int]:
        """Whose time it is, and when that ends."""
        rounds, within_ns = divmod(elapsed_ns, sum(self.periods_ns))
        ends_ns = 0
        for place, period_ns in enumerate(self.periods_ns):
            ends_ns += period_ns
            if within_ns < ends_ns:
                return place, rounds * sum(self.periods_ns) + ends_ns
        raise AssertionError("a remainder is less than the sum")

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to all."""
        after = updated(self.generators, ctx, event)
        return self if after is None else CycleTimes(self.periods_ns, after, self.began_ns)
