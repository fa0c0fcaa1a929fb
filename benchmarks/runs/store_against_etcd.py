"""The store against etcd: acknowledged writes per second, in the same kind of containers, by the same load, in one run.

Three nodes each, on the same image base and the same private network; every acknowledged write is on the disks of a
majority (our `--replication quorum --fsync always`, which is what etcd does). So many clients of this process write to
the leader, each its next write when the last one is acknowledged, 64 bytes of value. The two take turns, because
machines are noisy; the ratio of the medians is the figure to look at.

    python benchmarks/runs/store_against_etcd.py [--clients 1 8 32] [--seconds 5] [--rounds 3]

Limits: servers and clients share the machine's cores, so a client's price counts against its system. Ours speaks JSON
frames over TCP, etcd's is its JSON gateway over HTTP, which costs etcd a translation that gRPC clients do not pay.
Exits with 255 and one sentence where no Docker engine answers, or etcd-server cannot be installed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness.docker_ground import DockerGround
from harness.errors import InfrastructureError
from harness.op import Op
from harness.protocols import Client, Cluster
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")
OPTIONS = {option.name: option.default for option in SYSTEM.options} | {"replication": "quorum", "fsync": "always"}
VALUE = "v" * 64
READY_S = 30.0
DOCKERFILE = b"""ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends etcd-server && rm -rf /var/lib/apt/lists/*
"""


class EtcdClient:
    """One keep-alive connection to etcd's JSON gateway."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def put(self, key: str, value: str) -> None:
        """Write; returns when etcd acknowledged."""
        await self.post("/v3/kv/put", {"key": _encoded(key), "value": _encoded(value)})

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """One request and its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        content = json.dumps(body).encode()
        writer.write(f"POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
        )
        answer = json.loads(await reader.readexactly(length))
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(str(answer))
        return answer

    async def close(self) -> None:
        """Give the connection back."""
        if self._streams is not None:
            self._streams[1].close()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """etcd 3.4 of Debian, as a system with an image."""

    name, image, port = "etcd", "splitbrain-benchmark-etcd", 2379

    def build_context(self) -> Mapping[str, bytes]:
        """Debian's package on the common base."""
        return {"Dockerfile": DOCKERFILE}

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        """One member of a new cluster."""
        host, port = addresses[node]
        members = ",".join(f"{name}=http://{address}:2380" for name, (address, _) in addresses.items())
        return [
            *("etcd", "--name", node, "--data-dir", "/var/lib/splitbrain/etcd", "--log-level", "error"),
            *("--listen-client-urls", f"http://{host}:{port}", "--advertise-client-urls", f"http://{host}:{port}"),
            *("--listen-peer-urls", f"http://{host}:2380", "--initial-advertise-peer-urls", f"http://{host}:2380"),
            *("--initial-cluster", members, "--initial-cluster-state", "new", "--logger", "zap"),
        ]


async def etcd_leader(cluster: Cluster) -> str:
    """The member that leads, once there is one."""
    began = time.perf_counter()
    while time.perf_counter() - began < READY_S:
        for node in cluster.nodes:
            client = EtcdClient(cluster.address(node))
            try:
                said = await client.post("/v3/maintenance/status", {})
                if said.get("leader") == said["header"]["member_id"]:
                    return node
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                await client.close()
        await asyncio.sleep(0.2)
    raise InfrastructureError(f"etcd had no leader after {READY_S:g} s.")


@dataclass
class Contender:
    """A running system: how a client of its leader is made, and how it writes."""

    name: str
    connect: Callable[[], Any]
    write: Callable[[Any, str], Awaitable[None]]


@asynccontextmanager
async def ours(run: str) -> AsyncIterator[Contender]:
    """The store, ready."""
    async with DockerGround(None).cluster(SYSTEM, NODES, OPTIONS, run) as cluster:
        await SYSTEM.wait_ready(cluster, OPTIONS, READY_S)
        leader = await SYSTEM.leader(cluster)
        if leader is None:
            raise InfrastructureError("The store has no leader.")
        processes = itertools.count()

        async def write(client: Client, key: str) -> None:
            done = await client.invoke(Op(process=next(processes), f="write", key=key, value=VALUE))
            if done.type != "ok":
                raise ConnectionError(f"{done.type}: {done.error}")

        yield Contender("store", lambda: SYSTEM.client(cluster, leader, OPTIONS, 1), write)


@asynccontextmanager
async def etcd(run: str) -> AsyncIterator[Contender]:
    """etcd, ready."""
    async with DockerGround(None).cluster(Etcd(), NODES, {}, run) as cluster:  # type: ignore[arg-type]  # no client
        leader = await etcd_leader(cluster)

        async def write(client: EtcdClient, key: str) -> None:
            await client.put(key, VALUE)

        yield Contender("etcd", lambda: EtcdClient(cluster.address(leader)), write)


async def load(contender: Contender, clients: int, seconds: float) -> list[float]:
    """Seconds of every write that was acknowledged within the time."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def work(number: int) -> None:
        client = contender.connect()
        for turn in itertools.count():
            began = time.perf_counter()
            if began >= end:
                break
            await contender.write(client, f"key-{number}-{turn % 16}")
            latencies.append(time.perf_counter() - began)
        await client.close()

    await asyncio.gather(*(work(number) for number in range(clients)))
    return latencies


async def compare(clients: list[int], seconds: float, rounds: int) -> None:
    """Print the table."""
    async with ours(f"benchmark-{os.getpid()}-store") as store, etcd(f"benchmark-{os.getpid()}-etcd") as other:
        print(f"{'clients':>7}  {'':<6}{'writes/s':>9}  {'p50 ms':>7}  {'p99 ms':>7}")
        for count in clients:
            figures: dict[str, list[tuple[float, float, float]]] = {"store": [], "etcd": []}
            for _ in range(rounds):
                for contender in (store, other):
                    latencies = sorted(await load(contender, count, seconds))
                    middle, tail = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
                    figures[contender.name].append((len(latencies) / seconds, middle * 1e3, tail * 1e3))
            medians = {
                name: [statistics.median(column) for column in zip(*rows, strict=True)]
                for name, rows in figures.items()
            }
            for name, (rate, middle, tail) in medians.items():
                print(f"{count:>7}  {name:<6}{rate:>9,.0f}  {middle:>7.2f}  {tail:>7.2f}")
            ratios = [mine / theirs for mine, theirs in zip(medians["store"], medians["etcd"], strict=True)]
            print(f"{'':>7}  {'ratio':<6}{ratios[0]:>9.2f}  {ratios[1]:>7.2f}  {ratios[2]:>7.2f}")


def main() -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(description="The store against etcd: acknowledged writes, in one run.")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    try:
        asyncio.run(compare(given.clients, given.seconds, given.rounds))
    except InfrastructureError as error:
        print(error, file=sys.stderr)
        return 255
    return 0


if __name__ == "__main__":
    sys.exit(main())
