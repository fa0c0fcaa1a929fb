"""The store's promises on the simulated ground, whole runs from command to verdict.

The promises of `quorum` and `sync` must hold under every fault; what `async` and reads from followers do not promise
must be *seen* broken. A handful of seeds here, many under the mark `torture`.
"""

import json

import pytest

from harness.cli import main

QUORUM = ("--replication", "quorum", "--read", "leader")
SAFE = {
    "partition and kill": (*QUORUM, "--nemesis", "partition,kill"),
    "all at once": (*QUORUM, "--nemesis", "partition,kill,pause", "--combine"),
    "power loss of any nodes": (*QUORUM, "--nemesis", "power,partition", "--duration", "1"),
    "the leader cut off": (*QUORUM, "--nemesis", "partition", "--target", "leader"),
    "the leader paused": (*QUORUM, "--nemesis", "pause", "--target", "leader"),
    "majorities ring": (*QUORUM, "--nemesis", "partition", "--partition", "majorities-ring"),
    "one-way cuts": (*QUORUM, "--nemesis", "partition", "--partition", "one-way"),
    "sync": ("--replication", "sync", "--nemesis", "partition,kill", "--target", "one", "--duration", "1"),
    "a fixed leader": (*QUORUM, "--election", "none", "--nemesis", "partition,kill"),
    "tokens": ("--read", "session", "--workload", "session", "--nemesis", "partition,kill"),
}
BROKEN = {
    "reads from followers": (
        ("--replication", "async", "--read", "follower", "--workload", "session"),
        {"read-your-writes", "monotonic-reads"},
    ),
    "async, the leader cut off": (
        ("--replication", "async", "--nemesis", "partition", "--target", "leader"),
        {"durability", "linearizability"},
    ),
}


@pytest.fixture
def judged(tmp_path, capsys):
    """Run the command, and return its exit code and what it printed as JSON."""

    def run(*words, seed, seconds=15):
        capsys.readouterr()
        store = str(tmp_path / "store")
        code = main(["run", *words, "--seed", str(seed), "--time-limit", str(seconds), "--store", store, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def told(result):
    """What to print when it is not as it should be."""
    return (result["repeat"], result["headline"], [a["sentence"] for v in result["verdicts"] for a in v["anomalies"]])


def invalid(result):
    return {verdict["checker"] for verdict in result["verdicts"] if verdict["answer"] == "invalid"}


@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds(name, judged):
    code, result = judged(*SAFE[name], seed=1)
    assert (code, result["outcome"]) == (0, "valid"), told(result)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_promised_is_seen_broken(name, judged):
    words, broken = BROKEN[name]
    code, result = judged(*words, seed=1, seconds=30)
    assert (code, result["outcome"]) == (1, "violation"), told(result)
    assert broken <= invalid(result), told(result)
    assert all(fault["proven"] for fault in result["faults"])


def test_equal_seeds_give_equal_histories(tmp_path):
    histories = []
    for name in "ab":
        store = tmp_path / name
        words = [
            "--nemesis",
            "partition,kill,pause",
            "--time-limit",
            "8",
            "--seed",
            "5",
            "--store",
            str(store),
            "--json",
        ]
        main(["run", *words])
        histories.append([path.read_bytes() for path in sorted(store.glob("*/*/history.jsonl"))])
    assert histories[0] == histories[1]
    assert len(histories[0][0]) > 10_000


def test_without_fencing_somebody_loses_a_write(judged):
    words = (*QUORUM, "--fencing", "false", "--nemesis", "partition", "--target", "leader")
    assert any(judged(*words, seed=seed)[0] == 1 for seed in range(1, 9))


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 130))
@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds_for_many_seeds(name, seed, judged):
    code, result = judged(*SAFE[name], seed=seed, seconds=30)
    assert (code, result["outcome"]) == (0, "valid"), told(result)


@pytest.mark.torture
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_promised_is_seen_broken_on_nearly_all_seeds(name, judged):
    words, broken = BROKEN[name]
    seen = sum(broken <= invalid(judged(*words, seed=seed, seconds=60)[1]) for seed in range(100, 120))
    assert seen >= 18
