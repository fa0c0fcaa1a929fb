"""The few operations that show an anomaly, made ready for drawing: in ASCII, in SVG or in words.

Time is real. A long stretch in which none of these operations was under way is drawn short and carries its true length
(`Scale.gaps`), because time that is warped without a mark misleads. A history without times is laid out by the index of
its events, and says so (`Witness.timed`).

    witness = gather(anomaly, history, result.faults, limit=12)
    for step in witness.steps: ...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history import History, Operations
from harness.history.operations import FAIL, NEVER, OK
from harness.result import FaultProof
from harness.verdict import Anomaly
from reports.text import moment_text, operation_text, process_text

GAP_FACTOR = 1.5
"""A pause is drawn short when it is this many times longer than all that happened beside it."""
GAP_SHARE = 0.14
"""The share of the width that a shortened pause keeps."""


@dataclass(frozen=True)
class Scale:
    """Maps moments to 0..1, piece by piece.

    Attributes:
        pieces: (from, to, x from, x to), in order, without holes.
        gaps: those of the pieces that are shortened pauses.
    """

    pieces: tuple[tuple[int, int, float, float], ...]
    gaps: tuple[tuple[int, int, float, float], ...] = ()

    @property
    def start(self) -> int:
        """The first moment."""
        return self.pieces[0][0]

    @property
    def stop(self) -> int:
        """The last moment."""
        return self.pieces[-1][1]

    def position(self, moment: int) -> float:
        """Where a moment lies; clipped to 0..1."""
        for start, stop, left, right in self.pieces:
            if moment <= stop:
                return left if moment <= start else left + (right - left) * (moment - start) / (stop - start)
        return 1.0


@dataclass(frozen=True)
class Step:
    """One operation of the proof.

    Attributes:
        index: of its invocation event; row: its number among the operations.
        status: "ok", "fail", "info" or "running"; start, end: moments; end is None while it may still happen.
        culprit: it gives the anomaly away.
    """

    index: int
    row: int
    process: str
    text: str
    status: str
    start: int
    end: int | None
    culprit: bool
    node: str = ""


@dataclass(frozen=True)
class Band:
    """A fault, clipped to the window. `start` and `stop` are moments; `open` means that it was never lifted."""

    fault: FaultProof
    start: int
    stop: int
    open: bool


@dataclass(frozen=True)
class Witness:
    """What is drawn of an anomaly. `omitted` operations are left out to keep it small."""

    steps: tuple[Step, ...]
    scale: Scale
    bands: tuple[Band, ...]
    timed: bool
    omitted: int = 0

    def moment(self, moment: int) -> str:
        """A moment in words, as exact as this picture needs."""
        if not self.timed:
            return f"event {moment}"
        return moment_text(
            moment, max(1, sum(p[1] - p[0] for p in self.scale.pieces if p not in self.scale.gaps) // 20)
        )


def gather(anomaly: Anomaly, history: History, faults: Sequence[FaultProof], limit: int = 12) -> Witness | None:
    """The drawing of an anomaly, or None when it names no operation of this history."""
    operations = history.operations
    rows = rows_of(operations, anomaly.ops)
    if not rows:
        return None
    culprit_rows = rows_of(operations, () if anomaly.culprit is None else (anomaly.culprit,))
    kept = _shorten(rows, set(culprit_rows), limit)
    timed = has_times(operations)
    steps = tuple(_step(operations, row, row in culprit_rows, timed) for row in kept)
    scale = _scale(steps)
    bands = tuple(_bands(faults, scale)) if timed else ()
    return Witness(steps, scale, bands, timed, len(rows) - len(kept))


def has_times(operations: Operations) -> bool:
    """Whether every invocation has a time, so that a time axis is possible."""
    return len(operations) > 0 and bool((operations.invoke_ns >= 0).all())


def rows_of(operations: Operations, indices: Iterable[int]) -> list[int]:
    """Row numbers of invocation indices, in history order; indices that are no invocation are left out."""
    wanted = np.array(sorted(set(indices)), dtype=np.int64)
    if not len(wanted) or not len(operations):
        return []
    rows = np.searchsorted(operations.invoke, wanted)
    inside = rows < len(operations)
    found = operations.invoke[np.minimum(rows, len(operations) - 1)] == wanted
    return [int(row) for row in rows[inside & found]]


def status_of(operations: Operations, row: int) -> str:
    """ "ok", "fail", "info", or "running" when it never completed."""
    if operations.completion[row] < 0:
        return "running"
    return {OK: "ok", FAIL: "fail"}.get(int(operations.status[row]), "info")


def _shorten(rows: list[int], culprits: set[int], limit: int) -> list[int]:
    """The last operations tell most; the culprit stays in any case."""
    if len(rows) <= limit:
        return rows
    room = max(0, limit - len(culprits))
    others = [row for row in rows if row not in culprits]
    return sorted([*(others[-room:] if room else []), *culprits])


def _step(operations: Operations, row: int, culprit: bool, timed: bool) -> Step:
    status = status_of(operations, row)
    definite = operations.response[row] != NEVER
    start = int(operations.invoke_ns[row] if timed else operations.invoke[row])
    end = int(operations.response_ns[row] if timed else operations.completion[row]) if definite else None
    argument = operations.values[operations.argument[row]]
    result = operations.values[operations.result[row]]
    node = operations.names[operations.node[row]]
    return Step(
        index=int(operations.invoke[row]),
        row=row,
        process=process_text(operations.names[operations.process[row]]),
        text=operation_text(operations.fs[operations.f[row]], argument, result, status),
        status=status,
        start=start,
        end=None if end is None else max(end, start),
        culprit=culprit,
        node="" if node is None else str(node)[:40],
    )


def _scale(steps: Sequence[Step]) -> Scale:
    """Busy stretches in proportion, long pauses short, and a little room around each stretch."""
    busy = _closed(_merged(sorted((step.start, step.start if step.end is None else step.end) for step in steps)))
    margin = max(1, sum(stop - start for start, stop in busy) // 40)
    busy = [(max(0, start - margin // 2), stop + margin // 2) for start, stop in busy]
    if any(step.end is None for step in steps):
        busy[-1] = (busy[-1][0], busy[-1][1] + margin * 4)
    return _laid_out(busy)


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    busy: list[tuple[int, int]] = []
    for start, stop in spans:
        if busy and start <= busy[-1][1]:
            busy[-1] = (busy[-1][0], max(busy[-1][1], stop))
        else:
            busy.append((start, max(stop, start + 1)))
    return busy


def _closed(busy: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches whose pause is too short to be worth a mark; what is shown of a pause is never less than this."""
    total = sum(stop - start for start, stop in busy)
    joined = [busy[0]]
    for start, stop in busy[1:]:
        if start - joined[-1][1] > GAP_FACTOR * total:
            joined.append((start, stop))
        else:
            joined[-1] = (joined[-1][0], stop)
    return joined if len(joined) <= 4 else [(busy[0][0], busy[-1][1])]


def _laid_out(busy: Sequence[tuple[int, int]]) -> Scale:
    gap_share = min(GAP_SHARE, 0.4 / max(1, len(busy) - 1))
    total = sum(stop - start for start, stop in busy)
    room = 1.0 - gap_share * (len(busy) - 1)
    least = 0.08 if len(busy) > 1 else 0.0
    shares = [least + (room - least * len(busy)) * (stop - start) / total for start, stop in busy]
    pieces: list[tuple[int, int, float, float]] = []
    gaps: list[tuple[int, int, float, float]] = []
    x = 0.0
    for (start, stop), share in zip(busy, shares, strict=True):
        if pieces:
            gaps.append((pieces[-1][1], start, x, x + gap_share))
            pieces.append(gaps[-1])
            x += gap_share
        pieces.append((start, stop, x, x + share))
        x += share
    return Scale(tuple(pieces), tuple(gaps))


def _bands(faults: Sequence[FaultProof], scale: Scale) -> Iterable[Band]:
    for fault in faults:
        stop = scale.stop if fault.stop_ns is None else fault.stop_ns
        if fault.start_ns <= scale.stop and stop >= scale.start:
            yield Band(fault, max(fault.start_ns, scale.start), min(stop, scale.stop), fault.stop_ns is None)
