"""The workflows and scripts for continuous integration, as far as they can be checked without running them.

They are read as lines, since the project has no use for a YAML parser otherwise.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from documents import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def name(path: Path) -> str:
    return path.name


def jobs(text: str) -> dict[str, str]:
    """Name → text of each job."""
    below = text.split("\njobs:\n", 1)[1]
    starts = list(re.finditer(r"^  (\w+):$", below, re.MULTILINE))
    ends = [match.start() for match in starts[1:]] + [len(below)]
    return {match[1]: below[match.end() : end] for match, end in zip(starts, ends, strict=True)}


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
    for job, text in jobs(path.read_text(encoding="utf-8")).items():
        assert re.search(r"^    timeout-minutes: \d+$", text, re.MULTILINE), f"{path.name}: {job} has no deadline"
        assert re.search(r"^    runs-on: ubuntu-\d\d\.\d\d$", text, re.MULTILINE), f"{path.name}: {job} runs anywhere"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_what_a_stranger_writes_never_becomes_a_script(path: Path) -> None:
    """Titles and branch names are anybody's text; only the environment carries them into a step."""
    scripts = re.findall(r"run: \|\n((?: {10}.*\n)+)|run: (?!\|)(.*)", path.read_text(encoding="utf-8"))
    assert scripts
    assert not [script for pair in scripts for script in pair if "${{" in script]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_the_targets_and_scripts_that_a_workflow_runs_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"run: make (\w+)", text)) <= TARGETS
    assert all((ROOT / script).is_file() for script in re.findall(r"(?<![\w/])\.ci/[\w-]+", text))


def nightly_flags() -> list[str]:
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    return re.findall(r"^ +flags: (.*)$", text, re.MULTILINE)


def test_the_nightly_run_has_cases() -> None:
    assert len(nightly_flags()) >= 5


@pytest.mark.parametrize("flags", nightly_flags())
@pytest.mark.parametrize("replication", ["quorum", "sync", "async"])
def test_a_nightly_case_is_a_plan(flags: str, replication: str, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli import main

    assert main(["run", "--dry", "--on", "sim", "--replication", replication, *shlex.split(flags)]) == 0
    assert f'"replication": "{replication}"' in capsys.readouterr().out


def test_the_nightly_run_fails_where_a_code_is_not_accepted(tmp_path: Path) -> None:
    """The step's own script, with commands in place of the real one."""
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    step = re.search(r"- name: Run\n +run: \|\n((?: {10}.*\n)+)", text)
    assert step
    script = step[1].replace(".venv/bin/splitbrain", "bash -c 'exit $RESULT' --")
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
