"""Operations whose order is known up to ties, compared with real time.

Where results tell at which place of the one order an operation must stand (its rank), linearizability needs nothing
more than that no operation ends before another one of a lower rank begins:

    increment → 7   |-----|
                               |------|   increment → 5       rank 7 was over before rank 5 began

Operations of equal rank may stand in any order, as reads of the same state do. So a sweep from the highest rank down,
with the earliest end of everything above, finds every operation that begins too late; and sorting by rank, then by
invocation, is an order that proves the rest right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from checkers.objects.calls import Call


class Placed(NamedTuple):
    """A call and its place in the one order."""

    rank: int
    call: Call


def inversions(placed: Iterable[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """(higher, lower): `lower` began after `higher` was over; for every such `lower`, with the earliest `higher`."""
    earliest: Placed | None = None
    for _, group in groupby(sorted(placed, key=attrgetter("rank"), reverse=True), key=attrgetter("rank")):
        equals = list(group)
        for lower in equals:
            if earliest is not None and earliest.call.response < lower.call.invoke:
                yield earliest, lower
        first = min(equals, key=lambda place: place.call.response)
        if earliest is None or first.call.response < earliest.call.response:
            earliest = first


def order(placed: Sequence[Placed]) -> list[int]:
    """Invocations in the one order; only of use when there is no inversion."""
    return [place.call.invoke for place in sorted(placed, key=lambda place: (place.rank, place.call.invoke))]
