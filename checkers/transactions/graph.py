"""Graphs of millions of transactions as arrays: an order along all edges, or the parts in which there is none.

    times, settled = converge(source, target, start)     every node at the earliest time that its edges allow
    components(source, target, times)                    strongly connected components, in topological order

The earliest times are found by raising, all at once, each node above those before it, again and again; transactions
wait for few others at a time, so few rounds suffice. If each ends up before its completion, they respect real time as
well, without any edge for that: who was over before another began has the earlier time. So a history without
violation costs a few passes over its edges. Only where that fails are components looked for (Tarjan, 1972), and only
between the places that edges cross backwards in the order of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from checkers.transactions.table import Ints
from harness.history.operations import NEVER

UNIT: Final = 1 << 20
"""Times between two events of the history."""
ROUNDS_MAX: Final = 300


def converge(source: Ints, target: Ints, start: Ints, latest: Ints | None = None) -> tuple[Ints, bool]:
    """The earliest time of each node, not before its start, later than every node with an edge to it.

    Returns:
        times, and whether they are settled: False when some exceed `latest`, or after ROUNDS_MAX rounds.
    """
    times = start.copy()
    late = np.flatnonzero(times[source] >= times[target])
    for _ in range(ROUNDS_MAX):
        if not len(late):
            break
        touched = target[late]
        np.maximum.at(times, touched, times[source[late]] + 1)
        if latest is not None and (times[touched] >= latest[touched]).any():
            return times, False
        changed = np.zeros(len(times), bool)
        changed[touched] = True
        near = np.flatnonzero(changed[source])
        late = near[times[source[near]] >= times[target[near]]]
    return times, not len(late)


def barriers(invoke: Ints, response: Ints) -> tuple[Ints, Ints, Ints]:
    """Real time in edges of linear number: transaction → barrier → later transaction; barrier → next barrier.

    Returns:
        sources and targets, barriers numbered after the transactions; the time of each barrier, in events.
    """
    n = len(invoke)
    ended = np.flatnonzero(response != NEVER)
    moments = np.concatenate([invoke, response[ended]])
    nodes = np.concatenate([np.arange(n), ended])
    is_end = np.arange(len(moments)) >= n
    order = np.argsort(moments)
    nodes, is_end, moments = nodes[order], is_end[order], moments[order]
    # A barrier stands where ends are followed by beginnings.
    before = np.zeros(len(order), bool)
    before[1:] = is_end[:-1]
    number = np.cumsum(before & ~is_end)
    last = int(number[-1]) if len(number) else 0
    begins = ~is_end & (number > 0)
    ends = is_end & (number < last)
    ring = n + np.arange(max(0, last - 1))
    source = np.concatenate([nodes[ends], ring, n + number[begins] - 1])
    target = np.concatenate([n + number[ends], ring + 1, nodes[begins]])
    return source, target, moments[before & ~is_end]


def sessions(session: NDArray[np.int32], response: Ints) -> tuple[Ints, Ints]:
    """Edges to each from the last of its session before it that is not in doubt: one in doubt may yet happen."""
    order = np.argsort(session, kind="stable")
    last = np.maximum.accumulate(np.where(response[order] != NEVER, np.arange(len(order)), -1))
    one, other = order[last[:-1]], order[1:]
    good = (last[:-1] >= 0) & (session[one] == session[other])
    return one[good], other[good]


def components(source: Ints, target: Ints, times: Ints) -> tuple[Ints, list[Ints]]:
    """All nodes in an order along the edges, but inside of components; and the components of several nodes.

    Args:
        times: any; the closer they are to an order along the edges, the less there is to do.
    """
    order = np.argsort(times, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first, then = place[source], place[target]
    back = first > then
    cover = np.zeros(len(order) + 1, np.int64)
    np.add.at(cover, then[back], 1)
    np.subtract.at(cover, first[back], 1)
    # A component reaches from one place to another only where backward edges lead back over all places between.
    piece = np.cumsum(np.concatenate([[True], np.cumsum(cover[:-1])[:-1] == 0]))[: len(order)] - 1
    inside = (piece[first] == piece[then]) & (first != then)
    size = np.bincount(piece, minlength=1)
    inside &= size[piece[first]] > 1
    found: list[Ints] = []
    ranks = np.arange(len(order))
    edge_from, edge_to = first[inside], then[inside]
    by_source = np.argsort(edge_from, kind="stable")
    edge_from, edge_to = edge_from[by_source], edge_to[by_source]
    nodes = np.unique(np.concatenate([edge_from, edge_to]))
    starts = np.searchsorted(edge_from, nodes)
    ends = np.searchsorted(edge_from, nodes, side="right")
    local = np.searchsorted(nodes, edge_to)
    topological: list[int] = []
    for members in tarjan(starts.tolist(), ends.tolist(), local.tolist()):
        topological.extend(members)
        if len(members) > 1:
            found.append(order[nodes[members]])
    # Tarjan tells components last first; within a piece they take the places that its nodes had.
    told = nodes[np.array(topological[::-1], np.int64)]
    told = told[np.argsort(piece[told], kind="stable")]
    ranks[nodes] = told
    return order[ranks], found


def tarjan(starts: list[int], ends: list[int], targets: list[int]) -> Iterator[list[int]]:
    """Strongly connected components, each after all that it leads to, without recursion (Tarjan, 1972)."""
    n = len(starts)
    number, low, done = [0] * n, [0] * n, n + 1
    position = starts[:]
    stack: list[int] = []
    count = 0
    for root in range(n):
        if number[root]:
            continue
        path = [root]
        count += 1
        number[root] = low[root] = count
        stack.append(root)
        while path:
            node = path[-1]
            lowest, deeper = low[node], -1
            for at in range(position[node], ends[node]):
                told = number[targets[at]]
                if not told:
                    position[node], deeper = at + 1, targets[at]
                    break
                if told < lowest:
                    lowest = told
            low[node] = lowest
            if deeper >= 0:
                count += 1
                number[deeper] = low[deeper] = count
                stack.append(deeper)
                path.append(deeper)
                continue
            path.pop()
            if path and lowest < low[path[-1]]:
                low[path[-1]] = lowest
            if lowest == number[node]:
                place = len(stack) - 1
                while stack[place] != node:
                    place -= 1
                members = stack[place:][::-1]
                del stack[place:]
                for member in members:
                    number[member] = done
                yield members
