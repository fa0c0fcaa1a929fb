"""Nodes of the store on 127.0.0.1: in this process, on a loop, each in a folder of its own."""

import asyncio
import contextlib
import socket

from memory_disk import MemoryDisk

from harness.clock import monotonic_ns, wall_ns
from harness.op import Op
from harness.streams import Streams
from system_under_test.leader_follower.system import SYSTEM

FAST = {"heartbeat_ms": 40, "election_timeout_ms": 600}
"""Quick to fail over, and yet not so quick that a slow disk or a busy machine looks like a dead leader."""


def free_addresses(names):
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    addresses = {name: one.getsockname()[:2] for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return addresses


class LoopMachine:
    def __init__(self, name, disk, seed):
        self.name, self.disk = name, disk
        self.random = Streams(seed).stream(name)
        self.lines = []

    def monotonic_ns(self):
        return monotonic_ns()

    def wall_ns(self):
        return wall_ns()

    def log(self, message):
        self.lines.append(message)


class LoopCluster:
    """Has of `Cluster` what clients and `System` use; and starts and kills servers, which are tasks."""

    def __init__(self, count=3, make_disk=lambda name: MemoryDisk(), **options):
        self.nodes = tuple(f"n{i + 1}" for i in range(count))
        self.addresses = free_addresses(self.nodes)
        self.options = FAST | options
        self.machines = {name: LoopMachine(name, make_disk(name), 1) for name in self.nodes}
        self.tasks = {}

    def address(self, node):
        return self.addresses[node]

    def start(self, *names):
        for name in names or self.nodes:
            program = SYSTEM.program(self.machines[name], self.addresses, self.options)
            self.tasks[name] = asyncio.ensure_future(program)

    async def kill(self, *names):
        for name in names:
            task = self.tasks.pop(name)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.02)

    async def __aenter__(self):
        self.start()
        await SYSTEM.wait_ready(self, self.options, 10)
        return self

    async def __aexit__(self, *error):
        await self.kill(*self.tasks)

    def client(self, home="n1", **options):
        return SYSTEM.client(self, home, self.options | options, 0)


async def do(client, f, key="x", value=None, node=None):
    async with asyncio.timeout(3):
        return await client.invoke(Op(process=0, f=f, key=key, value=value, node=node))
