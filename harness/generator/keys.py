"""One generator for each of many keys: a whole workload on one object becomes a workload on many.

>>> from harness.generator.simulate import quick
>>> work = sequential_keys("xy", lambda key: [Op(f="write", value=1), Op(f="read")])
>>> [(op.f, op.key) for op in quick(work, concurrency=1) if op.type == "invoke"]
[('write', 'x'), ('read', 'x'), ('write', 'y'), ('read', 'y')]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.errors import SplitbrainError
from harness.generator.choice import Offers
from harness.generator.lift import Next, ask, tell
from harness.generator.protocol import BUSY, Context, Generator
from harness.generator.transform import map_
from harness.op import Op


def sequential_keys(keys: Sequence[Any], make: Callable[[Any], Generator]) -> Generator:
    """All threads on the first key until its generator is exhausted, then all on the next. `range` will do for many."""
    return SequentialKeys(keys, make)


def concurrent_keys(threads_per_key: int, keys: Sequence[Any], make: Callable[[Any], Generator]) -> Generator:
    """Groups of so many workers, each on a key of its own; a group whose key is exhausted takes the next one.

    Workers that do not fill a group stay idle.

    Raises:
        SplitbrainError: when first asked, if there are fewer workers than one group needs.
    """
    return ConcurrentKeys(threads_per_key, keys, make)


def _of_key(key: Any, generator: Generator) -> Generator:
    return map_(lambda op: msgspec.structs.replace(op, key=key), generator)


class SequentialKeys(msgspec.Struct, frozen=True):
    """See `sequential_keys`; `current` is what is left for `keys[position]`, once `begun`."""

    keys: Sequence[Any]
    make: Callable[[Any], Generator]
    position: int = 0
    current: Generator = None
    begun: bool = False

    def op(self, ctx: Context) -> Next:
        """Goes on with the current key, then with the next."""
        position, current, begun = self.position, self.current, self.begun
        while position < len(self.keys):
            if not begun:
                current = _of_key(self.keys[position], self.make(self.keys[position]))
            step = ask(current, ctx)
            if step is not None:
                return step[0], SequentialKeys(self.keys, self.make, position, step[1], True)
            position, begun = position + 1, False
        return None

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the current key's."""
        after = tell(self.current, ctx, event)
        if after is self.current:
            return self
        return SequentialKeys(self.keys, self.make, self.position, after, self.begun)


class ConcurrentKeys(msgspec.Struct, frozen=True):
    """See `concurrent_keys`; `groups` holds what is left for each group's key, `taken` how many keys are given out."""

    threads_per_key: int
    keys: Sequence[Any]
    make: Callable[[Any], Generator]
    groups: tuple[Generator, ...] = ()
    taken: int = 0

    def op(self, ctx: Context) -> Next:
        """The soonest of the groups, each given its next key when it has nothing left."""
        groups, taken = list(self.groups) or [None] * self._count(ctx), self.taken
        offers = Offers(len(groups))
        for place, group in enumerate(groups):
            seen = ctx.restrict(self._threads(place))
            before, step = group, ask(group, seen)
            # Its last operations must end before a group moves on, or they would be told to the next key's generator.
            while step is None and taken < len(self.keys) and seen.all_free():
                before = _of_key(self.keys[taken], self.make(self.keys[taken]))
                taken += 1
                step = ask(before, seen)
            if step is None and taken < len(self.keys):
                step = BUSY, None
            offers.add(place, before, step)
        chosen = offers.pick(ctx)
        if chosen is None:
            return None
        return chosen, ConcurrentKeys(self.threads_per_key, self.keys, self.make, tuple(offers.alternatives), taken)

    def _count(self, ctx: Context) -> int:
        workers = sum(isinstance(thread, int) for thread in ctx.threads)
        if workers < self.threads_per_key:
            raise SplitbrainError(
                f"Each key wants {self.threads_per_key} workers, but there are {workers}: raise the concurrency."
            )
        return workers // self.threads_per_key

    def _threads(self, place: int) -> frozenset[int | str]:
        first = place * self.threads_per_key
        return frozenset(range(first, first + self.threads_per_key))

    def update(self, ctx: Context, event: Op) -> Generator:
        """Told to the group of the thread."""
        thread = ctx.thread(event.process)
        place = thread // self.threads_per_key if isinstance(thread, int) else len(self.groups)
        if place >= len(self.groups):
            return self
        mine = self.groups[place]
        after = tell(mine, ctx.restrict(self._threads(place)), event)
        if after is mine:
            return self
        groups = (*self.groups[:place], after, *self.groups[place + 1 :])
        return ConcurrentKeys(self.threads_per_key, self.keys, self.make, groups, self.taken)
