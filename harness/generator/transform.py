"""Generators that change, drop or watch what another emits.

>>> from harness.generator.simulate import quick
>>> renamed = f_map({"start": "start-partition"}, Op(f="start"))
>>> quick(renamed, concurrency=1)[0].f
'start-partition'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from harness.errors import SplitbrainError
from harness.generator.lift import Next, ask, tell
from harness.generator.protocol import Context, Generator, Pending
from harness.op import Op


def map_(change: Callable[[Op], Op], generator: Generator) -> Generator:
    """Every operation changed by a pure function."""
    return Map(change, generator)


def filter_(keep: Callable[[Op], bool], generator: Generator) -> Generator:
    """Only the operations that a pure function accepts."""
    return Filter(keep, generator)


def f_map(names: Mapping[str, str], generator: Generator) -> Generator:
    """Operations renamed by `f`; the generator hears of them under the names that it gave."""
    return FMap(dict(names), {new: old for old, new in names.items()}, generator)


def on_update(react: Callable[[Generator, Context, Op], Generator], generator: Generator) -> Generator:
    """A pure function decides what the generator becomes by an event: `react(generator, ctx, event)`."""
    return OnUpdate(react, generator)


def ignore_updates(generator: Generator) -> Generator:
    """Hears of nothing; for a costly generator that does not listen anyway."""
    return IgnoreUpdates(generator)


def trace(label: str, tell_line: Callable[[str], None], generator: Generator) -> Generator:
    """Tells a line for every question and event, for finding out why a generator does what it does."""
    return Trace(label, tell_line, generator)


def validate(generator: Generator) -> Generator:
    """Stops with a sentence when the generator emits what cannot be carried out."""
    return Validate(generator)


class Map(msgspec.Struct, frozen=True):
    """See `map_`."""

    change: Callable[[Op], Op]
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Changed on the way out."""
        step = ask(self.generator, ctx)
        if step is None:
            return None
        answer, rest = step
        return answer if isinstance(answer, Pending) else self.change(answer), Map(self.change, rest)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        after = tell(self.generator, ctx, event)
        return self if after is self.generator else Map(self.change, after)


class Filter(msgspec.Struct, frozen=True):
    """See `filter_`."""

    keep: Callable[[Op], bool]
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Asks on until one is accepted."""
        step = ask(self.generator, ctx)
        while step is not None and isinstance(step[0], Op) and not self.keep(step[0]):
            step = ask(step[1], ctx)
        return None if step is None else (step[0], Filter(self.keep, step[1]))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        after = tell(self.generator, ctx, event)
        return self if after is self.generator else Filter(self.keep, after)


class FMap(msgspec.Struct, frozen=True):
    """See `f_map`."""

    names: dict[str, str]
    back: dict[str, str]
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Renamed on the way out."""
        step = ask(self.generator, ctx)
        if step is None:
            return None
        answer, rest = step
        renamed = answer if isinstance(answer, Pending) else _named(answer, self.names)
        return renamed, FMap(self.names, self.back, rest)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Named as before on the way in."""
        after = tell(self.generator, ctx, _named(event, self.back))
        return self if after is self.generator else FMap(self.names, self.back, after)


def _named(op: Op, names: Mapping[str, str]) -> Op:
    return msgspec.structs.replace(op, f=names[op.f]) if op.f in names else op


class OnUpdate(msgspec.Struct, frozen=True):
    """See `on_update`."""

    react: Callable[[Generator, Context, Op], Generator]
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Asked on."""
        step = ask(self.generator, ctx)
        return None if step is None else (step[0], OnUpdate(self.react, step[1]))

    def update(self, ctx: Context, event: Op) -> Generator:
        """The function decides."""
        after = self.react(self.generator, ctx, event)
        return self if after is self.generator else OnUpdate(self.react, after)


class IgnoreUpdates(msgspec.Struct, frozen=True):
    """See `ignore_updates`."""

    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Asked on."""
        step = ask(self.generator, ctx)
        return None if step is None else (step[0], IgnoreUpdates(step[1]))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Unmoved."""
        return self


class Trace(msgspec.Struct, frozen=True):
    """See `trace`."""

    label: str
    tell_line: Callable[[str], None]
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Tells the answer."""
        step = ask(self.generator, ctx)
        self.tell_line(f"{self.label} at {ctx.time_ns} ns, free {ctx.free}: {'exhausted' if step is None else step[0]}")
        return None if step is None else (step[0], Trace(self.label, self.tell_line, step[1]))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Tells the event."""
        self.tell_line(f"{self.label} at {ctx.time_ns} ns hears {event}")
        return Trace(self.label, self.tell_line, tell(self.generator, ctx, event))


class Validate(msgspec.Struct, frozen=True):
    """See `validate`."""

    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Looks at the operation before it goes out.

        Raises:
            SplitbrainError: naming the operation and what is wrong with it.
        """
        step = ask(self.generator, ctx)
        if step is None:
            return None
        problem = _problem(step[0], ctx) if isinstance(step[0], Op) else ""
        if problem:
            raise SplitbrainError(f"A generator emitted {step[0]}, but {problem}.")
        return step[0], Validate(step[1])

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told on."""
        after = tell(self.generator, ctx, event)
        return self if after is self.generator else Validate(after)


def _problem(op: Op, ctx: Context) -> str:
    if op.time is None or op.time < ctx.time_ns:
        return f"it is {ctx.time_ns} ns now, and nothing can begin in the past"
    if op.type != "invoke":
        return "" if op.type == "info" else "only invocations can be emitted, and `info` events that nobody carries out"
    if op.process == -1:
        return "it has no process"
    thread = ctx.thread(op.process)
    if not ctx.has(thread):
        return f"the threads are {ctx.threads}"
    if ctx.process(thread) != op.process:
        return f"that thread runs the process {ctx.process(thread)} now"
    return "" if ctx.is_free(thread) else "that process is busy"
