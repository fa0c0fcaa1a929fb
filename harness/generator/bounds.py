"""Generators that end others, or begin them again: so many operations, so many processes, until one succeeds.

>>> from harness.generator.simulate import quick
>>> [op.f for op in quick(limit(3, cycle([Op(f="a"), Op(f="b")])), concurrency=1) if op.type == "invoke"]
['a', 'b', 'a']
"""

from __future__ import annotations

import msgspec

from harness.generator.lift import Next, ask, tell
from harness.generator.protocol import BUSY, Context, Generator, Pending
from harness.op import Op


def limit(count: int, generator: Generator) -> Generator:
    """At most so many operations."""
    return Limit(count, generator)


def once(generator: Generator) -> Generator:
    """One operation."""
    return Limit(1, generator)


def repeat(generator: Generator, count: int | None = None) -> Generator:
    """The first operation of a generator again and again, `count` times or for ever: the generator stays as it was."""
    return Repeat(generator, count)


def cycle(generator: Generator, count: int | None = None) -> Generator:
    """A whole generator from its start again when it is exhausted, `count` times or for ever."""
    return Cycle(generator, generator, count)


def process_limit(count: int, generator: Generator) -> Generator:
    """Ends when its threads have run more than so many different processes."""
    return ProcessLimit(count, generator, frozenset())


def until_ok(generator: Generator) -> Generator:
    """Ends when one of its operations succeeded. Others that were under way by then go on."""
    return UntilOk(generator, frozenset())


def concurrency_limit(count: int, generator: Generator) -> Generator:
    """At most so many operations under way at a time."""
    return ConcurrencyLimit(count, generator, frozenset())


class Limit(msgspec.Struct, frozen=True):
    """See `limit`."""

    remaining: int
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Counts what is emitted."""
        step = ask(self.generator, ctx) if self.remaining > 0 else None
        if step is None:
            return None
        op, rest = step
        return op, Limit(self.remaining if isinstance(op, Pending) else self.remaining - 1, rest)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else Limit(self.remaining, updated)


class Repeat(msgspec.Struct, frozen=True):
    """See `repeat`."""

    generator: Generator
    remaining: int | None

    def op(self, ctx: Context) -> Next:
        """What the generator would emit first; only waiting moves it on."""
        step = ask(self.generator, ctx) if self.remaining is None or self.remaining > 0 else None
        if step is None:
            return None
        op, rest = step
        if isinstance(op, Pending):
            return op, Repeat(rest, self.remaining)
        return op, self if self.remaining is None else Repeat(self.generator, self.remaining - 1)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else Repeat(updated, self.remaining)


class Cycle(msgspec.Struct, frozen=True):
    """See `cycle`; `original` is where it begins again."""

    original: Generator
    current: Generator
    remaining: int | None

    def op(self, ctx: Context) -> Next:
        """Goes on with the current round; begins the next when that is exhausted."""
        if self.remaining == 0:
            return None
        step = ask(self.current, ctx)
        if step is not None:
            return step[0], Cycle(self.original, step[1], self.remaining)
        remaining = None if self.remaining is None else self.remaining - 1
        step = ask(self.original, ctx) if remaining != 0 else None
        return (step[0], Cycle(self.original, step[1], remaining)) if step is not None else None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the current round."""
        updated = tell(self.current, ctx, event)
        return self if updated is self.current else Cycle(self.original, updated, self.remaining)


class ProcessLimit(msgspec.Struct, frozen=True):
    """See `process_limit`; `seen` are the client processes that its threads ran so far."""

    count: int
    generator: Generator
    seen: frozenset[int | str]

    def op(self, ctx: Context) -> Next:
        """Counts all processes that the threads run, busy or not: each could have been used."""
        step = ask(self.generator, ctx)
        if step is None:
            return None
        op, rest = step
        if isinstance(op, Pending):
            return op, ProcessLimit(self.count, rest, self.seen)
        running = {ctx.process(thread) for thread in ctx.threads if isinstance(thread, int)}
        seen = self.seen if running <= self.seen else self.seen | running
        return (op, ProcessLimit(self.count, rest, seen)) if len(seen) <= self.count else None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        updated = tell(self.generator, ctx, event)
        return self if updated is self.generator else ProcessLimit(self.count, updated, self.seen)


class UntilOk(msgspec.Struct, frozen=True):
    """See `until_ok`; `active` are the processes whose operation came from here."""

    generator: Generator
    active: frozenset[int | str]
    done: bool = False

    def op(self, ctx: Context) -> Next:
        """Remembers who works for it."""
        step = ask(self.generator, ctx) if not self.done else None
        if step is None:
            return None
        op, rest = step
        active = self.active if isinstance(op, Pending) else self.active | {op.process}
        return op, UntilOk(rest, active)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Done when one of its own succeeded."""
        updated = tell(self.generator, ctx, event)
        if event.type == "invoke" or event.process not in self.active:
            return self if updated is self.generator else UntilOk(updated, self.active, self.done)
        return UntilOk(updated, self.active - {event.process}, self.done or event.type == "ok")


class ConcurrencyLimit(msgspec.Struct, frozen=True):
    """See `concurrency_limit`; `active` are the processes whose operation came from here."""

    count: int
    generator: Generator
    active: frozenset[int | str]

    def op(self, ctx: Context) -> Next:
        """Pending while enough are under way."""
        if len(self.active) >= self.count:
            return BUSY, self
        step = ask(self.generator, ctx)
        if step is None:
            return None
        op, rest = step
        active = self.active if isinstance(op, Pending) else self.active | {op.process}
        return op, ConcurrencyLimit(self.count, rest, active)

    def update(self, ctx: Context, event: Op) -> Generator:
        """A completion makes room."""
        updated = tell(self.generator, ctx, event)
        ended = event.type != "invoke" and event.process in self.active
        if updated is self.generator and not ended:
            return self
        return ConcurrencyLimit(self.count, updated, self.active - {event.process} if ended else self.active)
