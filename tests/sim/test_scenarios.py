"""The five classic stories come out as they are told, and a story that is told wrongly says where."""

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.store import open_run

STORIES = sorted((Path(__file__).resolve().parents[2] / "examples" / "scenarios").glob("*.txt"))


def test_there_are_five_stories():
    assert len(STORIES) == 5


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_classic_story_comes_out_as_it_is_told(path, tmp_path, capsys):
    assert main(["scenario", str(path), "--store", str(tmp_path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["as_told"] and told["surprises"] == []
    assert len(told["steps"]) >= 10
    assert open_run(told["run"] and Path(told["run"])).result().outcome in ("violation", "valid")


def wrongly(tmp_path, capsys, old, new):
    path = tmp_path / "story.txt"
    text = next(story for story in STORIES if story.stem == "stale-read").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code = main(["scenario", str(path), "--store", str(tmp_path / "store"), "--json"])
    return code, json.loads(capsys.readouterr().out)[0]


def test_an_outcome_that_is_told_wrongly_is_named_by_its_line(tmp_path, capsys):
    code, told = wrongly(tmp_path, capsys, "-> 1 ", "-> 2 ")
    assert code == 1 and "came out as 1" in told["surprises"][0] and "line 10" in told["surprises"][0]


def test_without_the_bug_the_story_does_not_end_as_told(tmp_path, capsys):
    code, told = wrongly(tmp_path, capsys, "with bug read-without-confirmation", "")
    assert code == 1
    assert any("came out as refused" in surprise for surprise in told["surprises"])
    assert any("stale-read was expected, but there was none" in surprise for surprise in told["surprises"])


def test_a_step_waits_for_an_acknowledgement(tmp_path, capsys):
    path = tmp_path / "story.txt"
    path.write_text(
        "Cut once it has acknowledged\ntimeout 800 ms\ncall the leader A\n"
        "meanwhile write x=1 by alice on A -> done\nwhen A has acknowledged, cut A from all\n"
        "read x by bob on A -> refused\nexpect nothing broken\n"
    )
    assert main(["scenario", str(path), "--store", str(tmp_path), "--json"]) == 0, capsys.readouterr().out


def test_a_story_that_cannot_be_read_is_refused(tmp_path, capsys):
    assert main(["scenario", str(tmp_path / "no.txt")]) == 254
    assert "cannot be read" in capsys.readouterr().err
