"""The workloads on objects, whole runs on the simulated ground: what is promised holds, what `async` loses is seen."""

import json

import pytest
from torture import many

from harness.cli import main

WORKLOADS = pytest.mark.parametrize("workload", ["counter", "ids", "queue", "lock", "append", "set", "txn"])
BRISK = ("--nodes", "3", "--interval", "1", "--duration", "1.5", "--quiet-period", "2")


@pytest.fixture
def judged(tmp_path, capsys):
    """Run the command, and return its exit code and what it printed as JSON."""

    def run(*words, seed, seconds=5):
        capsys.readouterr()
        limits = ("--seed", str(seed), "--time-limit", str(seconds), "--store", str(tmp_path / "store"), "--json")
        code = main(["run", *BRISK, *words, *limits])
        return code, json.loads(capsys.readouterr().out)

    return run


@WORKLOADS
def test_objects_keep_their_promises_under_faults(workload, judged):
    code, result = judged("--workload", workload, "--nemesis", "partition,kill", seed=1)
    assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["headline"], result["reason"])


@WORKLOADS
def test_async_is_seen_to_lose_what_it_acknowledged(workload, judged):
    words = ("--workload", workload, "--replication", "async", "--nemesis", "partition", "--target", "leader")
    codes = [judged(*words, seed=seed)[0] for seed in (1, 2)]
    assert 1 in codes


def test_a_register_among_lists_is_judged_by_its_versions(judged):
    code, result = judged("--workload", "txn", "--writes", "0.4", "--nemesis", "kill", seed=2)
    assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["headline"], result["reason"])


@WORKLOADS
def test_a_stored_history_is_judged_by_its_model(workload, judged, tmp_path):
    judged("--workload", workload, "--nemesis", "none", seed=1, seconds=1)
    [history] = {path.resolve() for path in tmp_path.glob("store/*/*/history.jsonl")}
    assert main(["check", str(history)]) == 0


@many(least=2)
@WORKLOADS
def test_objects_keep_their_promises_for_many_seeds(workload, judged, seeds):
    for seed in seeds:
        words = ("--workload", workload, "--nemesis", "partition,kill,pause,power")
        code, result = judged(*words, seed=seed, seconds=20)
        assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["headline"], result["reason"])
