"""Faults of processes and of power: kill, pause, power loss. The operating system is asked whether it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from harness.nemesis.targets import Scene, resolve
from harness.op import Op
from harness.protocols import Cluster, Disks, Processes, ProcessState, StopsProcesses
from harness.streams import Random


@dataclass(frozen=True)
class Blow:
    """What one kind of fault does to a node, what undoes it, and the state that proves it."""

    kind: str
    strike: Callable[[str], Awaitable[Any]]
    undo: Callable[[str], Awaitable[None]]
    struck: ProcessState


def kill_blow(processes: Processes) -> Blow:
    """SIGKILL, and a start on the data that was left."""
    return Blow("kill", processes.kill, processes.start, "stopped")


def pause_blow(processes: Processes) -> Blow:
    """SIGSTOP and SIGCONT."""
    return Blow("pause", processes.pause, processes.resume, "paused")


def stop_blow(processes: Processes) -> Blow:
    """SIGTERM, as an operator would, and a start."""
    assert isinstance(processes, StopsProcesses)
    return Blow("stop", processes.stop, processes.start, "stopped")


def power_blow(processes: Processes, disks: Disks) -> Blow:
    """Power loss: what was not fsynced is gone."""
    return Blow("power", disks.power_off, processes.start, "stopped")


class ProcessNemesis:
    """Strikes nodes and undoes it, one blow in force at a time."""

    def __init__(self, cluster: Cluster, processes: Processes, blow: Blow, target: str, random: Random) -> None:
        self._cluster, self._processes, self._blow = cluster, processes, blow
        self._target, self._random = target, random
        self._count = 0
        self.active: dict[str, Any] | None = None
        self.fs = frozenset({f"start-{blow.kind}", f"stop-{blow.kind}"})

    async def invoke(self, op: Op, scene: Scene) -> Op:
        """Strike or undo; evidence is the state that each node's operating system reports."""
        if op.f.startswith("stop-"):
            return await self._stop(op)
        aimed = resolve(self._target, self._cluster.nodes, scene.leader, self._random, scene.roles)
        if not aimed:
            return op.fail(f"no-target: nobody is {self._target} now")
        nodes = tuple(node for node in aimed if node not in scene.struck)
        if not nodes:
            return op.fail(f"no-target: another fault holds {' '.join(aimed)}")
        self._count += 1
        kind = self._blow.kind
        self.active = {"fault": f"{kind}-{self._count}", "kind": kind, "nodes": list(nodes), "detail": " ".join(nodes)}
        results = await asyncio.gather(*(self._blow.strike(node) for node in nodes))
        evidence, proven = await self._witness(nodes, self._blow.struck)
        if kind == "power":
            evidence += f"; bytes lost: {', '.join(str(lost) for lost in results)}"
        return op.ok(value={**self.active, "proven": proven, "evidence": evidence})

    async def _stop(self, op: Op) -> Op:
        fault = self.active
        await self.heal()
        if fault is None:
            return op.fail("nothing-to-lift")
        evidence, proven = await self._witness(tuple(fault["nodes"]), "running")
        return op.ok(value={**fault, "proven": proven, "evidence": evidence})

    async def heal(self) -> None:
        """Undo the blow on every node it hit."""
        if self.active is not None:
            await asyncio.gather(*(self._blow.undo(node) for node in self.active["nodes"]))
            self.active = None

    async def _witness(self, nodes: tuple[str, ...], wanted: ProcessState) -> tuple[str, bool]:
        states = await asyncio.gather(*(self._processes.state(node) for node in nodes))
        told = ", ".join(f"{node} {state}" for node, state in zip(nodes, states, strict=True))
        return told, all(state == wanted for state in states)
