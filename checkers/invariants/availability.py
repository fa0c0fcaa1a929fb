"""Availability: how much was served, when nothing was, and how long it took to recover from every fault.

Measures, in the units of their names:

    ok_share, ok_share_in_faults     acknowledged, of all client operations, and of those that overlap a fault
    unavailable_s_max, _total        stretches without any ok although clients asked; total: of those from OUTAGE_S on
    failover_s_p50, _max             from the injection of a fault to the first ok of an operation that began after it
    recovery_s_p50, _max             from the lifting of a fault to the first ok of an operation that began after it

Stretches are those of `statistics`. The certificate lists them, and every fault with its failover and recovery; null:
not lifted, or nothing was served after it. What is promised is given: `ok_share_min`, `recovery_s_max`; without it
nothing is broken, whatever the numbers are.

    start-kill ... stop-kill at 3.0 s, read invoked 3.1 s → ok 3.2 s          recovery 0.2 s

Limits: durations need times. A fault that clients do not feel, as it hits a minority, recovers at once. Several faults
at a time are each measured by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checkers.invariants.finding import finding
from checkers.objects.calls import calls_of
from checkers.protocol import Budget
from checkers.statistics import OUTAGE_S, unserved_ns
from harness.history import History
from harness.history.faults import FaultWindow, fault_windows
from harness.history.operations import OK, Operations
from harness.verdict import Anomaly, Verdict

LISTED_MAX: Final = 1000


@dataclass(frozen=True)
class Availability:
    """What was served, and how soon again after faults.

    Attributes:
        ok_share_min: the least share of operations that must be acknowledged; None: any.
        recovery_s_max: the longest that recovery from a fault may take; None: any.
    """

    name: str = "availability"
    ok_share_min: float | None = None
    recovery_s_max: float | None = None

    def check(self, history: History, budget: Budget) -> Verdict:
        """Measure, and hold to what is promised."""
        operations, windows = history.operations, fault_windows(history.events)
        if not len(operations):
            reason = "there are no client operations"
            return Verdict(self.name, "unknown", "Nobody asked for anything.", reason=reason)
        measures = _shares(operations, windows)
        stretches = unserved_ns(operations, history)
        lengths = [(end - start) / 1e9 for start, end in stretches]
        if lengths:
            measures["unavailable_s_max"] = max(lengths)
            measures["unavailable_s_total"] = math.fsum(length for length in lengths if length >= OUTAGE_S)
        faults = _faults(operations, windows) if stretches else []
        for name in ("failover_s", "recovery_s"):
            known = sorted(fault[name] for fault in faults if fault[name] is not None)
            if known:
                measures |= {f"{name}_p50": known[(len(known) - 1) // 2], f"{name}_max": known[-1]}
        outages = [[start / 1e9, end / 1e9] for start, end in stretches if end - start >= OUTAGE_S * 1e9]
        anomalies = [*self._too_few(history, operations, measures), *self._too_slow(windows, faults)]
        counts = {"faults": len(windows), "outages": len(outages), "anomalies": len(anomalies)}
        certificate = {"outages_s": outages[:LISTED_MAX], "faults": faults[:LISTED_MAX]}
        answer = "invalid" if anomalies else "valid"
        text = _summary(measures, len(windows))
        return Verdict(self.name, answer, text, tuple(anomalies), counts, measures, certificate=certificate)  # type: ignore[arg-type]  # one of the three

    def _too_few(self, history: History, operations: Operations, measures: dict[str, float]) -> list[Anomaly]:
        share = measures["ok_share"]
        if self.ok_share_min is None or share >= self.ok_share_min:
            return []
        culprit = next(call for call in calls_of(history) if not call.ok)
        promised = f"{100 * self.ok_share_min:g} % were promised"
        sentence = f"{100 * share:.1f} % of {len(operations):,} operations succeeded; {promised}."
        return [finding("unavailable", "availability:share", [], culprit, sentence, least=self.ok_share_min)]

    def _too_slow(self, windows: Sequence[FaultWindow], faults: Sequence[dict[str, Any]]) -> list[Anomaly]:
        if self.recovery_s_max is None:
            return []
        found = []
        for window, fault in zip(windows, faults, strict=False):
            if window.stop_ns is None or (fault["recovery_s"] or math.inf) <= self.recovery_s_max:
                continue
            took = "never" if fault["recovery_s"] is None else f"only {fault['recovery_s']:.2f} s later"
            sentence = f"After {window.id} was lifted, the first operation was served {took}."
            certificate = {"fault": window.id, "most_s": self.recovery_s_max}
            found.append(
                Anomaly(
                    "slow-recovery", "availability", sentence, rule="availability:recovery", certificate=certificate
                )
            )
        return found


def _shares(operations: Operations, windows: Sequence[FaultWindow]) -> dict[str, float]:
    ok = operations.status == OK
    measures = {"ok_share": float(np.count_nonzero(ok)) / len(operations)}
    inside = np.zeros(len(operations), dtype=bool)
    last = np.iinfo(np.int64).max
    for window in windows:
        stop = last if window.stop_index is None else window.stop_index
        inside |= (operations.invoke <= stop) & (operations.response >= window.start_index)
    if inside.any():
        measures["ok_share_in_faults"] = float(np.count_nonzero(ok & inside)) / int(np.count_nonzero(inside))
    return measures


def _faults(operations: Operations, windows: Sequence[FaultWindow]) -> list[dict[str, Any]]:
    """Every fault with its times, in seconds."""
    served = (operations.status == OK) & (operations.invoke_ns >= 0) & (operations.response_ns >= 0)
    begun, ended = operations.invoke_ns[served], operations.response_ns[served]
    order = np.argsort(begun, kind="stable")
    begun, soonest = begun[order], np.minimum.accumulate(ended[order][::-1])[::-1]

    def after(moment: int | None) -> float | None:
        if moment is None:
            return None
        place = int(np.searchsorted(begun, moment))
        return (int(soonest[place]) - moment) / 1e9 if place < len(begun) else None

    return [
        {
            "fault": window.id,
            "kind": window.kind,
            "start_s": window.start_ns / 1e9,
            "stop_s": None if window.stop_ns is None else window.stop_ns / 1e9,
            "failover_s": after(window.start_ns),
            "recovery_s": after(window.stop_ns),
        }
        for window in windows
    ]


def _summary(measures: dict[str, float], faults: int) -> str:
    text = f"{100 * measures['ok_share']:.1f} % of operations succeeded"
    if "ok_share_in_faults" in measures:
        text += f", {100 * measures['ok_share_in_faults']:.1f} % of those during {faults:,} faults"
    if "unavailable_s_max" in measures:
        text += f"; the longest time without any was {measures['unavailable_s_max']:.2f} s"
    if "recovery_s_max" in measures:
        text += f", the slowest recovery {measures['recovery_s_max']:.2f} s"
    return text + "."
