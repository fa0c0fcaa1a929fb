"""How many random histories a test compares: a fixed few, or under torture fresh ones for its share of the time.

    @some_and_many(5_000)
    def test_a_checker_agrees_with_brute_force(seeds):
        for seed in seeds: ...
        seeds.told(invalid=...)            # for the table at the end of `make torture`

A test gets the seeds 0 to 4,999, always the same. Under the mark `torture` it gets fresh ones, until its share of
TORTURE_S seconds (3600 if unset) is over, or with SPLITBRAIN_HISTORIES until it had so many. What takes a time of its
own comes first; the others divide what is left, so that a slow machine compares less, and is ready as early.
SPLITBRAIN_TORTURE_SEED, printed above the table, draws the same ones again.

Limits: a test draws at least LEAST seeds, so that what it says of their mix is no accident; the whole can take longer
than TORTURE_S by that.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

LEAST = 400
TORTURE_S = float(os.environ.get("TORTURE_S", "3600"))
HISTORIES = int(os.environ.get("SPLITBRAIN_HISTORIES", "0"))
# Processes of pytest-xdist inherit it, so that one number stands for the whole session.
FIRST = int(os.environ.setdefault("SPLITBRAIN_TORTURE_SEED", str(1_000_000 + secrets.randbelow(10**9))))


@dataclass(frozen=True)
class Few:
    """The same seeds every time, and how many histories each stands for."""

    count: int
    each: int = 1


@dataclass(frozen=True)
class Many:
    """Fresh seeds for a share of the time: at least so many, each for so many histories."""

    least: int = LEAST
    each: int = 1


class Seeds:
    """Seeds in turn; `len` is how many were drawn so far.

    `seeds[1::2]` draws every second one, and counts those left out as well.
    """

    def __init__(self, first: int, count: int, least: int, until: float, each: int) -> None:
        self.first, self.count, self.least, self.until, self.each = first, count, least, until, each
        self.drawn = 0
        self.compared: int | None = None
        self.invalid: int | None = None

    def __len__(self) -> int:
        return self.drawn

    def __iter__(self) -> Iterator[int]:
        return self.every(0, 1)

    def __getitem__(self, part: slice) -> Iterator[int]:
        return self.every(part.start or 0, part.step or 1)

    def every(self, start: int, step: int) -> Iterator[int]:
        self.drawn = start
        while self.drawn < self.count and (self.drawn < self.least or time.monotonic() < self.until):
            seed = self.first + self.drawn
            self.drawn += step
            yield seed

    def told(self, invalid: int, compared: int | None = None) -> None:
        """For the table: how many histories were invalid; and how many were compared, if not all that were drawn."""
        self.invalid = invalid
        self.compared = compared

    def row(self) -> tuple[int, int | None]:
        return self.drawn * self.each if self.compared is None else self.compared, self.invalid


def some_and_many(some: int, each: int = 1, least: int = LEAST) -> pytest.MarkDecorator:
    """Run the test on the same few seeds always, and on many fresh ones under torture."""
    many = pytest.param(Many(min(some, least), each), marks=pytest.mark.torture, id="many")
    return pytest.mark.parametrize("seeds", [pytest.param(Few(some, each), id="some"), many], indirect=True)


def many(least: int = LEAST, each: int = 1) -> pytest.MarkDecorator:
    """Run the test on fresh seeds, under torture only."""
    param = pytest.param(Many(least, each), marks=pytest.mark.torture, id="many")
    return pytest.mark.parametrize("seeds", [param], indirect=True)


class Shares:
    """Divides the time that is left among the tests that are left, and remembers what each compared."""

    def __init__(self) -> None:
        self.until, self.left, self.workers = 0.0, 0, 1
        self.rows: dict[str, tuple[int, int | None]] = {}
        self.failed: set[str] = set()

    def share_s(self) -> float:
        share_s = max(0.0, self.until - time.monotonic()) * self.workers / max(self.left, 1)
        self.left -= self.workers
        return share_s

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """What takes a time of its own comes first; the time begins when all are found."""
        self.until = time.monotonic() + TORTURE_S
        self.left = sum(map(shares, items))
        self.workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        if self.left:
            items.sort(key=shares)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties).get("compared")
        if told is not None:
            self.rows[report.nodeid] = told
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.rows:
            return
        terminalreporter.section(f"compared; SPLITBRAIN_TORTURE_SEED={FIRST} draws the same again")
        terminalreporter.write_line(f"{'histories':>12} {'invalid':>10} {'mismatches':>10}  test")
        for name, (compared, invalid) in sorted(self.rows.items()):
            wrong = int(name in self.failed)
            terminalreporter.write_line(f"{compared:>12,} {dash(invalid):>10} {wrong:>10}  {short(name)}")
        compared, invalid = (sum(row[place] or 0 for row in self.rows.values()) for place in (0, 1))
        wrong = len(self.failed & set(self.rows))
        terminalreporter.write_line(f"{compared:>12,} {invalid:>10,} {wrong:>10}  together")


def dash(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def short(name: str) -> str:
    return name.removeprefix("tests/").replace("-many]", "]").replace("[many-", "[").replace("[many]", "")


def shares(item: pytest.Item) -> bool:
    """Whether a test draws for a share of the time."""
    callspec: Any = getattr(item, "callspec", None)
    return callspec is not None and isinstance(callspec.params.get("seeds"), Many)


SHARES = Shares()


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Iterator[Seeds]:
    """The seeds of a test; what it compared goes into the table."""
    asked = request.param
    if isinstance(asked, Few):
        yield Seeds(0, asked.count, asked.count, 0.0, asked.each)
        return
    until = time.monotonic() + SHARES.share_s()
    count = -(-HISTORIES // asked.each) if HISTORIES else 1 << 62
    drawing = Seeds(FIRST, count, count if HISTORIES else asked.least, until, asked.each)
    yield drawing
    request.node.user_properties.append(("compared", drawing.row()))
