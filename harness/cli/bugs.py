"""`splitbrain bugs`: search for every planted bug of the store, and for none on the store as it should be.

Every search is many short simulated runs of the bug's own setting, with seeds of its own, until one shows a violation.
Searches go to worker processes; equal arguments give equal results, whatever the number of workers.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.cli import arguments, bug_search
from harness.cli.arguments import Parser
from harness.cli.bug_search import Search, Shown
from harness.errors import UsageError, nearest
from harness.store import Run, create_folder, default_store
from harness.workers import workers

if TYPE_CHECKING:
    from reports.bugs import BugRow, BugsReport, CorrectRow, Witness

SEEDS_APART: Final = 1000
"""The seeds of two searches for the same bug are this far apart, which is more than a search may take."""
SEEDS_AT_ONCE: Final = 5
ALARMS_KEPT: Final = 20


def build_parser() -> Parser:
    """The parser of `splitbrain bugs`."""
    parser = Parser(
        prog="splitbrain bugs",
        description="Search for every planted bug of the leader-follower store; nothing may be found without one.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--list", action="store_true", dest="listed", help="name the planted bugs, and stop")
    parser.add_argument("--only", type=arguments.names, default=(), metavar="NAMES", help="these bugs, with commas")
    parser.add_argument("--searches", type=arguments.count, default=30, help="searches for each bug (default: 30)")
    parser.add_argument("--limit", type=arguments.count, default=60, help="most runs of one search (default: 60)")
    parser.add_argument("--correct", type=int, default=2000, help="runs of the correct store (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--jobs", type=arguments.count, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--store", type=Path, help="where results are kept (default: $SPLITBRAIN_STORE, else ./store)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Search; returns 0 when every bug was found and the correct store showed none, else 1."""
    given = build_parser().parse_args(argv)
    if given.limit > SEEDS_APART:
        raise UsageError(f"--limit can be at most {SEEDS_APART}, found {given.limit}.")
    names = _names(given.only)
    if given.listed:
        _list(names)
        return 0
    report = _search(given, names)
    run = _stored(given.store or default_store(), report)
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        sys.stdout.write(f"{run.path / 'bugs.json'}\n")
    return report.exit_code


def _names(only: Sequence[str]) -> list[str]:
    from system_under_test.leader_follower.bugs import BUGS

    for name in only:
        if name not in BUGS:
            raise UsageError(f"There is no planted bug {name!r}.{nearest(name, BUGS)}")
    return [name for name in BUGS if not only or name in only]


def _list(names: Iterable[str]) -> None:
    from system_under_test.leader_follower.bugs import BUGS

    for name in names:
        sys.stdout.write(f"{name}\n    {BUGS[name].safeguard}\n    {BUGS[name].made_by}\n")


def _search(given: Any, names: Sequence[str]) -> BugsReport:
    """All searches, told as they end, in the order of the registry."""
    from harness.exploration.statistics import upper_bound
    from reports.bugs import BugsReport, bug_lines, correct_lines

    out = sys.stderr if given.json else sys.stdout
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    rows = []
    with workers(given.jobs) as pool:
        seeds = [given.seed + SEEDS_APART * number for number in range(given.searches)]
        asked = {name: [pool.submit(bug_search.search, name, seed, given.limit) for seed in seeds] for name in names}
        sweeps = _submit_correct(pool, names, given.correct, given.seed)
        for name in names:
            rows.append(_bug_row(name, [future.result() for future in asked[name]], given.limit))
            out.writelines(f"{line}\n" for line in bug_lines(rows[-1], width))
            out.flush()
        correct = tuple(_correct_row(setting, futures) for setting, futures in sweeps.items())
    report = BugsReport(bugs=tuple(rows), correct=correct, searches=given.searches, seed=given.seed)
    report = msgspec.structs.replace(report, bound=upper_bound(0, report.clean))
    out.writelines(f"{line}\n" for line in correct_lines(report, width))
    return report


def _submit_correct(
    pool: ProcessPoolExecutor, names: Sequence[str], total: int, seed: int
) -> dict[str, list[Future[list[Shown]]]]:
    """The correct store in every setting of these bugs, the runs shared out evenly, a few at a time."""
    from system_under_test.leader_follower.bugs import BUGS

    settings = list(dict.fromkeys(BUGS[name].setting for name in names))
    asked: dict[str, list[Future[list[Shown]]]] = {}
    for place, setting in enumerate(settings if total > 0 else ()):
        share = total // len(settings) + (place < total % len(settings))
        seeds = range(seed, seed + share)
        parts = [seeds[first : first + SEEDS_AT_ONCE] for first in range(0, share, SEEDS_AT_ONCE)]
        asked[setting] = [pool.submit(bug_search.correct, setting, part) for part in parts]
    return asked


def _bug_row(name: str, searches: Sequence[Search], limit: int) -> BugRow:
    from reports.bugs import BugRow
    from system_under_test.leader_follower.bugs import BUGS, SETTINGS

    bug = BUGS[name]
    found = [search.shown for search in searches if search.shown is not None]
    return BugRow(
        name=name,
        safeguard=bug.safeguard,
        made_by=bug.made_by,
        workload=SETTINGS[bug.setting].workload,
        setting=bug.setting,
        runs=tuple(search.runs for search in searches if search.shown is not None),
        given_up=len(searches) - len(found),
        limit=limit,
        checkers=dict(Counter(checker for shown in found for checker in shown.checkers)),
        witness=min(map(_witness, found), key=lambda one: (one.operations, len(one.sentence)), default=None),
    )


def _correct_row(setting: str, futures: Iterable[Future[list[Shown]]]) -> CorrectRow:
    from reports.bugs import CorrectRow
    from system_under_test.leader_follower.bugs import SETTINGS

    runs = list(_all(futures))
    return CorrectRow(
        setting=setting,
        workload=SETTINGS[setting].workload,
        outcomes=dict(Counter(shown.outcome for shown in runs)),
        alarms=tuple(_witness(shown) for shown in runs if shown.outcome == "violation")[:ALARMS_KEPT],
    )


def _all(futures: Iterable[Future[list[Shown]]]) -> Iterator[Shown]:
    for future in futures:
        yield from future.result()


def _witness(shown: Shown) -> Witness:
    from reports.bugs import Witness

    return Witness(shown.checker, shown.sentence, shown.operations, shown.repeat)


def _stored(store: Path, report: BugsReport) -> Run:
    """Keep the result in the store, for programs and for people."""
    from reports.bugs import render_bugs_markdown

    run = create_folder(store, "bugs")
    run.write("bugs.json", msgspec.json.format(msgspec.json.encode(report), indent=1))
    run.write("bugs.md", render_bugs_markdown(report).encode())
    return run


_EXAMPLES: Final = """examples:
  splitbrain bugs --list
  splitbrain bugs --only no-fencing,token-ignored --searches 3 --correct 0
  splitbrain bugs --json > bugs.json
"""
