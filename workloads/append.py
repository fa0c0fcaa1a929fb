"""Appends of new elements to lists, and reads of whole lists: the workload that sees the order of everything.

A list that is read shows every append before that read and in which order, so one read tells more than a hundred reads
of a register: what is missing, repeated, reordered, or came from nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkers.objects import AppendOnly
from checkers.protocol import Checker
from harness.generator import Generator, each_thread
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from workloads.growing import OPTIONS, GrowingOps
from workloads.keys import RotatingKeys, final_reads


@dataclass(frozen=True)
class AppendWorkload:
    """See the module docstring."""

    name: str = "append"
    summary: str = "appends to lists and reads of whole lists; judged for what is lost, repeated or reordered"
    operations: frozenset[str] = frozenset({"append", "read"})
    options: tuple[Option, ...] = OPTIONS

    def header(self, plan: Plan) -> Header:
        """A list that starts empty, and reads as null until the first append."""
        return Header(splitbrain=1, model="list", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Appends and reads."""
        keys = RotatingKeys.of(int(plan.options["keys"]), int(plan.options["ops-per-key"]))
        return GrowingOps(keys, "append", float(plan.options["reads"]))

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Every list, read once by every worker."""
        return each_thread(final_reads(events, fs=("append",)))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """What was appended stays, once, in one order."""
        return (AppendOnly(),)


WORKLOAD = AppendWorkload()
