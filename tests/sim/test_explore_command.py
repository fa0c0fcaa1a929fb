"""`splitbrain explore` on the store: equal arguments, equal findings; failures are kept; every use of a disk is hit."""

import json

import pytest

from harness.cli import main
from harness.cli.exploring import Task, boundaries, explore_encoded, explore_one
from harness.cli.judged import run_judged
from harness.exploration import steps
from harness.store import open_run
from harness.testing import plan_from

SHORT = "--nodes 3 --time-limit 0.8 --quiet-period 0.4 -c 3 --rate 80 --heartbeat-ms 20 --election-timeout-ms 100"
BUGGY = f"explore {SHORT} --wait-ms 300 --bug no-fencing --nemesis partition --seeds 0..7 --json"


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
    assert {event for event, _, _ in boundaries(plan)} >= {"append", "sync"}
    code, report = explored(
        f"explore {words} --nemesis power --single-faults --seeds 0..5 --seed 3 --json", tmp_path, capsys
    )
    assert code == 0 and 3 <= report["runs"] <= 6 and report["failures"] == 0
    assert {kind for kind, _, _ in report["circumstances"]} == {"power"}


def test_findings_travel_as_bytes():
    import msgspec

    from harness.cli.exploring import Finding

    plan = steps.with_faults(plan_from({"nodes": 3, "time_limit_s": 0.1, "quiet_s": 0.1}), ())
    (finding,) = msgspec.msgpack.decode(explore_encoded(msgspec.msgpack.encode([Task(plan)])), type=list[Finding])
    here = explore_one(Task(plan))
    assert (finding.outcome, finding.states) == (here.outcome, here.states)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seeds 5..2", "wanted A..B"),
        ("--budget soon", "wanted a time as 90s"),
        ("--executor ftp://x", "wants dask://HOST:PORT"),
        ("--on docker", "simulated ground only"),
        ("--nemsis kill", "--nemesis"),
    ],
)
def test_what_cannot_be_explored_is_said_in_a_sentence(words, said, tmp_path, capsys):
    assert main(["explore", *words.split(), "--store", str(tmp_path)]) == 254
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
