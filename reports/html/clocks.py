"""Where each node's clock stood while the run went on, as rows of inline SVG: it needs no script, and prints.

    clocks_of(history, duration_ns)      (ClockRow("n1", "-285 … +42 ms", "0,20 12.5,20 12.6,3.5 ..."), ...)

Offsets are those that faults of clocks measured, before, during and after, of the nodes they hit and of all others; in
between, a line is drawn from one to the next. All rows have one scale, by orders of magnitude, so that 20 ms can be
seen beside 5 s.

Limits: what nobody measured is not known; a clock that strobes is shown where it was when it was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.history import History
from harness.op import NEMESIS
from reports.text import inert

WIDTH, HEIGHT, MIDDLE = 1000.0, 40.0, 20.0
MARGIN: Final = 2.0
FINEST_MS: Final = 1.0
"""Offsets below are drawn as good as none."""
ROWS_MAX, POINTS_MAX = 100, 5_000


@dataclass(frozen=True)
class ClockRow:
    """One node: the range of its offsets in words, and its line as points of an SVG of WIDTH by HEIGHT."""

    node: str
    range: str
    points: str


def clocks_of(history: History, duration_ns: int) -> tuple[ClockRow, ...]:
    """A row for each node whose clock was looked at; none where no clock was."""
    looks: dict[str, list[tuple[int, float]]] = {}
    for at_ns, node, offset_ms in _looks(history):
        looks.setdefault(node, []).append((at_ns, offset_ms))
    if not looks or duration_ns <= 0:
        return ()
    most_ms = max(abs(offset) for found in looks.values() for _, offset in found)
    full = max(_size(most_ms), _size(FINEST_MS * 10))
    return tuple(
        ClockRow(inert(node, 60), _range(found), _points(found[:POINTS_MAX], duration_ns, full))
        for node, found in sorted(looks.items())[:ROWS_MAX]
    )


def _looks(history: History) -> Iterator[tuple[int, str, float]]:
    """When which clock was off by how much, in order of time."""
    began_ns: dict[str, int] = {}
    for op in history.events:
        if op.process != NEMESIS or op.time is None:
            continue
        if op.type == "invoke":
            began_ns[op.f] = op.time
            continue
        shown = op.value.get("clocks_ms") if isinstance(op.value, Mapping) else None
        for node, pair in shown.items() if isinstance(shown, Mapping) else ():
            if _is_pair(pair):
                yield began_ns.get(op.f, op.time), str(node), float(pair[0])
                yield op.time, str(node), float(pair[1])


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, int | float) for one in pair)


def _size(offset_ms: float) -> float:
    """By orders of magnitude; 0 for what is finer than FINEST_MS."""
    return math.log10(max(1.0, abs(offset_ms) / FINEST_MS))


def _points(found: list[tuple[int, float]], duration_ns: int, full: float) -> str:
    ordered = sorted(found, key=lambda look: look[0])
    whole = [(0, 0.0), *ordered, (max(duration_ns, ordered[-1][0]), ordered[-1][1])]
    until = whole[-1][0]
    return " ".join(f"{at * WIDTH / until:.1f},{_height(offset, full):.1f}" for at, offset in whole)


def _height(offset_ms: float, full: float) -> float:
    return MIDDLE - math.copysign(_size(offset_ms) / full * (MIDDLE - MARGIN), offset_ms)


def _range(found: list[tuple[int, float]]) -> str:
    offsets = [offset for _, offset in found]
    low, high = round(min(0.0, *offsets)), round(max(0.0, *offsets))
    return f"{low:+,d} … {high:+,d} ms" if (low, high) != (0, 0) else "right"
