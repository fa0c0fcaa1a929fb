"""The last thing on the screen: one word, the proof in at most twelve lines, and what to do next.

    VIOLATION ✗  leader-follower / register   seed 8842   62.0 s   48,211 ops
      linearizability  key 17: no order explains 6 operations
      ...

It fits 60 columns and uses what is there up to 120; the first line never wraps. Colour only repeats what a word and a
sign already say, and without Unicode the same picture is drawn in ASCII.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from harness.errors import SplitbrainError
from harness.history import History
from harness.history.reader import read_history
from harness.result import Result
from harness.verdict import Anomaly, Outcome, Verdict
from reports.ascii_lanes import PLAIN, UNICODE, Lane, draw, plain
from reports.console import screen
from reports.coverage import coverage_lines, coverage_summary
from reports.staleness import staleness_lines
from reports.summary import (
    ANSWER_GLYPHS,
    GLYPHS,
    Finding,
    anomaly_count,
    commands,
    facts,
    fault_name,
    fault_summary,
    findings,
    leading,
    outcomes,
    several,
    summary_of,
    word,
    worst_first,
)
from reports.text import count_text, counted, inert, name_text
from reports.witness import Witness, gather

if TYPE_CHECKING:
    from harness.store import Run

WIDEST: Final = 120
PROOF_LINES: Final = 12
_ROOMY: Final = 76
_KINDS_MAX: Final = 8
_STYLES: Final[dict[Outcome, str]] = {
    "valid": "bold green",
    "violation": "bold red",
    "inconclusive": "bold yellow",
    "vacuous": "bold yellow",
    "infrastructure": "bold magenta",
    "harness": "bold magenta",
}
_STATUS_STYLES: Final = {"ok": "blue", "fail": "magenta", "info": "yellow", "running": "yellow"}
_ANSWER_STYLES: Final = {"valid": "green", "unknown": "yellow", "invalid": "bold red"}
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|[mnu\u00b5]?s)(?!\w))")
"""The blank between a number and its unit."""
_SHORT_STATUS: Final = {"running": "info"}


def print_verdict(
    result: Result,
    run: Run | None = None,
    history_path: Path | None = None,
    console: Console | None = None,
    history: History | None = None,
) -> None:
    """Print the block on standard output; the console's own settings (NO_COLOR, a pipe) decide about colour.

    The history is read only when there is something to draw, and it is not given; one that cannot be read costs the
    picture, not the block.
    """
    console = console or screen()
    if history is None and findings(result):
        history = stored_history(history_path)
    unicode = "utf" in console.encoding.lower()
    block = _Block(result, history, min(console.width, WIDEST), unicode, run.path if run else None)
    for line in block.lines():
        whole = line.no_wrap is False  # a command, for copying; all else is cut by the screen rather than broken
        console.print(line, soft_wrap=whole, no_wrap=True, overflow="ignore" if whole else "crop", crop=not whole)


def shown_path(path: Path) -> str:
    """As the user would type it: from here, when it lies below here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def stored_history(path: Path | None) -> History | None:
    """The history, or None when there is none or it cannot be read: then a report does without the picture."""
    if path is None:
        return None
    try:
        return read_history(path)
    except SplitbrainError:
        return None


def proof_text(finding: Finding, result: Result, history: History | None, width: int = 100) -> str:
    """One anomaly as plain text, at most twelve lines: the sentences and the picture, for JUnit and Markdown."""
    lines = _Block(result, history, width, True, None).proof(finding)
    return textwrap.dedent("\n".join(line.plain.rstrip() for line in lines))


class _Block:
    """Builds the lines; each is one `Text` that fits the width."""

    def __init__(self, result: Result, history: History | None, width: int, unicode: bool, run: Path | None) -> None:
        self.result, self.history, self.run = result, history, run
        self.width, self.unicode = max(40, width), unicode
        self.found = findings(result)

    def lines(self) -> list[Text]:
        """The whole block."""
        return list(self._all_lines())

    def _all_lines(self) -> Iterator[Text]:
        yield self._first_line()
        if self.result.outcome != "violation" or not self.found:
            yield from self._wrapped(inert(self.result.headline, 600), 2)
        if self.result.reason:
            yield from self._wrapped(inert(self.result.reason, 600), 2, "yellow", "why  ")
        if self.result.truncated:
            yield from self._wrapped(inert(self.result.truncated, 300), 2, "yellow", "note  ")
        shown = yield from self._proofs()
        yield from self._further(len(shown))
        yield from self._checkers(shown)
        yield from self._wrapped(f"{outcomes(self.result)}; {fault_summary(self.result)}", 2, "", "run  ")
        if self.result.counts.info + self.result.counts.running and self.result.outcome == "violation":
            yield from self._wrapped("info may or may not have happened", 7, "dim")
        yield from self._coverage()
        yield from self._commands()

    def _coverage(self) -> Iterator[Text]:
        """When faults struck whom, and the gaps; only where faults took part and told."""
        if not self.result.coverage:
            return
        yield from self._wrapped(coverage_summary(self.result), 2, "", "coverage  ")
        lines = coverage_lines(self.result)
        for line in lines[:_KINDS_MAX]:
            never = f"{' · ' if line.struck else ''}never: {line.never}" if line.never else ""
            yield from self._wrapped(f"{line.struck}{never}", 4, "", f"{line.kind}  ", most=3)
        if len(lines) > _KINDS_MAX:
            yield from self._wrapped(f"and {counted(len(lines) - _KINDS_MAX, 'more kind')}, in the report", 4, "dim")

    def _proofs(self) -> Generator[Text, None, list[str]]:
        """The proof of each broken guarantee, as far as twelve lines go; the first is always there."""
        room = PROOF_LINES
        shown: list[str] = []
        for finding in leading(self.found):
            lines = self.proof(finding)
            if shown and len(lines) > room:
                continue
            yield from lines
            room -= len(lines)
            shown.append(finding.verdict.checker)
        return shown

    def _first_line(self) -> Text:
        """Facts are dropped from the right, then the title is cut, so that it never wraps."""
        glyph = GLYPHS[self.result.outcome][0 if self.unicode else 1]
        line = Text.assemble((f"{word(self.result)} {glyph}", _STYLES[self.result.outcome]))
        title, parts = self._words(inert(self.result.title, 120)), facts(self.result)
        while parts and line.cell_len + 2 + len(title) + sum(len(part) + 3 for part in parts) > self.width:
            if len(title) > 24:
                title = self._cut(title, max(24, len(title) - 8))
            else:
                parts.pop()
        line.append("  " + self._cut(title, self.width - line.cell_len - 2), "bold")
        for part in parts:
            line.append("   " + self._words(part), "dim")
        return line

    def proof(self, finding: Finding) -> list[Text]:
        """At most twelve lines: what happened, what was possible before, and the operations as lanes."""
        anomaly = finding.anomaly
        subject = f"key {name_text(anomaly.key)}: " if anomaly.key is not None else ""
        lead = f"{inert(anomaly.guarantee or finding.verdict.checker, 30)}  "
        said = f"{subject}{inert(anomaly.sentence, 1000)}"
        lines = self._wrapped(said, 2, "", lead, "bold red", most=4)
        witness = self._witness(anomaly, PROOF_LINES - len(lines))
        if anomaly.before:
            lines += self._before(anomaly, witness)
        return lines + (self._picture(witness) if witness else [])

    def _witness(self, anomaly: Anomaly, room: int) -> Witness | None:
        if self.history is None:
            return None
        most = room - bool(anomaly.before) - min(2, len(self.result.faults)) - 1  # the last is the time axis
        if len(anomaly.ops) > most:
            most -= 1  # a line says how many are left out
        return gather(anomaly, self.history, self.result.faults, max(2, most))

    def _before(self, anomaly: Anomaly, witness: Witness | None) -> list[Text]:
        when = f"At {witness.moment(witness.steps[0].start)}" if witness else "Before"
        were = "states were" if several(anomaly.before) else "state was"
        said = f"{when} the only possible {were} {inert(anomaly.before, 120)}. Then:"
        return self._wrapped(said, 2, "", most=1)

    def _picture(self, witness: Witness) -> list[Text]:
        mark = self._words("  ← culprit" if self.width >= _ROOMY else " ←")
        names = [*(step.process for step in witness.steps), *("fault" for _ in witness.bands)]
        process_width = min(8, max(cell_len(name) for name in names))
        status_width = max(len(_SHORT_STATUS.get(step.status, step.status)) for step in witness.steps)
        text_room = max(12, self.width // 3)
        longest = max(cell_len(self._words(step.text)) for step in witness.steps)
        for band in witness.bands:  # a fault has no status to leave room for
            longest = max(longest, cell_len(fault_name(band.fault)) - 2 - status_width)
        text_width = min(text_room - 2 - status_width, longest)
        room = self.width - 4 - process_width - 2 - text_width - 2 - status_width - 2 - len(mark)
        rows = draw(witness, max(12, room), UNICODE if self.unicode else PLAIN)
        lines = [self._lane(row, process_width, text_width, status_width, mark) for row in rows]
        if witness.omitted:
            lines.append(Text(f"    and {counted(witness.omitted, 'earlier operation')}, in the report", "dim"))
        return lines

    def _lane(self, row: Lane, process_width: int, text_width: int, status_width: int, mark: str) -> Text:
        status = _SHORT_STATUS.get(row.status, row.status)
        style = _STATUS_STYLES.get(row.status, "dim")
        fault = row.process == "fault"
        text_cells = text_width + 2 + status_width if fault else text_width
        text = self._cell(self._words(row.text), text_cells)
        line = Text("    ")
        line.append(self._cell(self._words(row.process), process_width) + "  ", "dim" if fault else "bold")
        line.append(text + "  ", "dim" if fault else "")
        if not fault:
            line.append(status.ljust(status_width) + "  ", style)
        line.append(self._words(row.drawing) if row.process == "" else row.drawing, style)
        if row.culprit:
            line.append(mark, "bold red")
        line.rstrip()
        return line

    def _further(self, drawn: int) -> Iterator[Text]:
        """How much more was found."""
        total = sum(anomaly_count(verdict) for verdict in self.result.verdicts)
        if total > drawn:
            shown = "the report shows them all" if total == len(self.found) else f"{count_text(len(self.found))} stored"
            more = counted(total - drawn, "more anomaly", "more anomalies")
            yield from self._wrapped(f"and {more}; {shown}", 2, "dim")

    def _checkers(self, shown: Sequence[str]) -> Iterator[Text]:
        """Every checker with its answer, and the number of its anomalies where one is drawn above."""
        for verdict in worst_first(self.result.verdicts):
            if verdict.checker not in shown or verdict.answer != "invalid" or anomaly_count(verdict) > 1:
                yield from self._checker(verdict)
            for line in staleness_lines(verdict):
                yield Text(f"    {self._cut(self._words(line), self.width - 4)}", style="dim")

    def _checker(self, verdict: Verdict) -> Iterable[Text]:
        glyph = ANSWER_GLYPHS[verdict.answer][0 if self.unicode else 1]
        name = f"{glyph} {inert(verdict.checker, 30)}  "
        said = summary_of(verdict) or verdict.answer
        return self._wrapped(said, 2, "", name, _ANSWER_STYLES[verdict.answer], most=2)

    def _commands(self) -> Iterator[Text]:
        rows = commands(self.result, inert(shown_path(self.run), 1000) if self.run else "")
        name_width = max((len(name) for name, _ in rows), default=0)
        for name, command in rows:
            style = f"cyan link {self._address()}" if name == "report" else "cyan"
            line = Text.assemble((f"  {name.ljust(name_width)}  ", "dim"), (self._words(command), style))
            line.no_wrap = False
            yield line

    def _address(self) -> str:
        """Where a click on the report's path leads, in terminals that can: straight to the culprit."""
        culprit = next((finding.anomaly.culprit for finding in self.found), None)
        page = (self.run or Path()).absolute() / "report.html"
        return page.as_uri() + ("" if culprit is None else f"#op={culprit}")

    def _wrapped(
        self, text: str, indent: int, style: str = "", lead: str = "", lead_style: str = "dim", most: int = 6
    ) -> list[Text]:
        """Text in lines of the width, the first after `lead`, cut after `most` lines."""
        first = " " * indent + lead
        whole = _UNIT.sub("\xa0", self._words(text))  # textwrap does not break there
        pieces = textwrap.wrap(
            whole, self.width, initial_indent=first, subsequent_indent=" " * (indent + 2),
            max_lines=most, placeholder=self._words(" …"), break_on_hyphens=False, drop_whitespace=True,
        )  # fmt: skip
        lines = [Text(piece.replace("\xa0", " "), style) for piece in pieces or [first]]
        if lead:
            lines[0].stylize(lead_style, indent, len(first))
        return lines

    def _words(self, text: str) -> str:
        return text if self.unicode else plain(text)

    def _cell(self, text: str, width: int) -> str:
        """The text in exactly so many cells of the screen; a Chinese character takes two."""
        return set_cell_size(self._cut(text, width), width)

    def _cut(self, text: str, width: int) -> str:
        if cell_len(text) <= width:
            return text
        return set_cell_size(text, max(1, width - 1)).rstrip() + ("…" if self.unicode else "~")


class Ability(Protocol):
    """What `splitbrain doctor` found out about one thing that a machine may be able to do.

    Attributes:
        ground: "sim", "docker", ...; ability: what, in few words; detail: how it is known; remedy: what to do without.
    """

    @property
    def ground(self) -> str: ...  # noqa: D102 (told by the class)
    @property
    def ability(self) -> str: ...  # noqa: D102 (told by the class)
    @property
    def available(self) -> bool: ...  # noqa: D102 (told by the class)
    @property
    def detail(self) -> str: ...  # noqa: D102 (told by the class)
    @property
    def remedy(self) -> str: ...  # noqa: D102 (told by the class)


def print_findings(found: Iterable[Ability], console: Console | None = None) -> None:
    """Print what this machine can do, ground by ground, and under what it cannot the remedy."""
    console = console or screen()
    unicode = "utf" in console.encoding.lower()
    rows = list(found)
    name_width = min(28, max((len(row.ability) for row in rows), default=0))
    ground = None
    for row in rows:
        if row.ground != ground:
            ground = row.ground
            able = sum(other.available for other in rows if other.ground == ground)
            total = sum(other.ground == ground for other in rows)
            console.print(Text.assemble((inert(ground, 40), "bold"), (f"  {able} of {total}", "dim")))
        for line in _finding_lines(row, name_width, min(console.width, WIDEST), unicode):
            console.print(line, no_wrap=True, overflow="crop")


def print_checkers(rows: Mapping[str, Sequence[Mapping[str, str]]], console: Console | None = None) -> None:
    """Print every checker with its cost and source, and every model with its checkers."""
    console = console or screen()
    width = min(console.width, WIDEST)
    for row in rows["checkers"]:
        console.print(Text(inert(row["name"], 40), style="bold"))
        for text, style in ((row["summary"], ""), (f"{row['cost']} · {row['source']}", "dim")):
            for line in textwrap.wrap(inert(text, 400), width - 4):
                console.print(Text(f"    {line}", style=style), no_wrap=True, overflow="crop")
    console.print()
    name_width = max(len(row["name"]) for row in rows["models"])
    for row in rows["models"]:
        told = row["summary"] or row["checkers"]
        first = f"  {row['name'].ljust(name_width)}  "
        for number, line in enumerate(textwrap.wrap(inert(told, 400), width - len(first))):
            console.print(Text((first if number == 0 else " " * len(first)) + line), no_wrap=True, overflow="crop")
        for line in textwrap.wrap(inert(f"{row['cost']} · {row['source']}", 400), width - len(first)):
            console.print(Text(" " * len(first) + line, style="dim"), no_wrap=True, overflow="crop")


def _finding_lines(row: Ability, name_width: int, width: int, unicode: bool) -> Iterator[Text]:
    """The sign, the ability and how it is known; then the remedy, if one is needed."""
    sign = ANSWER_GLYPHS["valid" if row.available else "invalid"][0 if unicode else 1]
    lead = f"  {sign} {inert(row.ability, 60).ljust(name_width)}  "
    indent = " " * min(len(lead), 30)
    texts = [(lead, row.detail, "")]
    if not row.available and row.remedy:
        texts.append((indent + ("→ " if unicode else "> "), row.remedy, "yellow"))
    for number, (first, text, style) in enumerate(texts):
        said = inert(text, 600) if unicode else plain(inert(text, 600))
        pieces = textwrap.wrap(said, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
        for at, piece in enumerate(pieces or [first]):
            line = Text(piece.rstrip(), style)
            if at == 0 and number == 0:
                line.stylize("bold green" if row.available else "bold red", 2, 2 + len(sign))
            yield line
