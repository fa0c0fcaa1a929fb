"""`splitbrain run`: the main job, end to end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness.cli import judging, planning, twice
from harness.cli.planning import Parts
from harness.controller import Controller, Watcher
from harness.errors import SplitbrainError
from harness.protocols import Ground, Traced
from harness.result import Result
from harness.store import Run, create_run, default_store
from harness.telling import Telling
from harness.verdict import Outcome


def main(argv: Sequence[str]) -> int:
    """Run a test; returns the exit code of its outcome."""
    given, parts = planning.parse(argv)
    if given.dry:
        sys.stdout.write(parts.plan.to_json().decode() + "\n")
        return 0
    ground = planning.preflight(parts, given.base_image)
    if given.twice:
        twice.begin(ground)
    repeat = planning.repeat_command(parts.plan, [*parts.system.options, *parts.workload.options])
    run = create_run(given.store or default_store(), parts.plan)
    run.log("run", repeat=repeat)
    result = _execute(run, parts, ground, repeat, quiet=given.json, again=given.twice)
    judging.show(run, result, as_json=given.json)
    return result.exit_code


def _execute(run: Run, parts: Parts, ground: Ground, repeat: str, *, quiet: bool, again: bool) -> Result:
    """Drive the run, then judge and report what there is."""
    from reports.live import LivePanel

    with LivePanel(
        parts.plan, ground.now_ns, header=[f"repeat  {repeat}", f"run     {run.path}"], quiet=quiet
    ) as panel:
        if isinstance(ground, Telling):
            ground.tell = panel.news
        failure = _drive(run, parts, ground, panel)
        if again and failure is None:
            panel.phase("run again")
            failure = twice.compare_with_a_second(run, parts, ground)
        panel.phase("judge")
        result = judging.judge_stored_run(run, parts.plan, parts.workload, repeat, failure)
        panel.phase("report")
        judging.write_reports(run, result)
    return result


def _drive(run: Run, parts: Parts, ground: Ground, panel: Watcher) -> tuple[Outcome, str] | None:
    """Run the controller. A failure is kept as outcome and reason, because what was recorded still gets reported."""
    controller = Controller(run, parts.plan, ground, parts.system, parts.workload, panel, dict(parts.plan.options))
    if parts.plan.stop_on_violation:
        from checkers.streaming import Watch

        controller.watch = Watch(parts.workload.streaming(parts.plan)).event
    try:
        controller.execute()
        if controller.exact is not None and isinstance(ground, Traced):
            run.write("exact.json", controller.exact.to_json())
    except SplitbrainError as error:
        run.log("failed", reason=str(error))
        return "infrastructure", str(error)
    except Exception as error:  # Our own bug must not cost the user what was recorded.
        run.log("failed", reason=repr(error))
        return "harness", f"The harness itself failed: {type(error).__name__}: {error}"
    return None
