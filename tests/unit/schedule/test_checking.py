"""Targets that a workload cannot have are refused beforehand."""

from __future__ import annotations

import pytest

from harness.errors import PlanError
from harness.plan import Plan
from harness.schedule.checking import check_targets
from harness.schedule.planned import PlannedFault

AIMED = (
    Plan(workload="register", nemesis=("kill",), target="lock-holder"),
    Plan(workload="register", faults=(PlannedFault(kind="kill", target="lock-holder"),)),
)


@pytest.mark.parametrize("plan", AIMED)
def test_the_lock_holder_is_refused_where_nobody_takes_locks(plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"^The target 'lock-holder' needs .* 'register' takes none"):
        check_targets(plan, {"read", "write"})
    check_targets(plan, {"acquire", "release"})


def test_a_target_that_no_fault_has_is_not_looked_at() -> None:
    check_targets(Plan(nemesis=(), target="lock-holder"), {"read"})
    check_targets(Plan(target="lock-holder", faults=(PlannedFault(kind="kill", target="all"),)), {"read"})
