"""Every way to elect and every way to read, in whole runs on the simulated ground, under all faults at once."""

import asyncio
import json

import pytest
from torture import many

from harness.cli import main
from harness.grounds import simulated
from system_under_test.leader_follower.connection import ask_once
from system_under_test.leader_follower.system import SYSTEM

ALL_FAULTS = ("--nemesis", "partition,kill,pause,power,clock", "--combine")
LEASE = ("--lease", "monotonic", "--read", "lease")
SAFE = {
    "paxos": ("--election", "paxos"),
    "paxos and lease reads": ("--election", "paxos", *LEASE),
    "raft and lease reads": LEASE,
    "a long lease": (*LEASE, "--lease-ms", "1500"),
    "a lease nobody reads by": ("--lease", "monotonic"),
    "paxos and sync": ("--election", "paxos", "--replication", "sync", *LEASE),
    "paxos and tokens": ("--election", "paxos", "--read", "session", "--workload", "session"),
}
WALL = ("--lease", "wall", "--read", "lease", "--lease-ms", "3000", "--nemesis", "partition,clock", "--combine")
LOCAL = ("--read", "leader-local", "--nemesis", "partition", "--target", "leader")
BOUNDED = ("--read", "bounded", "--workload", "session", "--nemesis", "partition,pause")


@pytest.fixture
def judged(tmp_path, capsys):
    """Run the command, and return its exit code and what it printed as JSON."""

    def run(*words, seed, seconds=6, brisk=("--interval", "0.5", "--duration", "1.5")):
        capsys.readouterr()
        limits = ("--nodes", "3", "--seed", str(seed), "--time-limit", str(seconds), "--quiet-period", "2")
        code = main(["run", *brisk, *words, *limits, "--store", str(tmp_path / "store"), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def told(result):
    anomalies = [anomaly["sentence"] for verdict in result["verdicts"] for anomaly in verdict.get("anomalies", ())]
    return (result["repeat"], result["headline"], anomalies)


def invalid(result):
    return {verdict["checker"] for verdict in result["verdicts"] if verdict["answer"] == "invalid"}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds_under_all_faults(name, seed, judged):
    code, result = judged(*SAFE[name], *ALL_FAULTS, seed=seed)
    assert (code, result["outcome"]) == (0, "valid"), told(result)
    assert {fault["kind"] for fault in result["faults"]} & {"clock", "partition", "pause", "kill", "power"}


def test_a_lease_on_the_wall_clock_is_broken_by_jumps(judged):
    brisk = ("--interval", "0.3", "--duration", "3")
    runs = (judged(*WALL, seed=seed, seconds=15, brisk=brisk) for seed in range(1, 31))
    assert any(code == 1 and invalid(result) == {"linearizability"} for code, result in runs)


def test_unconfirmed_reads_of_a_leader_that_was_cut_off_are_stale(judged):
    runs = (judged(*LOCAL, seed=seed) for seed in range(1, 31))
    assert any(code == 1 and invalid(result) == {"linearizability"} for code, result in runs)


def test_bounded_reads_break_the_session_guarantees(judged):
    runs = (judged(*BOUNDED, "--max-lag-ms", "300", seed=seed) for seed in range(1, 7))
    assert any(code == 1 and "read-your-writes" in invalid(result) for code, result in runs)


@pytest.mark.parametrize("election", ["raft", "paxos"])
def test_nodes_are_added_and_removed_and_leadership_is_handed_over(election):
    ground = simulated(7, None)
    options = {option.name: option.default for option in SYSTEM.options}
    options |= {"members": "n1,n2,n3", "election": election, "lease": "monotonic"}

    async def scene():
        async with ground.cluster(SYSTEM, ("n1", "n2", "n3", "n4"), options, "run") as cluster:

            async def ask(f, key=None, value=None):
                leader = await SYSTEM.leader(cluster)
                request = {"f": f, "key": key, "value": value}
                answer = await ask_once(cluster.address(leader), request, 3)
                return leader, answer.get("error", answer["status"])

            await SYSTEM.wait_ready(cluster, options, 10)
            assert (await ask("write", "x", 5))[1] == "ok"
            assert (await ask("add-node", "n4"))[1] == "ok"
            old, answer = await ask("transfer", "n4")
            assert (old != "n4", answer) == (True, "ok")
            await asyncio.sleep(0.3)
            assert await SYSTEM.leader(cluster) == "n4"
            assert await ask("remove-node", old) == ("n4", "ok")
            status = (await ask_once(cluster.address("n4"), {"f": "status"}, 1))["value"]
            assert set(status["members"]) == {"n1", "n2", "n3", "n4"} - {old}
            assert set(status["followers"]) == {"n1", "n2", "n3"} - {old}
            assert await ask("write", "x", 6) == ("n4", "ok")

    loop = ground.new_event_loop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


@many(least=2)
@pytest.mark.parametrize("name", SAFE)
def test_what_is_promised_holds_for_many_seeds(name, judged, seeds):
    for seed in seeds:
        code, result = judged(*SAFE[name], *ALL_FAULTS, seed=seed, seconds=30)
        assert (code, result["outcome"]) == (0, "valid"), told(result)
