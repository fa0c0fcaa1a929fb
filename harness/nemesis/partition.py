"""Partitions: cut links, prove by probes that nothing passes, heal, prove that it does again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.nemesis.shapes import Shape, draw, exactly
from harness.nemesis.targets import Scene, resolve, resolve_cuts
from harness.op import Op
from harness.protocols import Cluster, Cut, Net
from harness.streams import Random

TRIES = 5


class PartitionNemesis:
    """One partition at a time; "auto" isolates the target when there is one, else it draws random halves.

    Args:
        net: cuts, heals and probes; kind: what such a fault is called.
        between_servers: what is probed are servers, so that a node whose server is struck proves nothing.
    """

    def __init__(
        self,
        cluster: Cluster,
        net: Net,
        shape: str,
        target: str,
        random: Random,
        *,
        kind: str = "partition",
        between_servers: bool = False,
    ) -> None:
        self.fs = frozenset({f"start-{kind}", f"stop-{kind}"})
        self._kind, self._between_servers = kind, between_servers
        self._cluster, self._net, self._random = cluster, net, random
        self.nodes = cluster.nodes
        self._target = target
        self._shape = ("random-halves" if target == "random" else "isolate") if shape == "auto" else shape
        self._count = 0
        self.active: dict[str, Any] | None = None
        self.cuts: tuple[Cut, ...] = ()
        self.fixed_cuts: tuple[Cut, ...] | None = None

    async def invoke(self, op: Op, scene: Scene) -> Op:
        """Cut or heal; evidence is a probe of every link that was cut and whose ends have power."""
        if self._between_servers:
            scene = replace(scene, dark=scene.dark | scene.struck)
        if op.f.startswith("stop-"):
            return await self._stop(op, scene)
        if self.active is not None:
            return op.fail(f"in-force: {self.active['fault']} is not lifted yet")
        if self.fixed_cuts is not None:
            cuts = resolve_cuts(self.fixed_cuts, self._cluster.nodes, scene)
            if isinstance(cuts, str):
                return op.fail(f"no-target: nobody is {cuts} now")
            return await self._start(op, exactly(cuts, self._cluster.nodes), scene)
        anybody = self._target == "random"
        aimed = () if anybody else resolve(self._target, self._cluster.nodes, scene.leader, self._random, scene.roles)
        if not aimed and not anybody:
            return op.fail(f"no-target: nobody is {self._target} now")
        return await self._start(op, draw(self._shape, self._cluster.nodes, aimed, self._random), scene)

    async def _start(self, op: Op, shape: Shape, scene: Scene) -> Op:
        if not shape.cuts:
            return op.fail(f"nothing-to-cut: {shape.detail}")
        if not _probeable(shape.cuts, scene):
            return op.fail(f"nothing-to-cut: {shape.detail}, where every link has an end without power")
        self._count += 1
        self.active = {
            "fault": f"{self._kind}-{self._count}",
            "kind": self._kind,
            "nodes": list(shape.nodes),
            "detail": shape.detail,
        }
        self.cuts = shape.cuts
        await self._net.cut(shape.cuts)
        probed, passing = await self._passing(shape.cuts, scene)
        evidence = (
            f"still passing: {_links(passing)}"
            if passing
            else f"{len(probed)} cut links probed, nothing passes ({_links(probed[:2])}…)"
        )
        return op.ok(value={**self.active, "proven": not passing, "evidence": evidence})

    async def _stop(self, op: Op, scene: Scene) -> Op:
        fault, cuts = self.active, self.cuts
        if fault is not None and not _probeable(cuts, scene):
            # Lifted now, it would never be known to have been; the next attempt finds the power back.
            return op.fail(f"not-now: every link of {fault['fault']} has an end without power")
        await self.heal()
        if fault is None:
            return op.fail("nothing-to-lift")
        probed, passing = await self._passing(cuts, scene)
        silent = [cut for cut in probed if cut not in passing]
        for _ in range(TRIES):  # another fault may take some of the probes
            again = await asyncio.gather(*(self._net.reaches(*cut) for cut in silent))
            silent = [cut for cut, passes in zip(silent, again, strict=True) if not passes]
        evidence = f"still silent: {_links(silent)}" if silent else f"{len(probed)} links probed, all pass again"
        return op.ok(value={**fault, "proven": not silent, "evidence": evidence})

    async def heal(self) -> None:
        """Remove every cut."""
        await self._net.heal()
        self.active, self.cuts = None, ()

    async def _passing(self, cuts: Sequence[Cut], scene: Scene) -> tuple[list[Cut], list[Cut]]:
        """The links that could be probed, and those of them on which something arrives."""
        probed = _probeable(cuts, scene)
        reached = await asyncio.gather(*(self._net.reaches(*cut) for cut in probed))
        return probed, [cut for cut, passes in zip(probed, reached, strict=True) if passes]


def _probeable(cuts: Sequence[Cut], scene: Scene) -> list[Cut]:
    """The links whose ends both have power."""
    return [cut for cut in cuts if not scene.dark.intersection(cut)]


def _links(cuts: Sequence[Cut]) -> str:
    return ", ".join(f"{source}→{destination}" for source, destination in cuts)
