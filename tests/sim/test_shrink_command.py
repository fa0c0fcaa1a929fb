"""`splitbrain shrink` on a real run: what is left is small, needed, told, and a test that fails."""

import gc
import json
import signal

import pytest

from harness.cli import main
from harness.cli.judged import run_judged
from harness.exploration import steps
from harness.store import open_run
from harness.testing import plan_from

BUGGY = {
    "without a fault": "--bug cas-outside-log --keys 1 --rate 1500 -c 8 --time-limit 0.3",
    "with a fault": "--bug read-without-confirmation --nemesis partition --target leader --interval 0.2 --duration 0.35"
    " --rate 120 -c 6 --time-limit 2 --heartbeat-ms 20 --election-timeout-ms 100 --wait-ms 300",
}


@pytest.fixture(scope="module", params=BUGGY)
def shrunk(request, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    words = f"run --seed 2 --nodes 3 --quiet-period 0.3 {BUGGY[request.param]}".split()
    assert main([*words, "--store", str(store), "--json"]) == 1
    failing = (store / "latest").resolve()
    assert main(["shrink", str(failing), "--store", str(store), "--json"]) == 1
    return open_run(store / "latest")


def test_what_is_left_is_small_and_every_element_is_needed(shrunk):
    facts = json.loads((shrunk.path / "shrunk.json").read_bytes())
    assert facts["before"]["operations"] > 100 and facts["after"]["operations"] <= 6 and facts["is_minimal"]
    assert facts["after"]["faults"] == min(1, facts["before"]["faults"])
    plan, wanted = shrunk.plan(), (facts["guarantee"], facts["anomaly"])
    assert wanted in run_judged(plan).broken()
    for element in (*steps.faults(plan), *steps.operations(plan)):
        assert wanted not in run_judged(steps.without(plan, element)).broken()


def test_its_story_tells_every_operation_and_what_is_wrong_with_them(shrunk):
    story = (shrunk.path / "story.txt").read_text()
    assert story.count(" asks: ") == len(shrunk.plan().operations)
    assert story.splitlines()[-1].startswith("So: ") and "leads" in story.splitlines()[0]


def test_the_test_that_it_writes_fails_until_the_bug_is_gone(shrunk):
    (path,) = shrunk.path.glob("test_no_*.py")
    module = {}
    source = path.read_text()
    exec(compile(source, str(path), "exec"), module)
    (test,) = [value for name, value in module.items() if name.startswith("test_no_")]
    with pytest.raises(AssertionError):
        test()
    module["PLAN"]["options"]["bug"] = ""
    test()


def test_two_jobs_shrink_to_the_same_run(shrunk, tmp_path):
    failing = next(path for path in shrunk.path.parent.glob("2*") if not (path / "shrunk.json").exists())
    assert main(["shrink", str(failing), "--store", str(tmp_path), "--jobs", "2", "--json"]) == 1
    assert open_run(tmp_path / "latest").plan() == shrunk.plan()


def test_a_run_that_is_given_up_leaves_nothing_behind_and_says_so(capfd):
    plan = plan_from({"nodes": 3, "time_limit_s": 30.0})
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPROF)]
    judged = run_judged(plan, budget_s=0.1)
    assert judged.result is None and judged.failure == "The run was not over after 0.1 processor seconds."
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPROF)] == handlers
    gc.collect()
    assert capfd.readouterr() == ("", "")


def test_a_run_that_breaks_nothing_is_refused(tmp_path, capsys):
    main(["run", "--seed", "2", "--time-limit", "0.3", "--nodes", "3", "--store", str(tmp_path), "--json"])
    assert main(["shrink", str(tmp_path / "latest"), "--store", str(tmp_path)]) == 254
    assert "breaks nothing" in capsys.readouterr().err
    assert main(["shrink", "--store", str(tmp_path)]) == 254
    assert "which run?" in capsys.readouterr().err
