"""Plans as Python data, and back: what a pasted test is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

import msgspec

from harness import registry
from harness.cli.judged import Judged, run_judged
from harness.errors import PlanError
from harness.plan import Plan
from harness.verdict import Anomaly


def plan_from(data: Mapping[str, Any], *, system: Any = None, workload: Any = None) -> Plan:
    """The plan that this data says, the switches of its system and workload filled in.

    Raises:
        PlanError: naming the field, what was found and what was wanted.
    """
    try:
        plan = msgspec.convert(dict(data), Plan)
    except msgspec.ValidationError as error:
        raise PlanError(f"This is not a plan: {error}.") from error
    defaults = _defaults(plan, system, workload)
    for name in plan.options:
        if name not in defaults:
            raise PlanError(f"The plan's option {name!r} is unknown.")
    plan = msgspec.structs.replace(plan, options=defaults | plan.options)
    if plan.faults is not None:
        plan = msgspec.structs.replace(plan, nemesis=tuple(sorted({fault.kind for fault in plan.faults})))
    return plan


def run_plan(data: Mapping[str, Any], *, system: Any = None, workload: Any = None) -> Judged:
    """Run a plan on the simulated ground and judge it; `system` and `workload` stand in for registered ones."""
    return run_judged(plan_from(data, system=system, workload=workload), system=system, workload=workload)


def plan_data(plan: Plan, *, system: Any = None, workload: Any = None) -> dict[str, Any]:
    """What `plan_from` makes this plan of: only what differs from the defaults."""
    switches = _defaults(plan, system, workload)
    data: dict[str, Any] = msgspec.to_builtins(plan)
    data["options"] = {name: value for name, value in plan.options.items() if value != switches.get(name)}
    plain = msgspec.to_builtins(Plan())
    return {name: value for name, value in data.items() if value != plain[name] and name != "nemesis"}


def test_source(plan: Plan, anomaly: Anomaly, repeat: str) -> str:
    """A Python test, to be pasted into a test suite, that fails as long as this plan shows this anomaly."""
    name = f"test_no_{anomaly.name}".replace("-", "_")
    told = pformat(plan_data(plan), width=110, sort_dicts=False)
    return f'''"""{anomaly.sentence}

Found and shrunk by splitbrain; {repeat} tells it step by step.
"""

from harness.testing import run_plan

PLAN = {told}


def {name}():
    judged = run_plan(PLAN)
    assert judged.result is not None, judged.failure
    assert {(anomaly.guarantee, anomaly.name)!r} not in judged.broken(), judged.anomalies()[0].sentence
'''


def _defaults(plan: Plan, system: Any, workload: Any) -> dict[str, Any]:
    """The switches of a plan's system and workload, as they are unless somebody says otherwise."""
    parts = (system or registry.load("systems", plan.system), workload or registry.load("workloads", plan.workload))
    return {option.name: option.default for part in parts for option in part.options}
