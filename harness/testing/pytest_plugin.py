"""The pytest plugin: a test under `@simulate` is one test for each seed; a failing one is shrunk in its report.

    pytest --splitbrain-seeds 200

The test is handed `judged`: what one run came to. When it fails for a run that broke a guarantee, the run is shrunk,
and the report has the sentence, the story, and the line that runs this one seed again.

Limits: simulated ground only. Only what the checkers see can be shrunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from harness.testing.seeds import MARK, Simulation

if TYPE_CHECKING:
    from harness.cli.judged import Judged
    from harness.plan import Plan

SEEDS_DEFAULT: Final = 20
SHRINK_BUDGET_S: Final = 30.0
SLOWNESS: Final = 3.0
"""How much slower than our own store a system may be before its candidates are given up."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("splitbrain", "simulated runs over many seeds")
    group.addoption("--splitbrain-seeds", type=int, default=None, metavar="N", help="seeds of each simulated test")
    group.addoption("--splitbrain-seed", type=int, default=None, metavar="SEED", help="this one seed only")
    group.addoption("--splitbrain-no-shrink", action="store_true", help="do not shrink what fails")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed."""
    chosen: Simulation | None = getattr(metafunc.function, MARK, None)
    if chosen is None:
        return
    if "judged" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.function.__name__}: a test under @simulate takes `judged`.")
    one, many = metafunc.config.getoption("--splitbrain-seed"), metafunc.config.getoption("--splitbrain-seeds")
    count = many or chosen.seeds or SEEDS_DEFAULT
    seeds = [one] if one is not None else list(range(chosen.first_seed, chosen.first_seed + count))
    metafunc.parametrize("judged", seeds, indirect=True, ids=[f"seed-{seed}" for seed in seeds])


@pytest.fixture
def judged(request: pytest.FixtureRequest) -> Judged:
    """What the run of this test's seed came to."""
    from harness.cli.judged import quietly, run_judged

    chosen: Simulation = getattr(request.function, MARK)
    with quietly():
        result = run_judged(plan_of(chosen, request.param), system=chosen.system, workload=chosen.workload)
    if result.result is None:
        pytest.fail(f"The run itself failed: {result.failure}", pytrace=False)
    return result


def plan_of(chosen: Simulation, seed: int) -> Plan:
    """The plan of one seed of a test."""
    from harness.testing.plans import plan_from

    return plan_from({**chosen.data, "seed": seed}, system=chosen.system, workload=chosen.workload)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add a section to the report of a simulated test that failed."""
    outcome = yield
    function: Any = getattr(item, "function", None)
    chosen: Simulation | None = getattr(function, MARK, None)
    failed = call.when == "call" and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
    run: Judged | None = getattr(item, "funcargs", {}).get("judged")
    if chosen is None or run is None or not failed:
        return
    from harness.cli.judged import quietly

    lines = [f"replay   pytest {item.nodeid.partition('[')[0]} --splitbrain-seed {run.plan.seed}"]
    if run.anomalies() and run.exact is not None and not item.config.getoption("--splitbrain-no-shrink"):
        with quietly():
            lines += _shrunk(chosen, run)
    outcome.get_result().sections.append(("splitbrain", "\n".join(lines)))


def _shrunk(chosen: Simulation, run: Judged) -> list[str]:
    """What is left of a failing run, as lines of a report."""
    from harness import registry
    from harness.cli.candidates import Here
    from harness.cli.judged import run_judged
    from harness.exploration.shrinking import shrink
    from harness.exploration.story import tell

    assert run.exact is not None, "it was looked at before"
    wanted, parts = run.broken(), {"system": chosen.system, "workload": chosen.workload}
    trials = Here(wanted, SLOWNESS, parts)
    found = shrink(run.exact, trials, trials.now_ns, SHRINK_BUDGET_S)
    small = run_judged(found.plan, **parts)
    assert small.history is not None, "it failed a moment ago"
    left = next(one for one in small.anomalies() if (one.guarantee, one.name) in wanted)
    patterns = getattr(chosen.system or registry.load("systems", found.plan.system), "events", {})
    before, after = found.before, found.after
    return [
        f"shrunk   {before.operations} operations, {before.faults} faults"
        f" → {after.operations} operations, {after.faults} faults"
        + ("" if found.is_minimal else " (the budget ended before the search did)"),
        "",
        tell(small.history.events, left, small.logs, patterns, small.started_ns),
    ]
