"""A failing run as a shrinker needs it: what was done, which of it the anomaly names, and when each fault took hold.

    failure = failure_of(judged.exact, judged.history.events, judged.anomalies()[0])
    failure.witness, failure.last_s

An anomaly names few operations out of a thousand, and what broke the system happened about then. So the first guesses
of a shrinker need not be blind.

Limits: an anomaly of no operations (a recovery that took too long) leaves nothing to go by but the faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.history.faults import FaultWindow, fault_windows
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.schedule.planned import PlannedFault, PlannedOp
from harness.verdict import Anomaly


@dataclass(frozen=True)
class Failure:
    """One failing run.

    Attributes:
        exact: its plan as lists, as the run carried them out.
        witness: those of its operations that the anomaly names.
        struck_s: when each of its faults took hold, in seconds of the main phase; hit: whom.
        started_ns: when the main phase began; memory: what was drawn when, where the world notes it, as text.
    """

    exact: Plan
    witness: tuple[PlannedOp, ...] = ()
    struck_s: tuple[float, ...] = ()
    hit: tuple[tuple[str, ...], ...] = ()
    started_ns: int = 0
    memory: str = ""

    @property
    def last_s(self) -> float | None:
        """When the last operation of the witness was begun; None when that was in the final phase, or there is none."""
        if not self.witness or any(op.phase == "final" for op in self.witness):
            return None
        return max(op.at_s for op in self.witness)

    def on_time(self) -> Plan:
        """The plan with a time instead of each trigger, and aimed at whom it hit."""
        faults = tuple(
            msgspec.structs.replace(fault, after=None, at_s=at_s, target=",".join(nodes) or fault.target)
            if fault.after is not None
            else fault
            for fault, at_s, nodes in zip(self.exact.faults or (), self.struck_s, self.hit, strict=True)
        )
        return msgspec.structs.replace(self.exact, faults=faults)


def failure_of(exact: Plan, events: Sequence[Op], anomaly: Anomaly) -> Failure:
    """What a run's history says of one of its anomalies."""
    asked = [op.index for op in events if op.type == "invoke" and isinstance(op.process, int)]
    places = {index: place for place, index in enumerate(asked)}
    operations = exact.operations or ()
    windows = {window.id: window for window in fault_windows(events)}
    begun = zip(_begun(events), exact.faults or (), strict=True)
    found = [windows.get(f"{fault.kind}-{place + 1}") for place, fault in begun]
    return Failure(
        exact,
        tuple(operations[places[index]] for index in anomaly.ops if index in places),
        tuple(_struck_s(window, fault) for window, fault in zip(found, exact.faults or (), strict=True)),
        tuple(window.nodes if window is not None else () for window in found),
    )


def _begun(events: Sequence[Op]) -> list[int]:
    """The places, in the list that was carried out, of the faults that were begun: those that the exact plan has."""
    starts = (op for op in events if op.process == NEMESIS and op.f.startswith("start-") and isinstance(op.value, dict))
    return sorted({op.value["planned"] for op in starts if isinstance(op.value.get("planned"), int)})


def _struck_s(window: FaultWindow | None, fault: PlannedFault) -> float:
    return fault.at_s if window is None else window.start_ns / 1e9
