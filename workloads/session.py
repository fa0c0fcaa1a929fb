"""Sessions that write and read while hopping between nodes: the workload for read-your-writes and monotonic reads.

Every process is a session. It writes new values to a few shared keys (the leader takes them) and reads from whichever
node it hops to: with `--read session` carrying a token, with `--read follower` without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from checkers.durability import Durability
from checkers.extra import Extra
from checkers.protocol import Checker
from checkers.sessions import MonotonicReads, ReadYourWrites, Token
from checkers.staleness import Staleness
from checkers.streaming import StreamingChecker, StreamingSessions
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import RotatingKeys, final_reads

WRITING_VISITS: Final = 0.75
"""Share of visits that begin with a write."""


@dataclass(frozen=True, slots=True)
class SessionOps:
    """Generator of short visits: a session writes, or reads, and at once reads the same key from other nodes.

    What a session guarantee promises is only ever broken while replication lags behind, so the reads of a visit follow
    as closely as the rate allows.

    Attributes:
        keys: which keys are in use; nodes: where reads hop to; next_value: the next new value.
        visitor, key, left: whose visit it is, to which key, and how many of its reads are left.
    """

    keys: RotatingKeys
    nodes: tuple[str, ...]
    next_value: int = 1
    visitor: int | str | None = None
    key: str = ""
    left: int = 0

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """The next read of the visit; or, when that is over or its session is busy, the beginning of another."""
        if self.left and self.visitor is not None and _goes_on(ctx, self.visitor):
            read = Op(process=self.visitor, time=ctx.time_ns, f="read", key=self.key, node=self._node(ctx))
            return read, replace(self, left=self.left - 1)
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        process = ctx.process(thread)
        key, keys = self.keys.take(ctx.random)
        visit = replace(self, keys=keys, visitor=process, key=key, left=1 + ctx.random.randrange(3))
        if ctx.random.random() < WRITING_VISITS:
            write = Op(process=process, time=ctx.time_ns, f="write", key=key, value=self.next_value)
            return write, replace(visit, next_value=self.next_value + 1)
        return Op(process=process, time=ctx.time_ns, f="read", key=key, node=self._node(ctx)), visit

    def _node(self, ctx: Context) -> str:
        return self.nodes[ctx.random.randrange(len(self.nodes))]

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


def _goes_on(ctx: Context, process: int | str) -> bool:
    """Whether a session can go on now: its worker still runs it, and is free."""
    thread = ctx.thread(process)
    return ctx.is_free(thread) and ctx.process(thread) == process


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
        """Visits of two to four operations, of which the first may be a write."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return SessionOps(keys, plan.node_names())

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every key that was written, read by every session from its choice of node."""
        return each_thread(final_reads(events))

    def streaming(self, plan: Plan) -> Sequence[StreamingChecker]:
        """Both session guarantees of the pattern, while it runs."""
        return (StreamingSessions(self.header(plan), ("read-your-writes", "monotonic-reads")),)

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Both session guarantees of the pattern, lost acknowledged writes, tokens, and how stale reads are."""
        # Who reads without a token was promised nothing by one.
        tokens = [Extra(Token())] if plan.options.get("read") == "session" else []
        return (ReadYourWrites(), MonotonicReads(), Durability(), *tokens, Extra(Staleness()))


WORKLOAD = SessionWorkload()
