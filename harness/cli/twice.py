"""`splitbrain run --twice`: the same run again, compared with the first event by event.

A simulation that is not the same twice cannot be replayed or shrunk, so a difference is an error of the harness or of
the system under test (it asked for real time or real chance), and the first event that differs is named.

Limits: both runs are made in this process; `PYTHONHASHSEED` is the same for both.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.cli.judged import Nobody
from harness.cli.planning import Parts, preflight
from harness.controller import Controller
from harness.errors import PlanError
from harness.protocols import Ground
from harness.simulation.compare import compare, same_bytes
from harness.simulation.ground import SimGround
from harness.store import Run, create_run
from harness.verdict import Outcome


def begin(ground: Ground) -> None:
    """Have the first run list what happens; PlanError where runs are never the same."""
    if not isinstance(ground, SimGround):
        raise PlanError("Only on sim is a run the same twice; --twice wants --on sim.")
    ground.record = True


def compare_with_a_second(run: Run, parts: Parts, ground: Ground) -> tuple[Outcome, str] | None:
    """Run again, in a folder that is thrown away; outcome and reason if it was not the same, else None."""
    again = preflight(parts, None)
    assert isinstance(ground, SimGround) and isinstance(again, SimGround)
    again.record = True
    with tempfile.TemporaryDirectory(prefix="splitbrain-") as folder:
        second = create_run(Path(folder), parts.plan)
        plan = parts.plan
        Controller(second, plan, again, parts.system, parts.workload, Nobody(), dict(plan.options)).execute()
        difference = compare(ground.recording(), again.recording())
        equal = same_bytes(run.history_path, second.history_path) and ground.digest() == again.digest()
    run.log("run-twice", equal=difference is None and equal)
    if difference is not None:
        return "harness", f"The run is not the same twice. {difference}"
    if not equal:
        return "harness", "The run is not the same twice: every event looks alike, but payloads or states differ."
    return None
