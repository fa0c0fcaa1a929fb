"""Decides registers whose written values are all different, in O(n log n) and with the smallest witnesses.

When every value is written once, each read names its write, and the operations on one value form a block that no other
block may interrupt. A successful compare-and-set glues the block of its new value to that of its old one: a chain. Of a
chain only two moments matter:

    finished   the earliest response in it: from here on it has certainly begun
    starting   the latest invocation in it: until here it has certainly not ended

The register is linearizable exactly if every chain is in order inside, and no two chains each begin before the other
ends (Gibbons and Korach, SIAM J. Comput. 1997, stated as a two-cycle). So a violation has a witness of four operations
at most, and the writes that belong to them.

    decide(register)   list[int], the steps in a legal order; or a Refutation; or None, when values are written twice

Limits: a compare-and-set that was refused without telling the state needs the search instead (None).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import NEVER, NO_VALUE, NOT, READ, WRITE, Register

VIRTUAL = -1
"""The step that wrote the initial value, before everything."""


@dataclass(slots=True)
class Chain:
    """Blocks glued together by compare-and-sets.

    Attributes:
        order: its steps, in the only order that matters.
        finished, finished_by: earliest response, and whose; starting, starting_by: latest invocation, and whose.
    """

    order: list[int]
    finished: int
    finished_by: int
    starting: int
    starting_by: int


def decide(register: Register) -> list[int] | Refutation | None:
    """See the module docstring."""
    owner = _owners(register)
    if owner is None or NOT in register.kind:
        return None
    return _Zones(register, owner).decide()


def _owners(register: Register) -> dict[int, int] | None:
    """Value → the step that writes it; None when some value has two, or is the initial one."""
    owner: dict[int, int] = {register.initial: VIRTUAL}
    for step, value in enumerate(register.produced):
        if value != NO_VALUE and owner.setdefault(value, step) != step:
            return None
    return owner


class _Zones:
    def __init__(self, register: Register, owner: dict[int, int]) -> None:
        self.register, self.owner = register, owner
        self.readers: defaultdict[int, list[int]] = defaultdict(list)
        self.successor: dict[int, int] = {}  # value → the compare-and-set that replaced it
        self.found: list[Refutation] = []

    def decide(self) -> list[int] | Refutation:
        happened = self._happened()
        self._sort(happened)
        if self.found:
            return self._earliest()
        chains = self._chains(happened)
        if not self.found:
            covering = self._overlaps(chains)
        if self.found:
            return self._earliest()
        return _linearization(chains, covering)

    def _earliest(self) -> Refutation:
        return min(self.found, key=attrgetter("until"))

    def _happened(self) -> list[bool]:
        """Which steps happened: the definite ones, and those whose value was seen, by whatever happened."""
        expected, response, owner = self.register.expected, self.register.response, self.owner
        happened = [end != NEVER for end in response]
        doubtful = [step for step, end in enumerate(response) if end == NEVER]
        if doubtful:
            seen = {value for value, sure in zip(expected, happened, strict=True) if sure}
            todo = [step for step in doubtful if self.register.produced[step] in seen]
            while todo:
                step = todo.pop()
                happened[step] = True
                before = owner.get(expected[step], VIRTUAL)
                if before != VIRTUAL and not happened[before]:
                    todo.append(before)
        return happened

    def _sort(self, happened: list[bool]) -> None:
        """Readers and successor of every value; what saw a value that nobody wrote, and values replaced twice."""
        register = self.register
        for step, (kind, value) in enumerate(zip(register.kind, register.expected, strict=True)):
            if kind == WRITE or not happened[step]:
                continue
            if value not in self.owner:
                self.found.append(Refutation("unwritten-value", (step,), step, register))
            elif kind == READ:
                self.readers[value].append(step)
            elif (other := self.successor.setdefault(value, step)) != step:
                self.found.append(Refutation("double-cas", (other, step), step, register))

    # ── chains ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chains(self, happened: list[bool]) -> list[Chain]:
        kind = self.register.kind
        roots = [step for step, sure in enumerate(happened) if sure and kind[step] == WRITE]
        chains = [self._chain(root) for root in (VIRTUAL, *roots)]
        if self.successor and not self.found:
            placed = {step for chain in chains for step in chain.order}
            lost = [step for step in self.successor.values() if step not in placed]
            if lost:
                cycle = self._cycle(lost[0])
                self.found.append(Refutation("cas-cycle", cycle, max(cycle), self.register))
        return chains

    def _chain(self, root: int) -> Chain:
        """Collect the chain that begins with a write, checking the order inside it on the way."""
        register = self.register
        invoke, response = register.invoke, register.response
        value = register.initial if root == VIRTUAL else register.produced[root]
        first, last = (-2, -1) if root == VIRTUAL else (invoke[root], response[root])
        chain = Chain([] if root == VIRTUAL else [root], last, root, first, root)
        link: int | None = root
        while link is not None:
            if link != root:
                self._append(chain, [link])
                value = register.produced[link]
            readers = self.readers.get(value)
            if readers:
                self._append(chain, readers)
            link = self.successor.get(value)
        return chain

    def _append(self, chain: Chain, steps: list[int]) -> None:
        """Put steps after what is in the chain: none of them may have ended before all of that has begun."""
        invoke, response = self.register.invoke, self.register.response
        soonest = min(steps, key=response.__getitem__)
        if response[soonest] < chain.starting:
            pair = (chain.starting_by, soonest)
            self.found.append(Refutation("chain-order", pair, self._revealing(*pair), self.register))
        if response[soonest] < chain.finished:
            chain.finished, chain.finished_by = response[soonest], soonest
        latest = steps[-1]  # steps are ordered by invocation
        if invoke[latest] > chain.starting:
            chain.starting, chain.starting_by = invoke[latest], latest
        chain.order += steps

    def _revealing(self, first: int, then: int) -> int:
        """Of two steps in the wrong order, the one to blame: who saw a value before it was written, else the later."""
        return then if self.register.produced[first] != NO_VALUE else first

    def _cycle(self, step: int) -> tuple[int, ...]:
        """The compare-and-sets that feed each other, from one that no write leads to."""
        path: list[int] = []
        while step not in path:
            path.append(step)
            step = self.owner[self.register.expected[step]]
        return tuple(sorted(path[path.index(step) :]))

    # ── chains against each other ────────────────────────────────────────────────────────────────────────────────────

    def _overlaps(self, chains: list[Chain]) -> dict[int, Chain]:
        """Find chains that each begin before the other ends; backward chain → the forward one that covers its place."""
        forward = sorted((chain for chain in chains if chain.finished < chain.starting), key=attrgetter("finished"))
        for one, other in pairwise(forward):
            if other.finished < one.starting:
                self._clash(one, other)
        begins = [chain.finished for chain in forward]
        covering: dict[int, Chain] = {}
        for chain in chains:
            if chain.finished < chain.starting:
                continue
            place = bisect_right(begins, chain.starting) - 1
            if place >= 0 and forward[place].starting > chain.starting:
                covering[id(chain)] = forward[place]
                if chain.finished < forward[place].starting:
                    self._clash(forward[place], chain)
        return covering

    def _clash(self, one: Chain, other: Chain) -> None:
        """`one` ended a step before `other` began one, and the other way round."""
        if one.finished_by != VIRTUAL and (other.finished_by == VIRTUAL or other.starting > one.starting):
            one, other = other, one
        steps = (one.finished_by, other.starting_by, other.finished_by, one.starting_by)
        self.found.append(Refutation("blocks", steps, one.starting_by, self.register))


def _linearization(chains: list[Chain], covering: dict[int, Chain]) -> list[int]:
    """Forward chains by where they begin, each backward one at its point, or after the chain that covers the point."""

    def place(chain: Chain) -> tuple[int, int, int]:
        if chain.finished < chain.starting:
            return (chain.finished, 0, 0)
        cover = covering.get(id(chain))
        return (chain.starting, 0, 0) if cover is None else (cover.finished, 1, chain.starting)

    return [step for chain in sorted(chains, key=place) for step in chain.order]
