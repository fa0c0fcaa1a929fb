"""The harness' client: one per process, which makes it one session.

By itself it never repeats a request that may have arrived. What it concludes from an answer, or from none:

    what came back                            a write, cas, ... is  a read is
    ok                                        ok                    ok
    mismatch (the cas was decided, not done)  fail, with current    -
    failed (decided, not done: "empty", ...)  fail                  -
    refused: nothing was done                 fail                  fail
    no connection: nothing was sent           fail                  fail
    indeterminate, or an answer without sense info                  fail: it had no effect anyway
    connection lost after sending             info                  fail
    nothing, for longer than a node may wait  (the harness' deadline: info)  fail

A refusal that names the leader is followed there, twice at most: that is no repetition, as nothing was done. After that
the next node is asked, and so it is after a hint to the leader of a generation that is older than the newest of which
any answer told. With fencing every write says that newest generation (`fencing.py`).

With `--exactly-once true` a write that is in doubt is repeated once: it carries the session that the client opened and
a number of its own, by which the nodes know it again (`sessions.py`), so it is done once and answered as then.
Until somebody takes the repetition the client goes on asking, for as long as a node may wait. A refusal now says only
that the repetition was not done; the first try may have been, so what stays in doubt is still `info`.

The session's token is the largest (generation, index) that any answer showed: what it wrote, what it read, and how far
the node that answered had applied the log. With `--read session` every read carries it.

Which node is asked: the operation's own choice; else, for what only a leader serves, the leader as last heard of; else
the client's home. With `--forward true` writes go to the home too, which passes them on. A home that cannot be reached,
does not answer, or knows of no leader is not asked for one again: the next node is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from harness.op import Op
from harness.protocols import Cluster

from .commands import ARGUMENTS
from .connection import Connection, Lost, Unreachable
from .fencing import FENCED
from .messages import NOTHING, Version
from .sessions import EXPIRED

REDIRECTS_MAX = 2
CONNECT_TIMEOUT_S = 1.0
READ_SLACK_S = 0.5
"""How much longer than a node's longest wait a read may take."""
REPETITION_PAUSE_S = 0.05
LEADER_MODES = ("leader", "lease", "leader-local")
"""How reads are served by a leader only."""
MISSED = ("not-leader", FENCED)
"""Refusals after which the request may go to the leader instead."""
TELLING = ("read", "increment", "txn", "dequeue", "acquire", "open")
"""What completes with a value that the store found, not with the argument."""


class StoreClient:
    """Implements `harness.protocols.Client`."""

    def __init__(self, cluster: Cluster, home: str, options: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._home = home
        self._first = home
        self._mode = str(options.get("read", "leader"))
        self._forward = bool(options.get("forward", False))
        self._exactly_once = bool(options.get("exactly_once", False))
        self._wait_s = int(options.get("wait_ms", 1000)) / 1000
        self._bugs = frozenset(str(options.get("bug", "")).split(","))
        self._fences = bool(options.get("fencing", True)) and not self._has_bug("no-fencing")
        self._connections: dict[str, Connection] = {}
        self._leader: str | None = None
        self._session: int | None = None
        self._number = 0
        self._generation = 0
        self.token: Version = NOTHING

    async def invoke(self, op: Op) -> Op:
        """See the module docstring."""
        try:
            request = self._request(op)
        except ValueError as error:
            return op.fail(f"bad-request: {error}")
        now_s = asyncio.get_running_loop().time()
        if op.f == "read":
            # A read is given up before the harness' deadline, which would take it for doubt and retire the session.
            return await self._pursue(op, request, now_s + self._wait_s + READ_SLACK_S)
        return await (self._once(op, request, now_s) if self._exactly_once else self._pursue(op, request, None))

    async def close(self) -> None:
        """Drop every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, op: Op) -> dict[str, Any]:
        if op.f != "read" and (op.f not in ARGUMENTS or op.f == "open"):
            raise ValueError(f"this store has no operation {op.f!r}")
        request = {"f": op.f, "key": op.key}
        if op.f != "read":
            return {**request, "value": op.value}
        if self._mode == "session":
            request["token"] = self.token
        return {**request, "mode": self._mode}

    async def _pursue(self, op: Op, request: dict[str, Any], deadline: float | None) -> Op:
        """Ask, and follow the hints of those who do not lead."""
        node, hops = op.node or self._choose(op), 0
        while True:
            answer = await self._ask(node, op, request, deadline)
            hint = self._hint(answer, node)
            if hint is None:
                return self._complete(op, answer)
            if hops == REDIRECTS_MAX and not self._has_bug("stale-hints"):
                self._leader = None
                self._look_elsewhere(self._first)
                return self._complete(op, answer)
            node, hops = hint, hops + 1

    def _has_bug(self, name: str) -> bool:
        """Whether a planted bug is in force that is a client's, or a client's too."""
        return name in self._bugs

    async def _once(self, op: Op, request: dict[str, Any], now_s: float) -> Op:
        """Ask as a session that may ask again: once more, if it is in doubt."""
        patience, end = now_s + self._wait_s, now_s + 2 * self._wait_s
        if self._session is None:
            opened = await self._pursue(Op(process=op.process, f="open"), {"f": "open"}, patience)
            if opened.type != "ok":
                return op.fail(f"no-session: {opened.error}")
            self._session, self._number = opened.value, 0
        self._number += 1
        request = {**request, "session": [self._session, self._number]}
        told = await self._pursue(op, request, patience)
        return await self._repeat(op, request, told, end) if told.type == "info" else told

    async def _repeat(self, op: Op, request: dict[str, Any], first: Op, end: float) -> Op:
        """Ask again until somebody takes it, and `first` was in doubt: only what the log decided ends the doubt."""
        anywhere = structs.replace(op, node=None)
        while asyncio.get_running_loop().time() < end:
            told = await self._pursue(anywhere, request, end)
            if told.type == "info" or told.version is not None:
                return told
            await asyncio.sleep(REPETITION_PAUSE_S)
        return first

    def _needs_leader(self, op: Op) -> bool:
        return op.f != "read" or self._mode in LEADER_MODES

    def _choose(self, op: Op) -> str:
        if not self._needs_leader(op):
            return self._home
        return self._first if self._forward and op.f != "read" else self._leader or self._first

    async def _ask(self, node: str, op: Op, request: dict[str, Any], deadline: float | None) -> dict[str, Any] | Op:
        """The node's answer, or the completion where there is none."""
        try:
            connection = self._connections.get(node)
            if connection is None or not connection.is_open():
                async with asyncio.timeout_at(deadline):
                    connection = await self._connect(node)
            if self._fences and op.f != "read" and self._generation:
                request = {**request, "generation": self._generation}
            return await connection.ask(request, deadline)
        except Unreachable:
            self._give_up(node)
            return op.fail(f"unreachable: {node}")
        except Lost:
            self._give_up(node)
            return _open_ended(op, f"connection-lost: {node}", None)
        except TimeoutError:
            self._give_up(node)
            return _open_ended(op, f"timeout: {node}", None)
        except ValueError as error:
            return op.fail(f"bad-request: {error}")

    async def _connect(self, node: str) -> Connection:
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
        if isinstance(answer, Op) or answer.get("status") != "refused" or answer.get("error") not in MISSED:
            return None
        leader, generation = answer.get("leader"), answer.get("generation")
        generation = generation if type(generation) is int else 0
        outdated = self._fences and generation < self._generation
        self._leader = leader if leader in self._cluster.nodes and leader != asked and not outdated else None
        self._generation = max(self._generation, generation)
        if self._leader is None:
            self._look_elsewhere(asked)
        return self._leader

    def _complete(self, op: Op, answer: dict[str, Any] | Op) -> Op:
        if isinstance(answer, Op):
            return answer
        node, status, error = answer.get("node"), answer.get("status"), str(answer.get("error"))
        if status in ("ok", "mismatch", "failed"):
            try:
                return self._served(op, answer, str(node))
            except (TypeError, ValueError):
                return _open_ended(op, "bad-answer", node)
        if status == "refused":
            return op.fail(f"{error}: {answer['leader']}" if answer.get("leader") else error, node=node)
        if error == EXPIRED:
            self._session = None
        return _open_ended(op, error if status == "indeterminate" else "bad-answer", node)

    def _served(self, op: Op, answer: dict[str, Any], node: str) -> Op:
        version, applied = _version(answer.get("version")), _version(answer.get("applied"))
        sent = self.token if op.f == "read" and self._mode == "session" else None
        self.token = max(self.token, version, applied)
        self._generation = max(self._generation, self.token[0])
        if self._needs_leader(op):
            self._leader = node
        if answer["status"] == "mismatch":
            return op.fail("mismatch", value=[*op.value, answer.get("value")], version=version, node=node)
        if answer["status"] == "failed":
            return op.fail(str(answer.get("error")), version=version, node=node)
        if op.f == "read":
            read = op.ok(value=answer.get("value"), version=version, node=node)
            return structs.replace(read, token=sent, applied=applied)
        if op.f in TELLING:
            return op.ok(value=answer.get("value"), version=version, node=node)
        return op.ok(version=version, node=node)


def _open_ended(op: Op, error: str, node: str | None) -> Op:
    """Doubt; but a read had no effect, whatever became of it."""
    return op.fail(error, node=node) if op.f == "read" else op.info(error, node=node)


def _version(value: Any) -> Version:
    generation, index = value
    return (int(generation), int(index))
