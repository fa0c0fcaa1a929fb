"""`--stop-on-violation` on whole runs: the main phase ends, heal and final reads happen, and the verdict says where."""

import json

import pytest

from harness.cli import main

WEAK = ["run", "--on", "sim", "--seed", "3", "--replication", "async", "--read", "follower", "--time-limit", "20"]


def run(tmp_path, capsys, *words):
    code = main([*WEAK, "--stop-on-violation", "--json", "--store", str(tmp_path), *words])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("workload", "guarantee"), [("session", "read-your-writes"), ("register", "linearizability")])
def test_a_weak_system_is_stopped_at_its_first_violation(tmp_path, capsys, workload, guarantee):
    code, result = run(tmp_path, capsys, "--workload", workload)
    assert (code, result["outcome"]) == (1, "violation")
    assert result["truncated"].startswith("The run was stopped ")
    assert f"{guarantee} was broken by operation " in result["truncated"]
    assert result["duration_ns"] < 10e9
    assert "--stop-on-violation" in result["repeat"]
    answers = {verdict["checker"]: verdict["answer"] for verdict in result["verdicts"]}
    assert answers[guarantee] == "invalid"
    assert answers["durability"] == "valid"


def test_a_system_that_keeps_its_promise_runs_to_the_end(tmp_path, capsys):
    words = ["--on", "sim", "--seed", "3", "--time-limit", "3", "--json", "--store", str(tmp_path)]
    assert main(["run", "--stop-on-violation", *words]) == 0
    assert json.loads(capsys.readouterr().out)["truncated"] == ""


def test_a_workload_that_is_judged_afterwards_only_is_refused(tmp_path, capsys):
    assert main(["run", "--workload", "queue", "--stop-on-violation", "--store", str(tmp_path)]) == 254
    assert "leave out --stop-on-violation" in capsys.readouterr().err
