"""An exploration for people: a grid that grows while it runs, and at the end what the number of runs means.

In the grid a run is one sign: · held, a letter for the first anomaly that it showed (each its own), ? undecided or
nothing tested, ! the run itself failed, ≠ two equal runs differed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, TextIO

from reports.intervals import share_below

COLUMNS: Final = 64
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIGNS: Final = {"valid": "·", "inconclusive": "?", "vacuous": "?", "harness": "!", "infrastructure": "!"}
WIDTH: Final = 100


class Shown(Protocol):
    """What the grid needs of a finding."""

    @property
    def outcome(self) -> str:
        """As in a result."""

    @property
    def differs(self) -> str:
        """A sentence, when two equal runs differed."""

    @property
    def anomalies(self) -> Any:
        """Each with guarantee and name."""


class Grid:
    """See the module docstring."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._column = 0
        self._letters: dict[tuple[str, str], str] = {}

    def add(self, finding: Shown) -> None:
        """One more run."""
        self._out.write(self._sign(finding))
        self._column += 1
        if self._column % COLUMNS == 0:
            self._out.write(f"  {self._column}\n")
        self._out.flush()

    def rate(self, runs: int, seconds: float) -> None:
        """How fast it goes, at the end of a line of the grid."""
        if self._column % COLUMNS == 0 and seconds > 0:
            self._out.write(f"{'':>{COLUMNS}}  {runs / seconds:.1f} runs/s\n")

    def end(self) -> None:
        """Complete the last line, and say what the letters mean."""
        if self._column % COLUMNS:
            self._out.write(f"{'':>{COLUMNS - self._column % COLUMNS}}  {self._column}\n")
        for (guarantee, name), letter in self._letters.items():
            self._out.write(f"  {letter}  {name} ({guarantee})\n")

    def _sign(self, finding: Shown) -> str:
        if finding.differs:
            return "≠"
        if finding.outcome != "violation":
            return SIGNS.get(finding.outcome, "!")
        first = finding.anomalies[0]
        key = (first.guarantee, first.name)
        return self._letters.setdefault(key, LETTERS[min(len(self._letters), len(LETTERS) - 1)])


def summary_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The end of an exploration, from its JSON."""
    runs, failures, decided = report["runs"], report["failures"], report["decided"]
    speed = runs / report["processor_seconds"] if report["processor_seconds"] else 0.0
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report["outcomes"].items())
    yield ""
    yield f"{runs} runs in {report['seconds']:.1f} s ({speed:.1f} for each second of a processor): {outcomes}"
    if failures == 0 and decided:
        below = share_below(report["failure_rate_below"])
        yield f"No failure in {decided}: with 95 % confidence fewer than {below} of such runs fail."
    elif decided:
        low, high = report["failure_rate_interval"]
        share = f"{failures / decided:.1%} of {decided} failed"
        yield f"{share}; with 95 % confidence the share is between {low:.1%} and {high:.1%}."
    if report.get("branches"):
        yield f"{report['branches_failed']} of {report['branches']} branches failed; the share above leaves them out."
    yield f"{report['compared_twice']} runs were made twice; {len(report['odd'])} runs were odd."
    for odd in report["odd"][:5]:
        yield f"  ! seed {odd['seed']}: {odd['differs'] or odd['reason']}"
    for group in report["groups"]:
        yield ""
        yield f"{group['anomaly']} ({group['guarantee']}): {group['runs']} runs, first with seed {group['first_seed']}"
        yield from textwrap.wrap(group["sentence"], WIDTH, initial_indent="  ", subsequent_indent="  ")
    for kept in report["kept"][: max(3, len(report["groups"]))]:
        yield f"  {kept['replay']}"
    yield ""
    yield from _coverage(report)


def _coverage(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{report['states']} abstract states reached. By template:"
    for name, counts in report["templates"].items():
        yield f"  {name:<26} {counts['runs']:>5} runs {counts['new']:>5} reached new {counts['failures']:>5} failed"
    if report["schedulers"]:
        shares = ", ".join(
            f"{name} {one['runs']} ({one['failures']} failed)" for name, one in report["schedulers"].items()
        )
        yield f"Runs by the order of callbacks: {shares}."
    hit = ", ".join(" ".join(one) for one in report["circumstances"])
    yield from textwrap.wrap(f"Exercised (fault, role, phase): {hit or 'nothing'}.", WIDTH)
    missing = ", ".join(" ".join(one) for one in report["never_exercised"])
    yield from textwrap.wrap(f"Never exercised: {missing or 'nothing'}.", WIDTH)
