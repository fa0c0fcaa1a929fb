"""Whole runs of the store in worlds of other kinds: chosen on the command line, checked twice, replayed from a tape."""

import json

import msgspec
import pytest
from torture import many

from harness import registry
from harness.cli import main
from harness.cli.exploring import Task, explore_one
from harness.cli.judged import run_judged
from harness.cli.trials import Nobody
from harness.controller import Controller
from harness.history.faults import fault_windows
from harness.plan import Plan
from harness.simulation.ground import SimGround
from harness.simulation.world import read_world
from harness.store import create_run
from harness.testing import plan_from
from system_under_test.leader_follower import server

HARD = (
    "scheduler=random,delay=heavy-tail,loss=0.02,survivors=subset,names=subset,torn=sector,"
    "offset_ms=500,recovery_crashes=0.3"
)
BRISK = ("--nodes", "3", "--time-limit", "4", "--interval", "1", "--duration", "1", "--quiet-period", "3")
FAULTS = ("--nemesis", "partition,kill,power,pause,clock", "--combine")


@pytest.fixture
def judged(tmp_path, capsys):
    """Run the command, and return its exit code and what it printed as JSON."""

    def run(*words):
        capsys.readouterr()
        code = main(["run", "--on", "sim", *BRISK, *words, "--store", str(tmp_path / "store"), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_store_keeps_its_promises_in_a_hard_world(seed, judged):
    code, result = judged("--world", HARD, *FAULTS, "--seed", str(seed))
    assert (code, result["outcome"]) == (0, "valid"), (result["repeat"], result["reason"])
    assert f"--world {HARD}" in result["repeat"]


@many(least=2, each=3)
def test_the_store_keeps_its_promises_in_hard_worlds_for_many_seeds(judged, seeds):
    for seed in seeds:
        for scheduler in ("fifo", "random", "pct"):
            words = ("--world", HARD.replace("scheduler=random", f"scheduler={scheduler}"), *FAULTS)
            code, result = judged(*words, "--seed", str(seed))
            assert result["outcome"] not in ("violation", "harness"), (result["repeat"], result["reason"])
            assert code in (0, 2)


def test_beyond_the_contract_promises_break(judged):
    """Disks that lie about their syncs take what was acknowledged when the power goes: the world is able to."""
    words = ("--world", "lying_syncs=1", "--nemesis", "power", "--target", "all")
    results = [judged(*words, "--seed", str(seed))[1] for seed in range(1, 5)]
    broken = {
        verdict["checker"] for result in results for verdict in result["verdicts"] if verdict["answer"] == "invalid"
    }
    assert broken & {"linearizability", "durability"}


def played(plan, seed, folder, **more):
    """The ground of a run, and its history."""
    system, load = registry.load("systems", plan.system), registry.load("workloads", plan.workload)
    options = {option.name: option.default for option in [*system.options, *load.options]}
    plan = msgspec.structs.replace(plan, options=options)
    ground = SimGround(seed, read_world(plan.world), **more)
    run = create_run(folder, plan)
    Controller(run, plan, ground, system, load, Nobody(), options).execute()
    return ground, run.history_path.read_bytes()


def test_a_whole_run_is_on_its_tape_and_comes_back_from_it_under_another_seed(tmp_path):
    plan = Plan(nodes=3, time_limit_s=2, interval_s=0.5, duration_s=0.5, quiet_s=1, seed=8, nemesis=("kill",))
    ground, history = played(plan, 8, tmp_path / "a", record_choices=True)
    tape = ground.streams().recorded()
    streams = {choice.stream.split("/")[0] for choice in tape.choices}
    assert streams >= {"network", "node", "generator", "client", "start", "clock"}
    again, replayed = played(plan, 99, tmp_path / "b", tape=tape)
    assert replayed == history
    assert again.digest() == ground.digest()
    plain, same = played(plan, 8, tmp_path / "c")
    assert same == history
    assert plain.digest() == ground.digest()


def test_a_run_that_is_the_same_twice_is_judged_as_usual(judged):
    code, result = judged("--twice", "--nemesis", "partition,kill", "--seed", "3", "--world", "scheduler=pct")
    assert (code, result["outcome"]) == (0, "valid"), result["reason"]


def test_a_run_that_is_not_the_same_twice_is_an_error_that_names_the_first_difference(judged, monkeypatch):
    count = [0]
    real = server.Server._reply

    def leaking(self, connection, answer):
        count[0] += 1
        real(self, connection, {**answer, "leak": "x" * (count[0] // 500)})

    monkeypatch.setattr(server.Server, "_reply", leaking)
    code, result = judged("--twice", "--nemesis", "none", "--seed", "3")
    assert (code, result["outcome"]) == (255, "harness")
    assert "The run is not the same twice. At event" in result["reason"]
    assert "first run" in result["reason"]


def test_an_exploration_names_the_first_step_that_differs_though_no_client_saw_it(monkeypatch):
    count = [0]
    real = server.Server._reply

    def leaking(self, connection, answer):
        count[0] += 1
        real(self, connection, {**answer, "leak": "x" * (count[0] // 100)})

    monkeypatch.setattr(server.Server, "_reply", leaking)
    plan = plan_from({"nodes": 3, "concurrency": 3, "rate": 60.0, "time_limit_s": 3.0, "quiet_s": 0.2, "seed": 3})
    finding = explore_one(Task(plan, twice=True))
    assert finding.differs.startswith("At event ") and "first run" in finding.differs and "n" in finding.differs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--world", "schedular=random"), "A simulated world has no 'schedular'. Did you mean 'scheduler'?"),
        (("--world", "loss=1.5"), "The simulated world's loss must be from 0 to 1, found 1.5."),
        (("--world", "loss"), "wanted name=value, with commas between them, found 'loss'"),
    ],
)
def test_a_world_that_cannot_be_is_refused_before_anything_starts(words, said, tmp_path, capsys):
    assert main(["run", *words, "--store", str(tmp_path)]) == 254
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


LEASE = {
    "nodes": 3,
    "concurrency": 6,
    "rate": 200.0,
    "time_limit_s": 4.0,
    "quiet_s": 0.3,
    "nemesis": ("partition",),
    "target": "leader",
    "interval_s": 0.3,
    "duration_s": 1.2,
    "seed": 9,
    "options": {
        "heartbeat_ms": 20,
        "election_timeout_ms": 100,
        "wait_ms": 300,
        "read": "lease",
        "lease": "monotonic",
        "lease_ms": 400,
        "drift_ppm": 1000,
    },
}


def test_a_lease_holds_while_monotonic_clocks_drift_as_it_assumes_and_breaks_where_they_drift_more():
    assert run_judged(plan_from({**LEASE, "world": {"drift_ppm": 1000.0}})).broken() == frozenset()
    broken = run_judged(plan_from({**LEASE, "world": {"drift_ppm": 300_000.0}})).broken()
    assert ("linearizability", "stale-read") in broken


def test_partitions_that_are_lifted_on_slow_links_are_known_to_be_lifted():
    plan = {"nodes": 3, "concurrency": 4, "rate": 60.0, "time_limit_s": 4.0, "quiet_s": 0.5, "combine": True}
    kinds = {"nemesis": ("partition", "packet"), "interval_s": 0.4, "duration_s": 0.7}
    options = {"heartbeat_ms": 20, "election_timeout_ms": 100, "wait_ms": 300}
    lifted = []
    for seed in range(12):
        judged = run_judged(plan_from({**plan, **kinds, "seed": seed, "options": options}))
        assert judged.result.outcome == "valid", seed
        windows = fault_windows(judged.history.events)
        shaped = [one for one in windows if one.kind == "packet" and "delay" in one.detail]
        lifted += [
            one
            for one in windows
            if one.kind == "partition" and any(slow.start_ns < one.stop_ns < slow.stop_ns for slow in shaped)
        ]
    assert lifted and all("all pass again" in one.evidence[-1] for one in lifted)
