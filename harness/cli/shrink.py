"""`splitbrain shrink`: from a failing run to one whose every fault and operation is needed.

The run's `exact.json` is what is shrunk; first it is run again, thrice, to see that it does the same each time. What is
left is a run of its own in the store, with the story of what happens in it and a test to paste into a test suite.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness import clock, registry
from harness.cli import arguments
from harness.cli.arguments import Parser
from harness.cli.judged import Judged, run_judged
from harness.errors import SplitbrainError, UsageError, nearest
from harness.plan import Plan, read_plan
from harness.store import Run, create_run, default_store, open_run
from harness.verdict import Anomaly

if TYPE_CHECKING:
    from harness.cli.candidates import Wanted
    from harness.exploration.shrinking import Shrunk

DETERMINISM_RUNS: Final = 3
SEARCH_LIMIT: Final = 60
SLOWNESS_MIN: Final = 0.6
"""Of a run's processor time, in multiples of what `cost_s` says: where much happens, it costs more."""
STORY_LINES_MAX: Final = 60


def build_parser() -> Parser:
    """The parser of `splitbrain shrink`."""
    parser = Parser(
        prog="splitbrain shrink",
        description="Make a failing run as small as it can be, on the simulated ground.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("run", nargs="?", type=Path, help="run directory, or a plan file with lists")
    parser.add_argument("--anomaly", help="which of its anomalies to keep (default: any of them)")
    parser.add_argument("--budget", type=arguments.positive, default=60.0, help="processor seconds (default: 60)")
    parser.add_argument("--jobs", "-j", type=arguments.count, default=1, help="candidates at once (default: 1)")
    parser.add_argument(
        "--bugs", type=arguments.names, help="shrink the first failure of these planted bugs, or of all"
    )
    parser.add_argument("--store", type=Path, help="where runs are kept (default: $SPLITBRAIN_STORE, else ./store)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Shrink; returns 1, since what is left is a violation."""
    given = build_parser().parse_args(argv)
    if given.bugs is not None:
        return _shrink_bugs(given)
    if given.run is None:
        raise UsageError("splitbrain shrink: which run? Give a run directory, or --bugs.")
    plan = listed_plan(given.run)
    judged = _checked(plan)
    wanted = _wanted(judged, given.anomaly)
    shrunk, seconds = _shrink(plan, wanted, given.budget, given.jobs, quiet=given.json)
    run, told, anomaly = keep(given.store or default_store(), shrunk.plan, wanted)
    facts = {**_facts(anomaly, shrunk, seconds), "run": str(run.path)}
    run.write("shrunk.json", msgspec.json.format(msgspec.json.encode(facts), indent=1))
    if given.json:
        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    else:
        sys.stdout.write(_summary(shrunk, seconds, run, told))
    return 1


def listed_plan(path: Path) -> Plan:
    """The plan of a run, as lists: its `exact.json`, or its plan when that has lists, else what a run of it draws.

    Raises:
        UsageError: it is no run, or not of the simulated ground.
    """
    if path.is_file():
        plan = read_plan(path)
    else:
        run = open_run(path)
        exact = run.path / "exact.json"
        plan = read_plan(exact) if exact.is_file() else run.plan()
    if plan.on != "sim":
        raise UsageError(f"{path}: was run on {plan.on!r}; only what was simulated can be run again exactly.")
    if plan.faults is None or plan.operations is None:
        judged = run_judged(plan)
        if judged.exact is None:
            raise SplitbrainError(f"{path}: cannot be run again: {judged.failure}")
        plan = judged.exact
    return plan


def _checked(plan: Plan) -> Judged:
    """Run it thrice; what differs between equal runs cannot be shrunk.

    Raises:
        UsageError: it breaks nothing.
        SplitbrainError: two runs of it differ.
    """
    runs = [run_judged(plan) for _ in range(DETERMINISM_RUNS)]
    if len({(judged.digest, judged.history_digest) for judged in runs}) > 1:
        raise SplitbrainError("Two runs of the same plan differ, so nothing can be shrunk: is there real time in it?")
    if not runs[0].broken():
        outcome = runs[0].result.outcome if runs[0].result else runs[0].failure
        raise UsageError(f"Run again, this run breaks nothing ({outcome}): there is nothing to shrink.")
    return runs[0]


def _wanted(judged: Judged, name: str | None) -> Wanted:
    """Guarantee and name of the anomalies that a candidate may show."""
    found = judged.anomalies()
    wanted = frozenset((one.guarantee, one.name) for one in found if name is None or one.name == name)
    if not wanted:
        raise UsageError(f"The run shows no anomaly {name!r}.{nearest(str(name), {one.name for one in found})}")
    return wanted


def _shrink(plan: Plan, wanted: Wanted, budget_s: float, jobs: int, *, quiet: bool) -> tuple[Shrunk, float]:
    from harness.cli.candidates import candidates
    from harness.exploration.cost import cost_s
    from harness.exploration.shrinking import shrink
    from harness.exploration.steps import with_faults, with_operations

    def told(step: str, now: Plan) -> None:
        if not quiet:
            faults, operations = len(now.faults or ()), len(now.operations or ())
            sys.stderr.write(f"  {step:<16} {operations:>6} operations {faults:>4} faults {now.nodes:>3} nodes\n")

    # Told by a run in which nothing happens: what went wrong in this one may have made it slow.
    idle = msgspec.structs.replace(with_operations(with_faults(plan, ()), ()), time_limit_s=1.0)
    began_ns = clock.processor_ns()
    run_judged(idle)
    slowness = max(SLOWNESS_MIN, (clock.processor_ns() - began_ns) / 1e9 / cost_s(idle))
    with candidates(wanted, jobs, slowness) as trials:
        began_ns = trials.now_ns()
        shrunk = shrink(plan, trials, trials.now_ns, budget_s, told, trials.width)
        return shrunk, (trials.now_ns() - began_ns) / 1e9


def keep_run(store: Path, plan: Plan) -> Run:
    """Run a plan once more, into the store, with its verdict and reports, as `splitbrain run` would have."""
    return _kept(store, plan)[0]


def _kept(store: Path, plan: Plan) -> tuple[Run, Judged]:
    from harness.cli import judging

    run = create_run(store, plan)
    judged = run_judged(plan, keep=run)
    if judged.result is not None and judged.exact is not None:
        judging.store_result(run, judged.result)
        judging.write_reports(run, judged.result)
        run.write("exact.json", judged.exact.to_json())
        run.log("digest", digest=judged.digest)
    return run, judged


def keep(store: Path, plan: Plan, wanted: Wanted) -> tuple[Run, str, Anomaly]:
    """As `keep_run`, with its story and a test; returns the run, the story and what it is told for."""
    from harness.exploration.story import tell
    from harness.testing.plans import test_source

    run, judged = _kept(store, plan)
    assert judged.history is not None, "it failed a moment ago"
    system = registry.load("systems", plan.system)
    kept = next(one for one in judged.anomalies() if (one.guarantee, one.name) in wanted)
    told = tell(judged.history.events, kept, judged.logs, getattr(system, "events", {}), judged.started_ns)
    run.write("story.txt", told.encode())
    run.write(f"test_no_{kept.name.replace('-', '_')}.py", test_source(plan, kept, "splitbrain replay").encode())
    return run, told, kept


def _facts(anomaly: Anomaly, shrunk: Shrunk, seconds: float) -> dict[str, Any]:
    return {
        "guarantee": anomaly.guarantee,
        "anomaly": anomaly.name,
        "before": asdict(shrunk.before),
        "after": asdict(shrunk.after),
        "runs": shrunk.runs,
        "is_minimal": shrunk.is_minimal,
        "seeds_tried": shrunk.seeds,
        "seconds": round(seconds, 1),
    }


def _summary(shrunk: Shrunk, seconds: float, run: Run, told: str) -> str:
    before, after = shrunk.before, shrunk.after
    needed = f"every one of them is needed, with {shrunk.seeds} seeds tried"
    minimal = needed if shrunk.is_minimal else "the budget ended before the search did"
    test = next(run.path.glob("test_no_*.py"))
    if told.count("\n") > STORY_LINES_MAX:
        told = f"Its story has {told.count(chr(10))} lines: {run.path / 'story.txt'}\n"
    return (
        f"{before.operations} operations, {before.faults} faults, {before.nodes} nodes, {before.clients} clients"
        f" → {after.operations} operations, {after.faults} faults, {after.nodes} nodes, {after.clients} clients:"
        f" {minimal}\n({shrunk.runs} runs, {seconds:.1f} processor seconds)\n\n{told}\n"
        f"  run     {run.path}\n  test    {test}\n  replay  splitbrain replay {run.path}\n"
    )


# ── planted bugs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _shrink_bugs(given: Any) -> int:
    """A line of a table for each bug's first failure."""
    from system_under_test.leader_follower.bugs import BUGS

    names = list(BUGS) if given.bugs == ("all",) else list(given.bugs)
    for name in names:
        if name not in BUGS:
            raise UsageError(f"There is no planted bug {name!r}.{nearest(name, BUGS)}")
    rows = []
    if not given.json:
        sys.stdout.write("| bug | anomaly | operations | faults | clients | nodes | runs | seconds | minimal |\n")
        sys.stdout.write("|---|---|---|---|---|---|---|---|---|\n")
    for name in names:
        rows.append(_shrink_bug(name, given.budget, given.jobs))
        if not given.json:
            sys.stdout.write(_row(rows[-1]))
            sys.stdout.flush()
    if given.json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    return 1 if all(row["found"] for row in rows) else 2


def _shrink_bug(name: str, budget_s: float, jobs: int) -> dict[str, Any]:
    from harness.cli.bug_search import first_failure

    _, judged = first_failure(name, 1, SEARCH_LIMIT)
    if judged is None or judged.exact is None:
        return {"bug": name, "found": False}
    wanted = judged.broken()
    shrunk, seconds = _shrink(judged.exact, wanted, budget_s, jobs, quiet=True)
    anomaly = next(one for one in run_judged(shrunk.plan).anomalies() if (one.guarantee, one.name) in wanted)
    return {"bug": name, "found": True, "seed": judged.plan.seed, **_facts(anomaly, shrunk, seconds)}


def _row(row: dict[str, Any]) -> str:
    if not row["found"]:
        return f"| {row['bug']} | not found in {SEARCH_LIMIT} runs | | | | | | | |\n"
    before, after = row["before"], row["after"]
    pairs = " | ".join(f"{before[name]} → {after[name]}" for name in ("operations", "faults", "clients", "nodes"))
    minimal = "yes" if row["is_minimal"] else "no"
    return f"| {row['bug']} | {row['anomaly']} | {pairs} | {row['runs']} | {row['seconds']} | {minimal} |\n"


_EXAMPLES: Final = """examples:
  splitbrain shrink store/latest
  splitbrain shrink store/latest --anomaly lost-write --budget 30
  splitbrain shrink --bugs no-fencing,token-ignored
"""
