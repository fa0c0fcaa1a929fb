"""What tc takes of our commands: all where the kernel has netem, and elsewhere all but those of netem itself."""

from __future__ import annotations

import asyncio
import os

import pytest
from counting_system import CountingSystem

from harness.docker_ground import DockerGround, netem
from harness.protocols import LinkShape

pytestmark = [pytest.mark.docker, pytest.mark.loop]

EVERYTHING = LinkShape(delay_ms=30, jitter_ms=1, loss=0.01, duplicate=0.2, reorder=0.2, corrupt=0.01, rate_kbit=50_000)


def test_tc_understands_every_command() -> None:
    async def scenario() -> tuple[str, list[float | None]]:
        run_id = f"test-netem-{os.getpid()}"
        async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), {}, run_id) as cluster:
            control = cluster.net._control  # type: ignore[union-attr]  # it has one on docker
            told = netem.batch({control.addresses["n2"]: EVERYTHING})
            done = await control.run("n1", ["tc", "-force", "-batch", "-"], stdin=told)
            return done.errors, await cluster.net.round_trip_ms("n1", "n2", 9)  # type: ignore[union-attr]  # it has one on docker

    errors, trips = asyncio.run(scenario())
    came = sorted(trip for trip in trips if trip is not None)
    if netem.no_netem() is None:
        assert errors == ""
        assert came[len(came) // 2] == pytest.approx(30, abs=10)
    else:
        [one, *others] = [line for line in errors.splitlines() if line.startswith("Error: ")]
        assert (one, others) == ("Error: Specified qdisc kind is unknown.", [])
        assert came[len(came) // 2] < 10
