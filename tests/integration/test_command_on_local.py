"""The command on plain processes of this machine, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.local_ground import ledger
from harness.plan import read_plan

SHORT = ("--time-limit", "2", "--quiet-period", "0.3", "--interval", "0.5", "--duration", "0.5", "--nodes", "3")
SHAPE = ("--nemesis", "kill,pause", "--seed", "5", "--json")


@pytest.fixture(autouse=True)
def own_ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "folder", lambda: tmp_path / "ledgers")


def test_a_plan_file_runs_on_processes_with_faults_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "a plan; with 'signs'.toml"
    plan.write_text('on = "sim"\nnemesis = ["kill"]\n[options]\ndisk = "image"\nmachines = "a,b"\n')
    code = main(["run", str(plan), "--on", "local", *SHORT, *SHAPE, "--store", str(tmp_path / "run s")])
    result = json.loads(capsys.readouterr().out)
    assert code == 0, result
    assert {fault["kind"] for fault in result["faults"]} <= {"kill", "pause"}
    assert result["faults"]
    assert all(fault["proven"] for fault in result["faults"])
    assert read_plan(Path(result["run"]) / "plan.json").on == "local"
    assert not list((tmp_path / "ledgers").glob("*"))
    assert main(["cleanup", "--on", "local"]) == 0
    assert capsys.readouterr().out == "Nothing was left behind.\n"
