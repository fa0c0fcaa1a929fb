"""The process fault surface: signals to the one server of each node, by way of `server.sh` on the node.

The server is a session of its own beside SSH, never the container's first process: killing it leaves node, log and
data in place, and starting it again is starting it on what it left. Each command may be given twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import SERVER
from harness.errors import InfrastructureError
from harness.protocols import ProcessState


class ServerProcesses:
    """Implements `harness.protocols.Processes`; `commands` has each node's command line."""

    def __init__(self, control: Control, commands: Mapping[str, Sequence[str]]) -> None:
        self._control, self._commands = control, dict(commands)

    async def kill(self, node: str) -> None:
        """SIGKILL to its process group; returns when it is gone."""
        await self._control.check(node, [SERVER, "kill"], repeatable=True)

    async def start(self, node: str) -> None:
        """Start it unless it runs; returns when there is a process, which need not serve yet."""
        await self._control.check(node, [SERVER, "start", *self._commands[node]], repeatable=True)

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
