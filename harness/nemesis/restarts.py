"""Servers that are restarted: once, one after another, or again and again. Each restart is seen: gone, then running.

The first blow of a fault falls before its injection completes, so that it is proven; those that follow fall while other
things happen, and are told when the fault is lifted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from harness.errors import InfrastructureError
from harness.nemesis.effect import Nodes, Proof, each, goes_on
from harness.protocols import Processes
from harness.streams import Random

UP_S = (0.2, 1.5)
"""How long a server of a crash loop lives, drawn between these; that of a rolling restart lives twice that at most."""


class Restart:
    """Kill and start at once: what was in memory is gone, what was written is there."""

    kind, holds = "restart", True

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    async def inject(self, nodes: Nodes) -> Proof:
        """Restart all of them at once."""
        seen = await each(nodes, self._restart)
        told = ", ".join(f"{node} {how}" for node, how in zip(nodes, seen, strict=True))
        return Proof(told, proven=set(seen) == {"stopped, then running"})

    async def lift(self, nodes: Nodes) -> Proof:
        """Nothing is left to undo; they run."""
        await each(nodes, self._processes.start)
        states = await each(nodes, self._processes.state)
        told = ", ".join(f"{node} {state}" for node, state in zip(nodes, states, strict=True))
        return Proof(told, proven=set(states) == {"running"})

    async def _restart(self, node: str) -> str:
        await self._processes.kill(node)
        gone = await self._processes.state(node)
        await self._processes.start(node)
        return f"{gone}, then {await self._processes.state(node)}"


class Rounds:
    """Restarts that go on until the fault is lifted.

    Args:
        kind: "crash-loop": every struck server, each again and again; "rolling-restart": one after another, in order.
    """

    holds = True

    def __init__(self, kind: str, processes: Processes, random: Random) -> None:
        self.kind, self._random = kind, random
        self._once = Restart(processes)
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._counts: dict[str, int] = {}

    async def inject(self, nodes: Nodes) -> Proof:
        """Restart the first, and go on."""
        self._counts, self._ended = dict.fromkeys(nodes, 0), False
        together = self.kind == "crash-loop"
        proof = await self._once.inject(nodes if together else nodes[:1])
        self._count(nodes if together else nodes[:1])
        self._task = goes_on(self._go_on(nodes))
        return proof

    async def lift(self, nodes: Nodes) -> Proof:
        """Let what is under way end, and tell how often each was restarted."""
        self._ended = True
        task, self._task = self._task, None
        if task is not None:
            await task
        proof = await self._once.lift(nodes)
        counts = ", ".join(f"{node} {count}" for node, count in self._counts.items())
        return Proof(f"{proof.evidence}; restarts: {counts}", proof.proven)

    async def _go_on(self, nodes: Nodes) -> None:
        async for struck in self._turns(nodes):
            try:
                await self._once.inject(struck)
            except InfrastructureError:  # lifting will find out what is wrong, and say it
                return
            self._count(struck)

    async def _turns(self, nodes: Nodes) -> AsyncIterator[Nodes]:
        """Whom to restart next, each after a while."""
        turn = 0
        while True:
            turn += 1
            left_s = self._random.uniform(*UP_S)
            while left_s > 0 and not self._ended:
                await asyncio.sleep(min(left_s, 0.05))
                left_s -= 0.05
            if self._ended:
                return
            yield nodes if self.kind == "crash-loop" else [nodes[turn % len(nodes)]]

    def _count(self, nodes: Nodes) -> None:
        for node in nodes:
            self._counts[node] += 1
