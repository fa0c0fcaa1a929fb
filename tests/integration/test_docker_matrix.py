"""The named rows of the table of promises that are run on containers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main

pytestmark = pytest.mark.docker


def test_the_store_keeps_its_promises_on_containers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["matrix", "leader-follower", "--on", "docker", "--time-limit", "5"]
    code = main([*words, "--store", str(tmp_path / "store"), "--json"])
    table = json.loads(capsys.readouterr().out)
    found = {
        row["cell"]["name"]: {one["guarantee"]: one["state"] for one in row["observations"]} for row in table["rows"]
    }
    troubles = [row["troubles"] for row in table["rows"]]
    assert code == 0, (found, troubles)
    assert found["quorum with the leader cut off"] == {"linearizability": "held", "durability": "held"}
    assert found["quorum with a minority killed"] == {"linearizability": "held", "durability": "held"}
    assert found["session reads"] == {"durability": "held", "read-your-writes": "held", "monotonic-reads": "held"}
    assert found["follower reads"]["durability"] == "held"
    assert set(found) == {
        "quorum with the leader cut off",
        "async with the leader cut off",
        "quorum with a minority killed",
        "follower reads",
        "session reads",
    }
