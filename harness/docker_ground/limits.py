"""Limits of a node's container, set at the engine while it runs: cpu, memory, and a stop of everything in it.

What is in force is read on the node, where the kernel shows a container its own control group; whether it is frozen is
asked of the engine, since a frozen node answers nothing.

Limits: the kernel refuses a memory limit below what is in use and cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from docker import DockerClient

from harness.docker_ground.control import Control
from harness.docker_ground.engine import FAILURES, plain
from harness.errors import InfrastructureError

OnThread = Callable[..., Awaitable[Any]]
PERIOD_US: Final = 100_000
MEBIBYTE: Final = 1 << 20
UNLIMITED_MIB: Final = 1 << 30
"""A kernel's way to say that there is no limit is a number beyond any memory."""
NO_LIMIT_BYTES: Final = 1 << 62
"""The engine lifts no limit, but takes one that is beyond any memory, too."""
LOOK: Final = """cd /sys/fs/cgroup
if [ -e cpu.max ]; then
    read -r quota period <cpu.max; read -r limit <memory.max; read -r used <memory.current
    throttled=$(sed -n 's/^throttled_usec //p' cpu.stat)000
else
    read -r quota <cpu/cpu.cfs_quota_us; read -r period <cpu/cpu.cfs_period_us
    read -r limit <memory/memory.limit_in_bytes; read -r used <memory/memory.usage_in_bytes
    throttled=$(sed -n 's/^throttled_time //p' cpu/cpu.stat)
fi
echo "$quota" "$period" "$limit" "$used" "$throttled"
"""


class ContainerLimits:
    """The engine's hold on each node's container."""

    def __init__(
        self, client: DockerClient, containers: Mapping[str, str], control: Control, on_thread: OnThread
    ) -> None:
        self._client, self._containers = client, dict(containers)
        self._control, self._on_thread = control, on_thread

    async def cpu(self, node: str, share: float) -> None:
        """A share of one core; 0: as much as there is."""
        quota = int(share * PERIOD_US) if share else -1
        await self._asked(node, "update_container", cpu_period=PERIOD_US, cpu_quota=quota)

    async def memory(self, node: str, mebibytes: int) -> None:
        """So much memory and no swap; 0: as much as there is."""
        limit = mebibytes * MEBIBYTE if mebibytes else NO_LIMIT_BYTES
        await self._asked(node, "update_container", mem_limit=limit, memswap_limit=limit)

    async def freeze(self, node: str) -> None:
        """Stop every process of the container; idempotent."""
        if not await self._is_frozen(node):
            await self._asked(node, "pause")

    async def thaw(self, node: str) -> None:
        """Let them run on; idempotent."""
        if await self._is_frozen(node):
            await self._asked(node, "unpause")

    async def in_force(self, node: str) -> dict[str, float]:
        """See `harness.protocols.TellsLimits`."""
        if await self._is_frozen(node):
            return {"frozen": 1.0}
        told = await self._control.check(node, ["sh", "-c", LOOK], repeatable=True)
        return read_limits(told) | {"frozen": 0.0}

    async def _is_frozen(self, node: str) -> bool:
        return bool((await self._asked(node, "inspect_container"))["State"]["Paused"])

    async def _asked(self, node: str, what: str, **how: Any) -> Any:
        call = getattr(self._client.api, what)
        try:
            return await self._on_thread(lambda: call(self._containers[node], **how))
        except FAILURES as error:
            raise InfrastructureError(f"{node}: the engine would not: {plain(error)}.") from error


def read_limits(told: str) -> dict[str, float]:
    """From the kernel's words to shares and mebibytes; 0 where there is no limit.

    >>> read_limits("20000 100000 67108864 33554432 5000000")
    {'cpu_share': 0.2, 'memory_mib': 64.0, 'memory_used_mib': 32.0, 'throttled_ms': 5.0}
    """
    quota, period, limit, used, throttled = told.split()
    mebibytes = 0.0 if limit == "max" else int(limit) / MEBIBYTE
    return {
        "cpu_share": 0.0 if quota in ("max", "-1") else int(quota) / int(period),
        "memory_mib": 0.0 if mebibytes > UNLIMITED_MIB else mebibytes,
        "memory_used_mib": int(used) / MEBIBYTE,
        "throttled_ms": int(throttled) / 1e6,
    }
