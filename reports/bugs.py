"""What a search for planted bugs came to, as data and as text.

    no-fencing        30/30 found   median 2 runs (1–4)   linearizability on register
      p24 read 160 after p8 had changed 160 into 187; by then 160 was replaced.

Found means: by a violation whose certificate stands. The median is of runs until then; its interval is of 95 %. On the
correct store nothing may be found; how rare a false alarm must then be is told beside it.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from math import inf

import msgspec

from reports.intervals import median_interval, share_below
from reports.text import count_text, counted, inert


class Witness(msgspec.Struct, frozen=True):
    """The smallest proof that was found: in words, how many operations it takes, and the command that shows it."""

    checker: str
    sentence: str
    operations: int
    repeat: str


class BugRow(msgspec.Struct, frozen=True, kw_only=True):
    """One bug's searches.

    Attributes:
        name, safeguard, made_by: as in the registry; workload, setting: where it was searched.
        runs: how many runs each successful search took; given_up: searches that reached their limit.
        limit: the most runs of a search; checkers: how many searches each checker found it in.
        witness: the smallest, if it was found.
    """

    name: str
    safeguard: str
    made_by: str
    workload: str
    setting: str
    runs: tuple[int, ...]
    given_up: int
    limit: int
    checkers: dict[str, int] = msgspec.field(default_factory=dict)
    witness: Witness | None = None


class CorrectRow(msgspec.Struct, frozen=True, kw_only=True):
    """The correct store in one setting: how many runs came to what, and those that must not be."""

    setting: str
    workload: str
    outcomes: dict[str, int]
    alarms: tuple[Witness, ...] = ()


class BugsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole search; `bound`: the rate of false alarms is below it, with 95 % confidence; `version`: the shape's."""

    bugs: tuple[BugRow, ...]
    correct: tuple[CorrectRow, ...]
    searches: int
    seed: int
    bound: float = 1.0
    version: int = 1

    @property
    def missed(self) -> tuple[str, ...]:
        """Bugs that no search found."""
        return tuple(row.name for row in self.bugs if not row.runs)

    @property
    def alarms(self) -> int:
        """Violations of the correct store."""
        return sum(len(row.alarms) for row in self.correct)

    @property
    def clean(self) -> int:
        """Runs of the correct store that were judged valid."""
        return sum(row.outcomes.get("valid", 0) for row in self.correct)

    @property
    def exit_code(self) -> int:
        """0 when all were found and nothing else; 1 otherwise."""
        return 1 if self.missed or self.alarms else 0


def bug_lines(row: BugRow, width: int = 100) -> Iterator[str]:
    """One bug, in two to four lines."""
    searches = len(row.runs) + row.given_up
    if not row.runs:
        yield f"{row.name:<28} NOT FOUND in {counted(searches, 'search', 'searches')} of {row.limit} runs"
        yield from _wrapped(row.safeguard, width)
        return
    median = median_interval([*row.runs, *[inf] * row.given_up])
    told = f"{_runs(median.middle, row)} ({_runs(median.low, row)}–{_runs(median.high, row)})"
    by = ", ".join(name for name, _ in Counter(row.checkers).most_common())
    yield f"{row.name:<28} {len(row.runs)}/{searches} found   runs {told:<12} {by} on {row.workload}"
    if row.witness is not None:
        yield from _wrapped(inert(row.witness.sentence, 400), width)


def correct_lines(report: BugsReport, width: int = 100) -> Iterator[str]:
    """What the correct store came to, and the sum of it all."""
    for row in report.correct:
        yield f"  correct store, {row.setting:<32} {_outcomes(row)}"
        for alarm in row.alarms:
            yield from _wrapped(f"FALSE ALARM or bug: {inert(alarm.sentence, 400)}", width)
            yield f"    {alarm.repeat}"
    if report.correct:
        yield (
            f"{counted(report.alarms, 'violation')} of the correct store in {counted(report.clean, 'clean run')}:"
            f" the true rate is below {share_below(report.bound)} with 95 % confidence"
        )
    found = len(report.bugs) - len(report.missed)
    missed = f"; not found: {', '.join(report.missed)}" if report.missed else ""
    yield f"{found} of {counted(len(report.bugs), 'planted bug')} found{missed}"


def render_bugs_markdown(report: BugsReport) -> str:
    """The whole search as tables for a page or a job's summary."""
    lines = [
        "| bug | mistake | made by | workload | found by | seeds to find it | operations of the witness |",
        "|---|---|---|---|---|---|---|",
        *map(_markdown_row, report.bugs),
    ]
    if report.correct:
        lines += ["", "| correct store, in the setting | workload | runs |", "|---|---|---|"]
        lines += [f"| {row.setting} | {row.workload} | {_outcomes(row)} |" for row in report.correct]
    return "\n".join([*lines, "", *(line for line in correct_lines(report) if not line.startswith(" ")), ""])


def _markdown_row(row: BugRow) -> str:
    median = median_interval([*row.runs, *[inf] * row.given_up])
    low, high = _runs(median.low, row), _runs(median.high, row)
    found = f"{_runs(median.middle, row)} ({low}–{high})"
    if row.given_up:
        found += f", in {len(row.runs)} of {len(row.runs) + row.given_up} searches"
    by = ", ".join(name for name, _ in Counter(row.checkers).most_common()) or "none"
    size = "–" if row.witness is None else str(row.witness.operations)
    cells = (f"`{row.name}`", row.safeguard, row.made_by, row.workload, by, found, size)
    return "| " + " | ".join(inert(cell, 400).replace("|", "\\|") for cell in cells) + " |"


def _outcomes(row: CorrectRow) -> str:
    return ", ".join(f"{count_text(number)} {outcome}" for outcome, number in sorted(row.outcomes.items()))


def _runs(number: float, row: BugRow) -> str:
    return f">{row.limit}" if number == inf else f"{number:g}"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
