"""The small exact picture of an anomaly as rows of an HTML table with inline SVG: it needs no script, and prints.

Positions are percentages, so the picture fits every width while its words keep their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.history import History
from harness.result import FaultProof
from harness.verdict import Anomaly
from reports.summary import STATUS_WORDS, fault_name
from reports.text import duration_text
from reports.witness import Band, Scale, Step, Witness, gather

STEPS_MAX = 24


@dataclass(frozen=True)
class PictureRow:
    """One operation: where its bar begins and how wide it is, in percent; `open` when it may still be happening."""

    index: int
    process: str
    text: str
    status: str
    meaning: str
    node: str
    culprit: bool
    left: float
    width: float
    open: bool


@dataclass(frozen=True)
class PictureBand:
    """A fault behind the rows."""

    name: str
    kind: str
    left: float
    width: float


@dataclass(frozen=True)
class Picture:
    """What the template draws. `gaps` are shortened pauses: (left, width, true length in words)."""

    rows: tuple[PictureRow, ...]
    bands: tuple[PictureBand, ...]
    gaps: tuple[tuple[float, float, str], ...]
    first: str
    last: str
    omitted: int
    timed: bool


def picture_of(anomaly: Anomaly, history: History | None, faults: Sequence[FaultProof]) -> Picture | None:
    """The picture of an anomaly, or None when it names no operation of the history."""
    witness = gather(anomaly, history, faults, STEPS_MAX) if history else None
    if witness is None:
        return None
    scale = witness.scale
    return Picture(
        rows=tuple(_row(step, scale) for step in witness.steps),
        bands=tuple(_band(band, scale) for band in witness.bands),
        gaps=tuple(_gaps(witness)),
        first=witness.moment(scale.start),
        last=witness.moment(scale.stop),
        omitted=witness.omitted,
        timed=witness.timed,
    )


def _percent(scale: Scale, moment: int) -> float:
    return round(100 * scale.position(moment), 2)


def _row(step: Step, scale: Scale) -> PictureRow:
    left = _percent(scale, step.start)
    right = 100.0 if step.end is None else _percent(scale, step.end)
    return PictureRow(
        index=step.index,
        process=step.process,
        text=step.text,
        status="info" if step.status == "running" else step.status,
        meaning=STATUS_WORDS[step.status],
        node=step.node,
        culprit=step.culprit,
        left=left,
        width=max(0.4, round(right - left, 2)),
        open=step.end is None,
    )


def _band(band: Band, scale: Scale) -> PictureBand:
    left = _percent(scale, band.start)
    width = max(0.4, round(_percent(scale, band.stop) - left, 2))
    return PictureBand(fault_name(band.fault), band.fault.kind, left, width)


def _gaps(witness: Witness) -> Iterator[tuple[float, float, str]]:
    for start, stop, left, right in witness.scale.gaps:
        name = duration_text(stop - start) if witness.timed else f"{stop - start} events"
        yield round(100 * left, 2), round(100 * (right - left), 2), name
