"""Increments and reads of a few counters: the workload for lost and repeated updates.

Every increment is by one and returns the new number, so each number says which increment it was: a repeated number is a
lost increment, a number too high one that was counted twice, as a retry that is not recognized does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checkers.objects import Counter
from checkers.protocol import Checker
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys, final_reads


@dataclass(frozen=True, slots=True)
class CounterOps:
    """Generator of increments and reads over rotating keys.

    Attributes:
        keys: which counters are in use; reads: share of reads.
    """

    keys: RotatingKeys
    reads: float

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """An increment or a read of one of the live counters."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        key, keys = self.keys.take(ctx.random)
        f, value = ("read", None) if ctx.random.random() < self.reads else ("increment", 1)
        op = Op(process=ctx.process(thread), time=ctx.time_ns, f=f, key=key, value=value)
        return op, replace(self, keys=keys)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


@dataclass(frozen=True)
class CounterWorkload:
    """See the module docstring."""

    name: str = "counter"
    summary: str = "increments and reads of counters; judged for lost and repeated increments"
    operations: frozenset[str] = frozenset({"increment", "read"})
    options: tuple[Option, ...] = (
        Option("keys", 2, "how many counters are in use at a time"),
        Option("ops-per-key", 400, "operations after which a counter is replaced by a fresh one"),
        Option("reads", 0.3, "share of reads"),
    )

    def header(self, plan: Plan) -> Header:
        """A counter that starts at zero, which reads as null before the first increment."""
        return Header(splitbrain=1, model="counter", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Mostly increments."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return CounterOps(keys, float(plan.options["reads"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every counter, read once by every worker."""
        return each_thread(final_reads(events, fs=("increment",)))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Counted once each, in an order that agrees with real time."""
        return (Counter(),)


WORKLOAD = CounterWorkload()
