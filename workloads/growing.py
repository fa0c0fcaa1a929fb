"""New elements put into objects that only grow, and reads of whole objects: what the workloads append and set share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.generator import BUSY, Context, Generator, Pending
from harness.op import Op
from harness.protocols import Option
from workloads.keys import RotatingKeys

OPTIONS = (
    Option("keys", 2, "how many keys are in use at a time"),
    Option("ops-per-key", 200, "operations after which a key is replaced by a fresh one"),
    Option("reads", 0.4, "share of reads"),
)
"""Keys live shorter than a register's, since every read returns all that was put in."""


@dataclass(frozen=True, slots=True)
class GrowingOps:
    """Generator of reads, and of operations `f` that put in a new element, over rotating keys.

    Attributes:
        keys: which keys are in use; f: what puts an element in; reads: share of reads; next_element: the next new one.
    """

    keys: RotatingKeys
    f: str
    reads: float
    next_element: int = 1

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """A read, or one more element."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        process = ctx.process(thread)
        key, keys = self.keys.take(ctx.random)
        if ctx.random.random() < self.reads:
            return Op(process=process, time=ctx.time_ns, f="read", key=key), replace(self, keys=keys)
        op = Op(process=process, time=ctx.time_ns, f=self.f, key=key, value=self.next_element)
        return op, replace(self, keys=keys, next_element=self.next_element + 1)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self
