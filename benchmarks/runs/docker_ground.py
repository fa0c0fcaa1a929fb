"""What the docker ground costs: a cluster up and down, a command over SSH, a fault and its proof.

The images are built before anything is timed. Every figure is the median of its repetitions, the worst beside it.
The last line of the SSH part switches TCP_NODELAY off on the same connection, which is how paramiko opens one by
itself. Exits with 255 and one sentence where no Docker engine answers.

    python benchmarks/runs/docker_ground.py [--nodes 5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from harness.docker_ground import DockerGround
from harness.docker_ground.cluster import DockerCluster
from harness.docker_ground.control import Control
from harness.errors import InfrastructureError
from system_under_test.leader_follower.system import SYSTEM

OPTIONS = {option.name: option.default for option in SYSTEM.options}


def show(what: str, seconds: list[float]) -> None:
    """One line: median and worst in milliseconds."""
    print(f"{what:<58} {statistics.median(seconds) * 1e3:9.1f} {max(seconds) * 1e3:9.1f}")


async def timed(times: int, work: Callable[[], Awaitable[object]]) -> list[float]:
    """Seconds of each of so many runs, one after another."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - began)
    return seconds


async def up_and_down(nodes: list[str], rounds: int) -> None:
    """Enter and leave whole clusters; entering ends when every server's process runs."""
    up, down = [], []
    for number in range(rounds):
        context = DockerGround(None).cluster(SYSTEM, nodes, OPTIONS, f"benchmark-{os.getpid()}-{number}")
        began = time.perf_counter()
        await context.__aenter__()
        up.append(time.perf_counter() - began)
        began = time.perf_counter()
        await context.__aexit__(None, None, None)
        down.append(time.perf_counter() - began)
    show(f"cluster of {len(nodes)}: up, every server's process running", up)
    show(f"cluster of {len(nodes)}: down, nothing left", down)


async def commands(control: Control, node: str) -> None:
    """`true` over SSH: one node, all nodes, and one node on a socket as paramiko opens it."""
    await control.check(node, ["true"])
    show("SSH: one command on one node", await timed(200, lambda: control.check(node, ["true"])))

    def everywhere() -> Awaitable[None]:
        return control.everywhere(control.nodes, lambda each: control.check(each, ["true"]))

    show(f"SSH: one command on {len(control.nodes)} nodes at once", await timed(50, everywhere))
    talk = control._connections[node]._transport.sock
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    show("SSH: one command on one node, without TCP_NODELAY", await timed(50, lambda: control.check(node, ["true"])))
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def faults(cluster: DockerCluster) -> None:
    """Cuts, probes and blows, each with its proof apart."""
    net, processes = cluster.net, cluster.processes
    assert net is not None
    assert processes is not None
    first, second, *_ = cluster.nodes
    isolating = [link for other in cluster.nodes[1:] for link in ((first, other), (other, first))]
    show("net: a probe that gets through", await timed(50, lambda: net.reaches(first, second)))
    cut, silent, heal = [], [], []
    for _ in range(5):
        cut += await timed(1, lambda: net.cut(isolating))
        silent += await timed(1, lambda: net.reaches(first, second))
        heal += await timed(1, net.heal)
    show(f"net: isolate one node, {len(isolating)} cuts", cut)
    show("net: a probe that does not get through", silent)
    show("net: heal", heal)
    for verb, after in (("pause", "resume"), ("kill", "start")):
        strike, undo = [], []
        for _ in range(10):
            strike += await timed(1, lambda verb=verb: getattr(processes, verb)(first))
            undo += await timed(1, lambda after=after: getattr(processes, after)(first))
        show(f"processes: {verb}", strike)
        show(f"processes: {after}", undo)
    show("processes: state", await timed(50, lambda: processes.state(first)))


async def measure(nodes: list[str], rounds: int) -> None:
    """Everything, on one machine."""
    async with DockerGround(None).cluster(SYSTEM, nodes, OPTIONS, f"benchmark-{os.getpid()}-warm"):
        pass
    print(f"{'':<58} {'median ms':>9} {'worst ms':>9}")
    await up_and_down(nodes, rounds)
    async with DockerGround(None).cluster(SYSTEM, nodes, OPTIONS, f"benchmark-{os.getpid()}") as cluster:
        assert isinstance(cluster, DockerCluster)
        began = time.perf_counter()
        await SYSTEM.wait_ready(cluster, OPTIONS, 30.0)
        show("store: ready after its processes run", [time.perf_counter() - began])
        await commands(cluster.net._control, nodes[0])
        await faults(cluster)


def main() -> int:
    """Measure, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    try:
        asyncio.run(measure([f"n{number + 1}" for number in range(given.nodes)], given.rounds))
    except InfrastructureError as error:
        print(f"benchmarks/runs/docker_ground.py: {error}", file=sys.stderr)
        return 255
    return 0


if __name__ == "__main__":
    sys.exit(main())
