"""Why one transaction must precede another, looked up in the events: edges, cycles and proofs of certificates.

    rt  the first was over before the other began          so  the first came earlier in the same session
    wr  the other found what the first had left            rw  the first did not find what the other left there later
    ww  the other's version comes after the first's        cm  forced by a reader: [t2, t1, "cm", key, reader, way]

A list that was found shows the order of its elements, and whoever appended what it lacks comes later: for read
uncommitted only what the longest lists agree on, since others may show what was undone. Where no update is lost,
whoever changed a list comes later than who found it and changed it as well. A register shows only that who read a
version before changing it comes after that version; and what is decided in a proof.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from checkers.verifiers.transaction_facts import Facts, Found, Txn, json_of

LEVELS: Final = {
    "read-uncommitted": (0, 0),
    "read-committed": (1, 1),
    "read-atomic": (2, 1),
    "causal": (3, 1),
    "parallel-snapshot-isolation": (4, 1),
    "snapshot-isolation": (5, 0),
    "strong-session-snapshot-isolation": (5, 1),
    "strong-snapshot-isolation": (5, 2),
    "serializable": (6, 0),
    "strong-session-serializable": (6, 1),
    "strict-serializable": (6, 2),
}
"""Strength and order of each level: 0 none, 1 sessions, 2 real time."""
Decided = frozenset[tuple[bytes, int, int]]


def level_of(name: str) -> tuple[int, int]:
    """Strength and order of a level."""
    return LEVELS[name]


class Edges:
    """Edges that a level must respect."""

    def __init__(self, facts: Facts, level: tuple[int, int]) -> None:
        self.facts = facts
        self.strength, self.order = level

    # ── cycles and proofs ────────────────────────────────────────────────────────────────────────────────────────────

    def cycle(self, edges: list[Any], decided: Decided = frozenset(), closing: bool = False) -> bool:
        """Whether edges form a cycle that the level forbids; with `closing` the first is only supposed."""
        if not edges or any(edge[1] != edges[(i + 1) % len(edges)][0] for i, edge in enumerate(edges)):
            return False
        if not all(self.edge(edge, decided) for edge in edges[closing:]):
            return False
        kinds = [edge[2] for edge in edges]
        if "rt" in kinds and self.order < 2:
            return False
        if "so" in kinds and self.order < 1:
            return False
        return self._forbidden(edges, kinds)

    def _forbidden(self, edges: list[Any], kinds: list[str]) -> bool:
        anti = [i for i, kind in enumerate(kinds) if kind == "rw"]
        if not anti:
            return self.strength > 0 or set(kinds) <= {"ww", "so", "rt"}
        if self.strength <= 3:
            at = anti[0]
            way = edges[at + 1 :] + edges[:at]
            reader, writer, _, name = edges[at][:4]
            return len(anti) == 1 and self._sees(writer, reader, json_of(name), None, way)
        if len(anti) == 1:
            return True
        beside = any((i + 1) % len(kinds) in anti for i in anti)
        return self.strength == 6 or (self.strength == 5 and not beside)

    def proof(self, given: dict[str, Any], decided: Decided = frozenset()) -> bool:
        """Whether decisions follow one from another, and end in a cycle or in two cases that do."""
        for decision in given["decisions"]:
            key, first, then = json_of(decision["key"]), decision["first"], decision["then"]
            if not (self._changes(first, key) and self._changes(then, key)):
                return False
            supposed = decision["edges"][0]
            if not self._follows(supposed, key, then, first) or not self.cycle(decision["edges"], decided, True):
                return False
            decided |= {(key, first, then)}
        if "split" not in given:
            return self.cycle(given["edges"], decided)
        key, one, other = json_of(given["split"]["key"]), given["split"]["first"], given["split"]["then"]
        if not (self._changes(one, key) and self._changes(other, key)) or one == other:
            return False
        cases = (decided | {(key, one, other)}, decided | {(key, other, one)})
        first, second = given["cases"]
        return bool(self.proof(first, cases[0]) and self.proof(second, cases[1]))

    def _changes(self, start: int, key: bytes) -> bool:
        txn = self.facts.by_start[start]
        return self.facts.happened(txn) and key in txn.wrote

    def _follows(self, edge: list[Any], key: bytes, one: int, other: int) -> bool:
        """Whether an edge would hold if the version of `one` came before that of `other`."""
        source, target, kind, name = edge[:4]
        if json_of(name) != key or target != other or source == target:
            return False
        if kind == "ww":
            return bool(source == one)
        reader, maker = self.facts.by_start[source], self.facts.by_start[one]
        return kind == "rw" and any(self._maker(key, found) is maker for found in reader.found(key))

    # ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def edge(self, edge: list[Any], decided: Decided) -> bool:
        """Whether the first transaction of an edge must precede the second."""
        first, then, kind, name = edge[:4]
        one, other = self.facts.by_start[first], self.facts.by_start[then]
        if one is other or not (self.facts.happened(one) and self.facts.happened(other)):
            return False
        key = json_of(name)
        if kind == "rt":
            return self.facts.real_time and one.end < then
        if kind == "so":
            return one.session == other.session and one.kind == "ok" and one.end < then
        if kind == "wr":
            return any(self._maker(key, found) is one for found in other.found(key))
        if key not in other.wrote and kind != "cm":
            return False
        if kind == "ww":
            return key in one.wrote and self._before(one, other, key, decided)
        if kind == "rw":
            return any(self._unseen(found, other, key, decided) for found in one.found(key))
        return kind == "cm" and key in one.wrote and self._forced(edge, key)

    def _before(self, one: Txn, other: Txn, key: bytes, decided: Decided) -> bool:
        if (key, one.start, other.start) in decided:
            return True
        if key not in self.facts.lists:
            return self.strength > 0 and any(self._maker(key, found) is one for found in other.found(key))
        self._alone(one, key)
        self._alone(other, key)
        if self.strength > 3 and any(set(other.wrote[key]).difference(found) for found in one.found(key)):
            return True  # it changed what it had read, without what the other left, so the other came later
        for shown in self.facts.lists_of(key) if self.strength > 0 else [self.facts.agreed(key)]:
            for a in one.wrote[key]:
                if a in shown and any(b not in shown or shown.index(a) < shown.index(b) for b in other.wrote[key]):
                    return True
        return False

    def _alone(self, txn: Txn, key: bytes) -> None:
        seen = (value for value in txn.wrote[key] if (key, value) in self.facts.seen)
        if any(len(self.facts.makers[key, value]) > 1 for value in seen):
            raise ValueError("an element has several writers")

    def _unseen(self, found: Found, other: Txn, key: bytes, decided: Decided) -> bool:
        """Whether what was found is a version before the other's."""
        if isinstance(found, tuple):
            self._alone(other, key)
            return any(value not in found for value in other.wrote[key])
        maker = self._maker(key, found)
        if maker is None:
            return True
        if maker is other or not isinstance(maker, Txn):
            return False
        read = any(self._maker(key, before) is maker for before in other.found(key))
        return read or (key, maker.start, other.start) in decided

    def _forced(self, edge: list[Any], key: bytes) -> bool:
        seen, maker, _, _, reader, way = edge
        found_by = self.facts.by_start[reader]
        if reader in (seen, maker) or not way or way[0][0] != seen or way[-1][1] != reader:
            return False
        one = self.facts.by_start[maker]
        made = any(self._maker(key, found) is one for found in found_by.found(key))
        return made and self._sees(seen, reader, key, maker, way)

    def _sees(self, seen: int, reader: int, key: bytes, maker: int | None, way: list[Any]) -> bool:
        """Whether the level lets a reader see a transaction, by this way, when it reads a key from a maker."""
        if not way or way[0][0] != seen or way[-1][1] != reader:
            return False
        if any(edge[2] not in ("wr", "so") or not self.edge(edge, frozenset()) for edge in way):
            return False
        if any(a[1] != b[0] for a, b in pairwise(way)):
            return False
        txn = self.facts.by_start[reader]
        reads = [
            number
            for number, of, found in txn.finds
            if of == key and self._maker(key, found) is (None if maker is None else self.facts.by_start[maker])
        ]
        if not reads or self.strength == 0:
            return False
        if self.strength == 1:
            source = self.facts.by_start[seen]
            earlier = any(n < reads[-1] and self._made_by(of, found, source) for n, of, found in txn.finds)
            return len(way) == 1 and way[0][2] == "wr" and earlier
        return self.strength == 3 or len(way) == 1

    def _made_by(self, key: bytes, found: Found, txn: Txn) -> bool:
        return self._maker(key, found) is txn

    def _maker(self, key: bytes, found: Found) -> Txn | str | None:
        """Who left what was found; None for the initial state, a word where that is not one transaction."""
        try:
            return self.facts.maker(key, found)
        except ValueError:
            return "nobody"
