"""The clock fault surface: a wall clock of the server's own, by preload.c; the kernel's clock is never touched.

What a server sees is asked of a program that is started with preload.so as the server is (`clock_tool.py`), and that
asks the kernel in the same breath, so neither the way to the node nor its speed matters. The kernel's clock is this
machine's where the engine is here.

Limits: programs on libc only, on x86-64. Whether the server has it loaded is asked of /proc (`is_loaded`), for a static
binary has not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Literal

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import PRELOAD, SET_PRELOAD, SHOW_CLOCK
from harness.errors import InfrastructureError

LOADED: Final = (
    '[ -e "$1" ] || exit 1; { read -r pid _ </run/splitbrain/server.pid; } 2>/dev/null || exit 0; '
    '[ -r "/proc/$pid/maps" ] || exit 0; grep -q "$1" "/proc/$pid/maps"'
)
"""A server that does not run will have it when it is started."""


class ServerClocks(ABC):
    """Implements `Clocks` and `DriftsClocks` of `harness.protocols`, by whatever way a server's clock is reached."""

    async def offset_ns(self, node: str) -> int:
        """What the server's wall clock shows minus the kernel's."""
        return await self._look(node, "wall")

    async def set_offset_ns(self, node: str, offset_ns: int) -> None:
        """Jump the server's wall clock.

        Raises:
            InfrastructureError: the server's clock cannot be set.
        """
        await self._set(node, "offset", offset_ns)

    async def set_rate_ppm(self, node: str, ppm: int) -> None:
        """Let it run faster; what it gained stays when that is lifted."""
        await self._set(node, "rate", ppm)

    async def freeze_clock(self, node: str, on: bool) -> None:
        """Let it stand still; when it goes on, it is behind by as long."""
        await self._set(node, "freeze", int(on))

    async def monotonic_offset_ns(self, node: str) -> int:
        """What the server's monotonic clock shows minus the kernel's."""
        return await self._look(node, "monotonic")

    @abstractmethod
    async def _look(self, node: str, clock: Literal["wall", "monotonic"]) -> int:
        """What this clock of the server's shows minus the kernel's, in ns."""

    @abstractmethod
    async def _set(self, node: str, what: str, value: int) -> None:
        """Change one of the settings of `preload_file`."""


class PreloadClocks(ServerClocks):
    """By preload.so, which the server loads."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def go_wrong_together(self) -> None:
        """From now on monotonic clocks are wrong by what the wall clock is wrong by."""
        await self._control.everywhere(self._control.nodes, lambda node: self._tell(node, "monotonic", 1))

    async def is_loaded(self, node: str) -> bool:
        """Whether the node's server has preload.so in its memory, or will have it once it runs."""
        done = await self._control.run(node, ["sh", "-c", LOADED, "loaded", PRELOAD], repeatable=True)
        return done.status == 0

    async def _look(self, node: str, clock: Literal["wall", "monotonic"]) -> int:
        return int(await self._control.check(node, [*SHOW_CLOCK, clock], repeatable=True))

    async def _set(self, node: str, what: str, value: int) -> None:
        if value and not await self.is_loaded(node):
            raise InfrastructureError(
                f"{node}: its server runs without preload.so (a static binary, or an image without it), so its clock is"
                " the kernel's and cannot be set."
            )
        await self._tell(node, what, value)

    async def _tell(self, node: str, what: str, value: int) -> None:
        await self._control.check(node, [*SET_PRELOAD, what, str(value)])
