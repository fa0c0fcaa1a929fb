"""Transactions as their raw events tell them: the ground that `transactions` stands on.

It shares no code with the checkers, on purpose, and does everything in the plainest way. Values and keys are JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

from checkers.verifiers.events import paired
from harness.history import History
from harness.op import canonical

ENDLESS: Final = 1 << 62
SINGLE: Final = {"read": "r", "append": "append", "write": "w"}
Found = tuple[bytes, ...] | bytes
"""What a key held: the elements of a list, or a value."""


def json_of(value: Any) -> bytes:
    """Equal for equal JSON values."""
    return canonical(value)


NULL: Final = json_of(None)


@dataclass(eq=False)
class Txn:
    """One transaction.

    Attributes:
        start, end: indices of its events; end is ENDLESS in doubt. session: to whom it belongs.
        kind: ok, fail or info. steps: [function, key, value], with what was read where it is ok.
        finds: (step, key, what it found there before anything it did itself).
        wrote: by key, what it wrote, in order. torn: a key of which it did not see what it had done itself.
    """

    start: int
    end: int
    kind: str
    session: Any
    steps: list[Any]
    appends: set[bytes] = field(default_factory=set)
    finds: list[tuple[int, bytes, Found]] = field(default_factory=list)
    wrote: dict[bytes, list[bytes]] = field(default_factory=dict)
    torn: set[bytes] = field(default_factory=set)

    def look(self, lists: set[bytes]) -> None:
        """Tell apart what it found and what it did."""
        for number, (f, name, value) in enumerate(self.steps):
            key = json_of(name)
            own = self.wrote.get(key, [])
            if f != "r":
                self.wrote.setdefault(key, []).append(json_of(value))
            elif self.kind == "ok" and key in lists:
                self._look_at_list(number, key, value, own)
            elif self.kind == "ok" and own:
                if own[-1] != json_of(value):
                    self.torn.add(key)
            elif self.kind == "ok":
                self.finds.append((number, key, json_of(value)))

    def _look_at_list(self, number: int, key: bytes, value: Any, own: list[bytes]) -> None:
        if not isinstance(value, list | tuple | None):
            self.finds.append((number, key, json_of(value)))
            return
        shown = [json_of(element) for element in value or ()]
        base, tail = shown[: len(shown) - len(own)], shown[len(shown) - len(own) :]
        if len(shown) < len(own) or tail != own:
            self.torn.add(key)
        else:
            self.finds.append((number, key, tuple(base)))

    def found(self, key: bytes) -> list[Found]:
        """What it found in a key, each time."""
        return [found for _, of, found in self.finds if of == key]

    def shown(self, key: bytes) -> Iterator[list[bytes]]:
        """The lists that it read of a key, with what it had done itself."""
        for f, name, value in self.steps if self.kind == "ok" else ():
            if f == "r" and json_of(name) == key and isinstance(value, list | tuple):
                yield [json_of(element) for element in value]


class Facts:
    """All transactions of a history.

    Attributes:
        by_start: by the index of the invocation. lists: keys that hold lists.
        makers: (key, value) → who wrote it or may have; failed: the same of those that failed.
    """

    def __init__(self, history: History) -> None:
        self.initial = json_of(history.header.initial)
        self.real_time = history.header.order != "session"
        self.by_start: dict[int, Txn] = {}
        for asked, answer in paired(history):
            if asked.f != "txn" and asked.f not in SINGLE:
                continue
            kind = "info" if answer is None else answer.type
            end = ENDLESS if answer is None or kind == "info" else answer.index
            told = answer.value if answer is not None and kind == "ok" else asked.value
            if asked.f != "txn":
                told = [[SINGLE[asked.f], asked.key, told]]
            steps = [[*step, None][:3] for step in told]
            session = asked.process if asked.session is None else asked.session
            self.by_start[asked.index] = Txn(asked.index, end, kind, session, steps)
        everything = [(txn, step) for txn in self.by_start.values() for step in txn.steps]
        written = {json_of(step[1]) for _, step in everything if step[0] == "w"}
        self.lists = {json_of(s[1]) for _, s in everything if s[0] == "append"} | {
            json_of(s[1]) for t, s in everything if s[0] == "r" and t.kind == "ok" and isinstance(s[2], list | tuple)
        } - written
        for txn in self.by_start.values():
            txn.look(self.lists)
        self.makers: dict[tuple[bytes, bytes], list[Txn]] = {}
        self.failed: dict[tuple[bytes, bytes], list[Txn]] = {}
        for txn in self.by_start.values():
            table = self.failed if txn.kind == "fail" else self.makers
            for key, values in txn.wrote.items():
                for value in dict.fromkeys(values):
                    table.setdefault((key, value), []).append(txn)
        self.seen = {
            (key, value)
            for txn in self.by_start.values()
            for _, key, found in txn.finds
            for value in (found if isinstance(found, tuple) else (found,))
        }

    def happened(self, txn: Txn) -> bool:
        """It says so, or something that only it can have written was read."""
        if txn.kind == "ok":
            return True
        changes = [(key, value) for key, values in txn.wrote.items() for value in values]
        return txn.kind == "info" and any(c in self.seen and self.makers[c] == [txn] for c in changes)

    def maker(self, key: bytes, found: Found) -> Txn | None:
        """Who left what was found; None for the initial state.

        Raises:
            ValueError: nobody, or several may have.
        """
        if isinstance(found, tuple):
            if not found:
                return None
            found = found[-1]
        elif found == self.initial and (key, found) not in self.makers:
            return None
        makers = self.makers.get((key, found), [])
        if len(makers) != 1:
            raise ValueError("what was read has no one writer")
        return makers[0]

    def lists_of(self, key: bytes) -> list[tuple[bytes, ...]]:
        """Every list that was found in a key."""
        return [found for t in self.by_start.values() for found in t.found(key) if isinstance(found, tuple)]

    def agreed(self, key: bytes) -> list[bytes]:
        """What all the longest lists of a key begin with, without what was undone."""
        shown = self.lists_of(key)
        longest = max(map(len, shown), default=0)
        lasting = [
            list(dict.fromkeys(v for v in found if any(map(self.happened, self.makers.get((key, v), ())))))
            for found in set(shown)
            if len(found) == longest
        ]
        together = zip(*lasting, strict=False)
        return [values[0] for values in takewhile(lambda values: len(set(values)) == 1, together)]
