"""Predicted against observed.

    promised           no run broke it    held
    promised           some run broke it  BROKEN: a bug of the system, or of the promise
    may break          some run broke it  seen
    may break          no run broke it    not seen
    either             no run decided it  untested

A run decides a guarantee when its checker gave a definite answer and the run tested anything: one in which nothing
succeeded, or whose faults are unproven, says nothing of a promise. What is broken is broken, though, even there.
Whether sessions hopped between nodes does not matter here: where only the leader reads there is nowhere to hop to, and
that is a part of the configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from harness.matrix.cells import Cell
from harness.matrix.figures import Figures, together
from harness.matrix.promise import Promise
from harness.plan import Setting
from harness.verdict import Answer, Outcome

State = Literal["held", "broken", "seen", "not-seen", "untested"]
STATES: tuple[State, ...] = ("held", "broken", "seen", "not-seen", "untested")
STATE_WORDS: dict[State, str] = {
    "held": "promised and held",
    "broken": "promised and BROKEN",
    "seen": "may break, seen broken",
    "not-seen": "may break, not seen",
    "untested": "not decided by any run",
}


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the table keeps of one run.

    Attributes:
        seed, outcome: of the run; reason: why it is neither valid nor a violation.
        tested: whether anything was tested: every kind of operation succeeded, and every fault is proven.
        answers: guarantee → what its checker says; sentences: guarantee → the first anomaly, for those broken.
        repeat: the command that runs it again; figures: see there, None when nothing was recorded.
        kept: its run directory, when it broke a promise or failed.
    """

    seed: int
    outcome: Outcome
    tested: bool
    reason: str = ""
    answers: dict[str, Answer] = {}
    sentences: dict[str, str] = {}
    repeat: str = ""
    figures: Figures | None = None
    kept: str = ""


class Observation(msgspec.Struct, frozen=True):
    """One guarantee in one row.

    Attributes:
        guarantee: its name; promise: what was predicted; state: what became of it.
        broken, decided: in how many runs it was broken, of how many that decided it.
        repeat: a run that broke it, else any; sentence: what that run broke.
    """

    guarantee: str
    promise: Promise
    state: State
    broken: int
    decided: int
    repeat: str = ""
    sentence: str = ""


class Row(msgspec.Struct, frozen=True):
    """One cell and what its runs showed. `troubles`: why runs told nothing, each reason once."""

    cell: Cell
    observations: tuple[Observation, ...]
    figures: Figures | None
    runs: tuple[RunReport, ...]
    troubles: tuple[str, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """A statement and whether its rows show it; `figures` in words. `shown` is None when a row of it was not run."""

    sentence: str
    shown: bool | None
    figures: str
    rows: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table: the content of `matrix.json`.

    Attributes:
        schema: version of this layout; system, on: what was run, and where; command: what was typed.
        usual: the safest value of every dimension, which rows do not repeat; guarantees: in the order of the columns.
        rows, statements: see there; seconds: how long it took, on how many `jobs`; runs: how many.
    """

    schema: int = 1
    system: str
    on: str
    command: str
    usual: dict[str, Setting] = {}
    guarantees: tuple[str, ...] = ()
    rows: tuple[Row, ...]
    statements: tuple[Shown, ...] = ()
    seconds: float = 0.0
    jobs: int = 1
    runs: int = 0

    def counts(self) -> dict[State, int]:
        """How many observations there are in each state."""
        found = Counter(one.state for row in self.rows for one in row.observations)
        return {state: found[state] for state in STATES}

    def failures(self) -> list[RunReport]:
        """Runs that failed for no fault of the system's."""
        return [run for row in self.rows for run in row.runs if run.outcome in ("infrastructure", "harness")]

    @property
    def exit_code(self) -> int:
        """1 when a promise is broken; else 255 when a run failed; else 2 when a promise was not decided; else 0."""
        counts = self.counts()
        if counts["broken"]:
            return 1
        if self.failures():
            return 255
        undecided = (one for row in self.rows for one in row.observations if one.state == "untested")
        return 2 if any(one.promise.holds for one in undecided) else 0


def state_of(promise: Promise, broken: int, decided: int) -> State:
    """What became of a promise; see the module docstring."""
    if broken:
        return "broken" if promise.holds else "seen"
    if not decided:
        return "untested"
    return "held" if promise.holds else "not-seen"


def row_of(cell: Cell, runs: Sequence[RunReport]) -> Row:
    """The row of a cell."""
    figures = [run.figures for run in runs if run.figures is not None]
    troubles = dict.fromkeys(f"{run.outcome}: {run.reason}" for run in runs if run.reason)
    observations = tuple(_observed(guarantee, promise, runs) for guarantee, promise in cell.promises.items())
    return Row(cell, observations, together(figures) if figures else None, tuple(runs), tuple(troubles))


def _observed(guarantee: str, promise: Promise, runs: Sequence[RunReport]) -> Observation:
    broken = [run for run in runs if run.answers.get(guarantee) == "invalid"]
    held = [run for run in runs if run.answers.get(guarantee) == "valid" and _counts(run)]
    decided = len(broken) + len(held)
    example = (broken or list(runs))[:1]
    return Observation(
        guarantee,
        promise,
        state_of(promise, len(broken), decided),
        len(broken),
        decided,
        example[0].repeat if example else "",
        example[0].sentences.get(guarantee, "") if example else "",
    )


def _counts(run: RunReport) -> bool:
    """Whether a run that did not break a guarantee says anything for it."""
    return run.tested and run.outcome not in ("infrastructure", "harness")
