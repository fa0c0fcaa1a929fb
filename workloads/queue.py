"""New elements put into queues and taken out again: the workload for lost and repeated deliveries.

At the end every queue is emptied: an element that was acknowledged and comes out of no dequeue is lost, and only a
queue that says it is empty shows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from checkers.extra import Extra
from checkers.objects import TotalQueue
from checkers.protocol import Checker
from checkers.structures.checker import linearizable_queue
from harness.generator import BUSY, Context, Generator, Pending
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys, keys_of

PATIENCE: Final = 50
"""After so many dequeues in a row that got no answer, emptying a queue is given up."""


@dataclass(frozen=True, slots=True)
class QueueOps:
    """Generator of enqueues of new elements, and of dequeues.

    Attributes:
        keys: which queues are in use; dequeues: share of dequeues; next_element: the next new one.
    """

    keys: RotatingKeys
    dequeues: float
    next_element: int = 1

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """An enqueue or a dequeue at one of the live queues."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        key, keys = self.keys.take(ctx.random)
        process = ctx.process(thread)
        if ctx.random.random() < self.dequeues:
            return Op(process=process, time=ctx.time_ns, f="dequeue", key=key), replace(self, keys=keys)
        op = Op(process=process, time=ctx.time_ns, f="enqueue", key=key, value=self.next_element)
        return op, replace(self, keys=keys, next_element=self.next_element + 1)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


@dataclass(frozen=True, slots=True)
class Drain:
    """Generator of dequeues until every queue has said that it is empty.

    Attributes:
        keys: queues that have not yet; failures: dequeues of the first one that got no answer, in a row.
    """

    keys: tuple[Any, ...]
    failures: int = 0

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator] | None:
        """A dequeue at the first queue that may have something."""
        if not self.keys:
            return None
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        return Op(process=ctx.process(thread), time=ctx.time_ns, f="dequeue", key=self.keys[0]), self

    def update(self, ctx: Context, event: Op) -> Generator:
        """Go on with the next queue when this one is empty, or never answers."""
        if event.type == "invoke" or not self.keys or event.key != self.keys[0]:
            return self
        if event.type == "ok":
            return replace(self, failures=0)
        empty = event.type == "fail" and event.error == "empty"
        if empty or self.failures + 1 == PATIENCE:
            return Drain(self.keys[1:])
        return replace(self, failures=self.failures + 1)


@dataclass(frozen=True)
class QueueWorkload:
    """See the module docstring."""

    name: str = "queue"
    summary: str = "elements put into queues and taken out; judged for what is lost, repeated, invented or overtaken"
    operations: frozenset[str] = frozenset({"enqueue", "dequeue"})
    options: tuple[Option, ...] = (
        Option("keys", 2, "how many queues are in use at a time"),
        Option("ops-per-key", 400, "operations after which a queue is replaced by a fresh one"),
        Option("dequeues", 0.45, "share of dequeues; with fewer than half, queues grow"),
    )

    def header(self, plan: Plan) -> Header:
        """A queue that starts empty."""
        return Header(splitbrain=1, model="queue", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Somewhat more enqueues than dequeues, so that there is something to lose."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return QueueOps(keys, float(plan.options["dequeues"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Dequeues until nothing is left."""
        return Drain(tuple(keys_of(events, ("enqueue",))))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Everything comes out, once; and in the order in which it went in, where no search is needed to say so."""
        return (TotalQueue(), Extra(linearizable_queue()))


WORKLOAD = QueueWorkload()
