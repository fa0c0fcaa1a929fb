"""Every fault on containers: made, proven, lifted, proven, by the nemeses of runs; and what only a kernel can show."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NODES, OPTIONS, Up, engine
from counting_system import CountingSystem, answer

from harness.docker_ground import DockerGround
from harness.docker_ground.cluster import DockerCluster
from harness.errors import InfrastructureError
from harness.nemesis.compose import SURFACES, build_nemesis
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import BreaksDisks, DriftsClocks, LimitsProcesses, LinkShape, ShapesLinks
from harness.streams import Streams

pytestmark = [pytest.mark.docker, pytest.mark.loop]

KINDS = sorted(SURFACES.keys() - {"membership", "corrupt"})
"""Membership is the store's (test_docker_store_faults.py); a damaged counter does not start again."""
SETTINGS = {**OPTIONS, "disk": "loop", "capture": True}


@pytest.fixture(scope="module")
def breakable() -> Iterator[Up]:
    """A cluster on disks that can be broken."""
    run_id = f"test-faults-{os.getpid()}"
    system = CountingSystem()
    with asyncio.Runner() as runner:
        context = DockerGround(None).cluster(system, NODES, SETTINGS, run_id)
        cluster = runner.run(context.__aenter__())
        try:
            assert isinstance(cluster, DockerCluster)
            runner.run(system.wait_ready(cluster, OPTIONS, 20.0))
            yield Up(runner, cluster, run_id)
        finally:
            runner.run(context.__aexit__(None, None, None))
    assert loops_of(run_id) == []


def loops_of(run_id: str) -> list[str]:
    """Loop devices that hold a disk of the run."""
    told = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], capture_output=True, text=True
    )
    return [line for line in told.stdout.split("\n") if f"/{run_id}/" in line]


def made_and_lifted(up: Up, kind: str, target: str, seed: int = 5) -> tuple[Op, Op]:
    plan = Plan(nemesis=(kind,), nodes=3, target=target, on="docker", seed=seed)

    async def nobody() -> None:
        return None

    nemesis = build_nemesis(plan, up.cluster, nobody, Streams(seed))

    async def both() -> tuple[Op, Op]:
        start = await nemesis.invoke(Op(process=NEMESIS, f=f"start-{kind}"))
        await asyncio.sleep(0.4)
        return start, await nemesis.invoke(Op(process=NEMESIS, f=f"stop-{kind}"))

    return up.do(both(), within_s=60.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_proven_to_hold_and_to_be_lifted(breakable: Up, kind: str) -> None:
    start, stop = made_and_lifted(breakable, kind, "n2")
    assert start.type == stop.type == "ok", (start, stop)
    assert start.value["proven"], start.value["evidence"]
    assert stop.value["proven"], stop.value["evidence"]
    assert start.value["fault"] == stop.value["fault"]
    for node in NODES:
        assert breakable.do(breakable.processes.state(node)) == "running"
        breakable.do(answer(breakable.cluster, node), within_s=10.0)


def test_no_clock_but_the_servers_own_moves(breakable: Up) -> None:
    """Neither this machine's clock nor that of another container, nor the monotonic one."""
    clocks = breakable.cluster.clocks
    assert isinstance(clocks, DriftsClocks)
    kernel = engine("exec", breakable.container("n1"), "date", "+%s")
    before = time.time() - time.monotonic()
    breakable.do(clocks.set_offset_ns("n1", -3_600 * 10**9))
    breakable.do(clocks.set_rate_ppm("n1", 1_000_000))
    offsets = {node: breakable.do(clocks.offset_ns(node)) / 1e9 for node in NODES}
    assert offsets["n1"] == pytest.approx(-3_600, abs=2)
    assert max(abs(offsets["n2"]), abs(offsets["n3"])) < 0.05
    assert abs(breakable.do(clocks.monotonic_offset_ns("n1"))) < 50_000_000
    assert abs(time.time() - time.monotonic() - before) < 0.01
    assert 0 <= int(engine("exec", breakable.container("n1"), "date", "+%s")) - int(kernel) < 10
    breakable.do(clocks.set_rate_ppm("n1", 0))
    breakable.do(clocks.set_offset_ns("n1", 0))


def test_a_clock_stays_wrong_when_its_server_is_restarted(breakable: Up) -> None:
    clocks = breakable.cluster.clocks
    assert clocks is not None
    breakable.do(clocks.set_offset_ns("n3", 7 * 10**9))
    breakable.do(breakable.processes.kill("n3"))
    breakable.do(breakable.processes.start("n3"))
    assert breakable.do(clocks.offset_ns("n3")) / 1e9 == pytest.approx(7, abs=0.1)
    breakable.do(clocks.set_offset_ns("n3", 0))


def test_monotonic_clocks_go_wrong_by_option_only() -> None:
    async def scenario() -> list[float]:
        run_id = f"test-monotonic-{os.getpid()}"
        async with DockerGround(None).cluster(CountingSystem(), ("n1",), {"clocks": "all"}, run_id) as cluster:
            clocks = cluster.clocks
            assert isinstance(clocks, DriftsClocks)
            await clocks.set_offset_ns("n1", 50 * 10**9)
            return [await clocks.offset_ns("n1") / 1e9, await clocks.monotonic_offset_ns("n1") / 1e9]

    assert asyncio.run(scenario()) == pytest.approx([50, 50], abs=0.5)


def test_links_stay_slow_when_servers_are_restarted_and_one_way_is_one_way(breakable: Up) -> None:
    net = breakable.net
    assert isinstance(net, ShapesLinks)
    breakable.do(net.shape({("n1", "n2"): LinkShape(delay_ms=40)}))
    for node in ("n1", "n2"):
        breakable.do(breakable.processes.kill(node))
        breakable.do(breakable.processes.start(node))
    trips = breakable.do(net.round_trip_ms("n1", "n2", 9))
    assert sorted(trip for trip in trips if trip is not None)[4] == pytest.approx(40, abs=15)
    others = breakable.do(net.round_trip_ms("n1", "n3", 9))
    assert sorted(trip for trip in others if trip is not None)[4] < 10
    breakable.do(net.shape({}))
    assert sorted(trip or 999 for trip in breakable.do(net.round_trip_ms("n1", "n2", 9)))[4] < 10


def test_a_queue_whose_daemon_ended_lets_everything_pass_and_is_started_again(breakable: Up) -> None:
    net = breakable.net
    assert isinstance(net, ShapesLinks)
    breakable.do(net.shape({("n1", "n2"): LinkShape(loss=1.0)}))
    assert not breakable.do(net.reaches("n1", "n2"))
    engine("exec", breakable.container("n2"), "pkill", "-f", "link_queue")
    assert breakable.do(net.reaches("n1", "n2"))
    breakable.do(net.shape({("n1", "n2"): LinkShape(loss=1.0)}))
    assert not breakable.do(net.reaches("n1", "n2"))
    breakable.do(net.shape({}))


def test_power_loss_takes_what_was_not_synced_and_nothing_else(breakable: Up) -> None:
    disks = breakable.cluster.disks
    assert disks is not None
    write = (
        "cd /var/lib/splitbrain && printf kept >log && sync --file-system . && printf gone >>log && printf new >other"
    )
    engine("exec", breakable.container("n1"), "sh", "-c", write)
    assert breakable.do(disks.power_off("n1")) == len("gone") + len("new")
    assert breakable.do(breakable.processes.state("n1")) == "stopped"
    left = engine(
        "exec", breakable.container("n1"), "sh", "-c", "cd /var/lib/splitbrain && cat log other 2>/dev/null || :"
    )
    assert left.rstrip("\0") == "kept"  # the log's length may have been written already, its content not
    breakable.do(breakable.processes.start("n1"))


def test_a_disk_becomes_read_only_under_a_program_that_writes(breakable: Up) -> None:
    """Remounting is refused then, so the file system is made to meet an error instead, and mounted anew afterwards."""
    disks = breakable.cluster.disks
    assert isinstance(disks, BreaksDisks)
    hold = "exec 3>/var/lib/splitbrain/held; sleep 60"
    engine("exec", "-d", breakable.container("n2"), "sh", "-c", hold)
    time.sleep(0.3)
    assert "Read-only" in breakable.do(disks.break_disk("n2", "read-only"))
    engine("exec", breakable.container("n2"), "pkill", "sleep")
    assert "written" in breakable.do(disks.mend_disk("n2"))
    assert breakable.do(breakable.processes.state("n2")) == "running"


def test_a_memory_limit_kills_what_grows_and_the_node_lives_on(breakable: Up) -> None:
    processes = breakable.processes
    assert isinstance(processes, LimitsProcesses)
    breakable.do(processes.limit_memory("n3", 64))
    grow = ["docker", "exec", breakable.container("n3"), "python3", "-c", "x = b'x' * (1 << 28)"]
    assert subprocess.run(grow, capture_output=True).returncode == 137
    breakable.do(processes.limit_memory("n3", 0))
    assert subprocess.run(grow, capture_output=True).returncode == 0


def test_a_frozen_node_is_told_as_that_and_not_waited_for(breakable: Up) -> None:
    processes = breakable.processes
    assert isinstance(processes, LimitsProcesses)
    breakable.do(processes.freeze("n1"))
    breakable.do(processes.freeze("n1"))
    with pytest.raises(InfrastructureError, match=r"^n1: its container does not run any more \(somebody paused it\)"):
        breakable.control._connections["n1"].drop()
        breakable.do(processes.state("n1"))
    breakable.do(processes.thaw("n1"))
    breakable.do(processes.thaw("n1"))
    assert breakable.do(processes.state("n1")) == "running"


def test_packets_are_captured_but_for_control(breakable: Up, tmp_path: Path) -> None:
    breakable.do(breakable.net.reaches("n1", "n2"))
    breakable.do(breakable.cluster.collect_logs(tmp_path))
    data = (tmp_path / "n2" / "packets.pcap").read_bytes()
    assert struct.unpack_from("=I", data) == (0xA1B2C3D4,)
    ports, at = set(), 24
    while at < len(data):
        kept = struct.unpack_from("=IIII", data, at)[2]
        packet = data[at + 16 : at + 16 + kept]
        if packet[12:14] == b"\x08\x00" and packet[23] in (6, 17):
            ports |= set(struct.unpack_from("!HH", packet, 14 + (packet[14] & 15) * 4))
        at += 16 + kept
    assert 7999 in ports
    assert 22 not in ports


def test_damage_falls_on_a_minority_and_stays(breakable: Up) -> None:
    """The last test of the file, for the server cannot start on what is left."""
    look = ["sh", "-c", "cd /var/lib/splitbrain && rm -f log other held && printf 111111111111 >starts && cat *"]
    before = {node: engine("exec", breakable.container(node), *look) for node in NODES}
    start, _ = made_and_lifted(breakable, "corrupt", "all")
    assert start.value["proven"], start.value["evidence"]
    after = {node: engine("exec", breakable.container(node), "sh", "-c", "cat /var/lib/splitbrain/*") for node in NODES}
    harmed = [node for node in NODES if after[node] != before[node]]
    assert len(harmed) == 1
    assert start.value["detail"].startswith(f"{harmed[0]} starts: ")
