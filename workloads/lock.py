"""Workers that take locks and give them back: the workload for mutual exclusion and fencing tokens.

A worker that holds a lock mostly releases it next. Now and then somebody tries to release it with a token of the past,
as a client does that slept through the loss of its lock; that must be refused.

A lock whose holder is in doubt, after an acquire or a release that got no answer, may stay held for good, as locks do
not time out: it is replaced by a fresh one. So is a lock whose holder is a process that is used no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checkers.objects import FencedLock
from checkers.protocol import Checker
from harness.generator import BUSY, Context, Generator, Pending, each_thread
from harness.history import Header
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.keys import keys_of


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one lock in use: its holder and token, tokens that are of the past, operations left."""

    key: str
    left: int
    process: int | str | None = None
    token: int = 0
    past: int | None = None


@dataclass(frozen=True, slots=True)
class LockOps:
    """Generator of acquires and releases.

    Attributes:
        locks: those in use; limit: operations that a fresh one gets; made: locks so far.
        intruders: share of releases with a token of the past.
    """

    locks: tuple[Held, ...]
    limit: int
    made: int
    intruders: float

    @classmethod
    def of(cls, count: int, limit: int, intruders: float) -> LockOps:
        """`count` fresh locks."""
        return cls(tuple(Held(f"k{number}", limit) for number in range(count)), limit, count, intruders)

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """An acquire of some lock, or a release: by the holder, or by an intruder."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        process = ctx.process(thread)
        own = [lock for lock in self.locks if lock.process == process]
        share = ctx.random.random()
        lock = own[0] if own and share < 0.7 else self.locks[ctx.random.randrange(len(self.locks))]
        f, value = self._asked(process, lock, share >= 1 - self.intruders)
        op = Op(process=process, time=ctx.time_ns, f=f, key=lock.key, value=value)
        return op, self._with(lock.key, replace(lock, left=lock.left - 1))

    def _asked(self, process: int | str, lock: Held, intrudes: bool) -> tuple[str, str | int]:
        """What the process does with the lock."""
        if intrudes and lock.past is not None:
            return "release", lock.past
        if lock.process == process:
            return "release", lock.token
        return "acquire", str(process)

    def update(self, ctx: Context, event: Op) -> Generator:
        """Remember who holds which lock; let go of one that is used up or whose holder is in doubt."""
        if event.process == NEMESIS or event.type == "invoke":
            return self
        if event.type == "info":
            return self._without(
                [lock for lock in self.locks if event.key == lock.key or event.process == lock.process]
            )
        lock = next((lock for lock in self.locks if lock.key == event.key), None)
        if lock is None or lock.left <= 0:
            return self._without([lock] if lock else [])
        if event.type == "ok" and event.f == "acquire":
            return self._with(lock.key, replace(lock, process=event.process, token=event.value))
        if event.type == "ok" and event.value == lock.token:
            return self._with(lock.key, replace(lock, process=None, past=lock.token))
        return self

    def _without(self, gone: Sequence[Held]) -> LockOps:
        """With fresh locks in place of these."""
        after = self
        for lock in gone:
            after = replace(after._with(lock.key, Held(f"k{after.made}", self.limit)), made=after.made + 1)
        return after

    def _with(self, key: str, changed: Held) -> LockOps:
        return replace(self, locks=tuple(changed if lock.key == key else lock for lock in self.locks))


@dataclass(frozen=True)
class LockWorkload:
    """See the module docstring."""

    name: str = "lock"
    summary: str = "locks taken and given back with fencing tokens; judged for one holder at a time"
    operations: frozenset[str] = frozenset({"acquire", "release"})
    options: tuple[Option, ...] = (
        Option("keys", 3, "how many locks are in use at a time"),
        Option("ops-per-key", 200, "operations after which a lock is replaced by a fresh one"),
        Option("intruders", 0.1, "share of releases with a token of the past"),
    )

    def header(self, plan: Plan) -> Header:
        """A lock that starts free; an acquire returns its token, a release names it."""
        return Header(splitbrain=1, model="lock", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Acquires and releases in turn."""
        options = plan.options
        return LockOps.of(int(options["keys"]), int(options["ops-per-key"]), float(options["intruders"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """One more acquire of every lock by every worker: at most one gets it."""
        return each_thread([Op(f="acquire", key=key, value="final") for key in keys_of(events, ("acquire",))])

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """One holder at a time, with tokens that grow."""
        return (FencedLock(),)


WORKLOAD = LockWorkload()
