"""Adds of new elements to sets, and reads of whole sets: the workload that counts what is lost and what is stale.

Every element that was acknowledged must be in every read that begins later. An element missing from a read and back in
the next one was read stale; one that stays away is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkers.objects import SetFull
from checkers.protocol import Checker
from harness.generator import Generator, each_thread
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.growing import OPTIONS, GrowingOps
from workloads.keys import RotatingKeys, final_reads


@dataclass(frozen=True)
class SetWorkload:
    """See the module docstring."""

    name: str = "set"
    summary: str = "adds to sets and reads of whole sets; judged for what is lost or read stale"
    operations: frozenset[str] = frozenset({"add", "read"})
    options: tuple[Option, ...] = OPTIONS

    def header(self, plan: Plan) -> Header:
        """A set that starts empty, and reads as null until the first add."""
        return Header(splitbrain=1, model="set", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Adds and reads."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return GrowingOps(keys, "add", float(plan.options["reads"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every set, read once by every worker."""
        return each_thread(final_reads(events, fs=("add",)))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """What was added stays."""
        return (SetFull(),)


WORKLOAD = SetWorkload()
