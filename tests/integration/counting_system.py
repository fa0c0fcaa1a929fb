"""The smallest system that the docker ground can run: a server that tells its name and how often it was started.

One line of Python, no consensus, nothing to install: what fails on it is the ground's fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SetupError
from harness.protocols import Client, Cluster

SERVER = b"""
import pathlib, socketserver, sys
starts = pathlib.Path("/var/lib/splitbrain/starts")
count = int(starts.read_text()) + 1 if starts.exists() else 1
starts.write_text(str(count))
print("start", count, "with", sys.argv[2:], flush=True)
class Tell(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{sys.argv[1]} {count}".encode())
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", 7100), Tell).serve_forever()
"""
DOCKERFILE = b"ARG BASE\nFROM ${BASE}\nCOPY server.py /opt/counting/server.py\n"


class CountingSystem:
    name = "counting"
    operations = frozenset[str]()
    options = ()
    port = 7100
    image = "splitbrain-test-counting"

    def __init__(self, dockerfile: bytes = DOCKERFILE) -> None:
        self._dockerfile = dockerfile

    def client(self, cluster: Cluster, home: str, options: Mapping[str, Any], seed: int) -> Client:
        raise SetupError("the counting system has no clients")

    async def wait_ready(self, cluster: Cluster, options: Mapping[str, Any], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            for node in cluster.nodes:
                await answer(cluster, node)

    async def leader(self, cluster: Cluster) -> str | None:
        return None

    def build_context(self) -> Mapping[str, bytes | Path]:
        return {"Dockerfile": self._dockerfile, "server.py": SERVER}

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        return ["python3", "/opt/counting/server.py", node, *(str(value) for value in options.values())]


async def answer(cluster: Cluster, node: str) -> None:
    """Return once a node's server says something."""
    while await tells(cluster, node) is None:  # noqa: ASYNC110 (another process; it sends no event)
        await asyncio.sleep(0.02)


async def tells(cluster: Cluster, node: str, within_s: float = 1.0) -> str | None:
    """What a node's server says, None if it says nothing in time."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(*cluster.address(node))
            try:
                return (await reader.read(100)).decode() or None
            finally:
                writer.close()
    except OSError:  # TimeoutError is one
        return None
