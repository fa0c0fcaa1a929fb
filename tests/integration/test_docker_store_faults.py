"""The leader-follower store in containers under faults that only some configurations survive."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import made_by
from msgspec import structs

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from harness import cli
from harness.docker_ground import DockerGround
from harness.history.header import Header
from harness.history.history import History
from harness.nemesis.compose import SURFACES, build_nemesis
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Cluster
from harness.streams import Streams
from system_under_test.leader_follower.system import SYSTEM

pytestmark = [pytest.mark.docker, pytest.mark.loop]

NODES = ("n1", "n2", "n3")
LEASE_MS = 3000
DEFAULTS = {option.name: option.default for option in SYSTEM.options}
EVERYTHING = sorted(SURFACES.keys() - {"corrupt", "disk-lying-fsync"})


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a test on three containers; returns exit code and result."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        given = ["run", "--on", "docker", "--nodes", "3", "--disk", "loop", "--quiet-period", "0.5", "--json", *words]
        code = cli.main(given)
        assert made_by((tmp_path / "store" / "latest").resolve().name) == []
        return code, json.loads(capsys.readouterr().out)

    return run


POWER = (
    *("--nemesis", "power", "--target", "all", "--time-limit", "6", "--interval", "2", "--duration", "0.5"),
    *("--quiet-period", "4"),  # until the store elected and serves, whatever else goes on on this machine
)


def test_without_fsync_a_loss_of_power_everywhere_loses_acknowledged_writes(judged: Any) -> None:
    code, result = judged(*POWER, "--fsync", "never", "--seed", "3")
    assert (code, result["outcome"]) == (1, "violation"), result
    found = {verdict["checker"] for verdict in result["verdicts"] if verdict["answer"] == "invalid"}
    assert found & {"durability", "linearizability"}  # a lost write may be overwritten before it is missed
    assert all(fault["proven"] for fault in result["faults"])


def test_with_fsync_a_loss_of_power_everywhere_loses_nothing(judged: Any) -> None:
    code, result = judged(*POWER, "--fsync", "always", "--seed", "3")
    assert (code, result["outcome"]) == (0, "valid"), result
    assert result["faults"]
    assert all(fault["proven"] for fault in result["faults"])


def test_the_store_keeps_its_promises_under_every_fault(judged: Any) -> None:
    """As many as fit into half a minute, drawn from all but those that no store with fsync could survive."""
    brisk = ("--time-limit", "30", "--interval", "0.2", "--duration", "0.5", "--target", "one", "--seed", "12")
    code, result = judged("--nemesis", ",".join(EVERYTHING), *brisk)
    assert (code, result["outcome"]) == (0, "valid"), result
    assert all(fault["proven"] for fault in result["faults"]), result["faults"]
    assert len({fault["kind"] for fault in result["faults"]}) >= 8


class Recording:
    """Clients of a cluster whose every operation is recorded, one after another."""

    def __init__(self, cluster: Cluster, options: dict[str, Any]) -> None:
        self.cluster, self.options = cluster, options
        self.events: list[Op] = []

    async def do(self, node: str, process: int, f: str, value: int | None = None) -> Op:
        asked = Op(len(self.events), time.monotonic_ns(), process=process, f=f, key="k", value=value, node=node)
        self.events.append(asked)
        client = SYSTEM.client(self.cluster, node, self.options, seed=1)
        try:
            async with asyncio.timeout(3.0):
                answer = await client.invoke(asked)
        finally:
            await client.close()
        self.events.append(structs.replace(answer, index=len(self.events), time=time.monotonic_ns()))
        return answer

    def is_linearizable(self) -> str:
        first = self.events[0].time
        events = [structs.replace(op, time=op.time - first) for op in self.events]
        return Linearizability().check(History(Header(1, model="register"), events, ""), Budget(seconds=10)).answer


async def another_leads(cluster: Cluster, old: str, within_s: float) -> str | None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (leader := await SYSTEM.leader(cluster)) not in (None, old):
            return leader
        await asyncio.sleep(0.02)
    return None


async def read_of_a_deposed_leader(jump: bool) -> tuple[Op, Recording, dict[str, float]]:
    """Cut off one follower until its promise is over, then the leader from all, and jump the other follower's clock.

    With two of three free to elect, what the old leader serves by its lease is stale; without the jump, nobody is
    elected before the lease is over.
    """
    options = {**DEFAULTS, "lease": "wall", "read": "lease", "lease_ms": LEASE_MS}
    run_id = f"test-lease-{os.getpid()}"
    async with DockerGround(None).cluster(SYSTEM, NODES, options, run_id) as cluster:
        await SYSTEM.wait_ready(cluster, options, 30.0)
        net, clocks, record = cluster.net, cluster.clocks, Recording(cluster, options)
        assert net is not None
        assert clocks is not None
        old = await SYSTEM.leader(cluster)
        assert old is not None
        helper, away = (node for node in NODES if node != old)
        await record.do(old, 0, "write", 1)
        cuts = [(old, away), (away, old)]
        await net.cut(cuts)
        await asyncio.sleep(LEASE_MS / 1000 + 0.3)
        began = time.time() - time.monotonic()
        await net.cut([*cuts, (old, helper), (helper, old)])
        if jump:
            await clocks.set_offset_ns(helper, 10 * 10**9)
        new = await another_leads(cluster, old, within_s=LEASE_MS / 1000 + 5)
        assert new is not None
        assert (await record.do(new, 1, "write", 2)).type == "ok"
        read = await record.do(old, 2, "read")
        offsets = {node: await clocks.offset_ns(node) / 1e9 for node in (old, helper, away)}
        offsets["this machine"] = time.time() - time.monotonic() - began
    return read, record, dict(zip(("old leader", "helper", "away", "this machine"), offsets.values(), strict=True))


def test_a_clock_that_jumps_on_one_node_makes_a_lease_read_stale() -> None:
    read, record, offsets = asyncio.run(read_of_a_deposed_leader(jump=True))
    assert (read.type, read.value) == ("ok", 1)
    assert record.is_linearizable() == "invalid"
    assert offsets.pop("helper") == pytest.approx(10, abs=0.1)
    assert max(map(abs, offsets.values())) < 0.05


def test_while_no_clock_jumps_a_lease_read_is_not_stale() -> None:
    read, record, offsets = asyncio.run(read_of_a_deposed_leader(jump=False))
    assert read.type == "fail" or read.value == 2
    assert record.is_linearizable() == "valid"
    assert max(map(abs, offsets.values())) < 0.05


def test_a_node_is_taken_out_of_the_cluster_and_added_again() -> None:
    async def scenario() -> tuple[Op, Op]:
        run_id = f"test-members-{os.getpid()}"
        async with DockerGround(None).cluster(SYSTEM, NODES, DEFAULTS, run_id) as cluster:
            await SYSTEM.wait_ready(cluster, DEFAULTS, 30.0)
            plan = Plan(nemesis=("membership",), target="followers", on="docker", nodes=3)
            nemesis = build_nemesis(plan, cluster, lambda: SYSTEM.leader(cluster), Streams(1))
            start = await nemesis.invoke(Op(process=NEMESIS, f="start-membership"))
            left = await SYSTEM.members(cluster)
            assert left is not None
            assert len(left) == 2
            return start, await nemesis.invoke(Op(process=NEMESIS, f="stop-membership"))

    start, stop = asyncio.run(scenario())
    assert start.value["proven"], start
    assert stop.value["proven"], stop
    assert sorted(stop.value["evidence"].removeprefix("members: ").split()) == list(NODES)
