"""The harness' client: one per process, which makes it one session.

It never repeats a request that may have arrived. What it concludes from an answer, or from none:

    what came back                            a write or cas is     a read is
    ok                                        ok                    ok
    mismatch (the cas was decided, not done)  fail, with current    -
    refused: nothing was done                 fail                  fail
    no connection: nothing was sent           fail                  fail
    indeterminate, or an answer without sense info                  fail: it had no effect anyway
    connection lost after sending             info                  fail
    nothing, for longer than a node may wait  (the harness' deadline: info)  fail

A refusal that names the leader is followed there, twice at most: that is no repetition, as nothing was done.

The session's token is the largest (generation, index) that any answer showed: what it wrote, what it read, and how far
the node that answered had applied the log. With `--read session` every read carries it.

Which node is asked: the operation's own choice; else, for what only a leader serves, the leader as last heard of; else
the client's home. A home that cannot be reached, does not answer, or knows of no leader is not asked for one again: the
next node is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from harness.op import Op
from harness.protocols import Cluster

from .connection import Connection, Lost, Unreachable
from .messages import NOTHING, Version

REDIRECTS_MAX = 2
CONNECT_TIMEOUT_S = 1.0
READ_SLACK_S = 0.5
"""How much longer than a node's longest wait a read may take."""


class StoreClient:
    """Implements `harness.protocols.Client`."""

    def __init__(self, cluster: Cluster, home: str, options: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._home = home
        self._first = home
        self._mode = str(options.get("read", "leader"))
        self._read_timeout_s = int(options.get("wait_ms", 1000)) / 1000 + READ_SLACK_S
        self._connections: dict[str, Connection] = {}
        self._leader: str | None = None
        self.token: Version = NOTHING

    async def invoke(self, op: Op) -> Op:
        """See the module docstring."""
        try:
            request = self._request(op)
        except ValueError as error:
            return op.fail(f"bad-request: {error}")
        node = op.node or self._choose(op)
        # A read is given up before the harness' deadline, which would take it for doubt and retire the session.
        deadline = asyncio.get_running_loop().time() + self._read_timeout_s if op.f == "read" else None
        for _ in range(REDIRECTS_MAX):
            answer = await self._ask(node, op, request, deadline)
            hint = self._hint(answer, node)
            if hint is None:
                return self._complete(op, answer)
            node = hint
        return self._complete(op, await self._ask(node, op, request, deadline))

    async def close(self) -> None:
        """Drop every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, op: Op) -> dict[str, Any]:
        if op.f not in ("read", "write", "cas"):
            raise ValueError(f"this store has no operation {op.f!r}")
        request = {"f": op.f, "key": op.key}
        if op.f != "read":
            return {**request, "value": op.value}
        if self._mode == "session":
            request["token"] = self.token
        return {**request, "mode": self._mode}

    def _needs_leader(self, op: Op) -> bool:
        return op.f != "read" or self._mode == "leader"

    def _choose(self, op: Op) -> str:
        return (self._leader or self._first) if self._needs_leader(op) else self._home

    async def _ask(self, node: str, op: Op, request: dict[str, Any], deadline: float | None) -> dict[str, Any] | Op:
        """The node's answer, or the completion where there is none; only reads have a deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._connection(node)
                return await connection.ask(request)
        except Unreachable:
            self._give_up(node)
            return op.fail(f"unreachable: {node}")
        except Lost:
            self._give_up(node)
            return op.fail(f"connection-lost: {node}") if op.f == "read" else op.info(f"connection-lost: {node}")
        except TimeoutError:
            self._give_up(node)
            return op.fail(f"timeout: {node}")

    async def _connection(self, node: str) -> Connection:
        connection = self._connections.get(node)
        if connection is not None and connection.is_open():
            return connection
        self._forget(node)
        connection = await Connection.open(self._cluster.address(node), CONNECT_TIMEOUT_S)
        self._connections[node] = connection
        return connection

    def _give_up(self, node: str) -> None:
        """It cannot be reached or does not answer: neither the connection nor the node is worth another try now."""
        self._forget(node)
        self._look_elsewhere(node)

    def _look_elsewhere(self, node: str) -> None:
        """Let another node than this one be asked first who leads."""
        if node == self._first:
            nodes = self._cluster.nodes
            self._first = nodes[(nodes.index(node) + 1) % len(nodes)]

    def _forget(self, node: str) -> None:
        if self._leader == node:
            self._leader = None
        connection = self._connections.pop(node, None)
        if connection is not None:
            connection.close()

    # ── concluding ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _hint(self, answer: dict[str, Any] | Op, asked: str) -> str | None:
        """The node to which the request should go instead, if it was refused for that."""
        if isinstance(answer, Op) or answer.get("status") != "refused" or answer.get("error") != "not-leader":
            return None
        leader = answer.get("leader")
        self._leader = leader if leader in self._cluster.nodes and leader != asked else None
        if self._leader is None:
            self._look_elsewhere(asked)
        return self._leader

    def _complete(self, op: Op, answer: dict[str, Any] | Op) -> Op:
        if isinstance(answer, Op):
            return answer
        node, status, error = answer.get("node"), answer.get("status"), str(answer.get("error"))
        if status in ("ok", "mismatch"):
            return self._served(op, answer, str(node))
        if status == "refused":
            return op.fail(f"{error}: {answer['leader']}" if answer.get("leader") else error, node=node)
        told = error if status == "indeterminate" else "bad-answer"
        return op.fail(told, node=node) if op.f == "read" else op.info(told, node=node)

    def _served(self, op: Op, answer: dict[str, Any], node: str) -> Op:
        version, applied = _version(answer.get("version")), _version(answer.get("applied"))
        self.token = max(self.token, version, applied)
        if self._needs_leader(op):
            self._leader = node
        if answer["status"] == "mismatch":
            return op.fail("mismatch", value=[*op.value, answer.get("value")], version=version, node=node)
        if op.f == "read":
            return op.ok(value=answer.get("value"), version=version, node=node)
        return op.ok(version=version, node=node)


def _version(value: Any) -> Version:
    generation, index = value
    return (int(generation), int(index))
