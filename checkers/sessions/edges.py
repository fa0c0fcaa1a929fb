"""Edges between writes as columns, and the circles among them.

    Edges.of(BY_SEES, before, after, moment, turn, by)      what reads, `by`, say of writes
    circles_of(tangles, edges, count)                       a shortest circle of each tangle

The pass over single accesses puts edges down one after another, and which of several shortest circles is told hangs on
that; so each edge has its moment, and its turn among those of one moment. See `checkers.sessions.order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.lanes import Column
from checkers.sessions.order import CIRCLES_MAX, TIE, Step, Why, shortest_circle, steps_of

Marks = NDArray[np.bool_]
BY_MW, BY_TIE, BY_WFR, BY_SEES = range(4)
_WORDS: Final = {BY_MW: "mw", BY_WFR: "wfr", BY_SEES: "sees"}


@dataclass(frozen=True)
class Edges:
    """Edges between writes and knots, with the event at which the pass puts each down, and its turn there."""

    before: Column
    after: Column
    moment: Column
    turn: Column
    rule: Column
    by: Column

    @staticmethod
    def of(rule: int, before: Column, after: Column, moment: Column, turn: Column, by: Column | None = None) -> Edges:
        """Edges by one rule."""
        kind = np.full(len(before), rule)
        return Edges(before, after, moment, turn, kind, np.full(len(before), -1) if by is None else by)

    @staticmethod
    def joined(*some: Edges) -> Edges:
        """All of them."""
        names = ("before", "after", "moment", "turn", "rule", "by")
        return Edges(*(np.concatenate([getattr(one, name) for one in some]) for name in names))

    def only(self, marks: Marks | Column) -> Edges:
        """Some of them, by marks or by places."""
        return Edges(
            self.before[marks], self.after[marks], self.moment[marks], self.turn[marks], self.rule[marks],
            self.by[marks],
        )  # fmt: skip


def circles_of(tangles: Sequence[Column], edges: Edges, count: int) -> list[list[Step]]:
    """A shortest circle of each of the first tangles; what leads out of tangles is left out of `edges`.

    Args:
        count: nodes from there on are knots.
    """
    edges = edges.only(np.lexsort((edges.turn, edges.moment, edges.before)))
    starts: list[int] = np.searchsorted(edges.before, np.arange(int(edges.before.max(initial=0)) + 2)).tolist()
    afters: list[int] = edges.after.tolist()

    def follow(node: int) -> list[int]:
        return afters[starts[node] : starts[node + 1]]

    def why_of(before: int, after: int) -> Why:
        at = starts[before] + follow(before).index(after)  # the first reason of an edge
        rule = int(edges.rule[at])
        return TIE if rule == BY_TIE else Why(_WORDS[rule], int(edges.by[at]))

    circles = []
    for tangle in sorted((np.sort(nodes) for nodes in tangles), key=lambda nodes: int(nodes[0]))[:CIRCLES_MAX]:
        path = shortest_circle(tangle[tangle < count].tolist(), follow, count)
        circles.append(steps_of(path, why_of, count))
    return circles
