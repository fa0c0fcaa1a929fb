"""`splitbrain explore`: very many simulated runs of one plan, each with faults of its own, and what they showed.

Runs go in rounds. Before each, a template of faults is chosen for every seed, by how often the runs of that template
reached states that were new; so equal arguments make equal runs, however many go on at once.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import clock
from harness.cli import arguments, planning
from harness.cli.arguments import Parser
from harness.cli.exploring import Executor, Finding, Task, boundaries, executor, facts, mutated
from harness.errors import UsageError
from harness.exploration.bandit import Bandit
from harness.exploration.mutation import Corpus
from harness.plan import Plan
from harness.schedule.planned import DISK_EVENTS, SEND
from harness.store import Run, create_folder, default_store
from harness.streams import Random

ROUND_RUNS: Final = 32
TWICE_EVERY: Final = 20
"""One run in so many is made twice and compared."""
KEPT_MAX: Final = 50
MUTANT: Final = "mutant"
MUTANTS_SHARE: Final = 0.2
"""Of the runs, once some schedule has led to something new."""
DEFAULT_KINDS: Final = ("partition", "kill", "pause")


def build_parser() -> Parser:
    """The parser of `splitbrain explore`; what it does not know is for the plan, as in `splitbrain run`."""
    parser = Parser(
        prog="splitbrain explore",
        usage="splitbrain explore [PLAN] [OPTIONS] [options of splitbrain run]",
        description="Make very many simulated runs of one plan, each with faults of its own. Further options are those"
        " of `splitbrain run`; --nemesis says which kinds of faults the system is to bear.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--seeds", type=_seeds, default=(0, 199), metavar="A..B", help="(default: 0..199)")
    parser.add_argument("--jobs", "-j", type=arguments.count, default=1, help="worker processes (default: 1)")
    parser.add_argument("--budget", type=_seconds, help="stop beginning rounds after so long: 90s, 10m, 2h")
    parser.add_argument("--executor", default="", help="dask://HOST:PORT: hand the runs to a Dask cluster")
    parser.add_argument(
        "--branch",
        type=arguments.count,
        default=0,
        metavar="N",
        help="fork each run where it comes to a new state, and let N branches go on by chance of their own",
    )
    parser.add_argument(
        "--single-faults",
        action="store_true",
        help="instead: one fault at every use of a disk and at every message, then two",
    )
    parser.add_argument(
        "--bugs", type=arguments.names, metavar="NAMES", help="instead: these planted bugs, or all, and none; a table"
    )
    parser.add_argument("--first", action="store_true", help="stop after the round of the first failure")
    parser.add_argument("--store", type=Path, help="where results are kept (default: $SPLITBRAIN_STORE, else ./store)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


@dataclass
class Exploration:
    """What there is so far."""

    plan: Plan
    kinds: tuple[str, ...]
    runs: int = 0
    branches: int = 0
    compared: int = 0
    processor_ns: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    failures: list[Finding] = field(default_factory=list)
    odd: list[Finding] = field(default_factory=list)
    states: set[str] = field(default_factory=set)
    circumstances: set[tuple[str, str, str]] = field(default_factory=set)
    templates: dict[str, list[int]] = field(default_factory=dict)
    schedulers: dict[str, list[int]] = field(default_factory=dict)
    bandit: Bandit | None = None
    corpus: Corpus = field(default_factory=Corpus)

    @classmethod
    def of(cls, plan: Plan) -> Exploration:
        """Nothing yet."""
        return cls(plan, plan.nemesis or DEFAULT_KINDS)

    def take(self, finding: Finding) -> None:
        """Add one run, and learn from it whether its template reaches states that are new."""
        new = not self.states.issuperset(finding.states)
        self.runs += not finding.branch
        self.branches += bool(finding.branch)
        self.compared += finding.compared
        self.processor_ns += finding.processor_ns
        if not finding.branch:
            self.outcomes[finding.outcome] = self.outcomes.get(finding.outcome, 0) + 1
        self.states |= finding.states
        self.circumstances |= finding.circumstances
        template = (finding.template or "as planned") + (", branched" if finding.branch else "")
        scheduler = str(finding.plan.world.get("scheduler", "fifo"))
        for table, name in ((self.templates, template), (self.schedulers, scheduler)):
            counts = table.setdefault(name, [0, 0, 0])
            counts[0] += 1
            counts[1] += new
            counts[2] += finding.outcome == "violation"
        if finding.outcome == "violation":
            self.failures.append(finding)
        if finding.differs or finding.outcome == "harness":
            self.odd.append(finding)
        if self.bandit is not None and finding.template and not finding.branch:
            if finding.template != MUTANT:
                self.bandit.learn(finding.template, new)
            if new:
                self.corpus.learn(finding.plan.faults or ())

    def groups(self) -> dict[tuple[str, str], list[Finding]]:
        """The failures by anomaly and guarantee."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.failures:
            for one in finding.anomalies:
                groups.setdefault((one.guarantee, one.name), []).append(finding)
        return groups


def main(argv: Sequence[str]) -> int:
    """Explore; returns 1 when something failed, 255 when two equal runs differed, else 0. Interrupted, it tells of the
    runs so far."""
    given, rest = build_parser().parse_known_args(argv)
    if given.bugs is not None:
        from harness.cli.exploring_bugs import explore_bugs

        return explore_bugs(given, rest)
    _, parts = planning.parse(rest or ["--nemesis", ",".join(DEFAULT_KINDS)])
    plan = parts.plan
    if plan.on != "sim":
        raise UsageError("splitbrain explore runs on the simulated ground only.")
    planning.preflight(parts, None)
    from reports.exploration import Grid, summary_lines

    grid = Grid(sys.stderr if given.json else sys.stdout)
    folder = create_folder(given.store or default_store(), "explore")
    exploration = Exploration.of(plan)
    began_ns = clock.monotonic_ns()
    interrupted = False
    try:
        with executor(given.executor, given.jobs) as where:
            explore(given, exploration, where, grid.add, grid.rate)
    except KeyboardInterrupt:
        interrupted = True  # what was found in hours is kept
    grid.end()
    kept = _kept(folder, exploration)
    report = _report(exploration, (clock.monotonic_ns() - began_ns) / 1e9, kept)
    folder.write("explore.json", msgspec.json.format(msgspec.json.encode(report), indent=1))
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in summary_lines(report))
        sys.stdout.write(f"\n  results   {folder.path / 'explore.json'}\n")
    if interrupted:
        raise KeyboardInterrupt
    return 255 if exploration.odd else 1 if exploration.failures else 0


def explore(
    given: Any,
    exploration: Exploration,
    where: Executor,
    each: Callable[[Finding], None] = lambda _finding: None,
    rate: Callable[[int, float], None] = lambda _runs, _seconds: None,
) -> None:
    """Make the runs that were asked for, round by round."""
    began_ns = clock.monotonic_ns()
    for tasks in _rounds(given, exploration):
        for finding in where.run([msgspec.structs.replace(task, branches=given.branch) for task in tasks]):
            exploration.take(finding)
            each(finding)
        spent_s = (clock.monotonic_ns() - began_ns) / 1e9
        rate(exploration.runs, spent_s)
        if (given.budget and spent_s > given.budget) or (given.first and exploration.failures):
            break


def _rounds(given: Any, exploration: Exploration) -> Iterator[list[Task]]:
    first, last = given.seeds
    if given.single_faults:
        yield from _single_faults(exploration, last - first + 1)
        return
    from harness.exploration.templates import feasible
    from harness.streams import Streams

    plan, kinds = exploration.plan, exploration.kinds
    if plan.faults is not None:
        tasks = [Task(_seeded(plan, seed), twice=seed % TWICE_EVERY == 0) for seed in range(first, last + 1)]
        yield from (tasks[place : place + ROUND_RUNS] for place in range(0, len(tasks), ROUND_RUNS))
        return
    bandit = exploration.bandit = Bandit(feasible(kinds))
    for start in range(first, last + 1, ROUND_RUNS):
        seeds = range(start, min(start + ROUND_RUNS, last + 1))
        random = Streams(start).stream("explore")
        yield [_task(exploration, bandit, _seeded(plan, seed), random) for seed in seeds]


def _task(exploration: Exploration, bandit: Bandit, plan: Plan, random: Random) -> Task:
    """A run with a template that the bandit chose or, once there is a corpus, with a schedule made of what is kept."""
    template, twice = bandit.choose(random), plan.seed % TWICE_EVERY == 0
    if not exploration.corpus or random.random() >= MUTANTS_SHARE:
        return Task(plan, exploration.kinds, template, twice=twice)
    return Task(mutated(plan, exploration.corpus), twice=twice, told=MUTANT)


def _single_faults(exploration: Exploration, most: int) -> Iterator[list[Task]]:
    """Every single fault at a boundary of a run without faults, evenly fewer where there are more than asked for; and
    pairs of them, drawn, where there are fewer."""
    from harness.exploration import boundaries as single
    from harness.exploration.steps import unit_s
    from harness.streams import Streams

    plan = exploration.plan
    found = boundaries(plan)
    kinds = [kind for kind in (*single.BLOWS, single.CUT) if kind in exploration.kinds] or ["kill"]
    whole = single.single_faults(found, kinds, 2 * unit_s(plan))
    ones = [(fault,) for fault in single.evenly(whole, most)]
    random = Streams(plan.seed).stream("pairs")
    twos = single.pairs(whole, most - len(ones), random)
    disk, messages = (sum(boundary.event in events for boundary in found) for events in (DISK_EVENTS, (SEND,)))
    sys.stderr.write(
        f"{disk} uses of disks, {messages} messages, {' and '.join(kinds)}: "
        f"{len(ones)} of {len(whole)} single faults, {len(twos)} pairs\n"
    )
    tasks = [Task(single.of_faults(plan, *faults), told=single.told(faults)) for faults in (*ones, *twos)]
    yield from (tasks[first : first + ROUND_RUNS] for first in range(0, len(tasks), ROUND_RUNS))


def _seeded(plan: Plan, seed: int) -> Plan:
    return msgspec.structs.replace(plan, seed=seed)


def _kept(folder: Run, exploration: Exploration) -> list[dict[str, Any]]:
    """Save each failure as a run, at most `KEPT_MAX`, those that show something first seen first."""
    from harness.cli.shrink import keep_run

    kept: list[dict[str, Any]] = []
    firsts = [findings[0] for findings in exploration.groups().values()]
    ordered = [*firsts, *exploration.failures]
    seen: set[int] = set()
    for finding in ordered:
        if id(finding) in seen or len(kept) >= KEPT_MAX:
            continue
        seen.add(id(finding))
        run = keep_run(folder.path / "runs", finding.plan)
        kept.append({**facts(finding), "run": str(run.path), "replay": f"splitbrain replay {run.path}"})
    return kept


def _report(exploration: Exploration, seconds: float, kept: list[dict[str, Any]]) -> dict[str, Any]:
    from harness.exploration.states import never_exercised
    from harness.exploration.statistics import interval, upper_bound

    # Branches share their beginnings: they count as failures found, and not in the share of runs that fail.
    failed, runs = sum(not finding.branch for finding in exploration.failures), exploration.runs
    decided = sum(exploration.outcomes.get(outcome, 0) for outcome in ("valid", "violation"))
    groups = [
        {
            "guarantee": guarantee,
            "anomaly": name,
            "runs": len(findings),
            "first_seed": findings[0].plan.seed,
            "sentence": _sentence(findings[0], guarantee, name),
        }
        for (guarantee, name), findings in exploration.groups().items()
    ]
    return {
        "schema": 1,
        "runs": runs,
        "failures": failed,
        "branches": exploration.branches,
        "branches_failed": len(exploration.failures) - failed,
        "outcomes": dict(sorted(exploration.outcomes.items())),
        "groups": groups,
        "kept": kept,
        "decided": decided,
        "failure_rate_below": upper_bound(failed, decided),
        "failure_rate_interval": interval(failed, decided),
        "confidence": 0.95,
        "compared_twice": exploration.compared,
        "odd": [{**facts(finding), "differs": finding.differs} for finding in exploration.odd],
        "states": len(exploration.states),
        "circumstances": sorted(exploration.circumstances),
        "never_exercised": never_exercised(exploration.kinds, exploration.circumstances),
        "templates": _counted(exploration.templates),
        "schedulers": _counted(exploration.schedulers),
        "seconds": round(seconds, 1),
        "processor_seconds": round(exploration.processor_ns / 1e9, 1),
    }


def _counted(table: dict[str, list[int]]) -> dict[str, dict[str, int]]:
    return {name: dict(zip(("runs", "new", "failures"), counts, strict=True)) for name, counts in sorted(table.items())}


def _sentence(finding: Finding, guarantee: str, name: str) -> str:
    return next(one.sentence for one in finding.anomalies if (one.guarantee, one.name) == (guarantee, name))


def _seeds(text: str) -> tuple[int, int]:
    """A..B, both included; or one number: so many from 0."""
    if (match := re.fullmatch(r"(\d+)\.\.(\d+)", text)) is not None and int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    if text.isdecimal() and int(text) > 0:
        return 0, int(text) - 1
    raise argparse.ArgumentTypeError(f"wanted A..B, found {text!r}")


def _seconds(text: str) -> float:
    """90, 90s, 10m or 2h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"wanted a time as 90s, 10m or 2h, found {text!r}")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


_EXAMPLES: Final = """examples:
  splitbrain explore plan.toml --seeds 0..999 --jobs 4
  splitbrain explore --bug no-fencing --nodes 3 --time-limit 3 --seeds 0..99 --first
  splitbrain explore --nodes 3 --time-limit 1 --nemesis kill,power --single-faults
  splitbrain explore --bugs all --seeds 1..96 --jobs 2
"""
