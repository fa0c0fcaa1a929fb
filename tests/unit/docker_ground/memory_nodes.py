"""Nodes in memory: they understand the very commands that the ground sends, and do what the real ones would.

The tests in tests/integration/ hold the same surfaces against real containers, so this twin cannot drift far.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import CHAIN, HEARD_FOLDER, PROBE_PORT, SERVER, TELL_LINKS
from harness.errors import RemoteError
from harness.ssh import Completed


class MemoryNodes:
    """All nodes of a cluster, and the network between them.

    Attributes:
        dropped: by node, the addresses whose packets it drops; heard: by node, the probes that reached it.
        rules: by node, its whole chain; queues: by node, what its queue was told.
        states: by node; started: every command line that was started; dead: nodes whose containers ended.
        silent: nodes that do not answer over SSH.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.addresses = {name: f"10.0.0.{number}" for number, name in enumerate(names, 1)}
        self.dropped: dict[str, set[str]] = {name: set() for name in names}
        self.rules: dict[str, list[str]] = {name: [] for name in names}
        self.queues: dict[str, Any] = {name: {} for name in names}
        self.heard: dict[str, set[str]] = {name: set() for name in names}
        self.states = dict.fromkeys(names, "stopped")
        self.started: list[tuple[str, list[str]]] = []
        self.dead: dict[str, str] = {}
        self.silent: set[str] = set()
        self.hiccups: set[str] = set()
        self.asked_engine = 0

    def control(self) -> Control:
        return Control({name: MemoryRemote(self, name) for name in self.addresses}, self.addresses, self.why_ended)

    async def why_ended(self, node: str) -> str | None:
        self.asked_engine += 1
        return self.dead.get(node)

    def take_rules(self, node: str, text: str) -> None:
        self.rules[node] = []
        for name, table in zip(("filter", "raw"), text.split("COMMIT\n"), strict=False):
            head, chain, *found, end = table.split("\n")
            assert (head, chain, end) == (f"*{name}", f":{CHAIN} - [0:0]", "")
            assert all(rule.startswith(f"-A {CHAIN} -s ") for rule in found)
            self.rules[node] += [rule.removeprefix(f"-A {CHAIN} -s ") for rule in found]
        self.dropped[node] = {rule.split()[0] for rule in self.rules[node] if rule.split()[1:] == ["-j", "DROP"]}

    def send_probe(self, source: str, probe: str, address: str, port: str) -> None:
        assert port == str(PROBE_PORT)
        destination = next(name for name, known in self.addresses.items() if known == address)
        if self.addresses[source] not in self.dropped[destination]:
            self.heard[destination].add(probe)

    def serve(self, node: str, verb: str, command: list[str]) -> str:
        state = self.states[node]
        if verb == "start" and state == "stopped":
            self.started.append((node, command))
        moves = {
            ("start", "stopped"): "running",
            ("kill", "running"): "stopped",
            ("kill", "paused"): "stopped",
            ("pause", "running"): "paused",
            ("resume", "paused"): "running",
        }
        self.states[node] = moves.get((verb, state), state)
        return self.states[node] + "\n" if verb == "state" else ""


class MemoryRemote:
    """Implements `harness.docker_ground.control.Remote` for one node."""

    def __init__(self, nodes: MemoryNodes, name: str) -> None:
        self.nodes, self.name, self.connected = nodes, name, False

    async def run(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> Completed:
        if self.name in self.nodes.silent | self.nodes.dead.keys():
            self.connected = False
            raise RemoteError(self.name, shlex.join(arguments), None, "cannot connect")
        if self.name in self.nodes.hiccups:
            self.nodes.hiccups.remove(self.name)
            raise RemoteError(self.name, shlex.join(arguments), None, "the SSH connection was lost meanwhile")
        self.connected = True
        await asyncio.sleep(0.001)  # an answer takes longer than a refusal
        return self._do(list(arguments), stdin)

    async def check(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> str:
        done = await self.run(arguments, timeout_s=timeout_s, stdin=stdin)
        if done.status != 0:
            raise RemoteError(self.name, shlex.join(arguments), done.status, done.errors)
        return done.output

    def is_connected(self) -> bool:
        return self.connected

    def close(self) -> None:
        self.connected = False

    def _do(self, words: list[Any], stdin: bytes) -> Completed:
        if words[0] == "iptables-restore":
            self.nodes.take_rules(self.name, stdin.decode())
        elif tuple(words) == TELL_LINKS:
            self.nodes.queues[self.name] = json.loads(stdin)["links"]
        elif words[0] == "bash":
            self.nodes.send_probe(self.name, *words[4:])
        elif words[0] == SERVER:
            return Completed(0, self.nodes.serve(self.name, words[1], words[2:]), "")
        elif words[:2] == ["test", "-e"]:
            heard = words[2].removeprefix(f"{HEARD_FOLDER}/") in self.nodes.heard[self.name]
            return Completed(0 if heard else 1, "", "")
        elif words[:2] == ["rm", "--force"]:
            self.nodes.heard[self.name].remove(words[2].removeprefix(f"{HEARD_FOLDER}/"))
        else:
            return Completed(127, "", f"{words[0]}: not found")
        return Completed(0, "", "")


class MemoryLimits:
    """Implements `harness.docker_ground.processes.Limits`."""

    def __init__(self) -> None:
        self.set: dict[str, dict[str, float]] = {}

    def _put(self, node: str, name: str, value: float) -> None:
        self.set.setdefault(node, {})[name] = value

    async def cpu(self, node: str, share: float) -> None:
        self._put(node, "cpu_share", share)

    async def memory(self, node: str, mebibytes: int) -> None:
        self._put(node, "memory_mib", mebibytes)

    async def freeze(self, node: str) -> None:
        self._put(node, "frozen", 1)

    async def thaw(self, node: str) -> None:
        self._put(node, "frozen", 0)

    async def in_force(self, node: str) -> Mapping[str, float]:
        return self.set.get(node, {})
