"""The table of promises as one page: a picture, and behind every square the reason and the command that repeats it.

The picture is one SVG: a row is a configuration under faults, a square is a guarantee. What a square says is also its
shape and its word, not only its colour. Everything is in the page, and no script is needed.

Limits: a table of a thousand rows is drawn as it is, and is long.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from harness.matrix.table import STATE_WORDS, Observation, Row, State, Table
from reports.matrix import label, mark
from reports.text import inert

HERE: Final = Path(__file__).parent / "html"
ROW_PX: Final = 22
HEAD_PX: Final = 120
GROUP_PX: Final = 30
SQUARE_PX: Final = (46, 16)
EDGE_PX: Final = 18
NAME_PX: Final = 256
DIMENSION_PX: Final = 92
FAULT_PX: Final = 23
GUARANTEE_PX: Final = 54
GAP_PX: Final = 22
"""Between the switches, the faults and the promises."""
MARGIN_PX: Final = 84
"""Room for the slanted name of the last column."""
_LEGEND: Final = (
    ("held", "✓", "promised, and no run broke it"),
    ("broken", "✗ 1/4", "promised, and BROKEN in 1 of 4 runs"),
    ("seen", "3/4", "may break, and did in 3 of 4 runs"),
    ("not-seen", "0/4", "may break, and did not"),
    ("untested", "?", "not decided by any run"),
)
_HEADLINES: Final = {
    0: "Every promise was kept.",
    1: "A promise was broken.",
    2: "No promise was broken, but some were not decided.",
    255: "Some runs failed.",
}
_WORDS: Final = {
    0: ("valid", "PROMISES KEPT", "✓"),
    1: ("violation", "PROMISE BROKEN", "✗"),
    2: ("inconclusive", "UNDECIDED", "?"),
}


@dataclass(frozen=True)
class Square:
    """One guarantee of one row in the picture."""

    left: int
    state: State
    text: str
    target: str
    title: str


@dataclass(frozen=True)
class Head:
    """The name of a column, or (`wide`) of several that belong together."""

    left: int
    text: str
    slanted: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Line:
    """One row of the picture: where it lies, what it says, which faults it has, and where nothing is judged."""

    top: int
    name: str
    named: bool
    values: list[tuple[int, str, bool]]
    dots: list[tuple[int, bool]]
    blanks: list[int]
    squares: list[Square]
    target: str


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    title: str
    top: int
    lines: list[Line]


def render_matrix_page(table: Table) -> str:
    """The page as text."""
    style = "\n".join((HERE / "assets" / name).read_text(encoding="utf-8") for name in ("page.css", "matrix.css"))
    outcome, word, glyph = _WORDS.get(table.exit_code, ("harness", "RUNS FAILED", "!"))
    counts = table.counts()
    return _template().render(
        table=table,
        outcome=outcome,
        word=word,
        glyph=glyph,
        headline=_HEADLINES[table.exit_code],
        counts=[(state, STATE_WORDS[state], counts[state]) for state in STATE_WORDS],
        picture=_Picture(table),
        legend=_LEGEND,
        rows=[_details(number, row, table) for number, row in enumerate(table.rows)],
        statements=[(one.shown, inert(one.sentence, 400), inert(one.figures, 1000)) for one in table.statements],
        command=inert(table.command, 2000),
        style=style,
        policy=_policy(style),
    )


class _Picture:
    """Where everything lies, in pixels of the picture's own."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.dimensions = list(table.usual)
        self.kinds = sorted({kind for row in table.rows for kind in row.cell.faults})
        self.switches_left = EDGE_PX + NAME_PX
        self.faults_left = self.switches_left + len(self.dimensions) * DIMENSION_PX + GAP_PX
        self.marks_left = self.faults_left + len(self.kinds) * FAULT_PX + GAP_PX
        self.width = self.marks_left + len(table.guarantees) * GUARANTEE_PX + MARGIN_PX
        self.edge = EDGE_PX
        self.square = SQUARE_PX
        self.row = ROW_PX
        self.head = HEAD_PX
        self.groups = list(self._groups())
        self.height = (self.groups[-1].lines[-1].top if self.groups else HEAD_PX) + ROW_PX + EDGE_PX

    def heads(self) -> list[Head]:
        """The names over the columns. Switches have room to lie flat."""
        found = [Head(self.switches_left + place * DIMENSION_PX, name) for place, name in enumerate(self.dimensions)]
        found += [
            Head(self.faults_left + place * FAULT_PX + 8, kind, slanted=True) for place, kind in enumerate(self.kinds)
        ]
        found += [
            Head(self.marks_left + place * GUARANTEE_PX + 22, name, slanted=True)
            for place, name in enumerate(self.table.guarantees)
        ]
        found += [Head(self.switches_left, "switches (bold: not as usual)", wide=True)]
        found += [Head(self.faults_left - 4, "faults", wide=True)] if self.kinds else []
        return [*found, Head(self.marks_left, "promises", wide=True)]

    def _groups(self) -> Iterator[Group]:
        """The named rows, then the others by the first dimension."""
        groups: dict[str, list[tuple[int, Row]]] = {}
        first = self.dimensions[0] if self.dimensions else ""
        for number, row in enumerate(self.table.rows):
            title = "The system's own statements" if row.cell.name else f"{first} {row.cell.configuration.get(first)}"
            groups.setdefault(title, []).append((number, row))
        top = HEAD_PX
        for title, members in groups.items():
            top += GROUP_PX
            lines = [self._line(number, row, top + place * ROW_PX) for place, (number, row) in enumerate(members)]
            yield Group(inert(title, 100), top, lines)
            top += len(members) * ROW_PX

    def _line(self, number: int, row: Row, top: int) -> Line:
        cell = row.cell
        values = [
            (
                self.switches_left + place * DIMENSION_PX,
                _value(cell.configuration[name]),
                cell.configuration[name] != usual,
            )
            for place, (name, usual) in enumerate(self.table.usual.items())
        ]
        dots = [(self.faults_left + place * FAULT_PX + 6, kind in cell.faults) for place, kind in enumerate(self.kinds)]
        squares = [self._square(number, row, one) for one in row.observations]
        name = inert(cell.name or cell.workload, 100)
        blanks = [
            self.marks_left + place * GUARANTEE_PX + SQUARE_PX[0] // 2
            for place, guarantee in enumerate(self.table.guarantees)
            if guarantee not in cell.promises
        ]
        return Line(top, name, bool(cell.name), values, dots, blanks, squares, f"row-{number}")

    def _square(self, number: int, row: Row, one: Observation) -> Square:
        left = self.marks_left + self.table.guarantees.index(one.guarantee) * GUARANTEE_PX
        title = f"{one.guarantee}: {STATE_WORDS[one.state]} ({one.broken} of {one.decided} runs). {one.promise.reason}"
        return Square(left, one.state, mark(one), f"row-{number}-{one.guarantee}", inert(title, 600))


def _details(number: int, row: Row, table: Table) -> dict[str, Any]:
    return {
        "id": f"row-{number}",
        "name": label(row, table),
        "faults": row.cell.faults_told(),
        "workload": inert(row.cell.workload, 60),
        "observations": [
            {
                "id": f"row-{number}-{one.guarantee}",
                "guarantee": one.guarantee,
                "state": one.state,
                "word": STATE_WORDS[one.state],
                "count": f"{one.broken} of {one.decided} runs",
                "predicted": "holds" if one.promise.holds else "may break",
                "reason": inert(one.promise.reason, 600),
                "sentence": inert(one.sentence, 1000),
                "repeat": inert(one.repeat, 2000),
            }
            for one in row.observations
        ],
        "troubles": [inert(trouble, 600) for trouble in row.troubles[:5]],
    }


def _value(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else inert(str(value), 40)


def _policy(style: str) -> str:
    """Only this style may act; nothing may be loaded or sent, and there is no script."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("matrix.html")
