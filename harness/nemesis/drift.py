"""Wall clocks that run fast or slow, that jump to and fro, that stand still. Monotonic clocks go on as they were.

What a clock does is read back twice, LOOK_S apart, so that its rate is seen and not only where it stands. When the
fault is lifted, the clock is set right, too. Clocks of nodes that were not struck are read as well: should all of them
move alike, it was not the node's own that was struck.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.errors import InfrastructureError
from harness.nemesis.clock import MILLISECOND_NS, TOLERANCE_MS, clocks_ms
from harness.nemesis.effect import Nodes, Proof, each, goes_on
from harness.protocols import Clocks, Cluster, DriftsClocks
from harness.streams import Random

LOOK_S: Final = 0.3
RATES_PPM: Final = (100_000, 1_000_000)
"""How much too fast, evenly over orders of magnitude; as much too slow as that is too fast: half as fast at most."""
STROBE_MS: Final = (50.0, 2_000.0)
STROBE_PAUSE_S: Final = (0.01, 0.3)


@dataclass(frozen=True)
class Look:
    """A clock's offset at first and at last, and how long was between at least and at most: a look takes time, too."""

    first_ns: int
    last_ns: int
    least_ms: float
    most_ms: float

    @property
    def gained_ms(self) -> float:
        """How far it went meanwhile."""
        return (self.last_ns - self.first_ns) / MILLISECOND_NS

    def fits(self, ppm: int) -> bool:
        """Whether the clock may run too fast by that, and does run wrong."""
        expected = sorted((self.least_ms * ppm / 1_000_000, self.most_ms * ppm / 1_000_000))
        return (
            expected[0] - TOLERANCE_MS <= self.gained_ms <= expected[1] + TOLERANCE_MS
            and abs(self.gained_ms) > TOLERANCE_MS
        )


class WrongClock:
    """Drift and freeze; which of them, `kind` tells: "clock-drift" or "clock-freeze"."""

    holds = False

    def __init__(self, kind: str, cluster: Cluster, clocks: Clocks, random: Random) -> None:
        assert isinstance(clocks, DriftsClocks)
        self.kind, self._cluster, self._clocks, self._drifts, self._random = kind, cluster, clocks, clocks, random

    async def inject(self, nodes: Nodes) -> Proof:
        """Change the rate, and see it."""
        if self.kind == "clock-freeze":
            ppm = -1_000_000
            await each(nodes, lambda node: self._drifts.freeze_clock(node, True))
        else:
            ppm = self._draw_ppm()
            await each(nodes, lambda node: self._drifts.set_rate_ppm(node, ppm))
        others = [node for node in self._cluster.nodes if node not in nodes]
        mine, theirs = await asyncio.gather(each(nodes, self._look), each(others, self._look))
        seen = all(one.fits(ppm) for one in mine)
        alike = bool(theirs) and all(one.fits(ppm) for one in theirs)  # some may move for a fault of their own
        moved = ", ".join(
            f"{node} gained {one.gained_ms:+.0f} ms in {one.least_ms:.0f} to {one.most_ms:.0f} ms"
            for node, one in zip(nodes, mine, strict=True)
        )
        detail = f"{' '.join(nodes)} {'stand still' if self.kind == 'clock-freeze' else f'{ppm:+d} ppm'}"
        apart = "all other clocks moved alike" if alike else "the other clocks did not move like that"
        looks = dict(zip([*nodes, *others], [*mine, *theirs], strict=True))
        shown = clocks_ms(
            {node: one.first_ns for node, one in looks.items()}, {node: one.last_ns for node, one in looks.items()}
        )
        return Proof(f"{moved}; {apart}", seen and not alike, detail, {"clocks_ms": shown})

    async def _look(self, node: str) -> Look:
        """How far a clock gains while we wait, by the harness' own clock."""
        loop = asyncio.get_running_loop()
        began_s, first_ns = loop.time(), await self._clocks.offset_ns(node)
        from_s = loop.time()
        await asyncio.sleep(LOOK_S)
        until_s, second_ns = loop.time(), await self._clocks.offset_ns(node)
        return Look(first_ns, second_ns, (until_s - from_s) * 1000, (loop.time() - began_s) * 1000)

    async def lift(self, nodes: Nodes) -> Proof:
        """Set rate and clock right, and see both."""
        before = await offsets(self._clocks, nodes)
        if self.kind == "clock-freeze":
            await each(nodes, lambda node: self._drifts.freeze_clock(node, False))
        else:
            await each(nodes, lambda node: self._drifts.set_rate_ppm(node, 0))
        return await set_right(self._clocks, nodes, before)

    def _draw_ppm(self) -> int:
        fast = math.exp(self._random.uniform(*map(math.log, RATES_PPM)))
        return int(fast if self._random.random() < 0.5 else -fast / 2)


class Strobe:
    """A wall clock that jumps to and fro many times a second."""

    kind, holds = "clock-strobe", False

    def __init__(self, clocks: Clocks, random: Random) -> None:
        self._clocks, self._random = clocks, random
        self._task: asyncio.Task[None] | None = None
        self._ended, self._jumps = False, 0

    async def inject(self, nodes: Nodes) -> Proof:
        """The first jump there and back is read back; the others follow."""
        size_ms = math.exp(self._random.uniform(*map(math.log, STROBE_MS))) * self._random.choice((-1, 1))
        away = int(size_ms * MILLISECOND_NS)
        self._ended, self._jumps = False, 0
        there, back = await self._jump(nodes, away), await self._jump(nodes, 0)
        near = TOLERANCE_MS * MILLISECOND_NS
        proven = all(abs(there[node] - away) <= near and abs(back[node]) <= near for node in nodes)
        self._task = goes_on(self._go_on(nodes, away))
        detail = f"{' '.join(nodes)} to and fro by {size_ms:+.0f} ms"
        return Proof(
            f"read back: {told(there)}, then {told(back)}", proven, detail, {"clocks_ms": clocks_ms(there, back)}
        )

    async def _jump(self, nodes: Nodes, offset: int) -> dict[str, int]:
        """Set the clocks off, and see where they then are."""
        await asyncio.gather(*(self._clocks.set_offset_ns(node, offset) for node in nodes))
        self._jumps += 1
        return await offsets(self._clocks, nodes)

    async def lift(self, nodes: Nodes) -> Proof:
        """End it, and set the clocks right."""
        self._ended = True
        task, self._task = self._task, None
        if task is not None:
            await task
        proof = await set_right(self._clocks, nodes, await offsets(self._clocks, nodes))
        return Proof(f"{self._jumps} jumps; {proof.evidence}", proof.proven, figures=proof.figures)

    async def _go_on(self, nodes: Nodes, away: int) -> None:
        while not self._ended:
            await asyncio.sleep(self._random.uniform(*STROBE_PAUSE_S))
            offset = away if self._jumps % 2 == 0 else 0
            try:
                await asyncio.gather(*(self._clocks.set_offset_ns(node, offset) for node in nodes))
            except InfrastructureError:  # lifting will find out what is wrong, and say it
                return
            self._jumps += 1


async def offsets(clocks: Clocks, nodes: Nodes) -> dict[str, int]:
    """Where each clock stands, in ns, all read at once."""
    return dict(zip(nodes, await each(nodes, clocks.offset_ns), strict=True))


async def set_right(clocks: Clocks, nodes: Nodes, before: Mapping[str, int]) -> Proof:
    """Set clocks right whose rate is, and see that they stay so."""
    await each(nodes, lambda node: clocks.set_offset_ns(node, 0))
    first = await offsets(clocks, nodes)
    await asyncio.sleep(LOOK_S)
    second = await offsets(clocks, nodes)
    right = all(abs(offset) <= TOLERANCE_MS * MILLISECOND_NS for offset in [*first.values(), *second.values()])
    evidence = f"stood at {told(before)}; read back: {told(second)}"
    return Proof(evidence, right, figures={"clocks_ms": clocks_ms(before, second)})


def told(found: Mapping[str, int]) -> str:
    """Offsets of nodes, in words."""
    return ", ".join(f"{node} {offset / MILLISECOND_NS:+.0f} ms" for node, offset in found.items())
