"""Which of the ready callbacks runs next.

asyncio runs them first in, first out, and so does the loop by itself (`fifo`: a plain deque). Real clusters do not:
what becomes ready at the same time on several machines runs in any order. Two other queues look like that deque to the
loop, and choose:

- `RandomQueue` takes any. Callbacks of one owner (a task, a connection) stay in their order, as the program may expect.
- `PctQueue` is the scheduler of Burckhardt et al. (ASPLOS 2010): every owner draws a priority when it is first seen,
  the highest that is ready runs, and at d - 1 steps, drawn beforehand, the one that runs falls below all others. A bug
  that takes d constraints on the order is met in a run of k steps and n owners with a probability of at least
  1 / (n k^(d-1)), whatever the program is.

Replaying a tape is no policy of its own: the choices of both are on the tape (stream "schedule"), 0 stands for first
come, first served, and a tape that ends goes on with it.

Limits: callbacks of the same plain function count as one owner's. Work grows with the callbacks that are ready at once.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol

from harness.simulation.handles import Due
from harness.simulation.world import World
from harness.streams import Random
from harness.tape import decide

PRIORITIES: Final = 1 << 20
WINDOW: Final = 64
"""No more than so many of the first ready callbacks are chosen from: nothing starves, and the choice costs little."""


class ReadyQueue(Protocol):
    """What the loop needs of its queue; a deque will do."""

    def append(self, due: Due, /) -> None:
        """Is ready now."""

    def extend(self, due: Iterable[Due], /) -> None:
        """All of these are, in this order."""

    def popleft(self) -> Due:
        """Who runs next; there is one."""

    def clear(self) -> None:
        """Nobody does."""

    def __len__(self) -> int: ...


def ready_queue(world: World, random: Random) -> ReadyQueue:
    """The queue of that world's policy."""
    if world.scheduler == "random":
        return RandomQueue(random)
    if world.scheduler == "pct":
        return PctQueue(random, world.pct_depth, world.pct_steps)
    return deque[Due]()


def owner_of(due: Due) -> Any:
    """Whose callback it is."""
    callback = due._callback
    return getattr(callback, "__self__", None) or callback


class RandomQueue:
    """Takes any owner's first."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._due: list[Due] = []

    def append(self, due: Due, /) -> None:
        """See `ReadyQueue`."""
        self._due.append(due)

    def extend(self, due: Iterable[Due], /) -> None:
        """See `ReadyQueue`."""
        self._due.extend(due)

    def popleft(self) -> Due:
        """See `ReadyQueue`."""
        due = self._due
        count = min(len(due), WINDOW)
        if count == 1:
            return due.pop(0)
        place = decide(self._random, "next", count, lambda random: random.randrange(count))
        owner = owner_of(due[place])
        first = next(earlier for earlier in range(place + 1) if owner_of(due[earlier]) is owner)
        return due.pop(first)

    def clear(self) -> None:
        """See `ReadyQueue`."""
        self._due.clear()

    def __len__(self) -> int:
        return len(self._due)


class PctQueue:
    """Takes the owner of the highest priority."""

    def __init__(self, random: Random, depth: int, steps: int) -> None:
        self._random = random
        self._due: list[Due] = []
        self._priorities: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._changes: dict[int, int] = {}
        for number in range(1, depth):
            step = decide(random, "change", steps, lambda random: random.randrange(steps))
            if step:  # 0, the mildest, is no change
                self._changes[step] = -number
        self._step = 0

    def append(self, due: Due, /) -> None:
        """See `ReadyQueue`."""
        self._due.append(due)

    def extend(self, due: Iterable[Due], /) -> None:
        """See `ReadyQueue`."""
        self._due.extend(due)

    def popleft(self) -> Due:
        """See `ReadyQueue`."""
        self._step += 1
        best, highest = 0, -1 << 30
        for place, due in enumerate(self._due[:WINDOW]):
            priority = self._priority(due)
            if priority > highest:
                best, highest = place, priority
        chosen = self._due.pop(best)
        if self._step in self._changes:
            self._set(owner_of(chosen), self._changes[self._step])
        return chosen

    def _priority(self, due: Due) -> int:
        owner = owner_of(due)
        try:
            known = self._priorities.get(owner)
        except TypeError:  # it cannot be referred to weakly; then it has no priority that lasts
            return 0
        if known is None:
            known = (
                PRIORITIES
                - 1
                - decide(self._random, "priority", PRIORITIES, lambda random: random.randrange(PRIORITIES))
            )
            self._set(owner, known)
        return known

    def _set(self, owner: Any, priority: int) -> None:
        try:
            self._priorities[owner] = priority
        except TypeError:
            return

    def clear(self) -> None:
        """See `ReadyQueue`."""
        self._due.clear()

    def __len__(self) -> int:
        return len(self._due)
