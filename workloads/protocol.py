"""What a workload is: client operations, what they mean, and who judges them. One file each; all of it pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from checkers.protocol import Checker
from checkers.streaming import StreamingChecker
from harness.generator import Generator
from harness.history import Header
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option


@runtime_checkable
class Streamed(Protocol):
    """What a workload has besides when it can be judged while it runs."""

    def streaming(self, plan: Plan) -> Sequence[StreamingChecker]:
        """Who judges the events as they come; fresh ones for each run."""


class Workload(Protocol):
    """A way to use the system, with the promises that are judged by it."""

    @property
    def name(self) -> str:
        """As registered."""

    @property
    def summary(self) -> str:
        """One line for a list."""

    @property
    def operations(self) -> frozenset[str]:
        """The `f` values that the system's clients must understand."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its switches."""

    def header(self, plan: Plan) -> Header:
        """What the operations mean: goes into the history's first line."""

    def generator(self, plan: Plan) -> Generator:
        """Client operations of the main phase; rate and time limit are the controller's."""

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Reads after everything is healed and quiet, without which a lost update stays invisible."""

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """Who judges the history."""
