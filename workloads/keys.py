"""Which keys are in use: a few live ones, each retired after so many operations.

Fresh keys keep each key's history short, so that judging stays cheap however long the run, and every key tells of one
stretch of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.generator import Generator, delay, repeat, until_ok
from harness.op import NEMESIS, Op
from harness.streams import Random

FINAL_TRIES: Final = 6
FINAL_RETRY_S: Final = 0.3
"""An election may begin after the system was found well: a read that failed is tried again while one may last."""


@dataclass(frozen=True, slots=True)
class RotatingKeys:
    """Live keys and how many operations each still has.

    Attributes:
        live: names of the keys in use; left: operations left for each; limit: what a fresh key gets; made: keys so far.
    """

    live: tuple[str, ...]
    left: tuple[int, ...]
    limit: int
    made: int

    @classmethod
    def of(cls, count: int, limit: int) -> RotatingKeys:
        """`count` fresh keys of up to `limit` operations each; lives are staggered so that they do not end at once."""
        live = tuple(f"k{i}" for i in range(count))
        return cls(live, tuple(limit - (limit * i) // (2 * count) for i in range(count)), limit, count)

    def take(self, random: Random) -> tuple[str, RotatingKeys]:
        """A live key to use now, and the keys after that use."""
        i = random.randrange(len(self.live))
        key, left = self.live[i], self.left[i] - 1
        if left > 0:
            return key, RotatingKeys(self.live, (*self.left[:i], left, *self.left[i + 1 :]), self.limit, self.made)
        live = (*self.live[:i], f"k{self.made}", *self.live[i + 1 :])
        return key, RotatingKeys(live, (*self.left[:i], self.limit, *self.left[i + 1 :]), self.limit, self.made + 1)


def final_reads(
    events: Sequence[Op], nodes: Sequence[str | None] = (None,), fs: Collection[str] = ("write", "cas")
) -> Generator:
    """A read of every key that was written, from each of the nodes (None: the client's choice), keys in order.

    Each is tried until it succeeds, FINAL_TRIES times at most.
    """
    reads = (Op(f="read", key=key, node=node) for key in keys_of(events, fs) for node in nodes)
    return [until_ok(delay(FINAL_RETRY_S, repeat(read, FINAL_TRIES))) for read in reads]


def keys_of(events: Sequence[Op], fs: Collection[str]) -> list[Any]:
    """The keys of those operations, in order: k9 before k10."""
    used = {op.key for op in events if op.process != NEMESIS and op.f in fs and op.key is not None}
    return sorted(used, key=lambda key: (len(str(key)), str(key)))
