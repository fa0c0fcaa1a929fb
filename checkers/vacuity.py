"""Whether a run tested anything: a test in which nothing happened is not a pass.

"unknown", with every reason, when

- some kind of operation was asked for and never once succeeded;
- faults were expected, and none was injected, one is not proven (injection and lifting), or no operation ran while one
  was in force;
- sessions were expected to hop, and no session read a key from another node than the one that took its write, or from
  two different nodes one after another.

Anything else is "valid": that is no praise of the system, only of the test.

Limits: it sees whether something was tested, not how well. What is not a client's or a fault's event is unknown to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from checkers.protocol import Budget
from harness.history import History, Operations
from harness.history.faults import FaultWindow, fault_windows
from harness.history.operations import OK
from harness.verdict import Verdict


@dataclass(frozen=True)
class Vacuity:
    """Whether the run tested anything at all.

    Attributes:
        faults_expected: whether the plan has faults.
        sessions_expected: whether the plan has sessions that hop between nodes.
    """

    faults_expected: bool = False
    sessions_expected: bool = False
    name: str = "vacuity"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge the test, not the system."""
        operations, windows = history.operations, fault_windows(history.fault_events)
        overlapping = _overlapping(history, windows)
        reasons = list(_unsuccessful(operations))
        if self.faults_expected:
            reasons += _untested_faults(windows, overlapping)
        hops = _hops(operations) if self.sessions_expected else (0, 0)
        if self.sessions_expected:
            reasons += _untested_sessions(*hops)
        counts = {
            "faults": len(windows),
            "faults_proven": sum(window.injected_proven and window.lifted_proven for window in windows),
            "operations_during_faults": overlapping,
        }
        if self.sessions_expected:
            counts |= {"reads_after_own_write": hops[0], "reads_after_hop": hops[1]}
        if reasons:
            return Verdict(self.name, "unknown", "Nothing was really tested.", counts=counts, reason=" ".join(reasons))
        return Verdict(self.name, "valid", "The test did what it was meant to do.", counts=counts)


def _unsuccessful(operations: Operations) -> Iterator[str]:
    if not len(operations):
        yield "There are no client operations."
    for f in sorted(set(operations.f.tolist()), key=lambda code: operations.fs[code]):
        asked = operations.f == f
        if not np.any(operations.status[asked] == OK):
            yield f"None of the {np.count_nonzero(asked):,} operations {operations.fs[f]!r} succeeded."


def _overlapping(history: History, windows: Sequence[FaultWindow]) -> int:
    """How many operations ran while some fault may have been in force."""
    operations = history.operations
    end = len(history.events)
    last = np.where(operations.completion < 0, end, operations.completion)
    during = np.zeros(len(operations), dtype=bool)
    for window in windows:
        stop = end if window.stop_index is None else window.stop_index
        during |= (operations.invoke <= stop) & (last >= window.start_index)
    return int(np.count_nonzero(during))


def _untested_faults(windows: Sequence[FaultWindow], overlapping: int) -> Iterator[str]:
    if not windows:
        yield "No fault was injected."
        return
    for verb, unproven in (
        ("took hold", [window.id for window in windows if not window.injected_proven]),
        ("was lifted", [window.id for window in windows if not window.lifted_proven]),
    ):
        if unproven:
            more = f" and {len(unproven) - 1} more" if len(unproven) > 1 else ""
            yield f"It is not proven that the fault {unproven[0]}{more} {verb}."
    if not overlapping:
        yield "No operation ran while a fault was in force."


def _untested_sessions(after_own_write: int, after_hop: int) -> Iterator[str]:
    if not after_own_write:
        yield "No session read what it had written from another node than took the write."
    if not after_hop:
        yield "No session read one key from two different nodes."


def _hops(operations: Operations) -> tuple[int, int]:
    """Reads of a key that the session had written by another node; reads of a key that it had read from another node.

    Where a system does not say which node answered, every read counts as a hop.
    """
    after_write = after_read = 0
    seen: dict[tuple[int, int, bool], int] = {}
    columns = (operations.session, operations.key, operations.f, operations.node)
    for row in np.flatnonzero(operations.status == OK).tolist():
        session, key, f, node = (int(column[row]) for column in columns)
        reads = operations.fs[f] == "read"
        if reads:
            after_write += _other(seen.get((session, key, False)), node)
            after_read += _other(seen.get((session, key, True)), node)
        seen[session, key, reads] = node
    return after_write, after_read


def _other(before: int | None, node: int) -> bool:
    """Whether there was one before, at another node; code 0 is no name."""
    return before is not None and (before != node or node == 0)
