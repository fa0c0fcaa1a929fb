"""What the events of a long history say about one register, looked up in columns when it is asked for.

The same answers as `checkers.verifiers.events.Facts` gives, without an object for each of a million operations: to
re-check an anomaly takes the few operations that it names, what wrote the values that they saw, and what was open
beside them.

    keys = in_columns(history)     None: it is not a history that this can be told of; see `orders`
    keys[token(key)].get(4711)     Fact, or None

It shares no code with the checkers, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.events import ENDLESS, Fact, Facts, token
from checkers.verifiers.orders import NOTHING, code_of, meaning, plain
from harness.history import History
from harness.history.values import Values

Numbers = NDArray[np.int64]


def in_columns(history: History) -> Mapping[bytes, Facts] | None:
    """See the module docstring."""
    values = history.operations.values
    if not plain(history) or not isinstance(values, Values):
        return None
    sees, makes, sound = meaning(history.operations, values)
    return _Keys(history, sees, makes) if sound else None


class _Keys(Mapping[bytes, Facts]):
    """The registers of a history, each made when it is asked for."""

    def __init__(self, history: History, sees: Numbers, makes: Numbers) -> None:
        self.history, self.sees, self.makes = history, sees, makes
        operations = history.operations
        self.codes = {token(operations.keys[code]): code for code in np.unique(operations.key).tolist()}
        self.made: dict[bytes, Facts] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.codes)

    def __getitem__(self, key: bytes) -> Facts:
        if key not in self.made:
            self.made[key] = self._facts(self.codes[key])
        return self.made[key]

    def _facts(self, code: int) -> Facts:
        operations = self.history.operations
        says = (self.sees != NOTHING) | (self.makes != NOTHING)
        rows = np.flatnonzero((operations.key == code) & says)
        columns = (operations.invoke[rows], np.minimum(operations.response[rows], ENDLESS))
        return _Columns(self.history, operations.keys[code], columns, self.sees[rows], self.makes[rows])


class _Columns(Facts):
    """One register. Values are codes inside, and their JSON outside."""

    def __init__(
        self, history: History, key: Any, ends: tuple[Numbers, Numbers], sees: Numbers, makes: Numbers
    ) -> None:
        start = history.header.initial
        super().__init__(key, token(start))
        self.values = history.operations.values
        assert isinstance(self.values, Values)
        first = code_of(self.values, start)
        self.tokens, self.codes = {first: self.initial}, {self.initial: first}
        self.begin, self.over = ends
        self.sees, self.makes = sees, makes

    def __len__(self) -> int:
        return len(self.begin)

    def get(self, start: int) -> Fact | None:
        """As in `Facts`."""
        row = int(np.searchsorted(self.begin, start))
        return self._fact(row) if row < len(self) and int(self.begin[row]) == start else None

    def writing(self, value: bytes | None) -> Sequence[Fact]:
        """As in `Facts`; of a value that one of its facts has."""
        code = NOTHING if value is None else self.codes.get(value, NOTHING)
        return () if code == NOTHING else [self._fact(row) for row in self._rows(self._by_made, code)]

    def sure(self, fact: Fact) -> bool:
        """As in `Facts`: it is certain, or something that happened saw what nothing else can have written."""
        todo, known = [fact], {fact.start}
        while todo:
            one = todo.pop()
            if one.certain:
                return True
            if one.writes is None or one.writes == self.initial or len(self.writing(one.writes)) > 1:
                continue
            for row in self._rows(self._by_seen, self.codes[one.writes]):
                if int(self.begin[row]) not in known:
                    known.add(int(self.begin[row]))
                    todo.append(self._fact(row))
        return False

    def writes(self, after: int, before: int) -> list[Fact]:
        """As in `Facts`."""
        rows = np.flatnonzero((self.makes != NOTHING) & (self.begin < before) & (self.over > after))
        return [self._fact(row) for row in rows.tolist()]

    def newest_writes(self, moment: int) -> list[Fact]:
        """As in `Facts`."""
        over = np.flatnonzero((self.makes != NOTHING) & (self.over < moment))
        others = over[self.makes[over] != self.makes[over[-1]]] if len(over) else over
        return [self._fact(int(rows[-1])) for rows in (over, others) if len(rows)]

    @cached_property
    def _by_made(self) -> tuple[Numbers, Numbers]:
        return _sorted(self.makes)

    @cached_property
    def _by_seen(self) -> tuple[Numbers, Numbers]:
        return _sorted(self.sees)

    def _rows(self, by: tuple[Numbers, Numbers], code: int) -> list[int]:
        """The rows that have a value in a column."""
        rows, codes = by
        first, last = np.searchsorted(codes, [code, code + 1])
        found: list[int] = rows[first:last].tolist()
        return found

    def _fact(self, row: int) -> Fact:
        return Fact(
            int(self.begin[row]),
            int(self.over[row]),
            sees=self._token(int(self.sees[row])),
            writes=self._token(int(self.makes[row])),
        )

    def _token(self, code: int) -> bytes | None:
        if code == NOTHING:
            return None
        if code not in self.tokens:
            self.tokens[code] = token(self.values[code])
            self.codes[self.tokens[code]] = code
        return self.tokens[code]


def _sorted(codes: Numbers) -> tuple[Numbers, Numbers]:
    """The rows by value, and the values."""
    rows = np.argsort(codes, kind="stable")
    return rows, codes[rows]
