"""What one run showed, in numbers: what statements about a system are judged by.

    measure(history, result).acked_per_s_in_faults

`deposed_acks` counts acknowledged writes that a leader took after a leader of a later generation had acknowledged one:
whoever does that has been deposed and does not know. `deposed_acks_clear` are those of them that were asked for while
no fault was in force, and none had been for SETTLED_S: everybody can reach everybody, and nobody told the old leader.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from harness.history import History
from harness.history.faults import FaultWindow, fault_windows
from harness.op import Op
from harness.result import Result

SETTLED_S: Final = 1.0
"""Long enough for TCP to notice that a partition is over."""
_WRITES: Final = ("write", "cas")


class Figures(msgspec.Struct, frozen=True):
    """Figures of one run, or the middle (counts: the sum) of several.

    Attributes:
        runs: of how many.
        acked: acknowledged writes and compare-and-sets; lost: those of them that the durability checker misses.
        write_ms_p50: median time of a write, from asking to being acknowledged.
        acked_per_s_in_faults, acked_per_s_outside: writes that were asked for and acknowledged within one fault, and
            outside all, per second.
        unavailable_s_max: the longest stretch in which clients asked and nothing was answered with ok.
        deposed_acks, deposed_acks_clear: see the module docstring.
        broken: guarantee → runs that broke it.
    """

    runs: int
    acked: int
    lost: int
    write_ms_p50: float
    acked_per_s_in_faults: float
    acked_per_s_outside: float
    unavailable_s_max: float
    deposed_acks: int
    deposed_acks_clear: int
    broken: dict[str, int]


def measure(history: History, result: Result) -> Figures:
    """The figures of one judged run."""
    writes = _acknowledged(history.events)
    windows = [window for window in fault_windows(history.events) if window.stop_ns is not None]
    measures: dict[str, float] = {}
    lost = 0
    for verdict in result.verdicts:
        measures |= verdict.measures if verdict.checker == "statistics" else {}
        lost += verdict.counts.get("anomalies", 0) if verdict.checker == "durability" else 0
    deposed = _deposed(history.events)
    asked = (op.time or 0 for op in history.events if op.type == "invoke" and op.is_client() and op.f in _WRITES)
    inside, outside = _rates(writes, windows, max(asked, default=0))
    return Figures(
        runs=1,
        acked=len(writes),
        lost=lost,
        write_ms_p50=measures.get("write_ms_p50", 0.0),
        acked_per_s_in_faults=inside,
        acked_per_s_outside=outside,
        unavailable_s_max=measures.get("unavailable_s_max", 0.0),
        deposed_acks=len(deposed),
        deposed_acks_clear=sum(_clear(asked_ns, windows) for asked_ns in deposed),
        broken={verdict.checker: 1 for verdict in result.verdicts if verdict.answer == "invalid"},
    )


def together(figures: Sequence[Figures]) -> Figures:
    """Of several runs of one cell: sums of what is counted, medians of what is measured, the longest outage."""
    broken: dict[str, int] = {}
    for one in figures:
        for guarantee, count in one.broken.items():
            broken[guarantee] = broken.get(guarantee, 0) + count

    def middle(name: str) -> float:
        return float(median(getattr(one, name) for one in figures))

    return Figures(
        runs=sum(one.runs for one in figures),
        acked=sum(one.acked for one in figures),
        lost=sum(one.lost for one in figures),
        write_ms_p50=middle("write_ms_p50"),
        acked_per_s_in_faults=middle("acked_per_s_in_faults"),
        acked_per_s_outside=middle("acked_per_s_outside"),
        unavailable_s_max=max(one.unavailable_s_max for one in figures),
        deposed_acks=sum(one.deposed_acks for one in figures),
        deposed_acks_clear=sum(one.deposed_acks_clear for one in figures),
        broken=dict(sorted(broken.items())),
    )


def _acknowledged(events: Sequence[Op]) -> list[tuple[int, int]]:
    """When each acknowledged write was asked for and answered."""
    asked: dict[int | str, int] = {}
    found = []
    for op in events:
        if not op.is_client() or op.f not in _WRITES:
            continue
        if op.type == "invoke":
            asked[op.process] = op.time or 0
        elif op.type == "ok":
            found.append((asked.get(op.process, op.time or 0), op.time or 0))
    return found


def _rates(writes: Sequence[tuple[int, int]], windows: Sequence[FaultWindow], end_ns: int) -> tuple[float, float]:
    """Acknowledged writes per second: asked and answered within one fault, and clear of all faults.

    Clients stop writing at `end_ns`; what comes after it would only dilute the rates.
    """
    spans = [(one.start_ns, min(one.stop_ns or end_ns, end_ns)) for one in windows if one.start_ns < end_ns]
    inside = sum(any(start <= asked and told <= stop for start, stop in spans) for asked, told in writes)
    clear = sum(all(told < start or asked > stop for start, stop in spans) for asked, told in writes)
    under_s = _covered_ns(spans) / 1e9
    over_s = end_ns / 1e9 - under_s
    return (inside / under_s if under_s > 0 else 0.0, clear / over_s if over_s > 0 else 0.0)


def _covered_ns(spans: Sequence[tuple[int, int]]) -> int:
    """The length of all spans together, where they overlap counted once."""
    total, reach = 0, 0
    for start, stop in sorted(spans):
        total += max(0, stop - max(start, reach))
        reach = max(reach, stop)
    return total


def _clear(asked_ns: int, windows: Sequence[FaultWindow]) -> bool:
    """Whether no fault was in force then, or shortly before."""
    return not any(one.start_ns <= asked_ns <= (one.stop_ns or asked_ns) + SETTLED_S * 1e9 for one in windows)


def _deposed(events: Sequence[Op]) -> list[int]:
    """When each acknowledged write of a deposed leader was asked for."""
    newest = 0
    at_ask: dict[int | str, tuple[int, int]] = {}
    found = []
    for op in events:
        if not op.is_client() or op.f not in _WRITES:
            continue
        if op.type == "invoke":
            at_ask[op.process] = (newest, op.time or 0)
        elif op.type == "ok" and op.version is not None:
            before, asked_ns = at_ask.get(op.process, (0, 0))
            if op.version[0] < before:
                found.append(asked_ns)
            newest = max(newest, op.version[0])
    return found
