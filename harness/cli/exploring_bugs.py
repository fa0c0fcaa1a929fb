"""`splitbrain explore --bugs`: how many seeds an exploration takes to find each planted bug, and to find none: all.

Unlike `splitbrain bugs`, whose settings aim their faults at the bug, this explores: of a bug's setting it takes the
workload, the switches and the kinds of faults, and draws when and whom they strike from templates, as for any system.
Then the store as it should be is explored in the same settings.

Limits: one exploration for each bug; another first seed gives another number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.cli.bug_search import plan_of
from harness.cli.explore import Exploration, explore
from harness.cli.exploring import Executor, executor
from harness.errors import UsageError, nearest
from harness.exploration.statistics import upper_bound


@dataclass(frozen=True)
class Row:
    """One exploration: of a bug, or of none in a setting.

    Attributes:
        bug: "" for the store as it should be; setting: of `system_under_test.leader_follower.bugs`.
        runs: how many were made; failures: how many of them broke something.
        seeds: how many seeds it took to the first failure; None: none failed.
        anomaly, template: of that one; processor_s: of all runs.
    """

    bug: str
    setting: str
    runs: int
    failures: int
    seeds: int | None
    anomaly: str
    template: str
    processor_s: float


def explore_bugs(given: Any, rest: Sequence[str]) -> int:
    """Explore each; returns 0 when each bug was found and nothing else was, else 1.

    Raises:
        UsageError: there is no such bug, or there are options of a plan, which the settings decide.
    """
    from system_under_test.leader_follower.bugs import BUGS

    names = list(BUGS) if given.bugs == ("all",) else list(given.bugs)
    if rest:
        raise UsageError(f"splitbrain explore --bugs: the bugs' settings decide the plan; {rest[0]!r} is one too many.")
    for name in names:
        if name not in BUGS:
            raise UsageError(f"There is no planted bug {name!r}.{nearest(name, BUGS)}")
    settings = list(dict.fromkeys(BUGS[name].setting for name in names))
    asked = [*((name, BUGS[name].setting) for name in names), *(("", setting) for setting in settings)]
    rows = []
    if not given.json:
        sys.stdout.write("| bug | setting | seeds to find it | anomaly | template | failed | processor seconds |\n")
        sys.stdout.write("|---|---|---|---|---|---|---|\n")
    with executor(given.executor, given.jobs) as where:
        for bug, setting in asked:
            rows.append(_explored(given, bug, setting, where))
            if not given.json:
                sys.stdout.write(_told(rows[-1]))
                sys.stdout.flush()
    clean = [row for row in rows if not row.bug]
    if given.json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    else:
        runs, alarms = sum(row.runs for row in clean), sum(row.failures for row in clean)
        from reports.intervals import share_below

        below = share_below(upper_bound(alarms, runs))
        sys.stdout.write(f"\n{alarms} of {runs} runs without a bug failed: with 95 % confidence below {below}.\n")
    return 0 if all((row.seeds is not None) == bool(row.bug) for row in rows) else 1


def _explored(given: Any, bug: str, setting: str, where: Executor) -> Row:
    from system_under_test.leader_follower.bugs import SETTINGS

    first_seed = given.seeds[0]
    exploration = Exploration.of(plan_of(SETTINGS[setting], bug, first_seed))
    given.first = bool(bug)
    explore(given, exploration, where)
    found = min(exploration.failures, key=lambda finding: finding.plan.seed, default=None)
    return Row(
        bug,
        setting,
        exploration.runs,
        len(exploration.failures),
        None if found is None else found.plan.seed - first_seed + 1,
        "" if found is None else found.anomalies[0].name,
        "" if found is None else found.template,
        round(exploration.processor_ns / 1e9, 1),
    )


def _told(row: Row) -> str:
    bug = f"`{row.bug}`" if row.bug else "none"
    seeds = "–" if row.seeds is None else str(row.seeds)
    if row.bug and row.seeds is None:
        seeds = f"not in {row.runs}"
    failed = f"{row.failures} of {row.runs}"
    return f"| {bug} | {row.setting} | {seeds} | {row.anomaly} | {row.template} | {failed} | {row.processor_s} |\n"
