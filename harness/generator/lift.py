"""Plain data as generators: what makes `[Op(f="write", value=1), Op(f="read")]` a program.

`lift` turns every form that `protocol.Generator` allows into a `Step`; combinators lift what they are given and what
comes back, so that everybody may write the short form everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from harness.errors import SplitbrainError
from harness.generator.protocol import BUSY, Context, Generator, Pending, Step
from harness.op import Op

Next: TypeAlias = tuple[Op | Pending, Generator] | None
"""What `Step.op` answers."""


def lift(generator: Generator) -> Step | None:
    """The `Step` behind any generator; None stays None.

    Raises:
        SplitbrainError: what was given instead of a generator.
    """
    if generator is None or hasattr(generator, "op"):
        return cast("Step | None", generator)
    if isinstance(generator, Op):
        return Template(generator)
    if callable(generator):
        return Call(generator)
    if isinstance(generator, Sequence) and not isinstance(generator, str | bytes):
        return Concat(generator) if generator else None
    raise SplitbrainError(
        f"A generator was wanted (an Op, a function of the context, a sequence, or None), but {_shortened(generator)} "
        "was found."
    )


def ask(generator: Generator, ctx: Context) -> Next:
    """What any form of generator answers."""
    if type(generator) is Op:
        return emit(generator, ctx)
    op = getattr(generator, "op", None)  # spelled out, not lifted: these two are the hottest lines of a run
    if op is None:
        current = lift(generator)
        return None if current is None else current.op(ctx)
    return op(ctx)  # type: ignore[no-any-return]  # found by name, so of no type


def tell(generator: Generator, ctx: Context, event: Op) -> Generator:
    """What any form of generator becomes by an event; itself when nothing changed."""
    if generator is None or type(generator) is Op:
        return generator  # a template listens to nothing
    update = getattr(generator, "update", None)
    if update is not None:
        return update(ctx, event)  # type: ignore[no-any-return]
    current = lift(generator)
    after = None if current is None else current.update(ctx, event)
    return generator if after is current else after


def emit(template: Op, ctx: Context) -> Next:
    """The operation of a template, for a free thread (for the thread that the template names), or pending."""
    process = template.process
    if template.type == "invoke":
        if process == -1:
            thread = ctx.free_thread()
            if thread is None:
                return BUSY, template
            process = ctx.process(thread)
        elif ctx.process(ctx.thread(process)) != process:
            return None  # that process is retired, so this can never happen
        elif not ctx.is_free(ctx.thread(process)):
            return BUSY, template
    return at(template, process, max(template.time or 0, ctx.time_ns)), None


def at(op: Op, process: int | str, time_ns: int) -> Op:
    """The same operation, by that process at that time."""
    return Op(op.index, time_ns, process, op.type, op.f, op.key, op.value, op.node, op.session, op.version, op.error)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Template(msgspec.Struct, frozen=True):
    """One operation, emitted once; process (of a free thread) and time are filled in where the template has none."""

    template: Op

    def op(self, ctx: Context) -> Next:
        """See `emit`."""
        return emit(self.template, ctx)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Unmoved."""
        return self


class Call(msgspec.Struct, frozen=True):
    """A function of the context, called again each time what it returned is exhausted, until it returns None."""

    function: Callable[[Context], Generator]
    current: Step | None = None

    def op(self, ctx: Context) -> Next:
        """Ask what the function returned last; call it when there is nothing left of that."""
        step = ask(self.current, ctx)
        if step is None:
            made = lift(self.function(ctx))
            step = made.op(ctx) if made is not None else None
            if step is None:
                return None  # a generator that is empty from the start counts as None: this cannot spin
        op, rest = step
        return op, Call(self.function, lift(rest))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to what the function returned last."""
        if self.current is None:
            return self
        updated = self.current.update(ctx, event)
        return self if updated is self.current else Call(self.function, lift(updated))


class Concat(msgspec.Struct, frozen=True):
    """One generator after another, without waiting in between: the next begins when the one before has nothing left."""

    generators: Sequence[Generator]
    position: int = 0
    current: Generator = None
    """What is left of `generators[position]`, once it was touched."""
    touched: bool = False

    def op(self, ctx: Context) -> Next:
        """Ask the current one, go on to the next when it is exhausted."""
        position, current = self.position, self._head()
        while True:
            step = current.op(ctx) if current is not None else None
            if step is not None:
                return step[0], self._rest(position, step[1])
            position += 1
            if position >= len(self.generators):
                return None
            current = lift(self.generators[position])

    def _head(self) -> Step | None:
        return lift(self.current if self.touched else self.generators[self.position])

    def _rest(self, position: int, rest: Generator) -> Generator:
        if rest is not None:
            return Concat(self.generators, position, rest, True)
        return Concat(self.generators, position + 1) if position + 1 < len(self.generators) else None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the current one."""
        head = self._head()
        updated = head.update(ctx, event) if head is not None else None
        return self if updated is head else Concat(self.generators, self.position, updated, True)
