"""Machines that are slow, small, or stand still: limits on everything that a node does, read back from its kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from harness.nemesis.effect import Nodes, Proof, each
from harness.protocols import LimitsProcesses, Processes, TellsLimits
from harness.streams import Random

CPU_SHARES: Final = (0.02, 0.3)
"""Of one core; drawn evenly over orders of magnitude between these."""
CLOSE: Final = 0.1
"""How far a limit that is read back may be from the one that was set, as a share of it."""
SPARE_MIB: Final = 4
"""Memory that is left to a machine beyond what it uses."""
MEMORY_MIB: Final = 64
"""Where nobody can say how much it uses."""


class SlowCpu:
    """A share of one core for the whole machine."""

    kind, holds = "cpu", False

    def __init__(self, processes: Processes, random: Random) -> None:
        assert isinstance(processes, LimitsProcesses)
        self._processes, self._all, self._random = processes, processes, random
        self._throttled: dict[str, float] = {}

    async def inject(self, nodes: Nodes) -> Proof:
        """Limit, and read back."""
        share = math.exp(self._random.uniform(*map(math.log, CPU_SHARES)))
        await each(nodes, lambda node: self._processes.limit_cpu(node, share))
        found = await limits(self._all, nodes)
        self._throttled = {node: told.get("throttled_ms", 0.0) for node, told in found.items()}
        shares = {node: told.get("cpu_share", 0.0) for node, told in found.items()}
        evidence = ", ".join(f"{node} has {one:.0%} of a core" for node, one in shares.items())
        close = all(abs(one - share) <= CLOSE * share for one in shares.values())
        return Proof(
            evidence or UNTOLD, proven=bool(shares) and close, detail=f"{' '.join(nodes)} {share:.0%} of a core"
        )

    async def lift(self, nodes: Nodes) -> Proof:
        """Lift, read back, and tell for how long each was held back."""
        during = await limits(self._all, nodes)
        await each(nodes, lambda node: self._processes.limit_cpu(node, 0))
        found = await limits(self._all, nodes)
        held = ", ".join(
            f"{node} was held back for {told.get('throttled_ms', 0.0) - self._throttled.get(node, 0.0):.0f} ms"
            for node, told in during.items()
        )
        free = bool(found) and all(told.get("cpu_share", 0.0) == 0 for told in found.values())
        return Proof(f"{held}; no limit now" if free else UNTOLD, proven=free)


class LittleMemory:
    """Little more memory than the machine uses; what grows beyond is killed, and started again when it is lifted."""

    kind, holds = "memory", True

    def __init__(self, processes: Processes) -> None:
        assert isinstance(processes, LimitsProcesses)
        self._processes, self._limiter = processes, processes

    async def inject(self, nodes: Nodes) -> Proof:
        """Limit, and read back."""
        used = await limits(self._processes, nodes)
        wanted = {
            node: math.ceil(used[node]["memory_used_mib"]) + SPARE_MIB
            if "memory_used_mib" in used.get(node, {})
            else MEMORY_MIB
            for node in nodes
        }
        await each(nodes, lambda node: self._limiter.limit_memory(node, wanted[node]))
        found = {node: told.get("memory_mib", 0.0) for node, told in (await limits(self._processes, nodes)).items()}
        evidence = ", ".join(f"{node} has {one:.0f} MiB" for node, one in found.items())
        proven = bool(found) and all(abs(one - wanted[node]) <= 1 for node, one in found.items())
        detail = ", ".join(f"{node} {mebibytes} MiB" for node, mebibytes in wanted.items())
        return Proof(evidence or UNTOLD, proven, detail)

    async def lift(self, nodes: Nodes) -> Proof:
        """Lift, start what was killed, and read back."""
        await each(nodes, lambda node: self._limiter.limit_memory(node, 0))
        before = await each(nodes, self._processes.state)
        await each(nodes, self._processes.start)
        found = await limits(self._processes, nodes)
        free = bool(found) and all(told.get("memory_mib", 0.0) == 0 for told in found.values())
        states = ", ".join(f"{node} was {state}" for node, state in zip(nodes, before, strict=True))
        running = set(await each(nodes, self._processes.state)) == {"running"}
        return Proof(f"{states}; no limit now" if free else UNTOLD, proven=free and running)


class Freeze:
    """The whole machine stands still, its clocks but not."""

    kind, holds = "freeze", True

    def __init__(self, processes: Processes) -> None:
        assert isinstance(processes, LimitsProcesses)
        self._processes, self._limiter = processes, processes

    async def inject(self, nodes: Nodes) -> Proof:
        """Freeze, and ask."""
        await each(nodes, self._limiter.freeze)
        return await self._told(nodes, frozen=True)

    async def lift(self, nodes: Nodes) -> Proof:
        """Thaw, and ask."""
        await each(nodes, self._limiter.thaw)
        return await self._told(nodes, frozen=False)

    async def _told(self, nodes: Nodes, *, frozen: bool) -> Proof:
        found = await limits(self._processes, nodes)
        evidence = ", ".join(
            f"{node} {'stands still' if told.get('frozen') else 'runs'}" for node, told in found.items()
        )
        proven = bool(found) and all(bool(told.get("frozen")) == frozen for told in found.values())
        return Proof(evidence or UNTOLD, proven)


UNTOLD: Final = "this ground cannot tell which limits are in force"


async def limits(processes: Processes, nodes: Nodes) -> dict[str, Mapping[str, float]]:
    """What is in force on each; {} where the ground cannot tell."""
    if not isinstance(processes, TellsLimits):
        return {}
    return dict(zip(nodes, await each(nodes, processes.limits), strict=True))
