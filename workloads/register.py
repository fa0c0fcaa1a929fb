"""Reads, writes and compare-and-sets on independent registers: the workload for linearizability.

Every written value is new by default, which makes the check fast and its witnesses short. Small repeated values
(`--values 5`) exercise what only they can ("a write of the same value is skipped") and are judged by search.

A compare-and-set expects the value last seen by anybody, so that about half of them succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checkers.durability import Durability
from checkers.linearizability import Linearizability
from checkers.protocol import Checker
from checkers.streaming import StreamingChecker, StreamingRegister
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys, final_reads


@dataclass(frozen=True, slots=True)
class RegisterOps:
    """Generator of reads, writes and compare-and-sets over rotating keys.

    Attributes:
        keys: which keys are in use; mix: shares of reads and writes, the rest are compare-and-sets.
        next_value: the next new value; values: draw from 0..values-1 instead, when positive.
        seen: per live key, the value last seen.
    """

    keys: RotatingKeys
    reads: float = 0.5
    writes: float = 0.25
    values: int = 0
    next_value: int = 1
    seen: tuple[tuple[str, int | None], ...] = ()

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """A read, write or compare-and-set of one of the live keys."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        process = ctx.process(thread)
        key, keys = self.keys.take(ctx.random)
        share = ctx.random.random()
        if share < self.reads:
            return Op(process=process, time=ctx.time_ns, f="read", key=key), replace(self, keys=keys)
        new = ctx.random.randrange(self.values) if self.values else self.next_value
        after = replace(self, keys=keys, next_value=self.next_value + 1)
        if share < self.reads + self.writes:
            return Op(process=process, time=ctx.time_ns, f="write", key=key, value=new), after
        old = dict(self.seen).get(key)
        return Op(process=process, time=ctx.time_ns, f="cas", key=key, value=[old, new]), after

    def update(self, ctx: Context, event: Op) -> Generator:
        """Remember the value last seen of a live key."""
        seen = _seen(event)
        if seen is None or event.key not in self.keys.live:
            return self
        others = tuple((key, value) for key, value in self.seen if key != event.key and key in self.keys.live)
        return replace(self, seen=(*others, (event.key, seen[0])))


def _seen(event: Op) -> tuple[int | None] | None:
    """The value that a completion shows its key to hold."""
    if event.process == NEMESIS:
        return None
    if event.type == "ok":
        return (event.value[1] if event.f == "cas" else event.value,)
    if event.type == "fail" and event.error == "mismatch" and len(event.value) == 3:
        return (event.value[2],)
    return None


@dataclass(frozen=True)
class RegisterWorkload:
    """See the module docstring."""

    name: str = "register"
    summary: str = "reads, writes and compare-and-sets on independent registers; judged for linearizability"
    operations: frozenset[str] = frozenset({"read", "write", "cas"})
    options: tuple[Option, ...] = (
        Option("keys", 4, "how many keys are in use at a time"),
        Option("ops-per-key", 400, "operations after which a key is replaced by a fresh one"),
        Option("values", 0, "draw written values from 0..N-1; 0 writes a new value each time"),
        Option("cas", True, "include compare-and-sets"),
    )

    def header(self, plan: Plan) -> Header:
        """A register that starts empty; a failed compare-and-set returns what it saw instead."""
        return Header(splitbrain=1, model="cas-register", fail_cas="returned", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """The mix of a register: half reads, a quarter each of writes and compare-and-sets."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        writes = 0.25 if plan.options["cas"] else 0.5
        return RegisterOps(keys, writes=writes, values=int(plan.options["values"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every key that was written, read once by every worker."""
        return each_thread(final_reads(events))

    def streaming(self, plan: Plan) -> Sequence[StreamingChecker]:
        """Linearizability, while it runs."""
        return (StreamingRegister(self.header(plan)),)

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Linearizability, and by name which acknowledged writes were lost."""
        return (Linearizability(), Durability())


WORKLOAD = RegisterWorkload()
