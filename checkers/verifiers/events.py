"""What the events of a history say about each key, read off them directly: the ground that `checkers.verify` stands on.

It shares no code with the checkers, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from harness.history import History, Operations
from harness.op import NEMESIS, Op, canonical

ENDLESS: Final = 1 << 62
"""The end of what may still happen."""


def token(value: Any) -> bytes:
    """Equal for equal JSON values; 1, 1.0 and true differ."""
    return canonical(value)


@dataclass(frozen=True, eq=False)
class Fact:
    """One operation that happened or may have.

    Attributes:
        start: index of its invocation; end: of its completion, ENDLESS if it may still happen.
        sees: the value that it needs to find; refuses: the value that it needs not to find; writes: what it leaves.
        impossible: it claims to have seen what cannot be.
    """

    start: int
    end: int
    sees: bytes | None = None
    refuses: bytes | None = None
    writes: bytes | None = None
    impossible: bool = False

    @property
    def certain(self) -> bool:
        """Whether its completion says that it happened."""
        return self.end != ENDLESS

    @property
    def changes(self) -> bool:
        """Whether it is a compare-and-set that took effect."""
        return self.sees is not None and self.writes is not None

    def allowed(self, state: bytes) -> bool:
        """Whether it can happen in a state."""
        return not self.impossible and (self.sees is None or self.sees == state) and self.refuses != state

    def __str__(self) -> str:
        says = [
            f"sees {self.sees.decode()}" if self.sees is not None else "",
            f"refuses {self.refuses.decode()}" if self.refuses is not None else "",
            f"writes {self.writes.decode()}" if self.writes is not None else "",
        ]
        return f"event {self.start} ({', '.join(said for said in says if said) or 'impossible'})"


@dataclass
class Facts:
    """Everything about one key; `by_index` is in order of invocation."""

    key: Any
    initial: bytes
    by_index: dict[int, Fact] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_index)

    def get(self, start: int) -> Fact | None:
        """What began with an event; None if that is nothing that happened or may have."""
        return self.by_index.get(start)

    def writing(self, value: bytes | None) -> Sequence[Fact]:
        """What wrote a value or may have."""
        return () if value is None else self.writers.get(value, ())

    def sure(self, fact: Fact) -> bool:
        """Whether it certainly happened."""
        return fact.start in self.happened

    def writes(self, after: int, before: int) -> Iterable[Fact]:
        """Writes and changes that began before an event and were not over by another, by invocation."""
        return (f for f in self.by_index.values() if f.writes is not None and f.start < before and f.end > after)

    def newest_writes(self, moment: int) -> list[Fact]:
        """Of what was written before an event, the latest begun; and the latest begun of any other value."""
        found: list[Fact] = []
        for fact in reversed(self.by_index.values()):
            over = fact.writes is not None and fact.end < moment
            if over and fact.writes not in [other.writes for other in found]:
                found.append(fact)
                if len(found) == 2:
                    break
        return found

    @cached_property
    def writers(self) -> dict[bytes, list[Fact]]:
        """Value → what wrote it or may have."""
        found: dict[bytes, list[Fact]] = {}
        for fact in self.by_index.values():
            if fact.writes is not None:
                found.setdefault(fact.writes, []).append(fact)
        return found

    @cached_property
    def happened(self) -> set[int]:
        """What certainly happened: by its completion, or because only it can have written what was seen."""
        sure = {start for start, fact in self.by_index.items() if fact.certain}
        todo = list(sure)
        while todo:
            value = self.by_index[todo.pop()].sees
            writers = self.writers.get(value, []) if value is not None and value != self.initial else []
            if len(writers) == 1 and writers[0].start not in sure:
                sure.add(writers[0].start)
                todo.append(writers[0].start)
        return sure


def paired(history: History) -> list[tuple[Op, Op | None]]:
    """Every client operation in order of invocation, with the event that ended it."""
    running: dict[int | str, Op] = {}
    ended: dict[int, Op] = {}
    asked: list[Op] = []
    for op in history.events:
        if op.process != NEMESIS and op.type == "invoke":
            running[op.process] = op
            asked.append(op)
        elif op.process in running:
            ended[running.pop(op.process).index] = op
    return [(op, ended.get(op.index)) for op in asked]


def row_of(columns: Operations, index: Any) -> int:
    """Where an operation is in the columns.

    Raises:
        KeyError: no operation begins with the event of that index.
    """
    row = int(np.searchsorted(columns.invoke, index)) if type(index) is int else len(columns)
    if row >= len(columns) or int(columns.invoke[row]) != index:
        raise KeyError(index)
    return row


def facts_by_key(history: History) -> dict[bytes, Facts]:
    """Every key that client operations name."""
    keys: dict[bytes, Facts] = {}
    for asked, answer in paired(history):
        free = token("free" if asked.f in ("acquire", "release") else history.header.initial)
        facts = keys.setdefault(token(asked.key), Facts(asked.key, free))
        fact = _fact(asked, answer, history.header.fail_cas)
        if fact is not None:
            facts.by_index[asked.index] = fact
    return keys


def _fact(asked: Op, answer: Op | None, fail_cas: str) -> Fact | None:
    """What an operation says; None if that is nothing."""
    kind = "info" if answer is None else answer.type
    start, end = asked.index, ENDLESS if answer is None or kind == "info" else answer.index
    if asked.f == "read":
        return Fact(start, end, sees=token(answer.value)) if answer is not None and kind == "ok" else None
    if kind == "fail":
        return _refusal(asked, answer, fail_cas) if asked.f == "cas" and answer is not None else None
    if asked.f == "write":
        return Fact(start, end, writes=token(asked.value))
    if asked.f == "acquire":
        return Fact(start, end, sees=token("free"), writes=token("held"))
    if asked.f == "release":
        return Fact(start, end, sees=token("held"), writes=token("free"))
    return Fact(start, end, sees=token(asked.value[0]), writes=token(asked.value[1]))


def _refusal(asked: Op, answer: Op, fail_cas: str) -> Fact | None:
    """What a compare-and-set that failed says."""
    if fail_cas == "drop" or (answer.error is not None and not answer.error.startswith("mismatch")):
        return None
    old = token(asked.value[0])
    if fail_cas == "returned" and isinstance(answer.value, list | tuple) and len(answer.value) == 3:
        current = token(answer.value[2])
        return Fact(asked.index, answer.index, sees=current, impossible=current == old)
    return Fact(asked.index, answer.index, refuses=old)
