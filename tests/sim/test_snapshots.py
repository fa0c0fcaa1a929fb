"""Whole runs of the store with small snapshots and segments: every promise holds, and snapshots are really sent."""

import json
from pathlib import Path

import pytest

from harness.cli import main

SMALL = ("--snapshot-entries", "50", "--segment-bytes", "4000")
BRISK = ("--nodes", "3", "--interval", "1", "--duration", "1.5", "--time-limit", "6", "--quiet-period", "2")


@pytest.mark.parametrize("nemesis", ["power", "kill", "partition", "partition,kill,pause,power"])
def test_the_store_is_linearizable_while_snapshots_replace_its_log(nemesis, tmp_path, capsys):
    for seed in (1, 2):
        words = ("--nemesis", nemesis, "--seed", str(seed), "--store", str(tmp_path))
        code = main(["run", *BRISK, *SMALL, *words, "--json"])
        result = json.loads(capsys.readouterr().out)
        assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["headline"])


def test_a_follower_that_was_cut_off_for_long_gets_a_snapshot(tmp_path, capsys):
    words = ("--nemesis", "partition", "--partition", "isolate", "--seed", "3", "--store", str(tmp_path))
    assert main(["run", *BRISK, *SMALL, *words, "--json"]) == 0
    capsys.readouterr()
    logs = "".join(path.read_text() for path in Path(tmp_path).rglob("nodes/**/*") if path.is_file())
    assert "log and state replaced by a snapshot" in logs
