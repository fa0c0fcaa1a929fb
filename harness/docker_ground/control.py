"""Running commands on nodes by name, and telling a dead node from a slow one.

When a node has no connection or does not answer, the engine is asked about its container: "n2: its container does not
run any more (exit code 137, out of memory)" helps where "no route to host" does not, and comes seconds earlier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from harness.errors import InfrastructureError, RemoteError
from harness.ssh import Completed

T = TypeVar("T")
WhyEnded = Callable[[str], Awaitable[str | None]]
"""Why a node's container does not run, None if it does."""


class Remote(Protocol):
    """What is needed of `harness.ssh.Connection`."""

    async def run(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> Completed:
        """Run a command, whatever its exit status."""
        ...

    async def check(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> str:
        """Run a command that must succeed."""
        ...

    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        ...

    def close(self) -> None:
        """Cut the connection for good."""


class Control:
    """The connections to all nodes of one cluster.

    Attributes:
        nodes: names, in the plan's order; addresses: IP address by node.
    """

    def __init__(self, connections: Mapping[str, Remote], addresses: Mapping[str, str], why_ended: WhyEnded) -> None:
        self._connections, self._why_ended = dict(connections), why_ended
        self.nodes, self.addresses = tuple(connections), dict(addresses)

    async def run(
        self, node: str, arguments: Sequence[str], *, stdin: bytes = b"", repeatable: bool = False
    ) -> Completed:
        """Run a command, whatever its exit status.

        Args:
            repeatable: doing it twice is the same as once, so it is tried again when the connection was lost meanwhile.

        Raises:
            RemoteError: no answer before the deadline.
            InfrastructureError: no answer, because the node's container does not run.
        """
        return await self._asked(node, lambda remote: remote.run(arguments, stdin=stdin), repeatable)

    async def check(self, node: str, arguments: Sequence[str], *, stdin: bytes = b"", repeatable: bool = False) -> str:
        """Run a command that must succeed, and return its output.

        Raises:
            RemoteError: as `run`, and when the exit status is not 0.
            InfrastructureError: as `run`.
        """
        return await self._asked(node, lambda remote: remote.check(arguments, stdin=stdin), repeatable)

    async def everywhere(self, nodes: Iterable[str], command: Callable[[str], Awaitable[object]]) -> None:
        """Do it on all these nodes at once; the first error is raised after every node was tried."""
        results = await asyncio.gather(*(command(node) for node in nodes), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def close(self) -> None:
        """Close every connection; idempotent."""
        for connection in self._connections.values():
            connection.close()

    async def _asked(self, node: str, ask: Callable[[Remote], Awaitable[T]], repeatable: bool) -> T:
        remote = self._connections[node]
        if not remote.is_connected():
            await self._check_runs(node, None)
        try:
            return await ask(remote)
        except RemoteError as error:
            if error.status is not None:
                raise
            await self._check_runs(node, error)
            if not repeatable:
                raise
            return await ask(remote)

    async def _check_runs(self, node: str, cause: RemoteError | None) -> None:
        if (ended := await self._why_ended(node)) is not None:
            raise InfrastructureError(f"{node}: its container does not run any more ({ended}).") from cause
