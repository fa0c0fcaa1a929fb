"""The process fault surface: signals to the one server of each node, by way of `server.sh` on the node.

The server is a session of its own beside SSH, never the container's first process: killing it leaves node, log and
data in place, and starting it again is starting it on what it left. Each command may be given twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import SERVER
from harness.errors import InfrastructureError
from harness.protocols import ProcessState


async def _nothing(node: str) -> None:
    """Nobody wants to know."""


class ServerProcesses:
    """Implements `Processes` and `StopsProcesses` of `harness.protocols`.

    Args:
        commands: each node's command line.
        started: is told of each node whose server was started or ran already, before `start` returns.
    """

    def __init__(
        self,
        control: Control,
        commands: Mapping[str, Sequence[str]],
        started: Callable[[str], Awaitable[None]] = _nothing,
    ) -> None:
        self._control, self._commands, self._started = control, dict(commands), started

    async def kill(self, node: str) -> None:
        """SIGKILL to its process group; returns when it is gone."""
        await self._control.check(node, [SERVER, "kill"], repeatable=True)

    async def start(self, node: str) -> None:
        """Start it unless it runs; returns when there is a process, which need not serve yet."""
        await self._control.check(node, [SERVER, "start", *self._commands[node]], repeatable=True)
        await self._started(node)

    async def stop(self, node: str) -> None:
        """SIGTERM to its process group, and SIGKILL to what has not ended five seconds later."""
        await self._control.check(node, [SERVER, "stop"], repeatable=True)

    async def pause(self, node: str) -> None:
        """SIGSTOP to its process group; returns when it has stopped."""
        await self._control.check(node, [SERVER, "pause"], repeatable=True)

    async def resume(self, node: str) -> None:
        """SIGCONT to its process group."""
        await self._control.check(node, [SERVER, "resume"], repeatable=True)

    async def state(self, node: str) -> ProcessState:
        """As /proc on the node has it."""
        answer = (await self._control.check(node, [SERVER, "state"], repeatable=True)).strip()
        if answer == "running":
            return "running"
        if answer == "paused":
            return "paused"
        if answer == "stopped":
            return "stopped"
        raise InfrastructureError(f"{node}: asked for its server's state, it said {answer!r}.")


class Limits(Protocol):
    """What is needed of `limits.ContainerLimits`."""

    async def cpu(self, node: str, share: float) -> None:
        """A share of one core; 0 lifts."""

    async def memory(self, node: str, mebibytes: int) -> None:
        """So much memory; 0 lifts."""

    async def freeze(self, node: str) -> None:
        """Stop everything."""

    async def thaw(self, node: str) -> None:
        """Let it run on."""

    async def in_force(self, node: str) -> Mapping[str, float]:
        """What the kernel has."""


class ContainerProcesses:
    """Implements `Processes`, `StopsProcesses`, `LimitsProcesses` and `TellsLimits` of `harness.protocols`."""

    def __init__(self, servers: ServerProcesses, limits: Limits) -> None:
        self._servers, self._limits = servers, limits

    async def kill(self, node: str) -> None:
        """As `ServerProcesses.kill`."""
        await self._servers.kill(node)

    async def start(self, node: str) -> None:
        """As `ServerProcesses.start`."""
        await self._servers.start(node)

    async def stop(self, node: str) -> None:
        """As `ServerProcesses.stop`."""
        await self._servers.stop(node)

    async def pause(self, node: str) -> None:
        """As `ServerProcesses.pause`."""
        await self._servers.pause(node)

    async def resume(self, node: str) -> None:
        """As `ServerProcesses.resume`."""
        await self._servers.resume(node)

    async def state(self, node: str) -> ProcessState:
        """As `ServerProcesses.state`."""
        return await self._servers.state(node)

    async def limit_cpu(self, node: str, share: float) -> None:
        """Of one core, for everything on the node; 0 lifts."""
        await self._limits.cpu(node, share)

    async def limit_memory(self, node: str, mebibytes: int) -> None:
        """For everything on the node; 0 lifts."""
        await self._limits.memory(node, mebibytes)

    async def freeze(self, node: str) -> None:
        """Stop everything on the node; until `thaw` nothing can be asked of it."""
        await self._limits.freeze(node)

    async def thaw(self, node: str) -> None:
        """Let the node run on."""
        await self._limits.thaw(node)

    async def limits(self, node: str) -> Mapping[str, float]:
        """As the kernel has them."""
        return await self._limits.in_force(node)
