"""`splitbrain scenario`: play exact stories, on any ground, and compare them with what they expect."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness import registry
from harness.cli.arguments import Parser
from harness.cli.planning import Parts, ground_options, preflight
from harness.errors import PlanError, UsageError
from harness.plan import Plan
from harness.protocols import Ground
from harness.scenario.language import Scenario, Step, names, parse, typed
from harness.store import Run, create_run, default_store

if TYPE_CHECKING:
    from harness.scenario.play import Player

READY_S: Final = 60.0


def build_parser() -> Parser:
    """The parser of `splitbrain scenario`."""
    parser = Parser(
        prog="splitbrain scenario",
        description="Play exact stories: who asks what of whom, what breaks when, and what must come of it.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("files", nargs="+", type=Path, help="scenario files")
    parser.add_argument("--on", default="sim", help="where nodes run: sim, docker (default: sim)")
    parser.add_argument("--system", default="leader-follower", help="system under test (default: leader-follower)")
    parser.add_argument("--store", type=Path, help="where runs are kept (default: $SPLITBRAIN_STORE, else ./store)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Play them all; returns 0 when every story came out as it says, else 1."""
    given = build_parser().parse_args(argv)
    scenarios = [_read(path) for path in given.files]
    results = []
    for path, scenario in zip(given.files, scenarios, strict=True):
        results.append({"file": str(path), "title": scenario.title, **_play(path, scenario, given)})
        if not given.json:
            sys.stdout.write(_told(results[-1]))
            sys.stdout.flush()
    if given.json:
        sys.stdout.write(msgspec.json.encode(results).decode() + "\n")
    return 0 if all(result["as_told"] for result in results) else 1


def _read(path: Path) -> Scenario:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UsageError(f"{path}: the scenario cannot be read: {error.strerror}.") from error


def _play(path: Path, scenario: Scenario, given: Any) -> dict[str, Any]:
    from checkers.judge import judge_run
    from checkers.protocol import Budget
    from harness.cli import judging
    from harness.history.reader import read_history

    system, workload = registry.load("systems", given.system), registry.load("workloads", scenario.workload)
    defaults = {
        option.name: option.default for option in [*system.options, *workload.options, *ground_options(given.on)]
    }
    settings = typed(scenario.options, defaults, str(path))
    plan = Plan(
        system=given.system,
        workload=scenario.workload,
        on=given.on,
        nodes=scenario.nodes,
        concurrency=max(1, len(names(scenario.steps))),
        seed=scenario.seed,
        op_timeout_s=scenario.timeout_s,
        options=settings,
    )
    ground = _ground(plan, scenario, Parts(plan, system, workload), path)
    run = create_run(given.store or default_store(), plan)
    player = _perform(run, plan, scenario, ground, system, workload)
    history = read_history(run.history_path)
    repeat = f"splitbrain scenario {path}"
    result = judge_run(history, plan, workload.checkers(plan), Budget(plan.check_budget_s), repeat)
    result = judging.store_result(run, judging.verified(history, result))
    judging.write_reports(run, result)
    shown = [one for verdict in result.verdicts if verdict.answer == "invalid" for one in verdict.anomalies]
    expected = [step for step in scenario.steps if step.kind == "expect"]
    surprises = player.surprises
    surprises += _judged_otherwise(expected, {word for one in shown for word in (one.name, one.guarantee)})
    return {
        "as_told": not surprises,
        "steps": sorted(player.told, key=lambda line: float(line.split()[0])),
        "surprises": surprises,
        "outcomes": sorted(player.outcomes),
        "verdict": result.outcome,
        "anomalies": sorted({(one.guarantee, one.name) for one in shown}),
        "sentences": [one.sentence for one in shown],
        "run": str(run.path),
    }


def _judged_otherwise(expected: Sequence[Step], seen: set[str]) -> list[str]:
    """Sentences about what was to be broken and was not, or the other way round."""
    wrong = []
    for step in expected:
        what = step.words["what"]
        if what == "nothing broken" and seen:
            wrong.append(f"line {step.line}: nothing was to be broken, but there was {', '.join(sorted(seen))}")
        elif what != "nothing broken" and what not in seen:
            wrong.append(f"line {step.line}: {what} was expected, but there was {', '.join(sorted(seen)) or 'none'}")
    return wrong


def _ground(plan: Plan, scenario: Scenario, parts: Parts, path: Path) -> Ground:
    """The ground, if it can do all that the story asks of it.

    Raises:
        PlanError: a step that it cannot do, and why.
    """
    from harness.scenario.play import KINDS

    kinds = {KINDS[step.kind][0]: step for step in scenario.steps if step.kind in KINDS}
    for kind, step in kinds.items():
        try:
            preflight(replace(parts, plan=msgspec.structs.replace(plan, nemesis=(kind,))), None)
        except PlanError as error:
            raise PlanError(f"{path}, line {step.line}: {step.text!r} cannot be played: {error}") from error
    return preflight(parts, None)


def _perform(run: Run, plan: Plan, scenario: Scenario, ground: Ground, system: Any, workload: Any) -> Player:
    """Play it into the run's history; the player has the surprises and the steps as they went."""
    from harness.history.recorder import Recorder
    from harness.scenario.play import Player

    settings = dict(plan.options)
    loop = ground.new_event_loop()
    box: list[Player] = []

    async def perform() -> None:
        async with ground.cluster(system, plan.node_names(), settings, run.run_id) as cluster:
            await system.wait_ready(cluster, settings, READY_S)
            recorder = Recorder(run.history_path, workload.header(plan), ground.now_ns)
            try:
                box.append(Player(scenario, system, cluster, settings, recorder))
                await box[0].play()
            finally:
                recorder.close()
                await cluster.collect_logs(run.path / "nodes")

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(perform())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return box[0]


def _told(result: dict[str, Any]) -> str:
    sign = "✓" if result["as_told"] else "✗"
    lines = [f"{sign} {result['title']}", *result["steps"]]
    lines += [f"  So: {sentence}" for sentence in result["sentences"]]
    lines += [f"  ✗ {surprise}" for surprise in result["surprises"]]
    return "\n".join([*lines, f"  run  {result['run']}", ""]) + "\n"


_EXAMPLES: Final = """examples:
  splitbrain scenario examples/scenarios/*.txt
  splitbrain scenario examples/scenarios/zombie-leader.txt --on docker
"""
