"""Operations as lanes of characters: the small picture under a verdict.

    p4  write 5   ok    ├──────────┤
    p2  read → 3  ok         ├──┤    ← culprit

`├──┤` ended ok; `├──╳` certainly did not happen; `├┄┄▷` may still happen, so its right end is open; `▒` is a fault.
A pause that is drawn short is marked `⋯` and named in the last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reports.summary import fault_name
from reports.text import duration_text
from reports.witness import Band, Scale, Step, Witness

_ASCII: Final = str.maketrans(
    {"→": "->", "—": "-", "–": "-", "…": "~", "←": "<-", "µ": "u", "·": "-", "×": "x", "⋯": "~"}
)


@dataclass(frozen=True)
class Lane:
    """One row: who, what, how it ended (blank for a fault), the drawing, and the mark of the culprit."""

    process: str
    text: str
    status: str
    drawing: str
    culprit: bool = False


@dataclass(frozen=True)
class Signs:
    """The characters that a terminal can show."""

    left: str = "├"
    line: str = "─"
    right: str = "┤"
    doubt: str = "┄"
    open: str = "▷"
    failed: str = "╳"
    point: str = "│"
    fault: str = "▒"
    gap: str = "⋯"


UNICODE: Final = Signs()
PLAIN: Final = Signs("|", "-", "|", "~", ">", "x", "|", "#", "~")


def plain(text: str) -> str:
    """The text for terminals that show ASCII only."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode()


def draw(witness: Witness, width: int, signs: Signs, faults_max: int = 2) -> list[Lane]:
    """The rows of a picture whose drawings are `width` characters wide: operations, then faults, then the time axis."""
    rows = [
        Lane(step.process, step.text, step.status, _bar(step, witness.scale, width, signs), step.culprit)
        for step in witness.steps
    ]
    rows += [_fault_row(band, witness.scale, width, signs) for band in witness.bands[:faults_max]]
    hidden = len(witness.bands) - faults_max
    if hidden > 0:
        rows[-1] = Lane("fault", f"+{hidden} more, {rows[-1].text}", "", rows[-1].drawing)
    return [*rows, Lane("", "", "", _axis(witness, width, signs))]


def _column(scale: Scale, moment: int, width: int) -> int:
    return min(width - 1, max(0, round(scale.position(moment) * (width - 1))))


def _bar(step: Step, scale: Scale, width: int, signs: Signs) -> str:
    left = _column(scale, step.start, width)
    right = width - 1 if step.end is None else _column(scale, step.end, width)
    end = {"ok": signs.right, "fail": signs.failed}.get(step.status, signs.open)
    line = signs.line if step.status in ("ok", "fail") else signs.doubt
    if right == left:
        bar = signs.point if step.status == "ok" else end
    else:
        bar = signs.left + line * (right - left - 1) + end
    return (" " * left + bar).ljust(width)


def _fault_row(band: Band, scale: Scale, width: int, signs: Signs) -> Lane:
    left, right = _column(scale, band.start, width), _column(scale, band.stop, width)
    drawing = (" " * left + signs.fault * max(1, right - left + 1)).ljust(width)[:width]
    return Lane("fault", fault_name(band.fault), "", drawing)


def _axis(witness: Witness, width: int, signs: Signs) -> str:
    """First and last moment at the ends, and each shortened pause named as near to its place as there is room."""
    scale = witness.scale
    cells = [" "] * width
    _write(cells, 0, witness.moment(scale.start))
    last = witness.moment(scale.stop)
    _write(cells, width - len(last), last)
    for start, stop, left, right in scale.gaps:
        name = duration_text(stop - start) if witness.timed else f"{stop - start} events"
        label = f"{signs.gap} {name} {signs.gap}"
        _write(cells, round((left + right) / 2 * (width - 1)) - len(label) // 2, label)
    return "".join(cells)


def _write(cells: list[str], wanted: int, text: str) -> None:
    """As near to `wanted` as nothing stands yet, with a blank on each side; not at all where there is no room."""
    for at in sorted(range(len(cells) - len(text) + 1), key=lambda place: abs(place - wanted)):
        around: Sequence[str] = cells[max(0, at - 1) : at + len(text) + 1]
        if all(cell == " " for cell in around):
            cells[at : at + len(text)] = text
            return
