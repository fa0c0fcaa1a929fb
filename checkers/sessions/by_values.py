"""Session guarantees from unique values alone: is there an order of the writes in which every read makes sense?

A session guarantee obliges a read to see certain values: read-your-writes its session's earlier completed writes,
monotonic reads what the session's earlier reads returned. A read returns the last that it sees, so each of those values
comes before the returned one in the order of writes, which is one for everybody. The guarantee holds if and only if
these edges have no cycle, and no read of the initial value was obliged to see a written one.

    session 1 read 5, then 7:  5 → 7
    session 2 read 7, then 5:  7 → 5       a cycle: no order serves both

The edges of n operations are about 2n at most: reads form a chain per session, and the writes that a session has made
so far are tied together in knots, one more for each batch of new writes, instead of each pointing at every later read.

Source: the guarantees as of Terry et al. (PDIS 1994) in the form of Viotti & Vukolić (ACM Computing Surveys 2016), one
convergent order. Each guarantee is judged alone: a history may satisfy both, each with another order.
Limits: values must be written once, and not be the initial one; `unique` says so. A value that nobody wrote counts as
written by somebody unknown.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

import networkx as nx

from checkers.sessions.accesses import Access, Token
from harness.history.operations import FAIL, OK

STARTS_MAX: Final = 64
"""How many values of a tangle a shortest cycle is looked for from; more would only shorten an explanation."""


class Knot:
    """Stands for "all that this session had written by then"."""

    __slots__ = ()


Node = Token | Knot


class Step(NamedTuple):
    """Why one value comes before another: a session wrote or read the first, and then read the second."""

    earlier: Access
    culprit: Access


@dataclass
class Findings:
    """What is wrong with one key: reads of the initial value that were obliged to see more, and cycles of steps."""

    initial: list[Step] = field(default_factory=list)
    cycles: list[list[Step]] = field(default_factory=list)
    order: list[Token] = field(default_factory=list)
    """Where nothing is wrong: an order of the values that serves every read."""


def repeated(accesses: Sequence[Access], initial: Token) -> Access | None:
    """A write whose value was also written by another one, or is the initial one; None when values are unique."""
    seen: set[Token] = {initial}
    for access in accesses:
        if access.reads or access.status == FAIL:
            continue
        if access.token in seen:
            return access
        seen.add(access.token)
    return None


def judge_values(accesses: Sequence[Access], initial: Token, earlier_reads: bool) -> Findings:
    """Judge one guarantee on one key.

    Args:
        accesses: of one key, in order of invocation, with unique values.
        initial: token of the initial value.
        earlier_reads: whether earlier reads oblige (monotonic reads), or earlier writes (read-your-writes).
    """
    graph, findings = _Graph(), Findings()
    sessions: dict[int, list[Access]] = {}
    for access in accesses:
        if access.status == OK:
            sessions.setdefault(access.session, []).append(access)
    for done in sessions.values():
        edges = _after_reads(done) if earlier_reads else _after_writes(done)
        for before, after, earlier, culprit in edges:
            if before == initial:
                continue
            if after == initial:
                findings.initial.append(Step(earlier, culprit))
            elif before != after:
                graph.add(before, after, earlier, culprit)
    order = graph.order()
    if len(order) < len(graph):
        findings.cycles = list(graph.cycles())
    findings.order = [node for node in order if not isinstance(node, Knot)]
    return findings


Edge = tuple[Node, Node, Access, Access]


def _after_reads(done: Sequence[Access]) -> Iterator[Edge]:
    """Every value read comes before what is read next. A read obliges once it has completed."""
    reads = [access for access in done if access.reads]
    completed = sorted(reads, key=lambda access: access.response)
    place = 0
    last: dict[Token, Access] = {}
    for read in reads:
        while place < len(completed) and completed[place].response < read.invoke:
            access = completed[place]
            # What had completed when this one was invoked comes before it already, so it stands for them.
            last = {token: other for token, other in last.items() if other.response > access.invoke}
            last[access.token] = access
            place += 1
        for token, earlier in last.items():
            yield token, read.token, earlier, read


def _after_writes(done: Sequence[Access]) -> Iterator[Edge]:
    """Every own completed write comes before what is read later, unless it is what is read."""
    writes = sorted((access for access in done if not access.reads), key=lambda access: access.response)
    place = 0
    last: dict[Token, Access] = {}
    untied: list[Access] = []
    knot: Knot | None = None
    for read in done:
        if not read.reads:
            continue
        while place < len(writes) and writes[place].response < read.invoke:
            last[writes[place].token] = writes[place]
            untied.append(writes[place])
            place += 1
        own = last.get(read.token)
        if own is not None:
            yield from ((token, read.token, write, read) for token, write in last.items() if write is not own)
            # All others now come before this one, so it stands for them from here on.
            last, untied, knot = {read.token: own}, [own], None
        elif last:
            if untied or knot is None:
                before, knot = knot, Knot()
                if before is not None:
                    yield before, knot, untied[0], read
                yield from ((write.token, knot, write, read) for write in untied)
                untied = []
            yield knot, read.token, next(iter(last.values())), read


class _Graph:
    """Values and knots; each edge remembers the operations that made it."""

    def __init__(self) -> None:
        self._after: dict[Node, dict[Node, Step]] = {}

    def add(self, before: Node, after: Node, earlier: Access, culprit: Access) -> None:
        """The first operations that show an edge stay with it."""
        self._after.setdefault(before, {}).setdefault(after, Step(earlier, culprit))
        self._after.setdefault(after, {})

    def order(self) -> list[Node]:
        """Nodes in an order that respects every edge; those on cycles and behind them are left out (Kahn, 1962)."""
        waits = Counter(after for step in self._after.values() for after in step)
        ready = [node for node in self._after if not waits[node]]
        for node in ready:  # which grows meanwhile
            for after in self._after[node]:
                waits[after] -= 1
                if not waits[after]:
                    ready.append(after)
        return ready

    def __len__(self) -> int:
        return len(self._after)

    def cycles(self) -> Iterator[list[Step]]:
        """A shortest cycle of each tangle of values, in the order in which the tangles were woven."""
        place = {node: number for number, node in enumerate(self._after)}
        graph = nx.DiGraph((before, after) for before, steps in self._after.items() for after in steps)
        tangles = [found for found in nx.strongly_connected_components(graph) if len(found) > 1]
        for tangle in sorted(tangles, key=lambda nodes: min(place[node] for node in nodes)):
            starts = sorted((node for node in tangle if not isinstance(node, Knot)), key=place.__getitem__)
            yield min((self._shortest(start, tangle) for start in starts[:STARTS_MAX]), key=len)

    def _shortest(self, start: Node, tangle: set[Node]) -> list[Step]:
        """A cycle through `start` over the fewest values: a step into a knot costs nothing."""
        came: dict[Node, Node] = {}
        ahead: deque[Node] = deque([start])
        while ahead:
            node = ahead.popleft()
            for after in self._after[node]:
                if after == start:
                    return self._steps([start, *reversed(list(_back(node, came))), start])
                if after in tangle and after not in came:
                    came[after] = node
                    (ahead.appendleft if isinstance(after, Knot) else ahead.append)(after)
        raise AssertionError("a tangle has a cycle through each of its nodes")

    def _steps(self, path: Sequence[Node]) -> list[Step]:
        """The steps between values; knots in between give their first operation and their last read."""
        steps: list[Step] = []
        earlier: Access | None = None
        for before, after in pairwise(path):
            step = self._after[before][after]
            earlier = step.earlier if earlier is None else earlier
            if not isinstance(after, Knot):
                steps.append(Step(earlier, step.culprit))
                earlier = None
        return steps


def _back(node: Node, came: dict[Node, Node]) -> Iterator[Node]:
    """From a node back to what the search began at, which has not come from anywhere and is left out."""
    while node in came:
        yield node
        node = came[node]
