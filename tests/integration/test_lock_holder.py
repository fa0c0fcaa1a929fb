"""Faults that are aimed at the lock holder hit the node that serves it when they fire, on every ground alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import cli
from harness.history.reader import read_history
from harness.op import NEMESIS, Op

KINDS = ("kill", "pause", "partition")


def holders_during(events: list[Op], first: int, last: int) -> set[str]:
    """Nodes that had granted the newest lock still held, at any moment between two events: told from the history."""
    found = set()
    for now in range(first, last + 1):
        held: dict[str, str] = {}
        for op in events[:now]:
            if op.f == "acquire" and op.type == "ok" and op.process != NEMESIS:
                held.pop(op.key, None)
                held[op.key] = op.node or ""
            if op.f == "release" and op.type in ("ok", "info"):
                held.pop(op.key, None)
        found |= set(list(held.values())[-1:])
    return found


@pytest.mark.parametrize("ground", ["sim", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_lock_holder_is_found_when_a_fault_fires(
    ground: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--on", ground, "--workload", "lock", "--nodes", "3", "--nemesis", ",".join(KINDS), "--seed", "7")
    limits = ("--time-limit", "8", "--interval", "0.5", "--duration", "0.7", "--quiet-period", "1.5", "--rate", "60")
    code = cli.main(["run", *words, *limits, "--target", "lock-holder", "--json", "--store", str(tmp_path)])
    result = json.loads(capsys.readouterr().out)
    assert (code, result["outcome"]) == (0, "valid"), (result["reason"], result["verdicts"])
    assert {fault["kind"] for fault in result["faults"]} == set(KINDS)
    [history] = tmp_path.glob("*/2*/history.jsonl")
    events = list(read_history(history).events)
    begun = 0
    struck = set()
    for place, op in enumerate(events):
        if op.process != NEMESIS or not op.f.startswith("start-"):
            continue
        if op.type == "invoke":
            begun = place
        elif op.type == "ok":
            [node] = op.value["nodes"]
            assert node in holders_during(events, begun, place), op
            struck.add(node)
    assert len(struck) > 1, "one node alone may have been hit by luck"
