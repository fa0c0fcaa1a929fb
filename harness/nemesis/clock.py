"""Clock jumps: a node's wall clock is set off by up to seconds, read back as proof, and set right at the end.

How far is drawn anew for every node, or once for all of them, forwards or backwards, and evenly over orders of
magnitude: what breaks at 50 ms need not break at 5 s, and the other way round (too large a step is refused by some).

Only wall clocks jump. A system that measures its timeouts on a monotonic clock does not notice, and that is the point.

Limits: rates are left as they are; a clock that was off before the jump, by drift, is off by the drawn offset after.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.nemesis.targets import Scene, resolve
from harness.op import Op
from harness.protocols import Clocks, Cluster
from harness.streams import Random

MILLISECOND_NS = 1_000_000
JUMP_MS_MIN = 20
JUMP_MS_MAX = 5_000
COMMON_SHARE = 0.5
"""How often all clocks that jump do so alike, as after a common time server that was wrong."""
TOLERANCE_MS = 10
"""How far an offset that is read back may be from the one that was set; smaller than any jump."""


class ClockNemesis:
    """Sets clocks off and right again, one jump in force at a time."""

    fs = frozenset({"start-clock", "stop-clock"})

    def __init__(self, cluster: Cluster, clocks: Clocks, target: str, random: Random) -> None:
        self._cluster, self._clocks = cluster, clocks
        self._target, self._random = target, random
        self._count = 0
        self.fixed_ns: int | None = None
        self.active: dict[str, Any] | None = None

    async def invoke(self, op: Op, scene: Scene) -> Op:
        """Jump or set right; evidence is each node's offset, read back."""
        if op.f == "stop-clock":
            return await self._stop(op)
        if self.active is not None:
            return op.fail(f"in-force: {self.active['fault']} is not lifted yet")
        aimed = resolve(self._target, self._cluster.nodes, scene.leader, self._random, scene.roles)
        if not aimed:
            return op.fail(f"no-target: nobody is {self._target} now")
        nodes = [node for node in aimed if node not in scene.taken]
        if not nodes:
            return op.fail(f"no-target: another fault holds the clocks of {' '.join(aimed)}")
        common = self._draw_ns() if self._random.random() < COMMON_SHARE else None
        offsets = {node: self._draw_ns() if common is None else common for node in nodes}
        self._count += 1
        detail = ", ".join(f"{node} {_milliseconds(offset)}" for node, offset in offsets.items())
        self.active = {"fault": f"clock-{self._count}", "kind": "clock", "nodes": list(nodes), "detail": detail}
        return await self._set(op, self.active, offsets)

    async def _stop(self, op: Op) -> Op:
        fault = self.active
        if fault is None:
            return op.fail("nothing-to-lift")
        self.active = None
        return await self._set(op, fault, dict.fromkeys(fault["nodes"], 0))

    async def heal(self) -> None:
        """Set every clock right."""
        if self.active is not None:
            await asyncio.gather(*(self._clocks.set_offset_ns(node, 0) for node in self.active["nodes"]))
            self.active = None

    async def _set(self, op: Op, fault: dict[str, Any], offsets: dict[str, int]) -> Op:
        """Set the offsets, and tell what they then are, and what all other clocks show."""
        before = await self._read(offsets)
        await asyncio.gather(*(self._clocks.set_offset_ns(node, offset) for node, offset in offsets.items()))
        found = await self._read(self._cluster.nodes)
        read_back = {node: found.pop(node) for node in offsets}
        proven = all(abs(read_back[node] - offset) <= TOLERANCE_MS * MILLISECOND_NS for node, offset in offsets.items())
        others = f"; others: {_told(found)}" if found else ""
        evidence = f"read back: {_told(read_back)}; before: {_told(before)}{others}"
        shown = clocks_ms({**found, **before}, {**found, **read_back})
        return op.ok(value={**fault, "proven": proven, "evidence": evidence, "clocks_ms": shown})

    async def _read(self, nodes: Iterable[str]) -> dict[str, int]:
        """The offset of each of these nodes' clocks, in ns."""
        found = await asyncio.gather(*(self._clocks.offset_ns(node) for node in nodes))
        return dict(zip(nodes, found, strict=True))

    def _draw_ns(self) -> int:
        """A jump: its sign even, its size even over orders of magnitude; or the one that is fixed."""
        if self.fixed_ns is not None:
            return self.fixed_ns
        size_ms = math.exp(self._random.uniform(math.log(JUMP_MS_MIN), math.log(JUMP_MS_MAX)))
        return int(self._random.choice((-1, 1)) * size_ms * MILLISECOND_NS)


def clocks_ms(first: Mapping[str, int], last: Mapping[str, int]) -> dict[str, list[float]]:
    """Offsets in ns as they go into the history: by node, in ms, at first and at last.

    >>> clocks_ms({"n1": 0}, {"n1": 1_500_000})
    {'n1': [0.0, 1.5]}
    """
    return {node: [round(one[node] / MILLISECOND_NS, 3) for one in (first, last)] for node in sorted(last)}


def _told(offsets: Mapping[str, int]) -> str:
    return ", ".join(f"{node} {_milliseconds(offset)}" for node, offset in offsets.items())


def _milliseconds(offset_ns: int) -> str:
    return f"{round(offset_ns / MILLISECOND_NS):+d} ms"
