"""The false-alarm bound: very many seeds on the store as it should be, and not one violation."""

import pytest

from harness.cli.exploring import Task, explore_one, explore_some
from harness.exploration.statistics import upper_bound
from harness.exploration.templates import TEMPLATES, feasible
from harness.testing import plan_from

KINDS = ("partition", "kill", "pause", "power")
PLAN = {
    "nodes": 3,
    "concurrency": 3,
    "rate": 60.0,
    "time_limit_s": 0.6,
    "quiet_s": 0.3,
    "options": {"heartbeat_ms": 20, "election_timeout_ms": 100, "wait_ms": 300},
}
"""Some forty operations, two or three faults: what one processor does twenty times a second."""


def tasks(seeds):
    arms = feasible(KINDS)
    return [Task(plan_from({**PLAN, "seed": seed}), KINDS, arms[seed % len(arms)]) for seed in seeds]


def test_no_alarm_on_the_correct_store_with_each_template():
    assert {name for name, (kinds, _) in TEMPLATES.items() if kinds <= set(KINDS)} == set(feasible(KINDS))
    findings = explore_some(tasks(range(len(feasible(KINDS)))))
    assert [finding for finding in findings if finding.outcome in ("violation", "harness")] == []


def test_the_same_runs_see_a_planted_bug():
    for task in tasks(range(1, 200, 19)):
        plan = plan_from({**PLAN, "options": {**PLAN["options"], "bug": "no-fencing"}, "seed": task.plan.seed})
        if explore_one(Task(plan, KINDS, "isolate-leader")).outcome == "violation":
            return
    pytest.fail("a bug that shows in most runs was not seen in eleven")


def test_no_alarm_in_two_thousand_seeds():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    whole = tasks(range(2000))
    parts = [whole[first : first + 50] for first in range(0, len(whole), 50)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        findings = [finding for part in pool.map(explore_some, parts) for finding in part]
    assert [finding for finding in findings if finding.outcome in ("violation", "harness")] == []
    assert len(findings) == 2000 and upper_bound(0, 2000) < 0.0015
