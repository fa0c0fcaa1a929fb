"""The examples run as they stand. The commands of examples/README.md are run with those of the other documents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from documents import ROOT

from harness.history.reader import read_history
from harness.plan import Plan, read_plan

PROGRAMS = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_programs() -> None:
    assert PROGRAMS


def printed(path: Path, folder: Path) -> list[str]:
    words = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_program_runs_and_prints_the_same_each_time(path: Path, tmp_path: Path) -> None:
    first = printed(path, tmp_path)
    assert first
    assert printed(path, tmp_path) == first


def test_the_simulated_generator_shows_what_its_docstring_promises(tmp_path: Path) -> None:
    lines = printed(ROOT / "examples" / "simulate_a_generator.py", tmp_path)
    (doubt,) = [number for number, line in enumerate(lines) if "timeout" in line]
    assert "process 1  info    write" in lines[doubt]
    assert not [line for line in lines[doubt + 1 :] if "process 1 " in line]
    assert [line for line in lines[doubt + 1 :] if "process 4 " in line]


def test_the_plan_says_something_that_the_defaults_do_not() -> None:
    plan, default = read_plan(ROOT / "examples" / "plan.toml"), Plan()
    differs = {name for name in Plan.__struct_fields__ if getattr(plan, name) != getattr(default, name)}
    assert differs >= {"nemesis", "target", "seed", "options"}


def test_the_nightly_plan_mixes_faults_and_bounds_how_well_it_is_served() -> None:
    plan = read_plan(ROOT / "examples" / "nightly.toml")
    assert len(plan.nemesis) >= 4
    assert plan.combine
    assert plan.thresholds.recovery_s_max
    assert (plan.options["replication"], plan.options["fsync"]) == ("quorum", "always")


def test_the_indices_and_processes_of_the_histories_are_in_order() -> None:
    """They are models for others to copy, so they are stricter than the reader."""
    for path in sorted((ROOT / "examples" / "histories").glob("*.jsonl")):
        if path.name == "broken-line.jsonl":
            continue
        lines = path.read_bytes().splitlines()
        events = read_history(path).events
        assert [msgspec.json.decode(line)["index"] for line in lines[1:]] == list(range(len(events)))
        times = [event.time for event in events]
        assert times == sorted(times)
