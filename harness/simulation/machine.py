"""What one life of a simulated server is handed: its `Machine`.

When that life is over, nothing that its code still does through the machine has an effect: the disk is closed to it and
its log takes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.protocols import Disk
from harness.simulation.process import Process

if TYPE_CHECKING:
    from harness.simulation.node import SimNode


class SimMachine:
    """Implements `harness.protocols.Machine` and `Exposing` for one life of a server."""

    def __init__(self, node: SimNode, process: Process, disk: Disk) -> None:
        self.name = node.name
        self.disk = disk
        self.random = process.random
        self.monotonic_ns: Callable[[], int] = node.monotonic.now_ns
        self.wall_ns: Callable[[], int] = node.clock.wall_ns
        self._node = node
        self._process = process

    def expose(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """See `harness.protocols.Exposing`."""
        if self._process.state != "dead":
            self._node.loop.exposed[self.name] = state

    def log(self, message: str) -> None:
        """One line to the node's log."""
        if self._process.state != "dead":
            self._process.log(message)
