"""Ids from a counter: every client increments the one counter and takes the number as an id that nobody else has.

Judged for ids that were given out twice, and nothing else: the counter may skip numbers, as it does for a client that
died. `counter` asks for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkers.invariants import UniqueIds
from checkers.protocol import Checker
from harness.generator import BUSY, Context, Generator, Pending
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option

KEY = "ids"


@dataclass(frozen=True, slots=True)
class Increments:
    """Generator of increments of one counter."""

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator]:
        """One more."""
        thread = ctx.free_thread()
        if thread is None:
            return BUSY, self
        return Op(process=ctx.process(thread), time=ctx.time_ns, f="increment", key=KEY, value=1), self

    def update(self, ctx: Context, event: Op) -> Generator:
        """What happened does not matter here."""
        return self


@dataclass(frozen=True)
class IdsWorkload:
    """See the module docstring."""

    name: str = "ids"
    summary: str = "ids from a counter; judged for ids that were given out twice"
    operations: frozenset[str] = frozenset({"increment"})
    options: tuple[Option, ...] = ()

    def header(self, plan: Plan) -> Header:
        """A counter that starts at zero."""
        return Header(splitbrain=1, model="counter", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Nothing but increments."""
        return Increments()

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """None: every id was told when it was given out."""
        return []

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """No id twice."""
        return (UniqueIds(f="increment"),)


WORKLOAD = IdsWorkload()
