"""What the store's nodes say of themselves, as a fault that fires sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.history.circumstances import Situation
from system_under_test.leader_follower import system

FINE = {"lag_ms": 0, "heard_ms": 10}


def status(role: str, generation: int, joining: str | None = None, **followers: Any) -> dict[str, Any]:
    return {"role": role, "generation": generation, "followers": followers, "joining": joining}


@pytest.mark.parametrize(
    ("statuses", "seen"),
    [
        ({"n1": None, "n2": status("follower", 3)}, Situation(None)),
        ({"n1": status("leader", 3, n2=FINE), "n2": status("follower", 3)}, Situation("n1")),
        (
            {"n1": status("leader", 3, n2=FINE), "n2": status("leader", 4, n1=FINE)},
            Situation("n2", claimants=frozenset({"n1"})),
        ),
        (
            {"n1": status("leader", 3, n2={"lag_ms": 900, "heard_ms": 20}, n3={"lag_ms": 900, "heard_ms": 900})},
            Situation("n1", catching_up=frozenset({"n2"})),
        ),
        ({"n1": status("leader", 3, joining="n4")}, Situation("n1", catching_up=frozenset({"n4"}))),
    ],
)
def test_the_store_tells_its_situation(
    statuses: dict[str, Any], seen: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(_cluster: object) -> dict[str, Any]:
        return statuses

    monkeypatch.setattr(system, "_statuses", told)
    cluster: Any = None
    assert asyncio.run(system.SYSTEM.situation(cluster)) == seen
    assert asyncio.run(system.SYSTEM.leader(cluster)) == seen.leader
