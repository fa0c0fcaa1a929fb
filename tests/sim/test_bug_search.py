"""Planted bugs are found on the simulated ground, and nothing is found where none is planted.

A few here, by the first seeds that show them; all of them, and more of the correct store, under the mark `torture`.
"""

import json

import msgspec
import pytest
from torture import many

from harness.cli import main
from harness.cli.bug_search import correct, plan_of, search
from harness.cli.judged import run_judged
from system_under_test.leader_follower.bugs import BUGS, SETTINGS

QUICK = {
    "token-ignored": "read-your-writes",
    "read-without-confirmation": "linearizability",
    "ack-before-fsync": "durability",
    "cas-outside-log": "linearizability",
    "increment-outside-log": "counter",
    "dequeue-outside-log": "total-queue",
    "lock-released-by-other": "fenced-lock",
    "lease-not-honoured": "linearizability",
    "vote-not-persisted": "linearizability",
    "old-generation-counted": "linearizability",
    "snapshot-wrong-generation": "monotonic-reads",
    "changes-overlap": "linearizability",
}


@pytest.mark.parametrize("bug", QUICK)
def test_a_planted_bug_is_found_by_the_checker_that_should(bug):
    found = search(bug, first_seed=1, limit=10)
    assert found.shown is not None, BUGS[bug].safeguard
    assert QUICK[bug] in found.shown.checkers, found.shown
    assert f"--bug {bug}" in found.shown.repeat


@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_is_found_where_nothing_is_planted(setting):
    (shown,) = correct(setting, [1])
    assert shown.outcome in _expected(setting), shown


def _expected(setting):
    """Where disks misread, nodes refuse to start: then it is not proven that the fault was lifted."""
    return {"vacuous", "valid"} if "misread" in setting else {"valid"}


def test_the_world_of_a_setting_is_the_world_of_its_runs():
    plan = plan_of(SETTINGS["sets, disks that misread"], "", 1)
    assert run_judged(plan).digest != run_judged(msgspec.structs.replace(plan, world={})).digest


def test_the_command_searches_stores_and_says_what_it_found(tmp_path, capsys):
    words = ["bugs", "--only", "cas-outside-log", "--searches", "2", "--limit", "5", "--correct", "2", "--jobs", "1"]
    assert main([*words, "--store", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [bug["name"] for bug in told["bugs"]] == ["cas-outside-log"]
    assert [row["outcomes"] for row in told["correct"]] == [{"valid": 2}]
    (stored,) = tmp_path.glob("bugs/2*/bugs.json")
    assert json.loads(stored.read_text()) == told
    assert "| `cas-outside-log` |" in stored.with_name("bugs.md").read_text()


def test_the_command_lists_the_bugs_and_refuses_one_that_is_not_planted(capsys):
    assert main(["bugs", "--list"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")] == list(BUGS)
    assert main(["bugs", "--only", "no-fence"]) == 254
    assert "no-fencing" in capsys.readouterr().err


@pytest.mark.torture
@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_found(bug):
    assert search(bug, first_seed=1, limit=100).shown is not None, BUGS[bug].safeguard


@many(least=2)
@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_is_found_on_many_seeds_where_nothing_is_planted(setting, seeds):
    for seed in seeds:
        assert [shown for shown in correct(setting, [seed]) if shown.outcome not in _expected(setting)] == []
