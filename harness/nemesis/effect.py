"""What most faults of nodes have in common: aim, make it happen, prove it, lift it, prove that, one at a time.

A fault of a new kind is an `Effect`: what it does to nodes and how that is known. An effect that could not be made is
not an error of the run but a fault without proof; what of it is in force is lifted all the same.

    class Louder:
        kind, holds = "louder", False
        async def inject(self, nodes): ...; return Proof("n1 at 11", proven=True)
        async def lift(self, nodes): ...; return Proof("n1 at 5", proven=True)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from harness.errors import InfrastructureError
from harness.nemesis.targets import Scene, resolve
from harness.op import Op
from harness.protocols import Cluster
from harness.streams import Random

Nodes = Sequence[str]
GOES_ON: Final = "a fault that goes on"


@dataclass(frozen=True)
class Proof:
    """What is known of a fault that was made or lifted.

    Attributes:
        evidence: in words; proven: whether it is enough.
        detail: what exactly was done, where that was drawn.
        figures: further fields of the completion, for programs: `clocks_ms` has offsets by node, first and last.
    """

    evidence: str
    proven: bool
    detail: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


class NotNow(Exception):  # noqa: N818 (it is an answer, not an error)
    """Another fault hides what there would be to see: nothing was made, or what was lifted cannot be proven yet."""


class Effect(Protocol):
    """One kind of fault."""

    @property
    def kind(self) -> str:
        """Its name."""

    @property
    def holds(self) -> bool:
        """Whether a node whose process another fault holds is left alone."""

    async def inject(self, nodes: Nodes) -> Proof:
        """Make it happen to all these nodes; NotNow before anything was done."""

    async def lift(self, nodes: Nodes) -> Proof:
        """Undo it, whatever of it is in force; NotNow to be asked again."""


@runtime_checkable
class Sparing(Protocol):
    """An effect that some nodes are never to suffer."""

    only: frozenset[str]
    """All others are spared, whoever is aimed at."""


class EffectNemesis:
    """Makes one effect happen, one at a time."""

    def __init__(self, cluster: Cluster, effect: Effect, target: str, random: Random) -> None:
        self._cluster, self._effect, self._target, self._random = cluster, effect, target, random
        self._count = 0
        self.active: dict[str, Any] | None = None
        self.fs = frozenset({f"start-{effect.kind}", f"stop-{effect.kind}"})

    async def invoke(self, op: Op, scene: Scene) -> Op:
        """Inject or lift, with evidence."""
        if op.f.startswith("stop-"):
            return await self._stop(op)
        if self.active is not None:
            return op.fail(f"in-force: {self.active['fault']} is not lifted yet")
        aimed = resolve(self._target, self._cluster.nodes, scene.leader, self._random, scene.roles)
        if not aimed:
            return op.fail(f"no-target: nobody is {self._target} now")
        if isinstance(self._effect, Sparing) and not (
            aimed := tuple(node for node in aimed if node in self._effect.only)
        ):
            return op.fail(f"no-target: only {' '.join(sorted(self._effect.only))} may be hit")
        held = scene.taken | scene.struck if self._effect.holds else scene.taken
        nodes = tuple(node for node in aimed if node not in held)
        if not nodes:
            return op.fail(f"no-target: another fault holds {' '.join(aimed)}")
        self._count += 1
        kind = self._effect.kind
        self.active = {"fault": f"{kind}-{self._count}", "kind": kind, "nodes": list(nodes), "detail": " ".join(nodes)}
        try:
            proof = await self._effect.inject(nodes)
        except NotNow as reason:
            self.active = None
            return op.fail(f"no-target: {reason}")
        except InfrastructureError as error:
            proof = Proof(str(error), proven=False)
        if proof.detail:
            self.active["detail"] = proof.detail
        return op.ok(value={**self.active, "proven": proof.proven, "evidence": proof.evidence, **proof.figures})

    async def _stop(self, op: Op) -> Op:
        fault = self.active
        if fault is None:
            return op.fail("nothing-to-lift")
        try:
            proof = await self._effect.lift(fault["nodes"])
        except NotNow as reason:
            return op.fail(f"not-now: {reason}")
        except InfrastructureError as error:  # it stays in force, and the next attempt may do better
            return op.info(f"not-lifted: {error}")
        self.active = None
        return op.ok(value={**fault, "proven": proof.proven, "evidence": proof.evidence, **proof.figures})

    async def heal(self) -> None:
        """Lift what is in force."""
        fault, self.active = self.active, None
        if fault is not None:
            with contextlib.suppress(NotNow):
                await self._effect.lift(fault["nodes"])


def goes_on(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A fault that strikes again and again, beside everything else; `end_all` ends those that nobody lifted."""
    return asyncio.create_task(work, name=GOES_ON)


async def end_all() -> None:
    """End every fault that goes on: after a failure of the run, nobody lifts them."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == GOES_ON]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def each(nodes: Nodes, ask: Callable[[str], Awaitable[Any]]) -> list[Any]:
    """Ask all nodes at once."""
    return list(await asyncio.gather(*(ask(node) for node in nodes)))
