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
from operator import itemgetter
from typing import NamedTuple

from checkers.objects.calls import Call
from harness.history.operations import NEVER


class Placed(NamedTuple):
    """A call and its place in the one order."""

    rank: int
    call: Call


def inversions(placed: Iterable[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """(higher, lower): `lower` began after `higher` was over; for every such `lower`, with the earliest `higher`."""
    earliest: Placed | None = None
    over = rank_over = NEVER  # end of the earliest of all higher ranks, and of those of this rank
    rank, first = -1, None
    for place in sorted(placed, key=itemgetter(0), reverse=True):
        its_rank, call = place
        if its_rank != rank:
            if rank_over < over:
                earliest, over = first, rank_over
            rank, rank_over = its_rank, NEVER
        if over < call.invoke and earliest is not None:
            yield earliest, place
        if call.response < rank_over:
            first, rank_over = place, call.response


def order(placed: Sequence[Placed]) -> list[int]:
    """Invocations in the one order; only of use when there is no inversion."""
    return [invoke for _, invoke in sorted([(rank, call.invoke) for rank, call in placed])]
