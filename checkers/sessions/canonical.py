"""Orders that are worth a try before any search: most valid histories have one of them.

An order of the writes of each key says everything: with it, what precedes what is

    sessions, and writes before the reads of their values
    each write before the next write of its key, and whoever read it before that too

and any order that keeps to these is right; there is one unless they make a circle. So two guesses are made:

    by time         as a linearizable store took them: the writes of a key by the moments at which each value was surely
                    the current one (`checkers.linearizability.zones` says why); right for every linearizable history
    by what follows as all that is known has them, and where that leaves a choice, what was over first comes first

Source: orders tried before a search, as in Ozkan, Majumdar and Niksic (PPoPP 2019).
Limits: values that are all different. A guess that fails says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from checkers.sessions.saturation import Saturation
from checkers.sessions.steps import NOTHING, Moves

Versions = Mapping[int, Sequence[int]]
"""Key → its writes, in order."""


def guessed(moves: Moves, known: Saturation) -> list[int] | None:
    """An order of all moves that keeps to all that is known, if one of the guesses is right."""
    order = by_time(moves, known)
    return by_what_follows(moves, known) if order is None else order


def by_time(moves: Moves, known: Saturation) -> list[int] | None:
    """An order of all moves, if the writes of each key may be ordered as a linearizable store took them."""
    chains: dict[int, list[_Chain]] = {}
    for chain in _chains(moves, known.source):
        chains.setdefault(moves.moves[chain.writes[0]].key, []).append(chain)
    return _order(moves, known, {key: _by_zones(of_key) for key, of_key in chains.items()})


def by_what_follows(moves: Moves, known: Saturation) -> list[int] | None:
    """An order of all moves, if the writes of each key may be ordered as `known` has them, and else by their ends."""
    versions: dict[int, list[int]] = {}
    for number in _sorted(known.followers(), [move.response for move in moves.moves]) or ():
        if moves.moves[number].leaves is not NOTHING:
            versions.setdefault(moves.moves[number].key, []).append(number)
    return _order(moves, known, versions)


def _order(moves: Moves, known: Saturation, versions: Versions) -> list[int] | None:
    if sum(map(len, versions.values())) < sum(move.leaves is not NOTHING for move in moves.moves):
        return None  # two compare-and-sets replace the same value
    followers = known.followers()
    after: dict[int, int] = {}
    for writes in versions.values():
        for one, other in pairwise(writes):
            after[one] = other
            followers[one].append(other)
    for reader, source in enumerate(known.source):
        if source == reader:
            return None  # it found what only itself leaves
        if source >= 0 and (overwritten := after.get(source, reader)) != reader:
            followers[reader].append(overwritten)
    return _sorted(followers, [move.invoke for move in moves.moves])


def _sorted(followers: Sequence[Sequence[int]], rank: Sequence[int]) -> list[int] | None:
    """All numbers, each before its followers, and else by rank; None if some follow themselves."""
    waits = [0] * len(followers)
    for numbers in followers:
        for number in numbers:
            waits[number] += 1
    ready = [(rank[number], number) for number, count in enumerate(waits) if not count]
    heapify(ready)
    order = []
    while ready:
        number = heappop(ready)[1]
        order.append(number)
        for follower in followers[number]:
            waits[follower] -= 1
            if not waits[follower]:
                heappush(ready, (rank[follower], follower))
    return order if len(order) == len(followers) else None


class _Chain:
    """Writes that nothing may come between: a compare-and-set right after what it found.

    Attributes:
        finished: when the first of all that left or found these values was over; starting: when the last one began.
    """

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.finished, self.starting = -1, -1

    def take(self, invoke: int, response: int) -> None:
        """Somebody left or found a value of this chain."""
        self.finished = response if self.finished < 0 else min(self.finished, response)
        self.starting = max(self.starting, invoke)


def _chains(moves: Moves, source: Sequence[int]) -> Iterator[_Chain]:
    successor: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    roots = []
    for number, move in enumerate(moves.moves):
        if move.leaves is not NOTHING and source[number] >= 0:
            successor[source[number]] = number
        elif move.leaves is not NOTHING:
            roots.append(number)
        elif source[number] >= 0:
            readers.setdefault(source[number], []).append(number)
    for root in roots:
        chain, link = _Chain(), root
        while link >= 0:
            chain.writes.append(link)
            for number in (link, *readers.get(link, ())):
                chain.take(moves.moves[number].invoke, moves.moves[number].response)
            link = successor.get(link, -1)
        yield chain


def _by_zones(chains: Sequence[_Chain]) -> list[int]:
    """Chains that were current for a while by when that began; the others at a moment at which none of these was."""
    lasting = sorted((chain.finished, chain.starting) for chain in chains if chain.finished < chain.starting)
    place = 0
    placed: list[tuple[int, int, int, _Chain]] = []
    for chain in sorted(chains, key=lambda chain: chain.starting):
        if chain.finished < chain.starting:
            placed.append((chain.finished, 0, 0, chain))
            continue
        while place < len(lasting) and lasting[place][1] <= chain.starting:
            place += 1
        covered = place < len(lasting) and lasting[place][0] < chain.starting
        moment = (lasting[place][0], 1, chain.starting) if covered else (chain.starting, 0, 0)
        placed.append((*moment, chain))
    placed.sort(key=lambda entry: entry[:3])
    return [number for *_, chain in placed for number in chain.writes]
