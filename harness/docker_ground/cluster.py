"""Nodes that are up: their addresses, their fault surfaces, and their logs.

Logs are read through the engine and not over SSH, so that a node that died still gives its own away.
"""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Final

from harness.errors import InfrastructureError
from harness.protocols import Clocks, Disks, Net, Processes

LOG_BYTES_MAX: Final = 64 << 20
"""Of each log the end is kept."""


class DockerCluster:
    """Implements `harness.protocols.Cluster`."""

    def __init__(
        self,
        addresses: Mapping[str, tuple[str, int]],
        net: Net,
        processes: Processes,
        clocks: Clocks,
        disks: Disks,
        read_logs: Callable[[str], IO[bytes]],
    ) -> None:
        self.nodes = tuple(addresses)
        self.net: Net | None = net
        self.processes: Processes | None = processes
        self.clocks: Clocks | None = clocks
        self.disks: Disks | None = disks
        self._addresses, self._read_logs = dict(addresses), read_logs

    def address(self, node: str) -> tuple[str, int]:
        """The container's own address, which this machine reaches directly."""
        return self._addresses[node]

    async def collect_logs(self, folder: Path) -> None:
        """Write each node's log files below `folder/<node>/`; what cannot be had is said in `missing.txt` there."""
        await asyncio.gather(*(asyncio.to_thread(self._collect, node, folder / node) for node in self.nodes))

    def _collect(self, node: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._read_logs(node) as packed:
                unpack_logs(packed, folder)
        except (InfrastructureError, OSError, tarfile.TarError) as error:
            (folder / "missing.txt").write_text(f"The logs of {node} could not be read: {error}\n", encoding="utf-8")


def unpack_logs(packed: IO[bytes], folder: Path) -> None:
    """Write the plain files of a tar into one folder, by their last name: a node is not trusted with paths."""
    with tarfile.open(fileobj=packed) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            name = PurePosixPath(member.name).name
            if content is not None and name not in ("", ".", ".."):
                content.seek(max(0, member.size - LOG_BYTES_MAX))
                (folder / name).write_bytes(content.read())
