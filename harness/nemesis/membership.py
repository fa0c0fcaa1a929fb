"""Nodes that are taken out of the cluster and added again, by the system's own means, while it runs.

Evidence is whom the leader counts as members. A node that is taken out goes on running, and its clients notice.
"""

from __future__ import annotations

import asyncio
from typing import Final

from harness.errors import InfrastructureError
from harness.nemesis.effect import Nodes, NotNow, Proof
from harness.protocols import ChangesMembers, Cluster

WAIT_S: Final = 10.0
POLL_S: Final = 0.2


class Membership:
    """Takes one node out; lifting adds it."""

    kind, holds = "membership", False

    def __init__(self, cluster: Cluster, system: ChangesMembers) -> None:
        self._cluster, self._system = cluster, system

    async def inject(self, nodes: Nodes) -> Proof:
        """Take the first of them out: one change at a time."""
        node = nodes[0]
        said = await self._system.remove_node(self._cluster, node)
        return await self._seen(node, member=False, said=said)

    async def lift(self, nodes: Nodes) -> Proof:
        """Add it, as often as it takes while no leader takes it.

        Raises:
            InfrastructureError: it is no member after WAIT_S.
        """
        said, loop = None, asyncio.get_running_loop()
        deadline_s = loop.time() + WAIT_S
        while loop.time() < deadline_s:
            members = await self._system.members(self._cluster)
            if members is not None and nodes[0] in members:
                return Proof(f"members: {' '.join(members)}", proven=True)
            if members is not None:
                said = await self._system.add_node(self._cluster, nodes[0])
            await asyncio.sleep(POLL_S)
        raise InfrastructureError(f"{nodes[0]} could not be added again: {said or 'nobody leads'}.")

    async def _seen(self, node: str, *, member: bool, said: str | None) -> Proof:
        """Wait until the leader counts the node, or does not."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + (WAIT_S if said is None else 0.0)
        members = await self._system.members(self._cluster)
        while loop.time() < deadline_s and (members is None or (node in members) != member):
            await asyncio.sleep(POLL_S)
            members = await self._system.members(self._cluster)
        told = "nobody leads" if members is None else f"members: {' '.join(members)}"
        proven = members is not None and (node in members) == member
        if said is not None and not proven:
            raise NotNow(f"{said}; {told}")
        return Proof(told if said is None else f"{said}; {told}", proven, detail=f"without {node}")
