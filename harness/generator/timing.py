"""Generators that know what time it is: spread operations out, wait, stop when the time is up.

Times come from the context only. What a generator has drawn for its next operation is part of its value, so asking it
again before that moment draws nothing anew.

    >>> from harness.generator.simulate import quick
    >>> [op.time for op in quick(delay(1e-9, [Op(f="a"), Op(f="b"), Op(f="c")]), concurrency=1)[::2]]
    [0, 1, 2]
"""

from __future__ import annotations

from typing import Final

import msgspec

from harness.generator.lift import Next, ask, at, tell
from harness.generator.protocol import Context, Generator, Pending
from harness.op import NEMESIS, Op

SECOND_NS: Final = 1_000_000_000


def stagger(seconds: float, generator: Generator) -> Generator:
    """Operations `seconds` apart on average over all threads together: gaps are drawn from 0 to twice that."""
    return Stagger(round(2 * seconds * SECOND_NS), generator)


def delay(seconds: float, generator: Generator) -> Generator:
    """Operations exactly `seconds` apart over all threads together; sooner as long as it is behind."""
    return Delay(round(seconds * SECOND_NS), generator)


def sleep(seconds: float) -> Generator:
    """Nothing, for that long from when it is first asked; then exhausted."""
    return Sleep(round(seconds * SECOND_NS))


def time_limit(seconds: float, generator: Generator) -> Generator:
    """Nothing that would begin later than `seconds` after it was first asked."""
    return TimeLimit(round(seconds * SECOND_NS), generator)


def log(message: str) -> Generator:
    """One line in the history, beside the faults: an `info` event named "log" that nobody carries out."""
    return Op(process=NEMESIS, type="info", f="log", value=message)


class Stagger(msgspec.Struct, frozen=True):
    """See `stagger`; `next_ns` is the earliest moment of the next operation, None before the first."""

    spread_ns: int
    generator: Generator
    next_ns: int | None = None

    def op(self, ctx: Context) -> Next:
        """Push an operation that would come too early to its moment."""
        step = ask(self.generator, ctx)
        if step is None:
            return None
        op, rest = step
        earliest_ns = ctx.time_ns if self.next_ns is None else self.next_ns
        if isinstance(op, Pending):
            return op, Stagger(self.spread_ns, rest, earliest_ns)
        begin_ns = max(op.time or 0, earliest_ns)
        following_ns = begin_ns + int(ctx.random.random() * self.spread_ns)
        return at(op, op.process, begin_ns) if begin_ns != op.time else op, Stagger(self.spread_ns, rest, following_ns)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else Stagger(self.spread_ns, updated, self.next_ns)


class Delay(msgspec.Struct, frozen=True):
    """See `delay`; `next_ns` is the moment of the next operation, None before the first."""

    gap_ns: int
    generator: Generator
    next_ns: int | None = None

    def op(self, ctx: Context) -> Next:
        """Push an operation to its moment; moments stay a gap apart even when operations come late."""
        step = ask(self.generator, ctx)
        if step is None:
            return None
        op, rest = step
        moment_ns = ctx.time_ns if self.next_ns is None else self.next_ns
        if isinstance(op, Pending):
            return op, Delay(self.gap_ns, rest, moment_ns)
        return at(op, op.process, max(op.time or 0, moment_ns)), Delay(self.gap_ns, rest, moment_ns + self.gap_ns)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else Delay(self.gap_ns, updated, self.next_ns)


class Sleep(msgspec.Struct, frozen=True):
    """See `sleep`; `end_ns` is None until it is first asked."""

    length_ns: int
    end_ns: int | None = None

    def op(self, ctx: Context) -> Next:
        """Pending until the end, and says until when."""
        end_ns = ctx.time_ns + self.length_ns if self.end_ns is None else self.end_ns
        if ctx.time_ns >= end_ns:
            return None
        return Pending(end_ns), self if self.end_ns is not None else Sleep(self.length_ns, end_ns)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Unmoved."""
        return self


class TimeLimit(msgspec.Struct, frozen=True):
    """See `time_limit`; `end_ns` is None until it is first asked."""

    length_ns: int
    generator: Generator
    end_ns: int | None = None

    def op(self, ctx: Context) -> Next:
        """Whatever begins before the end."""
        end_ns = ctx.time_ns + self.length_ns if self.end_ns is None else self.end_ns
        if ctx.time_ns >= end_ns:
            return None
        step = ask(self.generator, ctx)
        if step is None:
            return None
        op, rest = step
        if isinstance(op, Pending):
            # The end is a moment at which the answer changes, so the asker has to come back by then.
            capped = op if op.until_ns is None or op.until_ns <= end_ns else Pending(end_ns)
            return capped, TimeLimit(self.length_ns, rest, end_ns)
        return (op, TimeLimit(self.length_ns, rest, end_ns)) if (op.time or 0) < end_ns else None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else TimeLimit(self.length_ns, updated, self.end_ns)
