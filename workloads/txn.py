"""Transactions of reads and appends over several lists: the workload for atomicity and strict serializability.

Every appended element is new, so a list that is read tells which transactions came before it, in which order, and which
did not: a transaction of which a part shows, or two that each miss what the other did, is proof by a few operations.

With `--writes 0.3` some keys are registers, which tell less: the order of their versions has to be looked for, which a
long run may leave undecided. With `--updates 1` each write of a register reads it before, in the same transaction; then
the reads tell that order, and runs of any length are decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from checkers.protocol import Checker
from checkers.transactions import Transactions
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys


@dataclass(frozen=True, slots=True)
class TxnOps:
    """Generator of transactions over rotating keys.

    Attributes:
        keys: which lists are in use; steps: micro-operations in a transaction, at most; reads: share of reads.
        writes: of the others, the share of plain writes, to keys of their own; next_value: the next new one.
        updates: of those, the share that reads the key in the step before, which comes on top of `steps`.
    """

    keys: RotatingKeys
    steps: int
    reads: float
    writes: float
    updates: float = 0.0
    next_value: int = 1

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """A transaction of one step to as many as allowed."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        after = self
        steps: list[list[Any]] = []
        for _ in range(1 + ctx.random.randrange(self.steps)):
            more, after = after._step(ctx)
            steps += more
        return Op(process=ctx.process(thread), time=ctx.time_ns, f="txn", value=steps), after

    def _step(self, ctx: Context) -> tuple[list[list[Any]], TxnOps]:
        key, keys = self.keys.take(ctx.random)
        f, name = ("w", f"register-{key}") if ctx.random.random() < self.writes else ("append", key)
        if ctx.random.random() < self.reads:
            return [["r", name, None]], replace(self, keys=keys)
        changed = [[f, name, self.next_value]]
        if f == "w" and self.updates and ctx.random.random() < self.updates:
            changed.insert(0, ["r", name, None])
        return changed, replace(self, keys=keys, next_value=self.next_value + 1)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


@dataclass(frozen=True)
class TxnWorkload:
    """See the module docstring."""

    name: str = "txn"
    summary: str = "transactions of reads and appends on several lists; judged for strict serializability"
    operations: frozenset[str] = frozenset({"txn"})
    options: tuple[Option, ...] = (
        Option("keys", 3, "how many keys are in use at a time"),
        Option("ops-per-key", 100, "steps after which a key is replaced by a fresh one"),
        Option("steps", 4, "steps in a transaction, at most"),
        Option("reads", 0.5, "share of reads"),
        Option("writes", 0.0, "share of steps on registers instead of lists"),
        Option("updates", 0.0, "share of writes to registers that read them before"),
    )

    def header(self, plan: Plan) -> Header:
        """Keys that start empty."""
        return Header(splitbrain=1, model="transactions", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Transactions of several steps."""
        options = plan.options
        keys = RotatingKeys.of(int(options["keys"]), int(options["ops-per-key"]))
        reads, writes, updates = (float(options[name]) for name in ("reads", "writes", "updates"))
        return TxnOps(keys, int(options["steps"]), reads, writes, updates)

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every key that was changed, read once by every worker."""
        changed = {
            step[1]
            for op in events
            if op.process != NEMESIS and op.type == "invoke" and op.f == "txn"
            for step in op.value
            if step[0] != "r"
        }
        ordered = sorted(changed, key=lambda key: (len(key), key))
        return each_thread([Op(f="txn", value=[["r", key, None]]) for key in ordered])

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """One after another, in real time."""
        return (Transactions(),)


WORKLOAD = TxnWorkload()
