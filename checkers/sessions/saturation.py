"""Closes what must precede what, for sequential consistency; see `checkers.sessions.sequential` for the rules.

Each round takes the operations in an order that keeps to all that is known, gives each a vector clock (how far each
lane precedes it), and looks up by bisection, per read and lane, the last write of the key that precedes the read, and
the first that comes after the write it read from. New edges make another round; a circle, or no new edge, ends it.

Limits: one clock per operation, CLOCKS_BYTES_MAX in all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.steps import NOTHING, Moves

CLOCKS_BYTES_MAX: Final = 1 << 30
ROUNDS_MAX: Final = 1_000


class Edge(NamedTuple):
    """`before` precedes `after`.

    Attributes:
        rule: "session", "read-from", "initial", "overwrites" (`before` precedes `read`, which read from `after`), or
            "overwritten" (`before` is the read, and what it read from precedes `after`).
        read: the read that the rule is about; path: operations, each of which precedes the next, that the rule needs.
    """

    before: int
    after: int
    rule: str
    read: int = -1
    path: tuple[int, ...] = ()


class Saturation:
    """See the module docstring.

    Attributes:
        circle: operations that precede each other all around, if there is a circle.
        rounds: how many there were.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        self.circle: list[int] = []
        self.rounds = 0
        self._edges: list[dict[int, Edge]] = [{} for _ in moves.moves]  # by what comes after
        self._needs: list[list[int]] = [[] for _ in moves.moves]
        self._age: dict[tuple[int, int], int] = {}
        self.source = [-1] * len(moves.moves)
        for number in range(len(moves.moves)):
            for other in moves.before(number):
                self._add(Edge(other, number, "session"))
        if moves.unique:
            self._read_from()

    def needs(self, number: int) -> Sequence[int]:
        """What is known to precede a move directly, outside its lane."""
        return self._needs[number]

    def followers(self) -> list[list[int]]:
        """Per move what is known to follow it, as a list of its own."""
        return [list(edges) for edges in self._edges]

    def run(self, spent: Callable[[], bool]) -> str:
        """Saturate; says how it ended."""
        moves = self.moves
        if len(moves.moves) * len(moves.lanes) * 4 > CLOCKS_BYTES_MAX:
            order = self._order()
            return "a circle" if order is None else "left out, for it needs too much memory"
        self._writes = self._writes_by_lane()
        while self.rounds < ROUNDS_MAX:
            self.rounds += 1
            order = self._order()
            if order is None:
                return "a circle"
            if spent():
                return "cut short"
            if not self._round(order):
                return "complete"
        return "cut short"

    # ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, edge: Edge) -> bool:
        known = self._edges[edge.before]
        if edge.after in known or edge.before == edge.after:
            return False
        known[edge.after] = edge
        self._age[edge.before, edge.after] = self.rounds
        if self.moves.lane[edge.before] != self.moves.lane[edge.after]:
            self._needs[edge.after].append(edge.before)
        return True

    def _read_from(self) -> None:
        moves = self.moves
        of_key: dict[int, dict[int, int]] = {}
        for number, move in enumerate(moves.moves):
            if move.leaves is not NOTHING:
                of_key.setdefault(move.key, {}).setdefault(moves.lane[number], number)
        for number, move in enumerate(moves.moves):
            if move.finds is NOTHING:
                continue
            if move.finds != moves.initial:
                self.source[number] = moves.writers[move.key, move.finds][0]
                self._add(Edge(self.source[number], number, "read-from"))
                continue
            for first in of_key.get(move.key, {}).values():
                # What leaves its own value after the initial one precedes the others, and follows itself.
                after = first if first != number else self._next_write(number)
                if after is not None:
                    self._add(Edge(number, after, "initial"))

    def _next_write(self, number: int) -> int | None:
        """The next write of the key in the lane of a move."""
        moves = self.moves
        lane = moves.lanes[moves.lane[number]]
        for other in lane[moves.place[number] + 1 :]:
            if moves.moves[other].key == moves.moves[number].key and moves.moves[other].leaves is not NOTHING:
                return other
        return None

    def _writes_by_lane(self) -> dict[int, list[tuple[int, list[int], list[int]]]]:
        """Per key: lane, places of its writes, and the writes."""
        moves = self.moves
        found: dict[int, dict[int, tuple[list[int], list[int]]]] = {}
        for number, move in enumerate(moves.moves):
            if move.leaves is not NOTHING:
                places, writes = found.setdefault(move.key, {}).setdefault(moves.lane[number], ([], []))
                places.append(moves.place[number])
                writes.append(number)
        return {key: [(lane, *lists) for lane, lists in lanes.items()] for key, lanes in found.items()}

    # ── rounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _order(self) -> list[int] | None:
        """An order that keeps to all edges; None when there is a circle, which is kept."""
        waits = [0] * len(self._edges)
        for after in self._edges:
            for node in after:
                waits[node] += 1
        ready = [node for node, count in enumerate(waits) if not count]
        for node in ready:  # which grows meanwhile
            for after_node in self._edges[node]:
                waits[after_node] -= 1
                if not waits[after_node]:
                    ready.append(after_node)
        if len(ready) == len(self._edges):
            return ready
        self.circle = self._find_circle({node for node, count in enumerate(waits) if count})
        return None

    def _find_circle(self, left: set[int]) -> list[int]:
        """A short circle: the shortest through one of the first of those left."""
        best: list[int] = []
        for start in sorted(left)[:64]:
            found = self._path(start, start, lambda _edge: True)
            if found and (not best or len(found) < len(best)):
                best = found
        if not best:  # the first ones are only behind a circle
            for start in sorted(left)[64:]:
                if best := self._path(start, start, lambda _edge: True):
                    break
        return best

    def _path(self, start: int, goal: int, allowed: Callable[[Edge], bool]) -> list[int]:
        """Operations from `start` to `goal`, each of which precedes the next; at least one step."""
        came: dict[int, int] = {}
        ahead = deque([start])
        while ahead:
            node = ahead.popleft()
            for after, edge in self._edges[node].items():
                if not allowed(edge) or (after in came and after != goal):
                    continue
                if after == goal:
                    back = [goal, node]
                    while back[-1] != start:
                        back.append(came[back[-1]])
                    return back[::-1]
                came[after] = node
                ahead.append(after)
        return []

    def _round(self, order: Iterable[int]) -> int:
        """Clocks, and the edges that follow from them; how many were new."""
        moves = self.moves
        clocks = self._clocks(order)
        fresh = [edge for number in range(len(moves.moves)) for edge in self._derived(number, clocks)]
        return sum([self._add(edge) for edge in fresh])

    def _clocks(self, order: Iterable[int]) -> NDArray[np.int32]:
        """Per operation how many of each lane precede it, itself among them."""
        moves = self.moves
        clocks = np.zeros((len(moves.moves), len(moves.lanes)), np.int32)
        for number in order:
            clock = clocks[number]
            clock[moves.lane[number]] = max(clock[moves.lane[number]], moves.place[number] + 1)
            for after in self._edges[number]:
                np.maximum(clocks[after], clock, out=clocks[after])
        return clocks

    def _derived(self, number: int, clocks: NDArray[np.int32]) -> Iterator[Edge]:
        moves = self.moves
        source = self.source[number]
        if source < 0:
            return
        clock = clocks[number]
        writer_lane, writer_place = moves.lane[source], moves.place[source]
        for lane, places, writes in self._writes[moves.moves[number].key]:
            # Itself counts in its clock; a change precedes what comes after it, not itself.
            reach = int(clock[lane]) - (lane == moves.lane[number])
            count = bisect_left(places, reach)
            last = writes[count - 1] if count else source
            if last != source:
                yield Edge(last, source, "overwrites", number)
            first = self._first_after(writes, clocks, writer_lane, writer_place)
            while first < len(writes) and writes[first] in (source, number):
                first += 1
            if first < len(writes):
                yield Edge(number, writes[first], "overwritten", number)

    @staticmethod
    def _first_after(writes: Sequence[int], clocks: NDArray[np.int32], lane: int, place: int) -> int:
        """The first write of a lane that a move precedes: clocks only grow along a lane."""
        low, high = 0, len(writes)
        while low < high:
            middle = (low + high) // 2
            if clocks[writes[middle], lane] > place:
                high = middle
            else:
                low = middle + 1
        return low

    # ── proof ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def proof(self) -> tuple[list[Edge], list[Edge]]:
        """Derived edges, each after those that its path needs, and the circle."""
        proven: dict[tuple[int, int], Edge] = {}
        circle = [self._edges[one][other] for one, other in pairwise(self.circle)]
        for edge in circle:
            self._prove(edge, proven)
        return list(proven.values()), [proven.get((edge.before, edge.after), edge) for edge in circle]

    def _prove(self, edge: Edge, proven: dict[tuple[int, int], Edge]) -> None:
        """Without recursion: an edge is written down once all edges of its path are."""
        todo = [(edge, False)]
        paths: dict[tuple[int, int], list[int]] = {}
        while todo:
            one, ready = todo.pop()
            name = (one.before, one.after)
            if one.rule not in ("overwrites", "overwritten") or name in proven:
                continue
            if ready:
                proven[name] = one._replace(path=tuple(paths[name]))
                continue
            age = self._age[name]
            start, goal = (one.before, one.read) if one.rule == "overwrites" else (self.source[one.read], one.after)
            path = self._path(start, goal, lambda edge, age=age: self._age[edge.before, edge.after] < age)  # type: ignore[misc]  # bound by a default
            paths[name] = path
            todo.append((one, True))
            todo += [(self._edges[a][b], False) for a, b in pairwise(path)]
