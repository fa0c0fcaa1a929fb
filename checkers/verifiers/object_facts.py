"""What the events of a history say about each object, read off them directly: the ground of `objects`.

It shares no code with the checkers, on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from checkers.verifiers.events import paired
from harness.history import History
from harness.op import Op, canonical

ENDLESS: Final = 1 << 62
"""The end of what may still happen."""
REFUSALS: Final = ("held", "not-holder")
"""Errors that say what a lock was like."""


def json_of(value: Any) -> bytes:
    """Equal for equal JSON values."""
    return canonical(value)


@dataclass(frozen=True, eq=False)
class Did:
    """An operation as its two raw events tell it."""

    begin: Op
    answer: Op | None

    @property
    def start(self) -> int:
        """Index of its invocation, by which it is named."""
        return self.begin.index

    @property
    def kind(self) -> str:
        """ok, fail or info; what never ended is info."""
        return "info" if self.answer is None else self.answer.type

    @property
    def end(self) -> int:
        """When it was over; never when in doubt."""
        return self.answer.index if self.answer is not None and self.answer.type != "info" else ENDLESS

    @property
    def result(self) -> Any:
        """What it was told."""
        return self.answer.value if self.answer is not None else None

    @property
    def possible(self) -> bool:
        """Whether it happened or may have."""
        return self.kind != "fail"

    def refused(self, word: str) -> bool:
        """Whether it failed with that word."""
        return self.kind == "fail" and self.answer is not None and (self.answer.error or "").split(":")[0] == word

    def shows(self) -> bool:
        """Whether it must be in an order of everything that was seen."""
        return self.kind == "ok" or any(map(self.refused, REFUSALS))


@dataclass(frozen=True)
class Object:
    """All operations of one key."""

    key: Any
    initial: Any
    by_start: Mapping[int, Did]
    indexed: dict[str, dict[bytes, list[Did]]] = field(default_factory=dict)
    _ended: dict[tuple[str, tuple[str, ...]], list[Did]] = field(default_factory=dict)

    @cached_property
    def by_ones(self) -> bool:
        """Whether every increment that happened or may have is of one."""
        return all(did.begin.value == 1 for did in self.all("increment", "ok", "info"))

    @cached_property
    def dids(self) -> list[Did]:
        """In order of invocation."""
        return list(self.by_start.values())

    def named(self, indices: Sequence[int]) -> list[Did]:
        """The operations that a certificate names."""
        return [self.by_start[index] for index in indices]

    def arguments(self, f: str) -> Mapping[bytes, list[Did]]:
        """Those of one function that happened or may have, by what they were given."""
        if f not in self.indexed:
            found = self.indexed[f] = {}
            for did in self.all(f, "ok", "info"):
                found.setdefault(json_of(did.begin.value), []).append(did)
        return self.indexed[f]

    def results(self, f: str) -> Mapping[bytes, list[Did]]:
        """Those of one function that happened, by what they were told."""
        if f"{f} results" not in self.indexed:
            found = self.indexed[f"{f} results"] = {}
            for did in self.all(f, "ok"):
                found.setdefault(json_of(did.result), []).append(did)
        return self.indexed[f"{f} results"]

    def all(self, f: str, *kinds: str) -> list[Did]:
        """Those of one function that ended so."""
        if (f, kinds) not in self._ended:
            self._ended[f, kinds] = [did for did in self.dids if did.begin.f == f and did.kind in kinds]
        return self._ended[f, kinds]


def objects(history: History) -> dict[bytes, Object]:
    """Every key of the history."""
    found: dict[bytes, tuple[Any, dict[int, Did]]] = {}
    for begin, end in paired(history):
        _, by_start = found.setdefault(json_of(begin.key), (begin.key, {}))
        by_start[begin.index] = Did(begin, end)
    return {key: Object(name, history.header.initial, by_start) for key, (name, by_start) in found.items()}


def nothing(did: Did) -> bool:
    """Whether it found a queue or stack empty: it returned null, or failed with "empty"."""
    return did.refused("empty") or (did.kind == "ok" and did.result is None)


def enqueues(of: Object, element: Any) -> list[Did]:
    """What put this element into a queue, or may have."""
    return of.arguments("enqueue").get(json_of(element), [])


def elements_of(did: Did) -> list[bytes]:
    """What a read shows."""
    return [json_of(element) for element in did.result or ()]


def number_of(of: Object, did: Did) -> int:
    """The number that an operation on a counter shows."""
    found = did.result if did.result is not None else (of.initial or 0)
    if not isinstance(found, int):
        raise ValueError(f"event {did.start} shows no number")
    return found
