"""A cluster of three nodes that the tests of one file share, since most of them leave it as they found it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest
from counting_system import CountingSystem

from harness.docker_ground import DockerGround
from harness.docker_ground.cluster import DockerCluster
from harness.docker_ground.control import Control
from harness.protocols import Net, Processes

T = TypeVar("T")
NODES = ("n1", "n2", "n3")
OPTIONS = {"greeting": "two words; $(and) 'signs'"}


@dataclass
class Up:
    """A cluster that is up, and the event loop that it lives on."""

    runner: asyncio.Runner
    cluster: DockerCluster
    run_id: str

    def do(self, work: Awaitable[T], within_s: float = 30.0) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(within_s):
                return await work

        return self.runner.run(bounded())

    @property
    def net(self) -> Net:
        assert self.cluster.net is not None
        return self.cluster.net

    @property
    def processes(self) -> Processes:
        assert self.cluster.processes is not None
        return self.cluster.processes

    @property
    def control(self) -> Control:
        return self.cluster.net._control

    def container(self, node: str) -> str:
        return f"splitbrain-{self.run_id}-{node}"


@pytest.fixture(scope="module")
def shared() -> Iterator[Up]:
    run_id = f"test-shared-{os.getpid()}"
    system = CountingSystem()
    with asyncio.Runner() as runner:
        context = DockerGround(None).cluster(system, NODES, OPTIONS, run_id)
        cluster = runner.run(context.__aenter__())
        try:
            assert isinstance(cluster, DockerCluster)
            runner.run(system.wait_ready(cluster, OPTIONS, 20.0))
            yield Up(runner, cluster, run_id)
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def up(shared: Up) -> Iterator[Up]:
    """The shared cluster, healed and with every server running, before and after."""
    yield shared
    shared.do(shared.net.heal())
    for node in NODES:
        shared.do(shared.processes.resume(node))
        shared.do(shared.processes.start(node))
    shared.do(CountingSystem().wait_ready(shared.cluster, OPTIONS, 20.0))


def engine(*words: str) -> str:
    """What the docker command prints: a second opinion on what the ground did."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def made_by(run_id: str) -> list[str]:
    """Names of the containers and networks that carry the run's label."""
    told = f"label=splitbrain.run={run_id}"
    names = engine("ps", "--all", "--filter", told, "--format", "{{.Names}}").split()
    return sorted(names + engine("network", "ls", "--filter", told, "--format", "{{.Name}}").split())
