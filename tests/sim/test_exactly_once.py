"""Requests that may be repeated and passed on, whole runs on the simulated ground: increments counted exactly.

With `--exactly-once` an increment whose leader was killed is asked for again, so a run ends without doubt: every
counter reads as many as were acknowledged. With the nodes' memory of their answers cut out, the same runs have to be
found wrong.
"""

import json
from collections import Counter

import pytest
from torture import many

from harness.cli import main
from system_under_test.leader_follower.sessions import Sessions

KILLS = ("--nemesis", "kill", "--target", "leader", "--interval", "0.6", "--duration", "0.6")
CUTS = ("--nemesis", "partition", "--target", "leader", "--interval", "0.6", "--duration", "1.2")
ONCE = ("--exactly-once", "true")
FORWARD = ("--forward", "true")
SNAPSHOTS = ("--snapshot-entries", "40")


@pytest.fixture
def counted(tmp_path, capsys):
    """Run the counter workload; returns the exit code, the result, and the events of its history."""

    def run(*words, seed, seconds=6):
        store = tmp_path / f"store-{len(list(tmp_path.iterdir()))}"
        limits = ("--seed", str(seed), "--time-limit", str(seconds), "--quiet-period", "2", "--nodes", "3")
        capsys.readouterr()
        code = main(["run", "--workload", "counter", *words, *limits, "--store", str(store), "--json"])
        (path,) = store.glob("*/[0-9]*/history.jsonl")
        return (
            code,
            json.loads(capsys.readouterr().out),
            [json.loads(line) for line in path.read_text().splitlines()][1:],
        )

    return run


def acknowledged(events):
    """How many increments of each counter were."""
    return Counter(event["key"] for event in events if event.get("f") == "increment" and event.get("type") == "ok")


def read_last(events):
    """What each counter reads as at the end."""
    reads = [event for event in events if event.get("f") == "read" and event.get("type") == "ok"]
    return {event["key"]: event["value"] for event in reads if event.get("value")}


def in_doubt(events):
    return sum(event.get("f") == "increment" and event.get("type") == "info" for event in events)


def test_increments_are_counted_exactly_though_leaders_are_killed(counted):
    doubts = 0
    for seed in range(1, 4):
        code, result, events = counted(*KILLS, *ONCE, seed=seed)
        assert (code, result["outcome"]) == (0, "valid"), result["headline"]
        assert result["faults"]
        assert in_doubt(events) == 0
        assert read_last(events) == acknowledged(events)
        doubts += in_doubt(counted(*KILLS, seed=seed)[2])
    assert doubts >= 5, "the same kills left nothing in doubt for clients that do not ask again"


@pytest.mark.parametrize(
    "words",
    [CUTS, (*CUTS, *FORWARD), (*KILLS, *FORWARD), (*KILLS, *SNAPSHOTS)],
    ids=["cuts", "cuts, passed on", "kills, passed on", "kills, snapshots"],
)
def test_no_increment_is_counted_twice_or_not_at_all(words, counted):
    for seed in range(1, 3):
        code, result, events = counted(*words, *ONCE, seed=seed)
        assert (code, result["outcome"]) == (0, "valid"), result["headline"]
        assert result["faults"]
        last, done = read_last(events), acknowledged(events)
        assert sum(done.values()) > 100
        assert all(done[key] <= last[key] for key in done)
        assert sum(last.values()) <= sum(done.values()) + in_doubt(events)


def test_repetitions_that_nodes_do_not_know_again_are_found(counted, monkeypatch):
    monkeypatch.setattr(Sessions, "recall", lambda *asked: None)
    results = [counted(*KILLS, *ONCE, seed=seed)[:2] for seed in range(1, 5)]
    found = [result for code, result in results if code == 1 and result["outcome"] == "violation"]
    assert len(found) >= 2, [result["headline"] for _, result in results]


@many(least=2)
@pytest.mark.parametrize("forward", ["true", "false"])
def test_increments_are_counted_once_for_many_seeds_and_all_faults(forward, counted, seeds):
    for seed in seeds:
        words = ("--nemesis", "partition,kill,pause,power", "--interval", "1", "--duration", "1", "--forward", forward)
        code, result, events = counted(*words, *ONCE, seed=seed, seconds=20)
        assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["headline"])
        last, done = read_last(events), acknowledged(events)
        assert all(done[key] <= last[key] for key in done)
        assert sum(last.values()) <= sum(done.values()) + in_doubt(events)
