"""Sessions that write and read while hopping between nodes: the workload for read-your-writes and monotonic reads.

Every process is a session. It writes new values to a few shared keys (the leader takes them) and reads from whichever
node it hops to: with `--read session` carrying a token, with `--read follower` without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checkers.durability import Durability

from checkers.protocol import Checker
from checkers.sessions import MonotonicReads, ReadYourWrites
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys, final_reads


@dataclass(frozen=True, slots=True)
class SessionOps:
    """Generator of writes and of reads from a node drawn each time.

    Attributes:
        keys: which keys are in use; nodes: where reads hop to; reads: their share; next_value: the next new value.
        wrote: the last key that each process wrote, which it likes to read next.
    """

    keys: RotatingKeys
    nodes: tuple[str, ...]
    reads: float = 0.7
    next_value: int = 1
    wrote: tuple[tuple[int | str, str], ...] = ()

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """A read from some node, half of them of the key that the session wrote last; or a write."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        process = ctx.process(thread)
        key, keys = self.keys.take(ctx.random)
        if ctx.random.random() >= self.reads:
            wrote = (*(pair for pair in self.wrote if pair[0] != process), (process, key))[-len(ctx.threads) * 2 :]
            write = Op(process=process, time=ctx.time_ns, f="write", key=key, value=self.next_value)
            return write, replace(self, keys=keys, next_value=self.next_value + 1, wrote=wrote)
        if ctx.random.random() < 0.5:
            key = dict(self.wrote).get(process, key)
        node = self.nodes[ctx.random.randrange(len(self.nodes))]
        return Op(process=process, time=ctx.time_ns, f="read", key=key, node=node), replace(self, keys=keys)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


@dataclass(frozen=True)
class SessionWorkload:
    """See the module docstring."""

    name: str = "session"
    summary: str = "sessions that write and read while hopping between nodes; judged for the session guarantees"
    operations: frozenset[str] = frozenset({"read", "write"})
    options: tuple[Option, ...] = (
        Option("keys", 3, "how many keys are in use at a time"),
        Option("ops-per-key", 400, "operations after which a key is replaced by a fresh one"),
    )

    def header(self, plan: Plan) -> Header:
        """A register that starts empty."""
        return Header(splitbrain=1, model="register", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Seven reads to three writes."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return SessionOps(keys, plan.node_names())

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every key that was written, read by every session from its choice of node."""
        return each_thread(final_reads(events))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Both session guarantees of the pattern, and lost acknowledged writes."""
        return (ReadYourWrites(), MonotonicReads(), Durability())


WORKLOAD = SessionWorkload()
