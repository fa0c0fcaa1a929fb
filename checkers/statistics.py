"""What the clients met: how operations ended, how long they took, and how long nothing worked. Never a reason to fail.

Counts are per kind of operation: `read-ok`, `read-fail`, `read-info`. Measures, in the units of their names:

    read_ms_p50, read_ms_p95, read_ms_p99     from invocation to completion, of the reads that were ok
    latency_ms_p50, ...                       the same over all kinds
    ok_share                                  of all client operations
    unavailable_s_max, unavailable_s_total    stretches without any ok although clients asked

A stretch without any ok runs from one ok to the next, and from the first invocation to the first ok. Nobody can be
served who does not ask, so a pause in which no operation ran for IDLE_S or more ends a stretch: that is the quiet
period before the final reads. The total adds up stretches of OUTAGE_S or more; `outages` counts them.

Quantiles are nearest-rank: the smallest duration that at least that share of the operations did not exceed.

Limits: durations need times, which foreign histories may lack; then there are counts only.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.protocol import Budget
from harness.history import History, Operations
from harness.history.operations import FAIL, INFO, OK
from harness.verdict import Verdict

IDLE_S: Final = 1.0
OUTAGE_S: Final = 1.0
TOLD_MS: Final = 0.001
"""Latencies below this were counted by hand, not measured: they are kept, and not told."""
QUANTILES: Final = (50, 95, 99)
_ENDS: Final = {OK: "ok", FAIL: "fail", INFO: "info"}

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Statistics:
    """Counts, latencies and outages; measures and judges nothing."""

    name: str = "statistics"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Count and measure."""
        operations = history.operations
        counts, measures = _counts(operations), _latencies(operations)
        ok, total = int(np.count_nonzero(operations.status == OK)), len(operations)
        if total:
            measures["ok_share"] = ok / total
        outages = [(end - start) / 1e9 for start, end in unserved_ns(operations, history)]
        if outages:
            long = [seconds for seconds in outages if seconds >= OUTAGE_S]
            measures["unavailable_s_max"] = max(outages)
            measures["unavailable_s_total"] = math.fsum(long)
            counts["outages"] = len(long)
        return Verdict(self.name, "valid", _summary(ok, total, measures), counts=counts, measures=measures)


def _summary(ok: int, total: int, measures: dict[str, float]) -> str:
    if not total:
        return "There are no client operations."
    text = f"{100 * ok / total:.1f} % of {total:,} operations succeeded"
    if measures.get("latency_ms_p99", 0.0) >= TOLD_MS:
        text += f", half of them within {measures['latency_ms_p50']:.3g} ms, 99 % within"
        text += f" {measures['latency_ms_p99']:.3g} ms"
    if measures.get("unavailable_s_max", 0.0) * 1e3 >= TOLD_MS:
        text += f"; the longest time without any was {measures['unavailable_s_max']:.2f} s"
    return text + "."


def _counts(operations: Operations) -> dict[str, int]:
    found: Counter[tuple[int, int]] = Counter(
        zip(operations.f.tolist(), operations.status.tolist(), strict=True),
    )
    kinds = sorted({f for f, _ in found}, key=lambda f: operations.fs[f])
    return {f"{operations.fs[f]}-{end}": found[f, status] for f in kinds for status, end in _ENDS.items()}


def _latencies(operations: Operations) -> dict[str, float]:
    """Quantiles of the successful operations, per kind and over all."""
    timed = (operations.status == OK) & (operations.invoke_ns >= 0) & (operations.response_ns >= 0)
    lasted = operations.response_ns - operations.invoke_ns
    measures = _quantiles("latency", lasted[timed])
    for f in sorted(set(operations.f[timed].tolist()), key=lambda f: operations.fs[f]):
        measures |= _quantiles(operations.fs[f], lasted[timed & (operations.f == f)])
    return measures


def _quantiles(name: str, lasted: Times) -> dict[str, float]:
    if not len(lasted):
        return {}
    found: Any = np.percentile(lasted, QUANTILES, method="inverted_cdf")
    return {f"{name}_ms_p{q}": int(ns) / 1e6 for q, ns in zip(QUANTILES, found, strict=True)}


def unserved_ns(operations: Operations, history: History) -> list[tuple[int, int]]:
    """(from, until), every stretch without an ok although clients asked, in nanoseconds since the run's start."""
    known = operations.invoke_ns >= 0
    if not known.any():
        return []
    ended = operations.response_ns[known]
    served = np.sort(ended[(operations.status == OK)[known]])
    stretches: list[tuple[int, int]] = []
    for start, end in asked_ns(operations, history):
        inside = served[(served >= start) & (served <= end)]
        edges = [start, *inside.tolist(), end]
        stretches.extend(pairwise(edges))
    return stretches


def asked_ns(operations: Operations, history: History) -> list[tuple[int, int]]:
    """(from, until), the times in which clients asked, in nanoseconds since the run's start."""
    known = operations.invoke_ns >= 0
    if not known.any():
        return []
    last = max((op.time for op in history.events if op.time is not None), default=0)
    ended = np.where(operations.response_ns < 0, last, operations.response_ns)
    return _busy(operations.invoke_ns[known], ended[known])


def _busy(began: Times, ended: Times) -> list[tuple[int, int]]:
    """Times in which clients asked, with pauses shorter than IDLE_S in between."""
    order = np.argsort(began, kind="stable")
    starts, reach = began[order], np.maximum.accumulate(ended[order])
    pauses = np.flatnonzero(starts[1:] - reach[:-1] >= IDLE_S * 1e9)
    first, last = np.concatenate(([0], pauses + 1)), np.concatenate((pauses, [len(starts) - 1]))
    return [(int(starts[i]), int(reach[j])) for i, j in zip(first, last, strict=True)]
