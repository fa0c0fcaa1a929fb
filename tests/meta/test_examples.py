"""The examples run as they stand. The commands of examples/README.md are run with those of the other documents."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from documents import ROOT

from harness.history.reader import read_history
from harness.plan import Plan, read_plan

PROGRAMS = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_programs() -> None:
    assert PROGRAMS


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_program_runs_and_prints_the_same_each_time(path, tmp_path) -> None:
    def printed() -> str:
        words = [sys.executable, "-W", "error", str(path)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = printed()
    assert first.strip()
    assert printed() == first


def test_the_plan_says_something_that_the_defaults_do_not() -> None:
    plan, default = read_plan(ROOT / "examples" / "plan.toml"), Plan()
    differs = {name for name in Plan.__struct_fields__ if getattr(plan, name) != getattr(default, name)}
    assert differs >= {"nemesis", "target", "seed", "options"}


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
