"""`splitbrain matrix`: what a system promises, held against what runs of it show.

The rows are those of `harness.matrix.cells`: so few that the whole table takes minutes, so many that every pair of
choices is met, and the named rows that a system's own statements are about. Each row is run with several seeds, and
faults are aimed elsewhere in each.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import clock, registry
from harness.cli import arguments, trials
from harness.cli.arguments import Parser
from harness.errors import UsageError
from harness.matrix import (
    Cell,
    Narrowed,
    Promises,
    Promising,
    Row,
    RunReport,
    Shown,
    Table,
    covering,
    named_cells,
    row_of,
)
from harness.nemesis.compose import SURFACES
from harness.plan import Plan, Setting
from harness.protocols import Tunable
from harness.store import Run, create_folder, default_store

ROWS: Final = ("all", "named", "pairs")
RUNS: Final = {"sim": 4, "docker": 1}
"""Runs of each row where the user does not say."""
BASE: Final[dict[str, Any]] = {
    "nodes": 3,
    "interval_s": 0.6,
    "duration_s": 0.9,
    "time_limit_s": 6.0,
    "quiet_s": 2.0,
    "check_budget_s": 60.0,
}
"""Short runs with many faults: what breaks by a fault breaks in the first few of them."""
TARGETS: Final = ("leader", "random", "minority", "one")
POWER_TARGETS: Final = ("all", "leader", "random", "minority")
"""Where the faults of a row's first, second, ... run are aimed at, unless the row says. Power that fails everywhere is
what forgets most."""


def build_parser() -> Parser:
    """The parser of `splitbrain matrix`."""
    parser = Parser(
        prog="splitbrain matrix",
        description="Run a system's table of promises, and print predicted against observed.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("system", help="a system that says what it promises, such as leader-follower")
    parser.add_argument("--on", choices=tuple(RUNS), default="sim", help="where nodes run (default: sim)")
    parser.add_argument("--rows", choices=ROWS, default="all", help="named rows, rows that meet every pair, or all")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows that have this text in them")
    parser.add_argument("--runs", type=arguments.count, help="runs of each row (default: 4 on sim, 1 on docker)")
    parser.add_argument("--seed", type=int, default=1, help="seed of each row's first run (default: 1)")
    parser.add_argument("--time-limit", type=arguments.positive, help="seconds of each run (default: mostly 6)")
    parser.add_argument("--jobs", "-j", type=arguments.count, help="processes (default: the cores; 1 on docker)")
    parser.add_argument("--store", type=Path, help="where the table is kept (default: $SPLITBRAIN_STORE, else ./store)")
    parser.add_argument("--dry", action="store_true", help="print the rows and what is promised, and run nothing")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the table; returns 1 when a promise is broken."""
    given = build_parser().parse_args(argv)
    system = registry.load("systems", given.system)
    if not isinstance(system, Promising):
        raise UsageError(f"The system {given.system!r} does not say what it promises.")
    ground = registry.load("grounds", given.on)(given.seed, None)
    lacking = ground.lacking({}) if isinstance(ground, Tunable) else {}
    kinds = {kind for kind, needs in SURFACES.items() if needs <= ground.faults and kind not in lacking}
    promises = Narrowed.to(system.promises, system.options, kinds)
    cells = _chosen(_cells(promises, given), given.only)
    if given.dry:
        rows = tuple(row_of(cell, ()) for cell in cells)
        return _show(_table(given, promises, rows), None, as_json=given.json, dry=True)
    folder = create_folder(given.store or default_store(), f"matrix-{given.system}")
    table = _run(cells, promises, given, folder)
    folder.write("matrix.json", msgspec.json.format(msgspec.json.encode(table), indent=1))
    from reports.matrix_page import render_matrix_page

    folder.write("matrix.html", render_matrix_page(table).encode())
    return _show(table, folder, as_json=given.json)


def _show(table: Table, folder: Run | None, *, as_json: bool, dry: bool = False) -> int:
    if as_json:
        data = {**msgspec.to_builtins(table), "counts": table.counts(), "exit_code": 0 if dry else table.exit_code}
        sys.stdout.write(msgspec.json.encode(data | {"path": str(folder.path) if folder else None}).decode() + "\n")
    else:
        from reports.matrix import print_table

        print_table(table, folder.path if folder else None)
    return 0 if dry else table.exit_code


# ── which rows ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _cells(promises: Promises, given: Any) -> list[Cell]:
    """The rows that were asked for; on containers, of the named ones only those that are meant for it."""
    judged = {name: _judged(name, promises) for name in promises.workloads}
    named = named_cells(promises, judged)
    if given.on == "docker":
        fit = {scenario.name for scenario in promises.scenarios if scenario.docker}
        named = [cell for cell in named if cell.name in fit]
        return named if given.rows == "all" else _of_kind(given.rows, named, promises, judged)
    return _of_kind(given.rows, named, promises, judged)


def _of_kind(rows: str, named: list[Cell], promises: Promises, judged: Mapping[str, Sequence[str]]) -> list[Cell]:
    pairs = covering(promises, judged) if rows != "named" else []
    return [*(named if rows != "pairs" else []), *pairs]


def _judged(workload: str, promises: Promises) -> tuple[str, ...]:
    """The guarantees that a workload's checkers judge."""
    loaded = registry.load("workloads", workload)
    options = {option.name: option.default for option in loaded.options}
    checkers = {checker.name for checker in loaded.checkers(Plan(workload=workload, options=options))}
    return tuple(guarantee for guarantee in promises.guarantees if guarantee in checkers)


def _chosen(cells: Sequence[Cell], text: str) -> list[Cell]:
    found = [cell for cell in cells if text in _searched(cell)]
    if not found:
        raise UsageError(f"No row of the table has {text!r} in it; `splitbrain matrix SYSTEM --dry` prints them.")
    return found


def _searched(cell: Cell) -> str:
    return f"{cell.name} | {cell.described({})} | {cell.faults_told()} | {cell.workload}"


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(cells: Sequence[Cell], promises: Promises, given: Any, folder: Run) -> Table:
    """Every run of every row, then the rows and what they show together."""
    from reports.matrix import Progress

    runs = given.runs or RUNS[given.on]
    jobs = given.jobs or (1 if given.on == "docker" else os.cpu_count() or 1)
    plans = [plan_of(cell, given, number) for cell in cells for number in range(runs)]
    keep = folder.path / "runs"
    todo = [trials.Trial(plan, _promised(cells[place // runs]), keep) for place, plan in enumerate(plans)]
    began_ns = clock.monotonic_ns()
    reports: dict[int, RunReport] = {}
    with Progress(len(todo), quiet=given.json) as progress:
        for place, report in trials.run_trials(todo, jobs):
            reports[place] = report
            progress.advance()
    rows = tuple(
        row_of(cell, [reports[place * runs + number] for number in range(runs)]) for place, cell in enumerate(cells)
    )
    seconds = (clock.monotonic_ns() - began_ns) / 1e9
    return msgspec.structs.replace(_table(given, promises, rows), seconds=seconds, jobs=jobs, runs=len(todo))


def _table(given: Any, promises: Promises, rows: tuple[Row, ...]) -> Table:
    return Table(
        system=given.system,
        on=given.on,
        command=_command(given),
        usual={name: values[0] for name, values in promises.dimensions.items()},
        guarantees=tuple(promises.guarantees),
        rows=rows,
        statements=_statements(rows, promises),
    )


def plan_of(cell: Cell, given: Any, number: int) -> Plan:
    """The plan of a row's run; the first is number 0."""
    system, workload = registry.load("systems", given.system), registry.load("workloads", cell.workload)
    options: dict[str, Setting] = {option.name: option.default for option in (*system.options, *workload.options)}
    targets = POWER_TARGETS if "power" in cell.faults else TARGETS
    aimed = {"target": targets[number % len(targets)]} if cell.faults else {}
    asked = {"time_limit_s": given.time_limit} if given.time_limit else {}
    settings = {**BASE, **aimed, "combine": len(cell.faults) > 1, **cell.settings, **asked}
    return Plan(
        system=given.system,
        workload=cell.workload,
        on=given.on,
        seed=given.seed + number,
        nemesis=cell.faults,
        options=options | cell.configuration | cell.options,
        **settings,
    )


def _promised(cell: Cell) -> tuple[str, ...]:
    return tuple(guarantee for guarantee, promise in cell.promises.items() if promise.holds)


def _statements(rows: Sequence[Row], promises: Promises) -> tuple[Shown, ...]:
    """What the named rows that were run show."""
    figures = {row.cell.name: row.figures for row in rows if row.cell.name and row.figures is not None}
    found = []
    for statement in promises.statements:
        wanted = {name: figures[name] for name in statement.scenarios if name in figures}
        if len(wanted) == len(statement.scenarios):
            shown, told = statement.judge(wanted)
            found.append(Shown(statement.sentence, shown, told, statement.scenarios))
    return tuple(found)


def _command(given: Any) -> str:
    """What was typed, as far as it is not the default."""
    words = ["splitbrain", "matrix", given.system]
    default = build_parser().parse_args([given.system])
    for name in ("on", "rows", "only", "runs", "seed", "time_limit"):
        if (value := getattr(given, name)) != getattr(default, name):
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


_EXAMPLES: Final = """examples:
  splitbrain matrix leader-follower                        the whole table, simulated
  splitbrain matrix leader-follower --dry                  what is promised, and run nothing
  splitbrain matrix leader-follower --rows named --runs 1  the statements of the pattern
  splitbrain matrix leader-follower --only replication=async --json
  splitbrain matrix leader-follower --on docker
"""
