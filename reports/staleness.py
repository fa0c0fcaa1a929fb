"""How stale reads were at each node and during each fault, as a small table under the verdict on staleness.

    stale reads       of  share  versions  ms p99  ms max
    node n1     12   300  4.0 %         3     4.1     9.0

Of the staleness verdict's parts, which have the numbers; those without a read are left out. Nodes come first.

Limits: LINES_MAX rows, the stalest of them; all are in the JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.verdict import Verdict
from reports.text import inert

LINES_MAX: Final = 12
_NAME_MAX: Final = 28
_HEAD: Final = ("stale reads", "", "of", "share", "versions", "ms p99", "ms max")


def staleness_lines(verdict: Verdict) -> list[str]:
    """The table; [] for other verdicts, and where nothing was read anywhere."""
    parts = [part for part in verdict.parts if part.counts.get("reads") and "k_max" in part.counts]
    if verdict.checker != "staleness" or not parts:
        return []
    worst = sorted(parts, key=lambda part: part.counts["stale_reads"] / part.counts["reads"], reverse=True)
    kept = [part for part in parts if part in worst[:LINES_MAX]][:LINES_MAX]
    rows = [_HEAD, *map(_row, kept)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    return [*lines, f"and {len(parts) - len(kept)} less stale, in the JSON"] if len(parts) > len(kept) else lines


def _row(part: Verdict) -> tuple[str, ...]:
    counts, measures = part.counts, part.measures
    times = [f"{measures[name]:.1f}" if name in measures else "" for name in ("delta_ms_p99", "delta_ms_max")]
    return (
        inert(part.checker.partition(": ")[2], _NAME_MAX),
        f"{counts['stale_reads']:,}",
        f"{counts['reads']:,}",
        f"{counts['stale_reads'] / counts['reads']:.1%}".replace("%", " %"),
        f"{counts['k_max'] - 1:,}",
        *times,
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """The name to the left, numbers to the right; what no row has takes no place."""
    cells = [
        cell.ljust(width) if not place else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
