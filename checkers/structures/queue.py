"""FIFO queues, exactly, where every value is put in once; also with dequeues that found nothing or never answered.

The next value to leave is one whose enqueue and whose dequeue may both come first: no enqueue of a value that is still
there was over before its enqueue began, and no dequeue before its dequeue. Two pointers move along the events of
enqueues and of dequeues; where both are held up, by different values, there is no order, and these two show it:

    enqueue 1 → ok, enqueue 2 → ok, dequeue → 2, dequeue → 1          2 overtook 1

A dequeue in doubt takes a value that nobody got, if that helps: the pointer of enqueues is held up by one, and the
dequeue began before the other pointer's limit. If none is left, more values had to be gone than can have been taken.

Sorting takes O(n log n), all else O(n). After Lee and Mathur (OOPSLA 2025) and Abdulla and others (PLDI 2025).

Limits: dequeues in doubt together with values that nobody got and dequeues that found nothing: None, unless the others
show a violation by themselves. See also `pool`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from checkers.objects.calls import Call, text
from checkers.structures.decision import Decision, Order, Violation
from checkers.structures.pool import Pool, empty_moments, pool_of
from harness.history.operations import NEVER


def decide(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Judge one queue."""
    pool = None if initial else pool_of(calls, "queue", "enqueue", "dequeue")
    if not isinstance(pool, Pool):
        return pool
    moments = empty_moments(pool)
    kept = pool.kept()
    if pool.wildcards and pool.empties and kept:
        return _without_help(pool, moments)
    if not isinstance(moments, list):
        return moments
    row = _Row(pool)
    stuck = row.leave()
    return stuck if isinstance(stuck, Violation) else _order(pool, row.order, row.takers, moments)


def _without_help(pool: Pool, moments: Any) -> Decision:
    """Dequeues in doubt are not needed, or do not help."""
    if isinstance(moments, Violation):
        return moments
    rest = pool.without(frozenset(pool.kept()))
    stuck = _Row(rest).leave()
    if isinstance(stuck, Violation):
        return stuck
    pool.wildcards = []
    row = _Row(pool)
    if isinstance(moments, list) and row.leave() is None:
        return _order(pool, row.order, row.takers, moments)
    return None


class _Row:
    """The values in the order in which they leave.

    Attributes:
        order: of values; those that stay come last.
        takers: value → dequeue in doubt that took it.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.order: list[int] = []
        self.takers: dict[int, Call] = {}
        self._gone = bytearray(len(pool))
        self._overtaken: list[tuple[int, int]] = []

    def leave(self) -> Violation | None:
        """Let the values leave one by one; a violation where none can."""
        pool, gone, order = self.pool, self._gone, self.order
        taken = [value for value, take in enumerate(pool.takes) if take is not None]
        by_put = sorted(range(len(pool)), key=pool.put_until.__getitem__)
        by_take = sorted(taken, key=pool.take_until.__getitem__)
        begun_take = sorted(taken, key=pool.take_from.__getitem__)
        put_from, put_until, take_from, take_until = pool.put_from, pool.put_until, pool.take_from, pool.take_until
        values, out = len(pool), len(taken)
        at_put = at_take = open_puts = open_takes = left = 0
        seen = bytearray(values)  # 1: its enqueue may come first; 2: its dequeue may; 3: both
        while left < out:
            while gone[by_put[at_put]]:
                at_put += 1
            while gone[by_take[at_take]]:
                at_take += 1
            put_limit, take_limit, before = put_until[by_put[at_put]], take_until[by_take[at_take]], len(order)
            while open_puts < values and put_from[open_puts] <= put_limit:
                seen[open_puts] += 1
                if seen[open_puts] == 3:
                    order.append(open_puts)
                    gone[open_puts] = 1
                open_puts += 1
            while open_takes < out and take_from[begun_take[open_takes]] <= take_limit:
                value = begun_take[open_takes]
                seen[value] += 2
                if seen[value] == 3:
                    order.append(value)
                    gone[value] = 1
                open_takes += 1
            left += len(order) - before
            if len(order) == before and not self._helped(by_put[at_put], by_take[at_take]):
                return self._overtaking(by_put[at_put], by_take[at_take])
        order += [value for value in range(values) if not gone[value]]
        return None

    def _helped(self, value: int, other: int) -> bool:
        """Whether a dequeue in doubt can have taken the value before the other one left."""
        pool, used = self.pool, len(self.takers)
        if pool.takes[value] is not None or used == len(pool.wildcards):
            return False
        taker = pool.wildcards[used]
        if taker.invoke > pool.take_until[other]:
            return False
        self.takers[value] = taker
        self._overtaken.append((value, other))
        self._gone[value] = 1
        self.order.append(value)
        return True

    def _overtaking(self, value: int, other: int) -> Violation:
        """Both pointers are held up, by these two."""
        pool = self.pool
        put, first, take = pool.puts[value], pool.puts[other], pool.takes[other]
        assert take is not None
        said = (
            f"{text(put.argument)} was in the queue before process {first.process} began to put in "
            f"{text(first.argument)}, yet process {take.process} took the latter "
        )
        if pool.takes[value] is not None:
            sentence = f"{said}before anybody began to take the former."
            return pool.broken("fifo-inversion", [value, other], take, sentence)
        takers = [call for call in pool.wildcards if call.invoke < take.response]
        if not takers:
            return pool.broken("fifo-inversion", [value, other], take, f"{said}and nobody ever took the former.")
        sentence = (
            f"{said}and nobody is known to have taken the former; {len(takers):,} in doubt cannot have taken it and "
            "all others that were overtaken."
        )
        pairs = [*self._overtaken, (value, other)]
        values = list(dict.fromkeys(value for pair in pairs for value in pair))
        return pool.broken("fifo-inversion", values, take, sentence, *takers)


def _order(pool: Pool, row: Sequence[int], takers: dict[int, Call], moments: Sequence[tuple[int, Call]]) -> Order:
    """An order of the operations in which the values leave in the order of the row.

    The moments without values cut time into pieces. Each value lies in the first piece that its dequeue can be in, and
    everything happens there as soon as it can.
    """
    cuts = [moment for moment, _ in moments]
    piece = [0] * len(pool)
    if cuts:
        piece = [bisect_left(cuts, moment) for moment in pool.take_from]
        row = sorted(row, key=piece.__getitem__)
    entered, when = [], -1
    for value in row:
        when = max(when, pool.put_from[value], cuts[piece[value] - 1] if piece[value] else -1)
        entered.append(when)
    order: Order = []
    at, at_piece, when = 0, 0, -1
    for place, value in enumerate(row):
        here = piece[value]
        if here > at_piece:
            order += [call.invoke for _, call in moments[at_piece:here]]
            when, at_piece = max(when, cuts[here - 1]), here
        taker = pool.takes[value] or takers.get(value)
        begun = NEVER if taker is None else taker.invoke
        when = max(when, begun, entered[place])
        while at < len(row) and entered[at] <= when and piece[row[at]] == here:
            order.append(pool.puts[row[at]].invoke)
            at += 1
        if taker is not None:
            order.append(taker.invoke)
    return order + [call.invoke for _, call in moments[at_piece:]]
