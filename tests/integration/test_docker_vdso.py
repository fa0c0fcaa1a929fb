"""Clocks of static programs, made wrong from outside: one in C reads its clock from two threads all the time."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Up, engine
from counting_system import CountingSystem

from harness.docker_ground import DockerGround
from harness.docker_ground.cluster import DockerCluster
from harness.errors import InfrastructureError
from harness.nemesis.compose import build_nemesis
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import Cluster, DriftsClocks
from harness.streams import Streams

pytestmark = [pytest.mark.docker, pytest.mark.loop]

NODES = ("n1", "n2")
PROGRAM = b"""
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long reads;
static void *read_on(void *nothing) {
    struct timespec now;
    for (;;) { clock_gettime(CLOCK_REALTIME, &now); reads++; }
    return nothing;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, read_on, 0);
    setvbuf(stdout, 0, _IOLBF, 0);
    for (;;) {
        struct timespec wall, steady;
        struct timeval day;
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &steady);
        gettimeofday(&day, 0);
        printf("%ld.%09ld %ld.%09ld %ld %ld %ld\\n", wall.tv_sec, wall.tv_nsec, steady.tv_sec, steady.tv_nsec,
               (long)day.tv_sec, (long)time(0), reads);
        usleep(20000);
    }
}
"""
DOCKERFILE = b"""
ARG BASE
FROM ${BASE} AS compiler
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY server.py /server.c
RUN gcc -O2 -static -pthread -o /show-clock /server.c
FROM ${BASE}
COPY --from=compiler /show-clock /opt/show-clock
"""


class StaticClock(CountingSystem):
    """A program that writes its clocks into its log."""

    image = "splitbrain-test-static-clock"

    def __init__(self) -> None:
        super().__init__(DOCKERFILE)

    def build_context(self) -> Mapping[str, bytes | Path]:
        return {"Dockerfile": DOCKERFILE, "server.py": PROGRAM}

    async def wait_ready(self, cluster: Cluster, options: Mapping[str, Any], timeout_s: float) -> None:
        await asyncio.sleep(0)

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        return ["/opt/show-clock"]


@pytest.fixture(scope="module")
def static() -> Iterator[Up]:
    run_id = f"test-vdso-{os.getpid()}"
    with asyncio.Runner() as runner:
        context = DockerGround(None).cluster(StaticClock(), NODES, {"clock_by": "vdso"}, run_id)
        cluster = runner.run(context.__aenter__())
        try:
            assert isinstance(cluster, DockerCluster)
            yield Up(runner, cluster, run_id)
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def clocks(static: Up) -> Iterator[DriftsClocks]:
    """The clocks, right before and after."""
    found = static.cluster.clocks
    assert isinstance(found, DriftsClocks)
    yield found
    for node in NODES:
        static.do(static.processes.start(node))
        static.do(found.freeze_clock(node, False))
        static.do(found.set_rate_ppm(node, 0))
        static.do(static.cluster.clocks.set_offset_ns(node, 0))  # type: ignore[union-attr]  # docker has clocks


def says(up: Up, node: str) -> tuple[float, float, int, int]:
    """What the program's newest line says that its clocks show, minus this machine's wall clock or monotonic clock."""
    time.sleep(0.06)
    line = engine("exec", up.container(node), "tail", "-n", "2", "/var/log/splitbrain/server.log").splitlines()[0]
    wall, steady, day, seconds, _ = line.split()
    return float(wall) - time.time(), float(steady) - time.monotonic(), int(day), int(seconds)


def test_a_static_program_sees_the_time_that_it_is_given_and_nobody_else_does(static: Up, clocks: DriftsClocks) -> None:
    began = time.time() - time.monotonic()
    static.do(static.cluster.clocks.set_offset_ns("n1", -7_200 * 10**9))  # type: ignore[union-attr]
    wall, steady, day, seconds = says(static, "n1")
    assert wall == pytest.approx(-7_200, abs=2)
    assert steady == pytest.approx(0, abs=2)
    assert day == pytest.approx(time.time() - 7_200, abs=3)
    assert abs(day - seconds) <= 1
    assert says(static, "n2")[0] == pytest.approx(0, abs=2)
    offsets = [static.do(static.cluster.clocks.offset_ns(node)) / 1e9 for node in NODES]  # type: ignore[union-attr]
    assert offsets == pytest.approx([-7_200, 0], abs=0.001)
    assert abs(static.do(clocks.monotonic_offset_ns("n1"))) < 1_000_000
    assert abs(time.time() - time.monotonic() - began) < 0.01


def test_it_runs_on_while_its_clock_is_changed_very_often(static: Up, clocks: DriftsClocks) -> None:
    pid = engine("exec", static.container("n1"), "cat", "/run/splitbrain/server.pid")

    async def strobe() -> None:
        for number in range(100):
            await static.cluster.clocks.set_offset_ns("n1", (number % 2) * 10**10)  # type: ignore[union-attr]

    static.do(strobe(), within_s=60)
    assert static.do(static.processes.state("n1")) == "running"
    assert engine("exec", static.container("n1"), "cat", "/run/splitbrain/server.pid") == pid
    assert says(static, "n1")[0] == pytest.approx(10, abs=2)


def test_it_stands_still_and_runs_fast(static: Up, clocks: DriftsClocks) -> None:
    static.do(clocks.freeze_clock("n1", True))
    first = says(static, "n1")[2]
    time.sleep(1.2)
    assert says(static, "n1")[2] == first
    static.do(clocks.freeze_clock("n1", False))
    static.do(clocks.set_rate_ppm("n2", 1_000_000))
    time.sleep(1.0)
    assert 0.9 < static.do(static.cluster.clocks.offset_ns("n2")) / 1e9 < 4  # type: ignore[union-attr]
    assert says(static, "n2")[0] > 0.5


def test_a_clock_stays_wrong_when_its_server_is_started_again_or_stands_still(static: Up, clocks: DriftsClocks) -> None:
    static.do(static.processes.pause("n1"))
    static.do(static.cluster.clocks.set_offset_ns("n1", 50 * 10**9))  # type: ignore[union-attr]
    assert static.do(static.processes.state("n1")) == "paused"
    static.do(static.processes.resume("n1"))
    assert says(static, "n1")[0] == pytest.approx(50, abs=2)
    static.do(static.processes.kill("n1"))
    static.do(static.processes.start("n1"))
    assert says(static, "n1")[0] == pytest.approx(50, abs=2)
    assert static.do(static.cluster.clocks.offset_ns("n1")) / 1e9 == pytest.approx(50, abs=0.001)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["clock", "clock-drift", "clock-freeze", "clock-strobe"])
def test_every_fault_of_clocks_is_proven(kind: str, static: Up, clocks: DriftsClocks) -> None:
    async def nobody() -> None:
        return None

    plan = Plan(nemesis=(kind,), nodes=2, target="n2", on="docker")
    nemesis = build_nemesis(plan, static.cluster, nobody, Streams(3))

    async def both() -> list[Op]:
        start = await nemesis.invoke(Op(process=NEMESIS, f=f"start-{kind}"))
        await asyncio.sleep(0.4)
        return [start, await nemesis.invoke(Op(process=NEMESIS, f=f"stop-{kind}"))]

    start, stop = static.do(both(), within_s=60)
    assert start.value["proven"], start
    assert stop.value["proven"], stop


def test_without_that_option_its_clock_is_refused_with_the_reason() -> None:
    async def scenario() -> None:
        run_id = f"test-static-{os.getpid()}"
        async with DockerGround(None).cluster(StaticClock(), ("n1",), {}, run_id) as cluster:
            assert cluster.clocks is not None
            await cluster.clocks.set_offset_ns("n1", 10**9)

    with pytest.raises(InfrastructureError, match=re.escape("(a static binary, or an image without it)")):
        asyncio.run(scenario())
