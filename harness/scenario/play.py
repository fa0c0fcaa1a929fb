"""Carries out a scenario on a cluster: step by step, everything recorded as in any other run.

Each client is a process of its own. What a step was expected to give is compared when it ends; the first surprise does
not end the story, since what comes after often says why.

Limits: `when NODE is elected` and `elect` ask the system who leads, every few milliseconds, so they see elections that
last that long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.errors import InfrastructureError, PlanError
from harness.history.recorder import Recorder
from harness.op import NEMESIS, Op
from harness.plan import Setting
from harness.protocols import Client, Cluster, Cut, System
from harness.scenario.language import Scenario, ScenarioError, Step

POLL_S: Final = 0.01
PATIENCE_S: Final = 30.0
KINDS: Final = {
    "cut": ("partition", True),
    "cut off": ("partition", True),
    "heal": ("partition", False),
    "kill": ("kill", True),
    "power off": ("power", True),
    "start": ("kill", False),
    "pause": ("pause", True),
    "resume": ("pause", False),
    "clock": ("clock", True),
}
"""Which kind of fault a step begins, or ends."""
ENDED: Final = {"ok": "done", "fail": "refused", "info": "unknown"}


@dataclass
class Player:
    """One performance.

    Attributes:
        surprises: a sentence for each step that came out otherwise than expected.
        told: a line for each step, with what came of it.
        outcomes: for each question, the line that asks it, and what came of it, in the words of the language.
    """

    scenario: Scenario
    system: System
    cluster: Cluster
    settings: Mapping[str, Setting]
    recorder: Recorder
    surprises: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    outcomes: list[tuple[int, str]] = field(default_factory=list)
    _clients: dict[str, tuple[int, Client]] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _cuts: set[Cut] = field(default_factory=set)
    _running: list[asyncio.Task[None]] = field(default_factory=list)
    _acknowledged: dict[str, int] = field(default_factory=dict)
    _before: str | None = None
    _begun: list[dict[str, Any]] = field(default_factory=list)
    _count: int = 0

    async def play(self) -> None:
        """All steps; whatever is broken in the end is mended."""
        self._before = await self.system.leader(self.cluster)
        try:
            for step in self.scenario.steps:
                await self._step(step)
            await self._join()
        finally:
            for task in self._running:
                task.cancel()
            for _, client in self._clients.values():
                await client.close()
            if self.cluster.net is not None:
                await self.cluster.net.heal()

    async def _step(self, step: Step) -> None:
        if step.when is not None:
            await self._when(*step.when)
        if step.kind in ("write", "read"):
            asked = asyncio.create_task(self._ask(step))
            if step.meanwhile:
                self._running.append(asked)
            else:
                await asked
            return
        begun_ns = self.recorder.elapsed_ns()
        await self._act(step)
        if step.kind != "expect":
            self.told.append(f"{begun_ns / 1e9:8.3f} s  {step.text}")

    async def _act(self, step: Step) -> None:
        words = step.words
        match step.kind:
            case "call":
                self._names[words["name"]] = await self._whom(words["whom"])
            case "wait":
                await asyncio.sleep(int(words["amount"]) / 1000)
            case "elect":
                await self._until(self._somebody_else, "that somebody else leads")
            case "join":
                await self._join()
            case "expect":
                pass
            case _:
                await self._break(step)

    # ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, step: Step) -> None:
        words = step.words
        node = self._node(words["node"]) if "node" in words else None
        process, client = self._client(words["client"], node)
        value = _plain(words["value"]) if "value" in words else None
        op = Op(process=process, f=step.kind, key=words["key"], value=value, node=node)
        begun = self.recorder.record(op)
        try:
            async with asyncio.timeout(self.scenario.timeout_s):
                ended = await client.invoke(begun)
        except TimeoutError:
            ended = begun.info("timeout")
        self.recorder.record(ended)
        if ended.type == "ok" and ended.node is not None:
            self._acknowledged[ended.node] = self._acknowledged.get(ended.node, 0) + 1
        came = _came(ended)
        self.outcomes.append((step.line, came))
        said = f" (says {self._called(ended.node)})" if ended.node else ""
        self.told.append(
            f"{(begun.time or 0) / 1e9:8.3f} s  {step.text.partition('->')[0].strip():<46} -> {came}{said}"
        )
        if step.expected is not None and came != step.expected:
            why = f" ({ended.error})" if ended.error else ""
            self.surprises.append(f"line {step.line}: {step.text!r} came out as {came}{why}")

    def _client(self, name: str, node: str | None) -> tuple[int, Client]:
        if name not in self._clients:
            home = node or self.cluster.nodes[0]
            process = len(self._clients)
            self._clients[name] = process, self.system.client(self.cluster, home, self.settings, process)
        return self._clients[name]

    async def _join(self) -> None:
        running, self._running = self._running, []
        await asyncio.gather(*running)

    # ── names, and waiting ───────────────────────────────────────────────────────────────────────────────────────────

    def _node(self, name: str) -> str:
        node = self._names.get(name, name)
        if node not in self.cluster.nodes:
            raise ScenarioError(f"There is no node {name!r}; the nodes are {', '.join(self.cluster.nodes)}.")
        return node

    def _called(self, node: str | None) -> str:
        return next((name for name, other in self._names.items() if other == node), str(node))

    async def _whom(self, whom: str) -> str:
        if whom == "the leader":
            await self._until(self._anybody, "that somebody leads")
            leader = await self.system.leader(self.cluster)
            assert leader is not None or self._before is not None
            self._before = leader or self._before
            return str(self._before)
        taken = {*self._names.values(), await self.system.leader(self.cluster)}
        if whom in ("a follower", "another follower"):
            left = [node for node in self.cluster.nodes if node not in taken]
            if not left:
                raise ScenarioError("There is no follower left that has no name.")
            return left[0]
        return self._node(whom)

    async def _anybody(self) -> bool:
        return await self.system.leader(self.cluster) is not None

    async def _somebody_else(self) -> bool:
        leader = await self.system.leader(self.cluster)
        if leader is None or leader == self._before:
            return False
        self._before = leader
        return True

    async def _when(self, name: str, event: str) -> None:
        node = self._node(name)
        if event == "is elected":

            async def leads() -> bool:
                return await self.system.leader(self.cluster) == node

            await self._until(leads, f"that {name} is elected")
            return
        before = self._acknowledged.get(node, 0)

        async def acknowledged() -> bool:
            return self._acknowledged.get(node, 0) > before

        await self._until(acknowledged, f"that {name} acknowledges something")

    async def _until(self, condition: Callable[[], Awaitable[bool]], said: str) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + PATIENCE_S
        while not await condition():
            if loop.time() > end_s:
                raise InfrastructureError(f"The story waited {PATIENCE_S:g} s in vain {said}.")
            await asyncio.sleep(POLL_S)

    # ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _break(self, step: Step) -> None:
        """A fault or its end, recorded as such, so that reports show it."""
        node = self._node(step.words["node"]) if "node" in step.words else ""
        kind, begins = KINDS[step.kind]
        if begins:
            self._count += 1
            fault = {"fault": f"{kind}-{self._count}", "kind": kind, "nodes": [node], "detail": step.text}
            self._begun.append(fault)
            ended = [fault]
        else:
            kinds = ("kill", "power") if step.kind == "start" else (kind,)
            ended = [one for one in self._begun if one["kind"] in kinds and node in ("", *one["nodes"])]
            self._begun = [one for one in self._begun if one not in ended]
        f = f"{'start' if begins else 'stop'}-{ended[0]['kind'] if ended else kind}"
        self.recorder.record(Op(process=NEMESIS, f=f))
        await self._do(step, node)
        for fault in ended:
            self.recorder.record(Op(process=NEMESIS, type="ok", f=f, value=fault))

    async def _do(self, step: Step, node: str) -> None:
        cluster = self.cluster
        match step.kind:
            case "cut" | "cut off" | "heal":
                await self._cut(step, node)
            case "clock":
                clocks = _there(cluster.clocks, step)
                await clocks.set_offset_ns(node, await clocks.offset_ns(node) + int(step.words["amount"]) * 1_000_000)
            case "power off":
                await _there(cluster.disks, step).power_off(node)
            case _:
                await getattr(_there(cluster.processes, step), step.kind)(node)

    async def _cut(self, step: Step, node: str) -> None:
        net = _there(self.cluster.net, step)
        others = [other for other in self.cluster.nodes if other != node]
        if step.kind == "heal":
            self._cuts.clear()
        elif step.kind == "cut off":
            self._cuts |= {(node, other) for other in others}
        else:
            other = step.words["other"]
            ends = others if other == "all" else [self._node(other)]
            self._cuts |= {cut for end in ends for cut in ((node, end), (end, node))}
        await (net.cut(sorted(self._cuts)) if self._cuts else net.heal())


def _there(surface: Any, step: Step) -> Any:
    if surface is None:
        raise PlanError(f"Line {step.line}: this ground cannot do {step.kind!r}.")
    return surface


def _plain(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdecimal() else text


def _came(op: Op) -> str:
    """How an operation ended, in the words of the language."""
    if op.type == "ok" and op.f == "read":
        return "nothing" if op.value is None else str(op.value)
    return ENDED[op.type]
