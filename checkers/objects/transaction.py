"""One transaction, as its micro-operations tell it, and all of a history.

txn.changes          what it appends or writes, in order
txn.base(key)        the list that it found in a key, without what it had appended itself before
txn.found(key)       the value that it found in a key that is written
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.objects.calls import Call, calls_of
from checkers.sessions.accesses import token_of
from harness.history import History
from harness.op import Version

Step = tuple[str, Any, Any]
"""("r", "append" or "w"; key; what was read, appended or written)."""


@dataclass(eq=False)
class Transaction:
    """One transaction.

    Attributes:
        steps: with what was read filled in, where it is known.
        bases: by key token, (key, list that it found); found: by key token, (key, other value that it found).
        contradicts_itself: a key of which it does not see what it did or saw itself; None if there is none.
    """

    call: Call
    steps: Sequence[Step]
    version: Version | None
    bases: dict[Hashable, tuple[Any, list[Any]]] = field(default_factory=dict)
    values: dict[Hashable, tuple[Any, Any]] = field(default_factory=dict)
    contradicts_itself: Any = None

    def __post_init__(self) -> None:
        self.invoke, self.response, self.process = self.call.invoke, self.call.response, self.call.process
        self.ok, self.failed = self.call.ok, not (self.call.ok or self.call.doubtful)
        self.changes = [step for step in self.steps if step[0] != "r"]
        self.change_tokens = [(token_of(key), token_of(value)) for _, key, value in self.changes]
        if self.ok:
            self._look()

    def _look(self) -> None:
        """Walk through the steps and tell apart what it found from what it did."""
        own: dict[Hashable, list[Any]] = {}
        left: dict[Hashable, Any] = {}
        for f, key, value in self.steps:
            token = token_of(key)
            if f == "append":
                own.setdefault(token, []).append(value)
            elif f == "w":
                left[token] = value
            elif token in left or not isinstance(value, list | tuple | None):
                self._look_at_value(token, key, value, left)
            else:
                self._look_at_list(token, key, list(value or ()), own.get(token, []))

        for token, (key, base) in self.bases.items():
            if {token_of(element) for element in own.get(token, ())} & {token_of(element) for element in base}:
                self.contradicts_itself = key

    def _look_at_value(self, token: Hashable, key: Any, value: Any, left: dict[Hashable, Any]) -> None:
        if token_of(left.setdefault(token, value)) != token_of(value) or token in self.bases:
            self.contradicts_itself = key
        elif token not in self.values and not self._wrote(token):
            self.values[token] = (key, value)

    def _wrote(self, token: Hashable) -> bool:
        return any(token == other for other, _ in self.change_tokens)

    def _look_at_list(self, token: Hashable, key: Any, shown: list[Any], own: list[Any]) -> None:
        base = shown[: len(shown) - len(own)] if len(own) <= len(shown) else shown
        _, before = self.bases.setdefault(token, (key, base))
        if [token_of(element) for element in shown] != [token_of(element) for element in (*before, *own)]:
            self.contradicts_itself = key

    def lists(self) -> Iterator[tuple[Any, list[Any]]]:
        """The lists that it found, by key."""
        return iter(self.bases.values())

    def seen(self) -> Iterator[tuple[Any, Any]]:
        """(key, element or value) that it found."""
        for key, elements in self.bases.values():
            yield from ((key, element) for element in elements)
        yield from ((key, value) for key, value in self.values.values() if value is not None)

    def seen_twice(self) -> Iterator[tuple[Any, Any]]:
        """(key, element) that it found twice."""
        for key, elements in self.bases.values():
            once: set[Hashable] = set()
            for element in elements:
                token = token_of(element)
                if token in once:
                    yield key, element
                once.add(token)

    def applies(self, state: dict[Hashable, Any]) -> bool:
        """Carry it out; whether it reads what it says that it read."""
        for f, key, value in self.steps:
            token = token_of(key)
            if f == "append":
                state[token] = [*(state.get(token) or []), value]
            elif f == "w":
                state[token] = value
            elif self.ok and _shown(state.get(token)) != _shown(value):
                return False
        return True


def _shown(value: Any) -> Any:
    """A value to compare; a list with nothing in it is as good as null."""
    return token_of(None if isinstance(value, list | tuple) and not value else value)


def transactions_of(history: History) -> list[Transaction]:
    """Every transaction, and every single read, append and write, in order of invocation."""
    rows, found = history.operations, []
    for row, call in enumerate(calls_of(history)):
        steps = _steps(call)
        if steps is not None:
            version = (int(rows.generation[row]), int(rows.log_index[row]))
            found.append(Transaction(call, steps, version if version[0] >= 0 else None))
    return found


def _steps(call: Call) -> list[Step] | None:
    if call.f == "txn":
        told = call.result if call.ok else call.argument
        return [(str(f), key, value) for f, key, value in told]
    if call.f == "read":
        return [("r", call.key, call.result if call.ok else None)]
    if call.f in ("append", "write"):
        return [("append" if call.f == "append" else "w", call.key, call.argument)]
    return None
