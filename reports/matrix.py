"""The table of promises on the screen: predicted against observed.

    ✓     promised, and no run broke it           3/4   may break, and did in 3 of 4 runs
    ✗ 1/4 promised, and BROKEN in 1 of 4 runs     0/4   may break, and did not in 4 runs
    ?     no run decided it                       ·     not judged in this row

It fits 60 columns. Colour only repeats what the signs say. A broken promise is told again below the table, with what
was promised, what was seen, and the command that shows it once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table as Grid
from rich.text import Text

from harness.matrix.table import STATE_WORDS, Observation, Row, State, Table
from reports.console import screen
from reports.terminal import shown_path
from reports.text import counted, inert

STYLES: Final[dict[State, str]] = {
    "held": "green",
    "broken": "bold red",
    "seen": "yellow",
    "not-seen": "dim",
    "untested": "magenta",
}
LEGEND: Final = "✓ promised, held   ✗ promised, BROKEN   3/4 may break, did in 3 of 4   ? undecided   · not judged"
WIDEST: Final = 120


class Progress:
    """How many of the runs are over, on standard error; silent where nobody looks."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        console = screen(stderr=True)
        columns = (TextColumn("  runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._task = self._bar.add_task("runs", total=total)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def advance(self) -> None:
        """One more is over."""
        self._bar.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def print_table(table: Table, folder: Path | None = None, console: Console | None = None) -> None:
    """Print the table, what it shows of the system's own statements, what is broken, and the sums."""
    console = console or screen()
    width = min(console.width, WIDEST)
    console.print(_grid(table), width=width)
    console.print(Text(LEGEND, "dim"), width=width)
    for line in (*_statements(table), *_broken(table), *_troubles(table), *_summary(table, folder)):
        console.print(line, width=width, soft_wrap=line.no_wrap is False)


def short(guarantee: str) -> str:
    """A guarantee as the head of a narrow column: `read-your-writes` is RYW, `durability` is dur."""
    words = guarantee.split("-")
    return "".join(word[0].upper() for word in words) if len(words) > 1 else guarantee[:3]


def mark(observation: Observation) -> str:
    """What became of a promise, in at most seven characters."""
    count = f"{observation.broken}/{observation.decided}"
    return {
        "held": "✓",
        "broken": f"✗ {count}",
        "seen": count,
        "not-seen": count,
        "untested": "?",
    }[observation.state]


def label(row: Row, table: Table) -> str:
    """What a row is about."""
    return inert(row.cell.name or row.cell.described(table.usual), 200)


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=False)
    grid.add_column("configuration", min_width=18)
    grid.add_column("faults", min_width=9, max_width=16)
    for guarantee in table.guarantees:
        grid.add_column(short(guarantee), justify="right", no_wrap=True, min_width=5)
    for place, row in enumerate(table.rows):
        last_named = bool(row.cell.name) and not _named(table, place + 1)
        cells = [_mark_text(row, guarantee, dry=not table.runs) for guarantee in table.guarantees]
        faults = " ".join(row.cell.faults) or "none"
        grid.add_row(Text(label(row, table)), Text(faults, "dim"), *cells, end_section=last_named)
    return grid


def _named(table: Table, place: int) -> bool:
    return place < len(table.rows) and bool(table.rows[place].cell.name)


def _mark_text(row: Row, guarantee: str, dry: bool) -> Text:
    for one in row.observations:
        if one.guarantee == guarantee:
            if dry:
                return Text("holds", "green") if one.promise.holds else Text("may", "yellow")
            return Text(mark(one), STYLES[one.state])
    return Text("·", "dim")


def _statements(table: Table) -> Iterator[Text]:
    if table.statements:
        yield Text("\nStatements of the pattern, and what was seen", "bold")
    for one in table.statements:
        sign, style = ("✓", "green") if one.shown else ("–", "yellow")
        yield Text.assemble((f"{sign} ", style), inert(one.sentence, 300), "" if one.shown else "  (not shown)")
        yield Text(f"    {inert(one.figures, 600)}", "dim")


def _broken(table: Table) -> Iterator[Text]:
    for row in table.rows:
        for one in row.observations:
            if one.state == "broken":
                yield Text(
                    f"\nBROKEN  {one.guarantee} in {one.broken} of {one.decided} runs: {label(row, table)}", "bold red"
                )
                yield Text(f"  faults    {row.cell.faults_told()}")
                yield Text(f"  promised  {one.promise.reason}")
                yield Text(f"  seen      {inert(one.sentence, 600)}")
                yield _command("  repeat    ", one.repeat)


def _troubles(table: Table) -> Iterator[Text]:
    for row in table.rows:
        undecided = [one.guarantee for one in row.observations if one.state == "untested"]
        if table.runs and (undecided or any(run.kept and run.reason for run in row.runs)):
            yield Text(
                f"\n? {label(row, table)}, faults {row.cell.faults_told()}: {', '.join(undecided)} undecided", "magenta"
            )
            yield from (Text(f"    {inert(trouble, 400)}") for trouble in row.troubles[:3])


def _summary(table: Table, folder: Path | None) -> Iterator[Text]:
    if not table.runs:
        promised = [one.promise.holds for row in table.rows for one in row.observations]
        yield Text(f"\n{len(table.rows)} rows: {sum(promised)} promises hold, {promised.count(False)} may break")
        return
    counts = table.counts()
    line = Text("\n")
    for state, words in STATE_WORDS.items():
        line.append(f"{words} {counts[state]}", STYLES[state] if counts[state] else "dim")
        line.append("   ")
    line.rstrip()
    yield line
    work = f"{counted(table.runs, 'run')} of {counted(len(table.rows), 'row')}"
    yield Text(f"{work} in {table.seconds:.0f} s with {_processes(table.jobs)}", "dim")
    if folder is not None:
        yield _command("report  ", shown_path(folder / "matrix.html"))
    yield _command("repeat  ", table.command)


def _processes(jobs: int) -> str:
    return "one process" if jobs == 1 else f"{jobs} processes"


def _command(lead: str, text: str) -> Text:
    line = Text.assemble((lead, "dim"), (inert(text, 2000), "cyan"))
    line.no_wrap = False  # for copying: never broken by us
    return line
