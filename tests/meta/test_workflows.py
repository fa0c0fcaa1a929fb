"""The workflows and scripts for continuous integration, as far as they can be checked without running them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def name(path: Path) -> str:
    return path.name


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """Name → content of each job, as the runner's own parser would see it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


def test_both_workflows_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved to other code; the version behind the commit is for people."""
    uses = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), f"{path.name}: {action}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_may_read_and_no_more(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
    assert len(re.findall(r"permissions:", text)) == 1
    assert "secrets." not in text and "pull_request_target" not in text
    assert len(re.findall(r"persist-credentials: false", text)) == len(re.findall(r"actions/checkout@", text))


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_every_job_has_a_deadline_and_a_fixed_machine(path: Path) -> None:
    assert jobs(path)
    for name, job in jobs(path).items():
        assert isinstance(job.get("timeout-minutes"), int), f"{path.name}: {name} has no deadline"
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"]), f"{path.name}: {name} runs anywhere"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_every_step_does_one_thing_with_known_words(path: Path) -> None:
    """A misspelt word is refused by the runner, at night, when nobody looks."""
    for step in steps(path):
        assert len({"uses", "run"} & step.keys()) == 1, f"{path.name}: {step}"
        assert step.keys() <= {"name", "id", "if", "uses", "with", "run", "env"}, f"{path.name}: {step}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_what_a_stranger_writes_never_becomes_a_script(path: Path) -> None:
    """Titles and branch names are anybody's text; only the environment carries them into a step."""
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_the_targets_and_scripts_that_a_workflow_runs_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"run: make (\w+)", text)) <= TARGETS
    assert all((ROOT / script).is_file() for script in re.findall(r"(?<![\w/])\.ci/[\w-]+", text))


NIGHTLY = jobs(ROOT / ".github" / "workflows" / "nightly.yml")["run"]
MATRIX = NIGHTLY["strategy"]["matrix"]


def test_the_nightly_run_has_cases_on_both_grounds() -> None:
    assert len(MATRIX["case"]) >= 5
    assert MATRIX["ground"] == ["sim", "docker"]


@pytest.mark.parametrize("case", MATRIX["case"], ids=lambda case: case["name"])
@pytest.mark.parametrize("replication", MATRIX["replication"])
@pytest.mark.parametrize("ground", MATRIX["ground"])
def test_a_nightly_case_is_a_plan(
    ground: str, replication: str, case: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import main

    assert main(["run", "--dry", "--on", ground, "--replication", replication, *shlex.split(case["flags"])]) == 0
    assert f'"replication": "{replication}"' in capsys.readouterr().out
    assert set(case["accept"][replication].split()) <= {"0", "1"}, "only a definite outcome can be what was promised"


def test_the_nightly_run_fails_where_a_code_is_not_accepted(tmp_path: Path) -> None:
    """The step's own script, with commands in place of the real one."""
    (step,) = [step for step in NIGHTLY["steps"] if step.get("name") == "Run"]
    script = step["run"].replace(".venv/bin/splitbrain", "bash -c 'exit $RESULT' --")
    for result, accept, passes in [("0", "0", 1), ("1", "0", 0), ("1", "0 1", 1), ("255", "0 1", 0), ("2", "1", 0)]:
        told = {**os.environ, "RESULT": result, "ACCEPT": accept, "PLAN": "", "TIME_LIMIT": "1"}
        done = subprocess.run(["bash", "-e", "-c", script], env=told, cwd=tmp_path, capture_output=True, timeout=30)
        assert (done.returncode == 0) == bool(passes), f"exit code {result} where {accept} is accepted"


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_can_be_run_and_parsed(path: Path) -> None:
    assert os.access(path, os.X_OK), f"{path.name} is not executable"
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first in ("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh", "#!/usr/bin/env python3")
    if "python" not in first:
        assert any(line.startswith("set -e") for line in rest), f"{path.name} goes on after a failure"
        subprocess.run([first.split("/")[-1].split()[-1], "-n", path], check=True, timeout=30)
