"""The store's promises on the simulated ground, whole runs from command to verdict.

The promises of `quorum` and `sync` must hold under every fault; what `async` and reads from followers do not promise
must be *seen* broken. A handful of seeds here, many under the mark `torture`.
"""

import json

import pytest
from torture import many

from harness.cli import main

BRISK = ("--nodes", "3", "--interval", "1", "--duration", "1.5")
QUORUM = ("--replication", "quorum", "--read", "leader")
SAFE = {
    "all one by one": (*QUORUM, "--nemesis", "partition,kill,pause,power"),
    "power loss of all nodes": (*QUORUM, "--nemesis", "power", "--target", "all"),
    "the leader paused": (*QUORUM, "--nemesis", "pause", "--target", "leader"),
    "the leader cut off": (*QUORUM, "--nemesis", "partition", "--target", "leader"),
    "one-way cuts": (*QUORUM, "--nemesis", "partition", "--partition", "one-way"),
    "majorities ring": (*QUORUM, "--nemesis", "partition", "--partition", "majorities-ring", "--nodes", "5"),
    "few values": (*QUORUM, "--nemesis", "partition,kill", "--values", "4"),
    "sync": ("--replication", "sync", "--nemesis", "partition,kill", "--target", "one"),
    "a fixed leader": (*QUORUM, "--election", "none", "--nemesis", "partition,kill"),
    "tokens": ("--read", "session", "--workload", "session", "--nemesis", "partition,kill"),
}
ASYNC = ("--replication", "async", "--nemesis", "partition", "--target", "leader")
STALE = ("--read", "follower", "--workload", "session", "--nemesis", "partition")


@pytest.fixture
def judged(tmp_path, capsys):
    """Run the command, and return its exit code and what it printed as JSON."""

    def run(*words, seed, seconds=6):
        capsys.readouterr()
        store = str(tmp_path / "store")
        limits = ("--seed", str(seed), "--time-limit", str(seconds), "--quiet-period", "2")
        code = main(["run", *BRISK, *words, *limits, "--store", store, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def told(result):
    """What to print when it is not as it should be."""
    return (result["repeat"], result["headline"], [a["sentence"] for v in result["verdicts"] for a in v["anomalies"]])


def invalid(result):
    return {verdict["checker"] for verdict in result["verdicts"] if verdict["answer"] == "invalid"}


@pytest.mark.parametrize("seed", range(1, 11))
def test_quorum_and_leader_reads_are_linearizable_under_partitions_and_kills(seed, judged):
    code, result = judged(*QUORUM, "--nemesis", "partition,kill", seed=seed)
    assert (code, result["outcome"]) == (0, "valid"), told(result)
    assert result["faults"]


@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds(name, judged):
    code, result = judged(*SAFE[name], seed=1)
    assert (code, result["outcome"]) == (0, "valid"), told(result)


def test_async_loses_acknowledged_writes_when_the_leader_is_cut_off(judged):
    results = [judged(*ASYNC, seed=seed) for seed in range(1, 7)]
    lost = [result for code, result in results if code == 1 and {"durability", "linearizability"} <= invalid(result)]
    assert len(lost) >= 5, [told(result) for _, result in results]
    assert all(fault["proven"] for result in lost for fault in result["faults"])


def test_a_log_that_is_not_synced_loses_acknowledged_writes_when_all_power_fails(judged):
    words = (*QUORUM, "--fsync", "never", "--nemesis", "power", "--target", "all")
    results = [judged(*words, seed=seed) for seed in range(3, 11)]
    assert sum("durability" in invalid(result) for _, result in results) >= 2, [told(result) for _, result in results]


def test_reads_from_followers_break_both_session_guarantees(judged):
    results = [judged(*STALE, seed=seed) for seed in range(1, 4)]
    broken = [result for code, result in results if {"read-your-writes", "monotonic-reads"} <= invalid(result)]
    assert len(broken) >= 2, [told(result) for _, result in results]


def test_equal_seeds_give_equal_histories(tmp_path, capsys):
    histories = []
    for name in "ab":
        store = tmp_path / name
        words = ("--nemesis", "partition,kill,pause", "--time-limit", "5", "--seed", "5", "--store", str(store))
        main(["run", *BRISK, *words, "--json"])
        histories.append([path.read_bytes() for path in sorted(store.glob("*/*/history.jsonl"))])
    capsys.readouterr()
    assert histories[0] == histories[1]
    assert len(histories[0][0]) > 10_000


@many(least=2)
@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds_for_many_seeds(name, judged, seeds):
    for seed in seeds:
        code, result = judged(*SAFE[name], seed=seed, seconds=30)
        assert (code, result["outcome"]) == (0, "valid"), told(result)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("words", "broken"),
    [(ASYNC, {"durability", "linearizability"}), (STALE, {"read-your-writes", "monotonic-reads"})],
)
def test_what_is_not_promised_is_seen_broken_on_nearly_all_seeds(words, broken, judged):
    seen = sum(broken <= invalid(judged(*words, seed=seed, seconds=30)[1]) for seed in range(100, 120))
    assert seen >= 18
