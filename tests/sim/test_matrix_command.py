"""The command `splitbrain matrix`, end to end on small tables."""

import json

import pytest

from harness.cli import main
from harness.controller import Controller
from harness.matrix import Promise
from system_under_test.leader_follower.promises import StorePromises

FEW = ("--rows", "named", "--runs", "1", "--jobs", "1", "--time-limit", "4")


@pytest.fixture
def matrix(tmp_path, capsys):
    """Run the command, and return its exit code and the table that it printed as JSON."""

    def run(*words):
        capsys.readouterr()
        code = main(["matrix", "leader-follower", *FEW, *words, "--store", str(tmp_path / "store"), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def states(table):
    return {
        row["cell"]["name"]: {one["guarantee"]: one["state"] for one in row["observations"]} for row in table["rows"]
    }


def test_what_is_promised_holds_and_what_is_not_is_seen_broken(matrix, tmp_path) -> None:
    code, table = matrix("--only", "reads | ")
    assert code == 0 == table["exit_code"]
    assert states(table) == {
        "follower reads": {"durability": "held", "read-your-writes": "seen", "monotonic-reads": "seen"},
        "session reads": {"durability": "held", "read-your-writes": "held", "monotonic-reads": "held"},
    }
    assert [one["shown"] for one in table["statements"]] == [True, True]
    (folder,) = [path for path in (tmp_path / "store" / "matrix-leader-follower").iterdir() if not path.is_symlink()]
    assert sorted(path.name for path in folder.iterdir()) == ["matrix.html", "matrix.json"]
    assert json.loads((folder / "matrix.json").read_text())["rows"] == table["rows"]


def test_a_run_of_the_table_is_repeated_by_its_command(matrix, capsys, tmp_path) -> None:
    _, table = matrix("--only", "async with the leader cut off")
    one = next(one for one in table["rows"][0]["observations"] if one["state"] == "seen")
    words = one["repeat"].split()[1:]
    assert main([*words, "--store", str(tmp_path / "again"), "--json"]) == 1
    again = json.loads(capsys.readouterr().out)
    sentences = [anomaly["sentence"] for verdict in again["verdicts"] for anomaly in verdict.get("anomalies", ())]
    assert one["sentence"] in sentences


def test_a_promise_that_is_not_kept_is_a_failure_and_its_run_is_kept(matrix, monkeypatch) -> None:
    monkeypatch.setattr(StorePromises, "promise", lambda *_: Promise(True, "we wish it did"))
    code, table = matrix("--only", "follower reads")
    assert code == 1
    assert states(table)["follower reads"]["read-your-writes"] == "broken"
    (kept,) = [run["kept"] for run in table["rows"][0]["runs"]]
    assert main(["check", kept, "--json"]) == 1


def test_the_table_is_the_same_over_several_processes(matrix) -> None:
    alone = matrix("--only", "quorum at rest", "--runs", "2")[1]
    shared = matrix("--only", "quorum at rest", "--runs", "2", "--jobs", "2")[1]
    assert alone["rows"] == shared["rows"]


def test_an_interrupted_table_is_not_told_as_a_whole_one(matrix, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(Controller, "execute", lambda self: setattr(self, "interrupted", 1))
    words = ["matrix", "leader-follower", *FEW, "--store", str(tmp_path / "store")]
    assert main(words) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "splitbrain: Interrupted.\n")
    assert list(tmp_path.rglob("matrix.json")) == []


def test_a_dry_table_runs_nothing(tmp_path, capsys) -> None:
    assert main(["matrix", "leader-follower", "--dry", "--store", str(tmp_path / "store")]) == 0
    out = capsys.readouterr().out
    assert "quorum with the leader cut off" in out and "holds" in out
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["leader-folower"], "Did you mean 'leader-follower'?"),
        (["leader-follower", "--only", "no such row"], "No row of the table has 'no such row' in it"),
        (["leader-follower", "--runs", "0"], "wanted a whole number of at least 1"),
        (["leader-follower", "--rows", "nmed"], "Did you mean 'named'?"),
    ],
)
def test_bad_arguments_get_one_sentence(words, said, capsys) -> None:
    assert main(["matrix", *words]) == 254
    assert said in capsys.readouterr().err
