"""Generators that say which threads may do what: some of them, each for itself, so many for this and so many for that.

>>> from harness.generator.simulate import quick
>>> events = quick(clients(each_thread(Op(f="hello"))), concurrency=2)
>>> sorted((op.process, op.f) for op in events if op.type == "invoke")
[(0, 'hello'), (1, 'hello')]
"""

from __future__ import annotations

import msgspec

from harness.errors import SplitbrainError
from harness.generator.choice import Offers
from harness.generator.lift import Next, ask, tell
from harness.generator.protocol import BUSY, Allowed, Context, Generator
from harness.op import NEMESIS, Op

Thread = int | str


def on_threads(allowed: Allowed, generator: Generator) -> Generator:
    """Only these threads: it sees no others, and hears of no others' events."""
    return OnThreads(allowed, generator)


def clients(generator: Generator) -> Generator:
    """Only the client workers."""
    return OnThreads(_is_client, generator)


def nemesis(generator: Generator) -> Generator:
    """Only the nemesis."""
    return OnThreads(_is_nemesis, generator)


def each_thread(generator: Generator) -> Generator:
    """A copy of the generator for each thread."""
    return EachThread(generator, {})


def each_process(generator: Generator) -> Generator:
    """A copy of the generator for each process: a worker whose process was retired begins anew."""
    return EachProcess(generator, {})


def reserve(*parts: int | Generator) -> Generator:
    """`reserve(2, a, 3, b, c)`: the first two workers do `a`, the next three `b`, all the others `c`.

    Raises:
        SplitbrainError: when no generator for the others is given.
    """
    if len(parts) % 2 == 0:
        raise SplitbrainError("`reserve` takes pairs of a number and a generator, then one generator for the others.")
    groups: list[Allowed] = []
    first = 0
    for count in parts[:-1:2]:
        assert isinstance(count, int), count
        groups.append(frozenset(range(first, first + count)))
        first += count
    groups.append(_Others(first))
    return Reserve(tuple(groups), (*parts[1:-1:2], parts[-1]))  # type: ignore[arg-type]  # places alternate


def _is_client(thread: Thread) -> bool:
    return isinstance(thread, int)


def _is_nemesis(thread: Thread) -> bool:
    return thread == NEMESIS


class _Others(msgspec.Struct, frozen=True):
    """Every thread from a number on; comparable, so that its bits are computed once."""

    first: int

    def __call__(self, thread: Thread) -> bool:
        return not isinstance(thread, int) or thread >= self.first


class OnThreads(msgspec.Struct, frozen=True):
    """See `on_threads`."""

    allowed: Allowed
    generator: Generator

    def op(self, ctx: Context) -> Next:
        """Asked with only those threads in sight."""
        step = ask(self.generator, ctx.restrict(self.allowed))
        return None if step is None else (step[0], OnThreads(self.allowed, step[1]))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told of their events."""
        seen = ctx.restrict(self.allowed)
        if not seen.has(ctx.thread(event.process)):
            return self
        generator = self.generator
        after = tell(generator, seen, event)
        return self if after is generator else OnThreads(self.allowed, after)


class EachThread(msgspec.Struct, frozen=True):
    """See `each_thread`; `begun` holds the copies that are no longer as they began."""

    original: Generator
    begun: dict[Thread, Generator]

    def op(self, ctx: Context) -> Next:
        """The soonest of the copies whose threads are free."""
        threads = ctx.threads
        free = [thread for thread in threads if ctx.is_free(thread)]
        offers = Offers(len(free))
        for place, thread in enumerate(free):
            mine = self.begun.get(thread, self.original)
            offers.add(place, mine, ask(mine, ctx.restrict(frozenset((thread,)))))
        chosen = offers.pick(ctx)
        begun = {**self.begun, **dict(zip(free, offers.alternatives, strict=True))}
        if chosen is not None:
            return chosen, EachThread(self.original, begun)
        if any(begun.get(thread, self.original) is not None for thread in threads):
            return BUSY, EachThread(self.original, begun)
        return None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the thread's own copy."""
        thread = ctx.thread(event.process)
        mine = self.begun.get(thread, self.original)
        after = tell(mine, ctx.restrict(frozenset((thread,))), event)
        return self if after is mine else EachThread(self.original, {**self.begun, thread: after})


class EachProcess(msgspec.Struct, frozen=True):
    """See `each_process`; `begun` holds, per thread, the process and what its copy has become."""

    original: Generator
    begun: dict[Thread, tuple[int | str, Generator]]

    def op(self, ctx: Context) -> Next:
        """The soonest of the copies whose threads are free."""
        threads = ctx.threads
        free = [thread for thread in threads if ctx.is_free(thread)]
        offers = Offers(len(free))
        for place, thread in enumerate(free):
            mine = self._of(thread, ctx.process(thread))
            offers.add(place, mine, ask(mine, ctx.restrict(frozenset((thread,)))))
        chosen = offers.pick(ctx)
        moved = zip(free, offers.alternatives, strict=True)
        after = EachProcess(self.original, {**self.begun, **{t: (ctx.process(t), copy) for t, copy in moved}})
        if chosen is not None:
            return chosen, after
        # A process under way may yet end in doubt, and its successor begins anew.
        busy = len(free) < len(threads)
        return (BUSY, after) if busy else None

    def _of(self, thread: Thread, process: int | str) -> Generator:
        owner, copy = self.begun.get(thread, (None, None))
        return copy if owner == process else self.original

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the process' own copy."""
        thread = ctx.thread(event.process)
        mine = self._of(thread, event.process)
        after = tell(mine, ctx.restrict(frozenset((thread,))), event)
        return self if after is mine else EachProcess(self.original, {**self.begun, thread: (event.process, after)})


class Reserve(msgspec.Struct, frozen=True):
    """See `reserve`."""

    groups: tuple[Allowed, ...]
    generators: tuple[Generator, ...]

    def op(self, ctx: Context) -> Next:
        """The soonest of the groups; at the same moment, a larger group is the more likely to be drawn."""
        offers = Offers(len(self.groups))
        for place, (group, generator) in enumerate(zip(self.groups, self.generators, strict=True)):
            seen = ctx.restrict(group)
            offers.add(place, generator, ask(generator, seen), weight=len(seen.threads))
        chosen = offers.pick(ctx)
        return None if chosen is None else (chosen, Reserve(self.groups, tuple(offers.alternatives)))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the group of the thread."""
        thread = ctx.thread(event.process)
        for place, group in enumerate(self.groups):
            seen = ctx.restrict(group)
            if seen.has(thread):
                mine = self.generators[place]
                after = tell(mine, seen, event)
                if after is mine:
                    return self
                return Reserve(self.groups, (*self.generators[:place], after, *self.generators[place + 1 :]))
        return self
