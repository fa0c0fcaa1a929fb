"""Branches of runs: what a fork shows is shown again by its plan alone, in any process."""

import os
import subprocess
import sys

import msgspec
import pytest

from harness.cli import branches, judged, main
from harness.cli.exploring import Task, explore_whole
from harness.cli.judged import run_judged
from harness.cli.shrink import keep_run
from harness.testing import plan_from

PLAN = plan_from(
    {
        "nodes": 3,
        "concurrency": 3,
        "rate": 60.0,
        "time_limit_s": 0.8,
        "quiet_s": 0.2,
        "seed": 3,
        "options": {"heartbeat_ms": 20, "election_timeout_ms": 100, "wait_ms": 300},
    }
)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    place, fork, pids = tmp_path_factory.mktemp("memory"), os.fork, []

    def forked():
        pids.append(fork())
        return pids[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fork", forked)
        for module in (judged, branches):
            patch.setattr(module, "in_memory", lambda: str(place))
        found = explore_whole(Task(PLAN, ("partition", "kill"), "isolate-leader", twice=True, branches=2))
    assert not list(place.iterdir()), "folders were left behind"
    assert len(pids) == len(found) - 1
    for pid in pids:
        with pytest.raises(ChildProcessError):  # nor was a process
            os.waitpid(pid, os.WNOHANG)
    return found


def test_a_run_and_its_branches_are_what_they_are_when_run_alone(findings):
    own, *others = findings
    assert own.branch == "" and own.differs == "" and 2 <= len(others) <= 6
    assert [one.branch for one in others] == [f"b{number}" for number in range(len(others))]
    assert all(one.compared and one.differs == "" and one.outcome != "harness" for one in others)
    assert len({one.digests for one in findings}) == len(findings)


def test_branches_are_equal_before_their_turn_and_differ_after(findings):
    own, first, *_ = findings
    runs = [run_judged(one.plan) for one in (own, first)]
    turn_ns = int(first.plan.world["turns"].split(":")[0]) - runs[0].started_ns
    before = [[op for op in run.history.events if op.time <= turn_ns] for run in runs]
    after = [[op for op in run.history.events if op.time > turn_ns] for run in runs]
    assert before[0] == before[1] and before[0]
    assert after[0] != after[1]


def test_a_kept_branch_is_replayed_in_another_process(findings, tmp_path):
    run = keep_run(tmp_path, findings[1].plan)
    again = [
        sys.executable,
        "-c",
        "import sys; from harness.cli import main; sys.exit(main())",
        "replay",
        str(run.path),
    ]
    done = subprocess.run(again, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "the same run again" in done.stdout, done.stdout + done.stderr


def test_branches_are_counted_apart_from_the_runs(tmp_path, capsys):
    command = "explore --nodes 3 --time-limit 1 --nemesis kill --heartbeat-ms 20 --election-timeout-ms 100"
    assert main([*command.split(), "--seeds", "1..2", "--branch", "1", "--json", "--store", str(tmp_path)]) == 0
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["runs"] == 2 and 1 <= report["branches"] <= 6 and report["branches_failed"] == 0
    assert sum(report["outcomes"].values()) == 2
