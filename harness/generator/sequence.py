"""Generators one after another, with or without waiting for everybody in between.

>>> from harness.generator.simulate import perfect
>>> [(op.type, op.f) for op in perfect(phases(Op(f="write"), Op(f="read")), concurrency=5)]
[('invoke', 'write'), ('ok', 'write'), ('invoke', 'read'), ('ok', 'read')]
"""

from __future__ import annotations

import msgspec

from harness.generator.lift import Concat, Next, ask, tell
from harness.generator.protocol import BUSY, Context, Generator
from harness.op import Op


def concat(*generators: Generator) -> Generator:
    """One after another, as soon as the one before has nothing left to begin: its operations may still be under way."""
    return Concat(generators) if generators else None


def synchronize(generator: Generator) -> Generator:
    """Waits until every thread is free, then goes on as the generator."""
    return Synchronize(generator)


def phases(*generators: Generator) -> Generator:
    """One after another, each when every operation of the one before has ended."""
    return concat(*(synchronize(generator) for generator in generators))


def then(first: Generator, second: Generator) -> Generator:
    """The first, and when every operation of it has ended, the second."""
    return concat(first, synchronize(second))


class Synchronize(msgspec.Struct, frozen=True):
    """See `synchronize`."""

    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Pending until all are free; from then on it is no longer there."""
        return ask(self.generator, ctx) if ctx.all_free() else (BUSY, self)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        after = tell(self.generator, ctx, event)
        return self if after is self.generator else Synchronize(after)
