"""`splitbrain explore` on the store: equal arguments, equal findings; failures are kept; every use of a disk is hit."""

import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack

import msgspec
import pytest

from harness.cli import main
from harness.cli.errand import Child
from harness.cli.exploring import Finding, Task, boundaries, explore_one
from harness.cli.judged import run_judged
from harness.errors import InfrastructureError
from harness.exploration import steps
from harness.exploration.boundaries import of_faults, single_faults, told
from harness.store import open_run
from harness.testing import plan_from

SHORT = "--nodes 3 --time-limit 0.8 --quiet-period 0.4 -c 3 --rate 80 --heartbeat-ms 20 --election-timeout-ms 100"
BUGGY = f"explore {SHORT} --wait-ms 300 --bug read-without-confirmation --nemesis partition --seeds 0..7 --json"
COMMAND = "import sys; from harness.cli import main; sys.exit(main())"


def explored(words, store, capsys):
    code = main([*words.split(), "--store", str(store)])
    return code, json.loads(capsys.readouterr().out)


def plain(report):
    return {name: value for name, value in report.items() if name not in ("seconds", "processor_seconds", "kept")}


def test_failures_are_found_grouped_and_kept_whatever_the_number_of_jobs(tmp_path, capsys):
    code, one = explored(BUGGY, tmp_path / "1", capsys)
    assert code == 1 and one["runs"] == 8 and one["compared_twice"] == 1 and one["odd"] == []
    assert sum(one["outcomes"].values()) == 8 and one["outcomes"]["violation"] == one["failures"] == len(one["kept"])
    assert {group["guarantee"] for group in one["groups"]} <= {"linearizability", "durability"}
    low, high = one["failure_rate_interval"]
    assert low < one["failures"] / 8 < high
    for kept in one["kept"]:
        run = open_run(kept["run"] and (tmp_path / "1").joinpath(kept["run"]))
        assert run.result().outcome == "violation"
        assert run_judged(run.plan()).broken()
    _, two = explored(f"{BUGGY} --jobs 2", tmp_path / "2", capsys)
    assert plain(two) == plain(one)


def test_single_faults_hit_every_use_of_every_disk(tmp_path, capsys):
    words = SHORT.replace("--time-limit 0.8", "--time-limit 0.06")
    plan = plan_from({"nodes": 3, "time_limit_s": 0.06, "rate": 80.0, "concurrency": 3})
    assert {boundary.event for boundary in boundaries(plan)} >= {"append", "sync", "send", "sent"}
    command = f"explore {words} --nemesis power --single-faults --seed 3 --json --store {tmp_path}"
    code = main([*command.split(), "--seeds", "0..5"])
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert code == 0 and report["runs"] == 6 and report["failures"] == 0
    assert {kind for kind, _, _ in report["circumstances"]} == {"power"}
    assert re.search(
        r"^\d+ uses of disks, \d+ messages, power: 6 of \d+ single faults, 0 pairs$", said.err, re.MULTILINE
    )


def test_pairs_of_single_faults_fill_up_what_was_asked_for_whatever_the_number_of_jobs(tmp_path, capsys):
    words = f"explore {SHORT.replace('--time-limit 0.8', '--time-limit 0.01')} --nemesis kill --single-faults --seed 3"
    found = []
    for jobs in ("1", "2"):
        code = main([*words.split(), "--seeds", "0..51", "--jobs", jobs, "--json", "--store", str(tmp_path / jobs)])
        said = capsys.readouterr()
        ones, pairs = map(int, re.search(r"(\d+) of \1 single faults, (\d+) pairs", said.err).groups())
        report = json.loads(said.out)
        assert code == 0 and ones + pairs == report["runs"] == 52 and report["templates"]["pair"]["runs"] == pairs > 0
        found.append(plain(report))
    assert found[0] == found[1]


def test_a_bug_that_no_crash_at_a_disk_shows_is_found_by_one_at_a_message():
    options = {"heartbeat_ms": 20, "election_timeout_ms": 100, "wait_ms": 300, "read": "session"}
    plan = plan_from(
        {
            "workload": "session",
            "nodes": 3,
            "concurrency": 6,
            "rate": 120.0,
            "time_limit_s": 0.12,
            "quiet_s": 0.4,
            "seed": 1,
            "options": {**options, "bug": "divergent-tail-kept"},
        }
    )
    kills = {"kill at the disk": [], "kill at a message": []}
    for fault in single_faults(boundaries(plan), ("kill",), 0.2):
        kills[told((fault,))].append(fault)

    def breaks(fault):
        return bool(explore_one(Task(of_faults(plan, fault))).anomalies)

    assert len(kills["kill at the disk"]) > 30 and not any(map(breaks, kills["kill at the disk"]))
    assert any(map(breaks, kills["kill at a message"]))


def test_findings_travel_as_bytes_and_a_worker_s_process_serves_again():
    plan = steps.with_faults(plan_from({"nodes": 3, "time_limit_s": 0.1, "quiet_s": 0.1}), ())
    here, child = explore_one(Task(plan)), Child()
    for _ in range(2):
        (finding,) = msgspec.msgpack.decode(child.ask(msgspec.msgpack.encode([Task(plan)])), type=list[Finding])
        assert (finding.outcome, finding.states) == (here.outcome, here.states)
    with pytest.raises(InfrastructureError, match="A worker's run failed"):
        child.ask(b"no tasks")
    child.close()


@pytest.fixture
def dask_cluster(tmp_path):
    """A scheduler and a worker with two processes on loopback; yields the scheduler's host and port."""
    told = tmp_path / "scheduler.json"
    common = ["--no-dashboard", "--scheduler-file", str(told)]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common]
    worker = ["distributed.cli.dask_worker", "--host", "127.0.0.1", "--nworkers", "2", "--nthreads", "1", *common]
    with (tmp_path / "dask.log").open("wb") as log, ExitStack() as stack:
        for module, *words in (scheduler, worker):
            command = [
                sys.executable,
                "-m",
                module,
                *words,
                *(["--local-directory", str(tmp_path)] if words[2] != "--port" else []),
            ]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            while not told.exists():
                assert process.poll() is None, (tmp_path / "dask.log").read_text()
                time.sleep(0.05)
        yield json.loads(told.read_text())["address"].removeprefix("tcp://")


def test_a_dask_cluster_finds_what_one_process_finds(dask_cluster, tmp_path, capsys):
    code, one = explored(BUGGY, tmp_path / "1", capsys)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            COMMAND,
            *BUGGY.split(),
            "--executor",
            f"dask://{dask_cluster}",
            "--store",
            str(tmp_path / "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code == 1 and done.stdout, done.stderr
    assert plain(json.loads(done.stdout)) == plain(one)


def test_planted_bugs_are_found_by_exploring_and_the_correct_store_shows_none(tmp_path, capsys):
    words = "explore --bugs read-without-confirmation --seeds 1..6 --json"
    code = main([*words.split(), "--store", str(tmp_path)])
    bug, none = json.loads(capsys.readouterr().out)
    assert code == 0 and (bug["bug"], none["bug"]) == ("read-without-confirmation", "")
    assert 1 <= bug["seeds"] <= 6 and bug["anomaly"] and bug["template"] and none["seeds"] is None
    assert none["runs"] == 6 and none["failures"] == 0


def test_a_dask_cluster_that_is_not_there_is_named_in_a_sentence(tmp_path, capsys):
    assert main(["explore", "--executor", "dask://127.0.0.1:9", "--seeds", "1", "--store", str(tmp_path)]) == 254
    assert "no Dask scheduler answers at 127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seeds 5..2", "wanted A..B"),
        ("--budget soon", "wanted a time as 90s"),
        ("--executor ftp://x", "wants dask://HOST:PORT"),
        ("--on docker", "simulated ground only"),
        ("--nemsis kill", "--nemesis"),
        ("--bugs no-fancing", "Did you mean 'no-fencing'"),
        ("--bugs no-fencing --nodes 3", "'--nodes' is one too many"),
    ],
)
def test_what_cannot_be_explored_is_said_in_a_sentence(words, said, tmp_path, capsys):
    assert main(["explore", *words.split(), "--store", str(tmp_path)]) == 254
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
