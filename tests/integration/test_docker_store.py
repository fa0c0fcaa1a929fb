"""The leader-follower store in containers: the whole way from an image to a verdict."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from conftest import made_by

from harness import cli
from harness.docker_ground import DockerGround
from harness.op import Op
from harness.protocols import Cluster
from system_under_test.leader_follower.system import SYSTEM

pytestmark = pytest.mark.docker

NODES = ("n1", "n2", "n3", "n4", "n5")
OPTIONS = {option.name: option.default for option in SYSTEM.options}
READY_S = 30.0


async def ask(cluster: Cluster, home: str, op: Op) -> Op:
    client = SYSTEM.client(cluster, home, OPTIONS, seed=1)
    try:
        async with asyncio.timeout(5.0):
            return await client.invoke(op)
    finally:
        await client.close()


async def until_ok(cluster: Cluster, home: str, op: Op) -> Op:
    """Ask again while an election is on."""
    async with asyncio.timeout(READY_S):
        while (answer := await ask(cluster, home, op)).type != "ok":  # noqa: ASYNC110 (another process; it sends no event)
            await asyncio.sleep(0.1)
    return answer


def test_five_nodes_keep_an_acknowledged_write_when_their_leader_is_killed() -> None:
    async def scenario() -> None:
        run_id = f"test-store-{os.getpid()}"
        async with DockerGround(None).cluster(SYSTEM, NODES, OPTIONS, run_id) as cluster:
            assert cluster.processes is not None
            await SYSTEM.wait_ready(cluster, OPTIONS, READY_S)
            leader = await SYSTEM.leader(cluster)
            assert leader in NODES
            written = await until_ok(cluster, leader, Op(f="write", key="k", value=7, process=0))
            await cluster.processes.kill(leader)
            other = NODES[NODES.index(leader) - 1]
            read = await until_ok(cluster, other, Op(f="read", key="k", process=1))
            assert read.value == 7
            assert await SYSTEM.leader(cluster) not in (None, leader)
            await cluster.processes.start(leader)
            await SYSTEM.wait_ready(cluster, OPTIONS, READY_S)
            assert written.version is not None
            assert read.version is not None
            assert read.version >= written.version
        assert made_by(run_id) == []

    asyncio.run(scenario())


def test_a_whole_run_under_partitions_is_valid_with_every_fault_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = {
        "on": "docker",
        "nodes": 3,
        "time_limit_s": 6.0,
        "quiet_s": 0.5,
        "nemesis": ["partition"],
        "target": "leader",
        "interval_s": 1.0,
        "duration_s": 1.0,
        "seed": 3,
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    code = cli.main(["run", "plan.json", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (code, result["outcome"]) == (0, "valid"), result
    assert result["faults"]
    assert all(fault["proven"] for fault in result["faults"])
    run = (tmp_path / "store" / "latest").resolve()
    assert all((run / "nodes" / node / "server.log").stat().st_size > 0 for node in ("n1", "n2", "n3"))
    assert made_by(run.name) == []
    assert not any(b"PRIVATE" in path.read_bytes() for path in run.rglob("*") if path.is_file())
