"""Disks that fail: full, read-only, slow, hung, with errors, with an fsync that lies; and files that are damaged.

Evidence is what the ground saw: it answers in words, and raises where the fault did not take hold or is not lifted.

Damage cannot be lifted. So it is striped: of each run the same few nodes are damaged, a minority of them, so that every
piece of data stays whole on a majority (`may_be_harmed`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from harness.nemesis.effect import Nodes, Proof, each
from harness.protocols import BreaksDisks, Disks, Processes
from harness.streams import Random, Streams

DAMAGES: Final = ("truncate", "bitflip")
TRUNCATED_BYTES_MAX: Final = 4096
FLIPPED_BYTES_MAX: Final = 8


class BrokenDisk:
    """One way in which disks break, for the nodes' whole disks."""

    def __init__(self, breakage: str, disks: Disks, processes: Processes) -> None:
        assert isinstance(disks, BreaksDisks)
        self.kind, self.holds = f"disk-{breakage}", True
        self._breakage, self._disks, self._processes = breakage, disks, processes

    async def inject(self, nodes: Nodes) -> Proof:
        """Break them."""
        said = await each(nodes, lambda node: self._disks.break_disk(node, self._breakage))
        return Proof(told(nodes, said), proven=True)

    async def lift(self, nodes: Nodes) -> Proof:
        """Mend them, and start the servers that did not survive it, as an operator would."""
        said = await each(nodes, self._disks.mend_disk)
        states = await each(nodes, self._processes.state)
        await each(nodes, self._processes.start)
        found = [f"{word}; server was {state}" for word, state in zip(said, states, strict=True)]
        return Proof(told(nodes, found), proven=True)


class Corruption:
    """Files that are damaged while their server is down. Lifting starts the server; the damage stays.

    Args:
        harmed: the only nodes that may be damaged.
    """

    kind, holds = "corrupt", True

    def __init__(self, disks: Disks, processes: Processes, harmed: Sequence[str], random: Random) -> None:
        assert isinstance(disks, BreaksDisks)
        self._disks, self._processes, self._random = disks, processes, random
        self.only = frozenset(harmed)

    async def inject(self, nodes: Nodes) -> Proof:
        """Kill, and damage one file of each."""
        await each(nodes, self._processes.kill)
        said = [await self._damage(node) for node in nodes]
        return Proof(told(nodes, said), proven=True, detail=told(nodes, said))

    async def lift(self, nodes: Nodes) -> Proof:
        """Start the servers on what is left."""
        await each(nodes, self._processes.start)
        states = await each(nodes, self._processes.state)
        return Proof(f"{told(nodes, states)}; what was damaged stays so", proven=set(states) == {"running"})

    async def _damage(self, node: str) -> str:
        kind = self._random.choice(DAMAGES)
        most = TRUNCATED_BYTES_MAX if kind == "truncate" else FLIPPED_BYTES_MAX
        amount = max(1, int(math.exp(self._random.uniform(0, math.log(most)))))
        assert isinstance(self._disks, BreaksDisks)
        return await self._disks.corrupt(node, "*", kind, amount, self._random.getrandbits(31))


def may_be_harmed(nodes: Sequence[str], seed: int) -> tuple[str, ...]:
    """The nodes that damage may fall on: always the same ones of a run, and a minority."""
    return tuple(sorted(Streams(seed).stream("faults/harmed").sample(list(nodes), (len(nodes) - 1) // 2)))


def told(nodes: Nodes, words: Sequence[str]) -> str:
    """Something said of each node."""
    return ", ".join(f"{node} {word}" for node, word in zip(nodes, words, strict=True))
