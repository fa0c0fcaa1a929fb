"""Whom a fault hit, in which role, and in which phase of the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from harness.history.circumstances import (
    PHASES,
    RECOVERING_S,
    ROLES,
    Situation,
    never_exercised,
    possible,
    struck,
)
from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op


def hit(number: int, **told: Any) -> list[Op]:
    value = {"fault": f"kill-{number}", "kind": "kill", "nodes": ["n1", "n2", "n3"], "proven": True, **told}
    return [
        Op(2 * number, 0, NEMESIS, "invoke", "start-kill"),
        Op(2 * number + 1, 0, NEMESIS, "ok", "start-kill", value=value),
    ]


def test_a_deposed_leader_is_an_old_leader_whether_it_knows_it_or_not() -> None:
    situation = Situation("n2", claimants=frozenset({"n1"}))
    assert [situation.role(node, led_before="n3") for node in ("n1", "n2", "n3", "n4")] == [
        "old-leader",
        "leader",
        "old-leader",
        "follower",
    ]


@pytest.mark.parametrize(
    ("situation", "lifted_s_ago", "phase"),
    [
        (Situation(None, catching_up=frozenset({"n2"})), 0.1, "electing"),
        (Situation("n1", catching_up=frozenset({"n2"})), 0.1, "catching up"),
        (Situation("n1"), RECOVERING_S / 2, "recovering"),
        (Situation("n1"), RECOVERING_S, "steady"),
        (Situation("n1"), None, "steady"),
    ],
)
def test_the_phase_is_the_first_that_is_so(situation: Situation, lifted_s_ago: float | None, phase: str) -> None:
    assert situation.phase(lifted_s_ago) == phase


def test_a_fault_counts_once_for_each_role_and_only_with_proof() -> None:
    events = [
        *hit(0, roles=["leader", "follower", "follower"], phase="steady"),
        *hit(1, roles=["follower", "follower", "follower"], phase="steady"),
        *hit(2, roles=["leader", "leader", "leader"], phase="steady", proven=False),
        *hit(3),
        *hit(4, roles=7, phase=["electing"]),
    ]
    found = struck(fault_windows(events))
    assert found == {("kill", "leader", "steady"): 1, ("kill", "follower", "steady"): 2}
    missing = never_exercised(["kill"], found)
    assert len(missing) == len(ROLES) * len(PHASES) - 1 - 2
    assert ("kill", "leader", "electing") not in possible(["kill"])
    assert ("kill", "old-leader", "electing") in missing
