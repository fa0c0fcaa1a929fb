"""The plan files of examples/ on more than one ground: the same file, the same verdict, the same kinds of evidence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from somebodys_machines import somebodys_machines

from harness.cli import main
from harness.history.reader import read_history
from harness.op import Op

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONTAINERS = pytest.param("docker", marks=pytest.mark.docker)
Run = Callable[..., tuple[int, dict[str, Any], list[Op]]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a plan file; returns exit code, result and history."""

    def go(plan: str, *words: str) -> tuple[int, dict[str, Any], list[Op]]:
        capsys.readouterr()
        code = main(["run", str(EXAMPLES / plan), *words, "--json", "--store", str(tmp_path / "store")])
        result = json.loads(capsys.readouterr().out)
        return code, result, list(read_history(Path(result["run"]) / "history.jsonl").events)

    yield go


@pytest.mark.parametrize("ground", ["sim", CONTAINERS, pytest.param("ssh", marks=pytest.mark.docker)])
def test_the_same_plan_runs_on_every_ground(ground: str, run: Run, tmp_path: Path) -> None:
    short = ("--time-limit", "10", "--quiet-period", "2")
    if ground == "ssh":
        with somebodys_machines(tmp_path, [f"n{number}" for number in range(1, 6)]) as machines:
            code, result, _ = run("plan.toml", "--on", "ssh", *short, *machines.flags())
    else:
        code, result, _ = run("plan.toml", "--on", ground, *short)
    assert (code, result["outcome"]) == (0, "valid"), (result["reason"], result["verdicts"])
    assert (result["plan"]["on"], result["plan"]["nodes"]) == (ground, 5)
    assert {fault["kind"] for fault in result["faults"]} == {"partition", "kill"}
    for fault in result["faults"]:
        assert fault["proven"], fault
        assert fault["roles"] == ["leader"]


def clocks(said: str) -> dict[str, int]:
    """What a sentence of evidence says of clocks, in ms."""
    return {node: int(ms) for node, ms in re.findall(r"(n\d) ([+-]\d+) ms", said)}


@pytest.mark.parametrize("ground", ["sim", CONTAINERS])
def test_one_clock_that_jumps_makes_lease_reads_stale_and_no_other_clock_moves(ground: str, run: Run) -> None:
    began = time.time() - time.monotonic()
    code, result, events = run("stale-lease.toml", "--on", ground)
    moved_s = time.time() - time.monotonic() - began
    assert (code, result["outcome"]) == (1, "violation"), (result["reason"], result["verdicts"])
    broken = [verdict["checker"] for verdict in result["verdicts"] if verdict["answer"] == "invalid"]
    assert broken == ["linearizability"]
    assert all(fault["proven"] for fault in result["faults"])
    [jump, righted] = [op.value for op in events if op.type == "ok" and op.f in ("start-clock", "stop-clock")]
    (wrong,) = jump["nodes"]
    assert jump["roles"] == ["follower"]
    now, before, others = (clocks(part) for part in jump["evidence"].split(";"))
    assert now[wrong] == pytest.approx(10_000, abs=20)
    assert before[wrong] == pytest.approx(0, abs=20)
    assert set(others) == {"n1", "n2", "n3"} - {wrong}
    still, _, rest = (clocks(part) for part in righted["evidence"].split(";"))
    assert max(map(abs, [*others.values(), *still.values(), *rest.values()])) <= 20
    assert abs(moved_s) < 0.02


@pytest.mark.parametrize("words", [("--lease", "monotonic"), ("--read", "leader")])
def test_without_a_lease_on_a_wall_clock_the_same_plan_is_valid(words: tuple[str, str], run: Run) -> None:
    code, result, _ = run("stale-lease.toml", *words)
    assert (code, result["outcome"]) == (0, "valid")
    assert len(result["faults"]) == 3
