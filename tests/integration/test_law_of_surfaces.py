"""One law for each fault surface, on every ground that has it: what faults rely on, whoever implements the surface.

The simulated cluster is the twin in memory of the real ones. What a twin does differently, no simulated run would tell.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from somebodys_machines import somebodys_machines

from harness.docker_ground import DockerGround
from harness.protocols import Cluster, Ground, LinkShape, ShapesLinks
from harness.simulation.ground import SimGround
from harness.ssh_ground import SshGround
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")
LINKS = [(one, other) for one in NODES for other in NODES if one != other]
STORE = {option.name: option.default for option in SYSTEM.options}
LAW_S = 90.0
CLOSE_NS = 50_000_000
Law = Callable[[Cluster], Awaitable[None]]

SIM = pytest.param("sim")
DOCKER = pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.loop])
SSH = pytest.param("ssh", marks=pytest.mark.docker)


@pytest.fixture
def keeps(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Law], None]]:
    """Has a cluster of three nodes of the store keep a law."""

    def on(ground: Ground, law: Law, **options: str) -> None:
        async def bounded() -> None:
            async with ground.cluster(SYSTEM, NODES, STORE | options, "test-surfaces") as cluster:
                async with asyncio.timeout(LAW_S):
                    await SYSTEM.wait_ready(cluster, STORE, LAW_S)
                    await law(cluster)

        loop = ground.new_event_loop()
        try:
            loop.run_until_complete(bounded())
        finally:
            loop.close()

    if request.param == "sim":
        yield lambda law: on(SimGround(7), law)
    elif request.param == "docker":
        yield lambda law: on(DockerGround(None), law, disk="loop")
    else:
        with somebodys_machines(tmp_path, NODES) as machines:
            yield lambda law: on(SshGround(), law, **machines.options)


@pytest.mark.parametrize("keeps", [SIM, DOCKER, SSH], indirect=True)
def test_cuts_go_one_way_and_replace_all_earlier_ones_and_healing_lifts_them_all(keeps: Callable[[Law], None]) -> None:
    async def law(cluster: Cluster) -> None:
        net = cluster.net
        assert net is not None

        async def silent() -> set[tuple[str, str]]:
            return {link for link in LINKS if not await net.reaches(*link)}

        assert await silent() == set()
        await net.cut([("n1", "n2"), ("n1", "n3")])
        assert await silent() == {("n1", "n2"), ("n1", "n3")}
        await net.cut([("n2", "n3")])
        assert await silent() == {("n2", "n3")}
        await net.heal()
        await net.heal()
        assert await silent() == set()

    keeps(law)


@pytest.mark.parametrize("keeps", [SIM, DOCKER, SSH], indirect=True)
def test_a_process_is_what_was_last_done_to_it_and_doing_it_twice_is_doing_it_once(
    keeps: Callable[[Law], None],
) -> None:
    async def law(cluster: Cluster) -> None:
        processes = cluster.processes
        assert processes is not None
        steps = [
            (processes.pause, "paused"),
            (processes.resume, "running"),
            (processes.kill, "stopped"),
            (processes.start, "running"),
            (processes.pause, "paused"),
            (processes.kill, "stopped"),
            (processes.start, "running"),
        ]
        for step, state in steps:
            for _ in range(2):
                await step("n2")
                assert await processes.state("n2") == state
        assert [await processes.state(node) for node in ("n1", "n3")] == ["running", "running"]

    keeps(law)


@pytest.mark.parametrize("keeps", [SIM, DOCKER, SSH], indirect=True)
def test_a_shaped_link_is_slow_or_lossy_until_it_is_let_be(keeps: Callable[[Law], None]) -> None:
    async def law(cluster: Cluster) -> None:
        net = cluster.net
        assert isinstance(net, ShapesLinks)
        bad = LinkShape(delay_ms=150) if "delay_ms" in net.shapes() else LinkShape(loss=1.0)

        async def is_bad(source: str, destination: str) -> bool:
            trips = [math.inf if trip is None else trip for trip in await net.round_trip_ms(source, destination, 5)]
            return sorted(trips)[len(trips) // 2] >= 150

        await net.shape({("n1", "n2"): bad})
        assert [await is_bad("n1", "n2"), await is_bad("n1", "n3")] == [True, False]
        await net.shape({("n1", "n3"): bad})
        assert [await is_bad("n1", "n2"), await is_bad("n1", "n3")] == [False, True]
        await net.shape({})
        assert [await is_bad("n1", "n2"), await is_bad("n1", "n3")] == [False, False]

    keeps(law)


@pytest.mark.parametrize("keeps", [SIM, DOCKER], indirect=True)
def test_one_clock_jumps_and_no_other(keeps: Callable[[Law], None]) -> None:
    async def law(cluster: Cluster) -> None:
        clocks = cluster.clocks
        assert clocks is not None
        for asked in (5_000_000_000, -3_000_000_000, 0):
            await clocks.set_offset_ns("n2", asked)
            offsets = [await clocks.offset_ns(node) for node in NODES]
            for offset, wanted in zip(offsets, (0, asked, 0), strict=True):
                assert abs(offset - wanted) < CLOSE_NS

    keeps(law)


@pytest.mark.parametrize("keeps", [SIM, DOCKER], indirect=True)
def test_power_off_ends_the_process_and_a_start_comes_back_on_what_was_synced(keeps: Callable[[Law], None]) -> None:
    async def law(cluster: Cluster) -> None:
        disks, processes = cluster.disks, cluster.processes
        assert disks is not None and processes is not None
        assert await disks.power_off("n3") >= 0
        assert await processes.state("n3") == "stopped"
        await processes.start("n3")
        assert await processes.state("n3") == "running"
        await SYSTEM.wait_ready(cluster, STORE, LAW_S)

    keeps(law)


def test_what_a_ground_has_is_what_it_says_that_it_has() -> None:
    surfaces = {"net", "processes", "clocks", "disks"}
    assert {ground.name: ground.faults & surfaces for ground in (SimGround, DockerGround, SshGround)} == {
        "sim": surfaces,
        "docker": surfaces,
        "ssh": {"net", "processes"},
    }
