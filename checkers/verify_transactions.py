"""Re-derives the certificates of the checker of transactions from the raw events, without the checker's code.

    valid     an order of all transactions: replayed on an empty store, and compared with real time in one backward scan
    invalid   what a single transaction read, two lists that do not fit, or a cycle, each edge of which is looked up

An edge [A, B, kind, key] says that A must precede B: "rt" A was over before B began; "wr" B read what A wrote; "rw" A
read the key without what B wrote; "ww" some list shows A's element, and B's later or not yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from checkers.verify_object_facts import Did, json_of, objects
from harness.history import History
from harness.verdict import Anomaly, Verdict

_FUNCTIONS: Final = {"read": "r", "append": "append", "write": "w"}


def verify_transactions(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker != "transactions" or verdict.answer == "unknown":
        return []
    facts = Facts(history)
    try:
        if verdict.answer == "valid":
            return [f"transactions: {problem}" for problem in facts.doubt(verdict.certificate["order"])]
        wrong = [anomaly for anomaly in verdict.anomalies if not facts.stands(anomaly)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"transactions: the certificate cannot be read: {type(error).__name__}: {error}."]
    if not verdict.anomalies:
        return ["transactions: nothing is shown."]
    return [f"transactions: rule {anomaly.rule}: the events do not show it." for anomaly in wrong]


class Facts:
    """The transactions of a history, looked at without the checker's help."""

    def __init__(self, history: History) -> None:
        self.dids: dict[int, Did] = {}
        self.steps: dict[int, list[Any]] = {}
        for of in objects(history).values():
            for did in of.dids:
                if did.begin.f == "txn" or did.begin.f in _FUNCTIONS:
                    self.dids[did.start] = did
                    self.steps[did.start] = _steps(did)

    @cached_property
    def lists(self) -> dict[bytes, list[list[bytes]]]:
        """By key, every list that was read."""
        found: dict[bytes, list[list[bytes]]] = {}
        for start, did in self.dids.items():
            for f, key, value in self.steps[start] if did.kind == "ok" else ():
                if f == "r" and (value is None or isinstance(value, list | tuple)):
                    found.setdefault(json_of(key), []).append([json_of(element) for element in value or ()])
        return found

    @cached_property
    def shown(self) -> set[tuple[bytes, bytes]]:
        """Everything that was read."""
        elements = {(key, element) for key, lists in self.lists.items() for shown in lists for element in shown}
        values = {
            (json_of(key), json_of(value))
            for start, did in self.dids.items()
            for f, key, value in self.steps[start]
            if f == "r" and did.kind == "ok"
        }
        return elements | values

    @cached_property
    def makers(self) -> dict[tuple[bytes, bytes], list[int]]:
        """Who wrote what, or may have."""
        found: dict[tuple[bytes, bytes], list[int]] = {}
        for start, did in self.dids.items():
            for f, key, value in self.steps[start] if did.possible else ():
                if f != "r":
                    found.setdefault((json_of(key), json_of(value)), []).append(start)
        return found

    def happened(self, start: int) -> bool:
        """Whether a transaction certainly took place: it says so, or something that only it wrote was read."""
        alone = {change for change in self.wrote(start) if self.makers[change] == [start]}
        return self.dids[start].kind == "ok" or (self.dids[start].possible and bool(alone & self.shown))

    def wrote(self, start: int) -> list[tuple[bytes, bytes]]:
        """(key, element) that a transaction wrote."""
        possible = self.dids[start].possible
        return [(json_of(key), json_of(value)) for f, key, value in self.steps[start] if f != "r" and possible]

    def first_read(self, start: int, key: Any) -> Any:
        """What a transaction found in a key; KeyError if it did not look."""
        if self.dids[start].kind == "ok":
            for f, other, value in self.steps[start]:
                if f == "r" and json_of(other) == json_of(key):
                    return value
        raise KeyError(key)

    # ── valid ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def doubt(self, order: list[int]) -> Iterator[str]:
        """What is wrong with an order."""
        if len(set(order)) != len(order) or any(not self.dids[start].possible for start in order):
            yield "the order names a transaction twice, or one that failed."
        missing = {start for start, did in self.dids.items() if did.kind == "ok"} - set(order)
        if missing:
            yield f"the order leaves out event {min(missing)}."
        state: dict[bytes, Any] = {}
        for start in order:
            for f, key, value in self.steps[start]:
                found = state.get(json_of(key))
                if f == "append":
                    state[json_of(key)] = [*(found or []), value]
                elif f == "w":
                    state[json_of(key)] = value
                elif self.dids[start].kind == "ok" and json_of(found) != json_of(None if value == [] else value):
                    yield f"in the order, event {start} reads key {key} otherwise."
                    return
        soonest = 1 << 62
        for start in reversed(order):
            if start > soonest:
                yield f"the order puts event {start} before one that had ended when it began."
            soonest = min(soonest, self.dids[start].end)

    # ── invalid ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def stands(self, anomaly: Anomaly) -> bool:
        """Whether an anomaly follows from the events."""
        given = anomaly.certificate
        if not set(given["ops"]) >= set(anomaly.ops) or anomaly.culprit not in anomaly.ops:
            return False
        last = given["ops"][-1]
        if anomaly.rule == "txn-internal":
            return self.dids[last].kind == "ok" and self._inconsistent(last)
        if anomaly.rule == "txn-garbage":
            return self._reads(last, given) > 0 and not self.makers.get(
                (json_of(given["key"]), json_of(given["element"]))
            )
        if anomaly.rule == "txn-twice":
            makers = self.makers.get((json_of(given["key"]), json_of(given["element"])), [])
            return self._reads(last, given) > max(1, len(makers))
        if anomaly.rule == "txn-reads":
            return self._apart(given["ops"][0], given["ops"][1], given["key"])
        return anomaly.rule == "txn-cycle" and self._cycle(given["edges"])

    def _reads(self, start: int, given: dict[str, Any]) -> int:
        """How often a read of a transaction shows an element, at most."""
        if self.dids[start].kind != "ok":
            return 0
        times = [0]
        for f, key, value in self.steps[start]:
            if f == "r" and json_of(key) == json_of(given["key"]):
                shown = value if isinstance(value, list | tuple) else [value]
                times.append([json_of(element) for element in shown].count(json_of(given["element"])))
        return max(times)

    def _inconsistent(self, start: int) -> bool:
        """Whether no state of some key explains everything that the transaction read of it."""
        keys: dict[bytes, list[tuple[str, Any]]] = {}
        for f, key, value in self.steps[start]:
            keys.setdefault(json_of(key), []).append((f, [] if value is None and f == "r" else value))
        return any(map(_inconsistent, keys.values()))

    def _apart(self, one: int, other: int, key: Any) -> bool:
        """Whether two reads of a list differ before either ends, own elements aside."""
        lists = []
        for start in (one, other):
            own = {element for of, element in self.wrote(start) if of == json_of(key)}
            shown = [json_of(element) for element in self.first_read(start, key) or ()]
            lists.append([element for element in shown if element not in own])
        return any(a != b for a, b in zip(*lists, strict=False))

    def _cycle(self, edges: list[list[Any]]) -> bool:
        closed = all(edge[1] == edges[(i + 1) % len(edges)][0] for i, edge in enumerate(edges))
        return bool(edges) and closed and all(self._edge(*edge) for edge in edges)

    def _edge(self, first: int, then: int, kind: str, key: Any) -> bool:
        """Whether `first` must precede `then`."""
        if first == then or not (self.happened(first) and self.happened(then)):
            return False
        if kind == "rt":
            return self.dids[first].end < then
        before, after = ({c for c in self.wrote(start) if c[0] == json_of(key)} for start in (first, then))
        if any(len(self.makers[change]) > 1 for change in before | after):
            return False
        if kind == "wr":
            return bool(self._found(then, key) & before)
        if kind == "rw":
            return self._unread(first, key, after, then)
        return kind == "ww" and any(self._stands_before(one, other) for one in before for other in after)

    def _found(self, start: int, key: Any) -> set[tuple[bytes, bytes]]:
        value = self.first_read(start, key)
        shown = value if isinstance(value, list | tuple) else [value]
        return {(json_of(key), json_of(element)) for element in shown}

    def _unread(self, start: int, key: Any, written: set[tuple[bytes, bytes]], then: int) -> bool:
        """Whether a read shows a list without one of the elements, or nothing at all though something was written."""
        value = self.first_read(start, key)
        if value is None and written:
            return True
        appends = {(json_of(k), json_of(v)) for f, k, v in self.steps[then] if f == "append"}
        return isinstance(value, list | tuple) and bool((written & appends) - self._found(start, key))

    def _stands_before(self, one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> bool:
        """Whether a list shows the one, and the other later or not yet."""
        for shown in self.lists.get(one[0], ()):
            if one[1] in shown:
                return other[1] not in shown or shown.index(one[1]) < shown.index(other[1])
        return False


def _inconsistent(steps: list[tuple[str, Any]]) -> bool:
    """Whether no state of a key at the beginning explains what its steps read; the first read tells that state."""
    known, held, own = False, None, [value for f, value in steps if f == "append"]
    before: list[Any] = []
    for f, value in steps:
        if f == "w":
            known, held = True, value
        elif f == "append":
            before.append(value)
            held = [*held, value] if known and isinstance(held, list) else held
        elif known:
            if json_of(held) != json_of(value):
                return True
        else:
            front = value[: len(value) - len(before)] if isinstance(value, list | tuple) else []
            if before and json_of([*front, *before]) != json_of(value):
                return True
            if {json_of(element) for element in front} & {json_of(element) for element in own}:
                return True
            known, held = True, list(value) if isinstance(value, tuple) else value
    return False


def _steps(did: Did) -> list[Any]:
    if did.begin.f == "txn":
        return list(did.result if did.kind == "ok" else did.begin.value)
    value = did.result if did.begin.f == "read" else did.begin.value
    return [[_FUNCTIONS[did.begin.f], did.begin.key, value]]
