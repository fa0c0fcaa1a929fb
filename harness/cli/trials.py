"""Many runs, in parallel over processes: each in a directory of its own, judged from the disk like any other.

A trial leaves nothing behind but what is worth keeping: a run that broke a promise, or that failed.

    for number, report in run_trials([Trial(plan, ("durability",), Path("store/…/runs"))], jobs=2):
        ...

Limits: a trial that hangs inside code that never awaits hangs its process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from harness.cli import judging, planning
from harness.cli.judged import Nobody
from harness.cli.planning import Parts
from harness.controller import Controller
from harness.errors import SplitbrainError
from harness.matrix.figures import measure
from harness.matrix.table import RunReport
from harness.plan import Plan
from harness.result import Result
from harness.store import Run, create_run
from harness.verdict import Outcome
from harness.workers import workers


@dataclass(frozen=True)
class Trial:
    """One run to make.

    Attributes:
        plan: with every switch filled in; promised: the guarantees that must hold; keep: where to keep a run that broke
            one of them, or that failed.
    """

    plan: Plan
    promised: tuple[str, ...]
    keep: Path


def run_trials(trials: Sequence[Trial], jobs: int) -> Iterator[tuple[int, RunReport]]:
    """Run them all; yields each one's place and report as they end. One job runs in this process.

    Fresh processes, not forks: what this one has open or running must not leak into a run.
    """
    if jobs == 1 or len(trials) == 1:
        for place, trial in enumerate(trials):
            yield place, run_trial(trial)
        return
    with workers(min(jobs, len(trials))) as pool:
        places = {pool.submit(run_trial, trial): place for place, trial in enumerate(trials)}
        for future in as_completed(places):
            yield places[future], future.result()


def run_trial(trial: Trial) -> RunReport:
    """Make one run, judge it, and say what it showed."""
    with tempfile.TemporaryDirectory(prefix="splitbrain-") as folder:
        run = create_run(Path(folder), trial.plan)
        parts = _parts(trial.plan)
        repeat = planning.repeat_command(trial.plan, [*parts.system.options, *parts.workload.options])
        failure = _drive(run, parts)
        result = judging.judge_stored_run(run, trial.plan, parts.workload, repeat, failure)
        return _report(trial, run, result)


def _parts(plan: Plan) -> Parts:
    from harness import registry

    return Parts(plan, registry.load("systems", plan.system), registry.load("workloads", plan.workload))


def _drive(run: Run, parts: Parts) -> tuple[Outcome, str] | None:
    plan = parts.plan
    try:
        ground = planning.preflight(parts, None)
        controller = Controller(run, plan, ground, parts.system, parts.workload, Nobody(), dict(plan.options))
        controller.execute()
    except SplitbrainError as error:
        return "infrastructure", str(error)
    except Exception as error:  # One run's failure is a cell of the table, not the end of the others.
        return "harness", f"{type(error).__name__}: {error}"
    if controller.interrupted:
        raise KeyboardInterrupt  # A run ends early for Ctrl-C and is judged; a table without its rows is no table.
    return None


def _report(trial: Trial, run: Run, result: Result) -> RunReport:
    from checkers.protocol import Budget
    from checkers.vacuity import Vacuity
    from harness.history.reader import read_history

    history = read_history(run.history_path) if run.history_path.exists() else None
    vacuity = Vacuity(faults_expected=bool(trial.plan.nemesis))
    answers = {verdict.checker: verdict.answer for verdict in result.verdicts}
    broken = [verdict for verdict in result.verdicts if verdict.answer == "invalid"]
    worth_keeping = result.outcome in ("infrastructure", "harness") or any(
        answers.get(guarantee) == "invalid" for guarantee in trial.promised
    )
    return RunReport(
        seed=trial.plan.seed,
        outcome=result.outcome,
        tested=history is not None and vacuity.check(history, Budget(60.0)).answer == "valid",
        reason=result.reason,
        answers=answers,
        sentences={verdict.checker: verdict.anomalies[0].sentence for verdict in broken if verdict.anomalies},
        repeat=result.repeat,
        figures=measure(history, result) if history is not None else None,
        kept=_kept(trial, run, result) if worth_keeping else "",
    )


def _kept(trial: Trial, run: Run, result: Result) -> str:
    """Move the run's directory, with its page, to where it stays."""
    judging.write_reports(run, result)
    place = trial.keep / run.run_id
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(run.path, place)
    return str(place)
