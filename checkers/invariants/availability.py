"""Availability: how much was served, when nothing was, and how long it took to recover from every fault.

Measures, in the units of their names:

    ok_share, ok_share_in_faults     acknowledged, of all client operations, and of those that overlap a fault
    unavailable_s_max, _total        stretches without any ok although clients asked; total: of those from OUTAGE_S on
    failover_s_p50, _max             from the injection of a fault to the first ok of an operation that began after it
    recovery_s_p50, _max             from the lifting of a fault to the first ok of an operation that began after it

Stretches are those of `statistics`. The certificate lists them, and every fault with its failover and recovery (null:
not lifted, or nobody was served after it; times in which nobody asked do not count), with the longest stretch without
any ok that overlaps it, and with its dip: by which share fewer operations per second were ok during the fault than in
as long a time before it, at least DIP_S and at most what there is (null: nothing was ok before).

What is promised is given: `ok_share_min`, `recovery_s_max`, `unavailable_s_max`; without it nothing is broken, whatever
the numbers are. A recovery is held against its promise where no other fault is in force when the fault is lifted, until
the next one begins: it is too slow if clients asked in vain meanwhile for longer than is allowed.

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
from numpy.typing import NDArray

from checkers.invariants.finding import finding
from checkers.objects.calls import calls_of
from checkers.protocol import Budget
from checkers.statistics import OUTAGE_S, asked_ns, unserved_ns
from harness.history import History
from harness.history.faults import FaultWindow, fault_windows
from harness.history.operations import OK, Operations
from harness.verdict import Anomaly, Answer, Verdict

LISTED_MAX: Final = 1000
ANOMALIES_MAX: Final = 100
DIP_S: Final = 1.0
TIMELY: Final = "timely-recovery"
"""The guarantee that a slow recovery breaks."""


@dataclass(frozen=True)
class Availability:
    """What was served, and how soon again after faults.

    Attributes:
        ok_share_min: the least share of operations that must be acknowledged; None: any.
        recovery_s_max: the longest that recovery from a fault may take; None: any.
        unavailable_s_max: the longest stretch without any ok; None: any.
    """

    name: str = "availability"
    ok_share_min: float | None = None
    recovery_s_max: float | None = None
    unavailable_s_max: float | None = None

    def check(self, history: History, budget: Budget) -> Verdict:
        """Measure, and hold to what is promised."""
        operations, windows = history.operations, fault_windows(history.fault_events)
        if not len(operations):
            reason = "there are no client operations"
            return Verdict(self.name, "unknown", "Nobody asked for anything.", reason=reason)
        measures = _shares(operations, windows)
        stretches = unserved_ns(operations, history)
        lengths = (stretches[:, 1] - stretches[:, 0]) / 1e9
        long = lengths >= OUTAGE_S
        if len(lengths):
            measures["unavailable_s_max"] = float(lengths.max())
            measures["unavailable_s_total"] = math.fsum(lengths[long].tolist())
        faults = fault_measures(history, windows)
        for name in ("failover_s", "recovery_s"):
            known = sorted(fault[name] for fault in faults if fault[name] is not None)
            if known:
                measures |= {f"{name}_p50": known[(len(known) - 1) // 2], f"{name}_max": known[-1]}
        outages = (stretches[long] / 1e9).tolist()
        anomalies = [
            *self._too_few(history, operations, measures),
            *self._too_long(stretches),
            *self._too_slow(windows, faults, asked_ns(operations, history)),
        ]
        bounds = [self.ok_share_min, self.recovery_s_max, self.unavailable_s_max]
        counts = {
            "bounds": sum(bound is not None for bound in bounds),
            "faults": len(windows),
            "outages": len(outages),
            "anomalies": len(anomalies),
        }
        certificate = {"outages_s": outages[:LISTED_MAX], "faults": faults[:LISTED_MAX]}
        answer: Answer = "invalid" if anomalies else "valid"
        text = _summary(measures, len(windows))
        return Verdict(
            self.name, answer, text, tuple(anomalies[:ANOMALIES_MAX]), counts, measures, certificate=certificate
        )

    def _too_few(self, history: History, operations: Operations, measures: dict[str, float]) -> list[Anomaly]:
        share = measures["ok_share"]
        if self.ok_share_min is None or share >= self.ok_share_min:
            return []
        culprit = next(call for call in calls_of(history) if not call.ok)
        promised = f"{100 * self.ok_share_min:g} % were promised"
        sentence = f"{100 * share:.1f} % of {len(operations):,} operations succeeded; {promised}."
        return [finding("unavailable", "availability:share", [], culprit, sentence, least=self.ok_share_min)]

    def _too_long(self, stretches: NDArray[np.int64]) -> list[Anomaly]:
        most_s = self.unavailable_s_max
        if most_s is None or not len(stretches):
            return []
        start, end = stretches[np.argmax(stretches[:, 1] - stretches[:, 0])].tolist()
        if (end - start) / 1e9 <= most_s:
            return []
        sentence = (
            f"From {start / 1e9:.2f} s on nothing succeeded for {(end - start) / 1e9:.2f} s, although clients asked; "
            f"at most {most_s:g} s were promised."
        )
        certificate = {"start_ns": start, "stop_ns": end, "most_s": most_s}
        return [_anomaly("long-outage", "availability", sentence, "outage", certificate)]

    def _too_slow(
        self, windows: Sequence[FaultWindow], faults: Sequence[dict[str, Any]], asked: Sequence[tuple[int, int]]
    ) -> list[Anomaly]:
        most_s = self.recovery_s_max
        if most_s is None:
            return []
        found = []
        for window, fault in zip(windows, faults, strict=False):
            calm_ns = _calm_after(window, windows)
            if window.stop_ns is None or calm_ns is None:
                continue
            asked_s = _asked_s(asked, window.stop_ns, min(calm_ns, asked[-1][1]))
            if asked_s <= most_s or (fault["recovery_s"] or math.inf) <= most_s:
                continue
            served = fault["recovery_s"] is not None
            told = f"only {fault['recovery_s']:.2f} s later" if served else f"never, in {asked_s:.2f} s"
            sentence = (
                f"After {window.id} was lifted, the first operation was served {told}; "
                f"at most {most_s:g} s were promised."
            )
            certificate = {"fault": window.id, "most_s": most_s}
            found.append(_anomaly("slow-recovery", TIMELY, sentence, "recovery", certificate))
        return found


def _anomaly(name: str, guarantee: str, sentence: str, rule: str, certificate: dict[str, Any]) -> Anomaly:
    return Anomaly(name, guarantee, sentence, rule=f"availability:{rule}", certificate=certificate)


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


def fault_measures(history: History, windows: Sequence[FaultWindow]) -> list[dict[str, Any]]:
    """Every fault with its times, in seconds, and its dip."""
    operations = history.operations
    spans = unserved_ns(operations, history)
    if not len(spans) or not windows:
        return []
    served = (operations.status == OK) & (operations.invoke_ns >= 0) & (operations.response_ns >= 0)
    begun, ended = operations.invoke_ns[served], operations.response_ns[served]
    successes = np.sort(ended)
    order = np.argsort(begun, kind="stable")
    begun, soonest = begun[order], np.minimum.accumulate(ended[order][::-1])[::-1]

    asked = asked_ns(operations, history)

    def after(moment: int | None) -> float | None:
        if moment is None:
            return None
        place = int(np.searchsorted(begun, moment))
        return _asked_s(asked, moment, int(soonest[place])) if place < len(begun) else None

    return [
        {
            "fault": window.id,
            "kind": window.kind,
            "start_s": window.start_ns / 1e9,
            "stop_s": None if window.stop_ns is None else window.stop_ns / 1e9,
            "failover_s": after(window.start_ns),
            "recovery_s": after(window.stop_ns),
            "unavailable_s": _longest(spans, window),
            "dip": _dip(successes, window.start_ns, history.last_ns if window.stop_ns is None else window.stop_ns),
        }
        for window in windows
    ]


def _calm_after(window: FaultWindow, windows: Sequence[FaultWindow]) -> float | None:
    """Until when no other fault was in force after one was lifted; None where one was when it was lifted."""
    lifted_ns = window.stop_ns
    if lifted_ns is None:
        return None
    others = [one for one in windows if one is not window and (one.stop_ns is None or one.stop_ns > lifted_ns)]
    if any(one.start_ns <= lifted_ns for one in others):
        return None
    return min((one.start_ns for one in others), default=math.inf)


def _asked_s(asked: Sequence[tuple[int, int]], start_ns: int, stop_ns: float) -> float:
    """How long clients asked between two moments, in seconds."""
    return sum(max(0, min(stop_ns, end) - max(start_ns, start)) for start, end in asked) / 1e9


def _longest(spans: NDArray[np.int64], window: FaultWindow) -> float:
    """The longest stretch without an ok that overlaps a fault, in seconds, before and after it included."""
    overlap = spans[:, 1] > window.start_ns
    if window.stop_ns is not None:
        overlap &= spans[:, 0] < window.stop_ns
    lengths = (spans[:, 1] - spans[:, 0])[overlap]
    return int(lengths.max()) / 1e9 if len(lengths) else 0.0


def _dip(successes: Any, start_ns: int, stop_ns: int) -> float | None:
    """By which share fewer operations per second were ok between two moments than before; see the module docstring."""
    before_ns = min(start_ns, max(stop_ns - start_ns, round(DIP_S * 1e9)))
    edges = [start_ns - before_ns, start_ns, stop_ns]
    first, middle, last = (int(place) for place in np.searchsorted(successes, edges))
    if middle == first or stop_ns <= start_ns:
        return None
    before, during = (middle - first) / before_ns, (last - middle) / (stop_ns - start_ns)
    return max(0.0, 1 - during / before)


def _summary(measures: dict[str, float], faults: int) -> str:
    text = f"{100 * measures['ok_share']:.1f} % ok"
    if "ok_share_in_faults" in measures:
        text += f", {100 * measures['ok_share_in_faults']:.1f} % during {faults:,} fault{'' if faults == 1 else 's'}"
    if "unavailable_s_max" in measures:
        text += f"; longest outage {measures['unavailable_s_max']:.2f} s"
    if "recovery_s_max" in measures:
        text += f", slowest recovery {measures['recovery_s_max']:.2f} s"
    return text + "."
