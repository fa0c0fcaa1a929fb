"""Under which circumstances faults struck, in words and as a table, the same in every report; and each fault's figures.

    coverage_lines(result)      [("kill", "leader 3 steady, 1 recovering; follower 4 steady",
                                  "old-leader; leader catching up; follower electing, catching up, recovering")]

A gap is a circumstance that could have come about and did not. A role that was never hit stands alone, without phases.

Example: the end of `splitbrain run --nemesis kill`. Limits: what a role and a phase are is said in
`harness.history.circumstances`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from harness.history.circumstances import PHASES
from harness.result import FaultProof, Result, Struck
from reports.text import count_text, inert

KINDS_MAX: Final = 40
FIGURES: Final = ("first success", "recovery", "longest outage", "dip")
"""What `figures_of` gives, as heads of columns."""


class Line(NamedTuple):
    """One kind of fault: when it struck, and when it never did; "" for nothing."""

    kind: str
    struck: str
    never: str


class Row(NamedTuple):
    """One kind and role: by phase how many, "never", or "" where there can be none."""

    kind: str
    role: str
    cells: tuple[str, ...]


def coverage_lines(result: Result) -> list[Line]:
    """One line for each kind of fault."""
    return [
        Line(
            inert(kind, 24),
            "; ".join(_words(role, cells, struck=True) for role, cells in roles if any(cell.count for cell in cells)),
            "; ".join(
                _words(role, cells, struck=False) for role, cells in roles if not all(cell.count for cell in cells)
            ),
        )
        for kind, roles in _grouped(result.coverage)
    ]


def coverage_rows(result: Result) -> list[Row]:
    """The table, kind by kind and role by role; its columns are PHASES."""
    return [
        Row(inert(kind, 24), inert(role, 24), tuple(_cell(cells, phase) for phase in PHASES))
        for kind, roles in _grouped(result.coverage)
        for role, cells in roles
    ]


def coverage_summary(result: Result) -> str:
    """How many of all circumstances came about."""
    reached = sum(one.count > 0 for one in result.coverage)
    return f"faults struck in {reached} of {len(result.coverage)} circumstances"


def circumstance_of(fault: FaultProof) -> str:
    """Whom it hit, and when: "leader, follower; steady"."""
    roles = ", ".join(dict.fromkeys(inert(role, 20) for role in fault.roles))
    return f"{roles or 'nobody'}; {inert(fault.phase, 20)}" if fault.phase else ""


def figures_of(fault: FaultProof) -> tuple[str, ...]:
    """Its figures, in the order of FIGURES; "–" where there is none."""
    seconds = (fault.first_success_s, fault.recovery_s, fault.unavailable_s)
    dip = "–" if fault.dip is None else f"{100 * fault.dip:.0f} %"
    return (*("–" if one is None else f"{one:.2f} s" for one in seconds), dip)


def _grouped(coverage: Sequence[Struck]) -> list[tuple[str, list[tuple[str, list[Struck]]]]]:
    kinds: dict[str, dict[str, list[Struck]]] = {}
    for one in coverage:
        kinds.setdefault(one.kind, {}).setdefault(one.role, []).append(one)
    return [(kind, list(roles.items())) for kind, roles in kinds.items()][:KINDS_MAX]


def _words(role: str, cells: Iterable[Struck], *, struck: bool) -> str:
    named = list(cells)
    told = [cell for cell in named if bool(cell.count) == struck]
    if not struck:
        phases = [] if len(told) == len(named) else [cell.phase for cell in told]
    else:
        phases = [f"{count_text(cell.count)} {cell.phase}" for cell in told]
    return f"{inert(role, 24)} {', '.join(inert(phase, 40) for phase in phases)}".strip()


def _cell(cells: Iterable[Struck], phase: str) -> str:
    found = [cell.count for cell in cells if cell.phase == phase]
    return "" if not found else count_text(found[0]) if found[0] else "never"
