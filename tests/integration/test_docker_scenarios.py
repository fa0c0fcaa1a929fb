"""The classic stories on containers: what is asked is answered as on the simulated ground, and judged alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

pytestmark = pytest.mark.docker

STORIES = sorted((Path(__file__).resolve().parents[2] / "examples" / "scenarios").glob("*.txt"))


def played(path: Path, on: str, store: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main(["scenario", str(path), "--on", on, "--store", str(store), "--json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert code == 0, told["surprises"]
    return dict(told)


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_has_the_same_outcomes_and_verdict_on_containers_as_simulated(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated, real = (played(path, on, tmp_path / on, capsys) for on in ("sim", "docker"))
    assert len(real["outcomes"]) >= 4
    for what in ("outcomes", "verdict", "anomalies", "as_told"):
        assert real[what] == simulated[what], what


def test_a_story_that_containers_cannot_play_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "story.txt"
    path.write_text("The power goes\ncall the leader A\npower off A\nstart A\nexpect nothing broken\n")
    assert main(["scenario", str(path), "--on", "docker", "--store", str(tmp_path)]) == 254
    said = capsys.readouterr().err
    assert "line 3: 'power off A' cannot be played" in said and "--disk loop" in said and "Traceback" not in said
    assert not (tmp_path / "leader-follower-register").exists()
