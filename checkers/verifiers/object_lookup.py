"""What the events of a long history say about each object, looked up in columns when it is asked for.

The same answers as `checkers.verifiers.object_facts.Object` gives, without an object for each of many operations: to
re-check an anomaly takes the operations that it names, and what was done with a few values.

    found = looked_up(history)              None: it is not a history that this can be told of
    found[json_of(key)].arguments("add")[json_of(7)]

It shares no code with the checkers, on purpose.
Limits: numbers, words, true, false and null. What failed says why in its event, which is read for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.events import row_of
from checkers.verifiers.object_facts import Did, Object, json_of
from harness.history import History, Operations
from harness.history.operations import FAIL
from harness.op import Op

Rows = NDArray[np.intp]
_PLAIN: Final = {int, str, bool, type(None)}
_KINDS: Final = ("ok", "fail", "info")


def looked_up(history: History) -> Mapping[bytes, Object] | None:
    """See the module docstring."""
    o = history.operations
    return _Objects(history) if set(map(type, o.keys)) | set(map(type, o.values)) <= _PLAIN else None


class _Numbered:
    """The code of each value, by its JSON."""

    def __init__(self, columns: Operations) -> None:
        self.columns = columns

    @cached_property
    def codes(self) -> dict[bytes, int]:
        return {json_of(value): code for code, value in enumerate(self.columns.values)}


class _Objects(Mapping[bytes, Object]):
    """Every key of a history."""

    def __init__(self, history: History) -> None:
        o = history.operations
        self.initial, self.columns = history.header.initial, o
        self.codes = {json_of(o.keys[code]): code for code in np.unique(o.key).tolist()}
        self.numbered = _Numbered(o)
        self.made: dict[bytes, _Object] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.codes)

    def __getitem__(self, key: bytes) -> Object:
        if key not in self.made:
            rows, name = np.flatnonzero(self.columns.key == self.codes[key]), self.columns.keys[self.codes[key]]
            self.made[key] = _Object(name, self.initial, _Dids(self.columns, rows, self.numbered))
        return self.made[key]


class _Dids(Mapping[int, Did]):
    """The operations of one key by their invocations, made when they are asked for, and then always the same."""

    def __init__(self, columns: Operations, rows: Rows, numbered: _Numbered) -> None:
        self.columns, self.rows, self.numbered = columns, rows, numbered
        self.made: dict[int, Did] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self.columns.invoke[self.rows].tolist())

    def __getitem__(self, index: int) -> Did:
        row = row_of(self.columns, index)
        at = int(np.searchsorted(self.rows, row))
        if at >= len(self.rows) or int(self.rows[at]) != row:
            raise KeyError(index)
        return self.of([row])[0]

    def of(self, rows: Iterable[int]) -> list[Did]:
        """The operations of some rows."""
        made, new = self.made, self._new
        return [made[row] if row in made else made.setdefault(row, new(row)) for row in rows]

    def _new(self, row: int) -> Did:
        o = self.columns
        begin = Op(
            int(o.invoke[row]),
            process=o.names[o.process[row]],
            f=o.fs[o.f[row]],
            key=o.keys[o.key[row]],
            value=o.values[o.argument[row]],
        )
        end, kind = int(o.completion[row]), int(o.status[row])
        if end < 0:
            return Did(begin, None)
        if kind == FAIL:
            return Did(begin, o.events[end])
        return Did(begin, Op(end, process=begin.process, type=_KINDS[kind], value=o.values[o.result[row]]))


class _Object(Object):
    """One object; what it does not say anew is as in `Object`."""

    by_start: _Dids

    @cached_property
    def dids(self) -> list[Did]:
        """As in `Object`."""
        return self.by_start.of(self.by_start.rows.tolist())

    def arguments(self, f: str) -> Mapping[bytes, list[Did]]:
        """As in `Object`."""
        return self._having(f, ("ok", "info"), "argument")

    def results(self, f: str) -> Mapping[bytes, list[Did]]:
        """As in `Object`."""
        return self._having(f, ("ok",), "result")

    def all(self, f: str, *kinds: str) -> list[Did]:
        """As in `Object`."""
        if (f, kinds) not in self._ended:
            self._ended[f, kinds] = self.by_start.of(self._rows(f, kinds).tolist())
        return self._ended[f, kinds]

    def _rows(self, f: str, kinds: tuple[str, ...]) -> Rows:
        o, rows = self.by_start.columns, self.by_start.rows
        ours = np.array([name == f for name in o.fs])[o.f[rows]]
        found: Rows = rows[ours & np.array([kind in kinds for kind in _KINDS])[o.status[rows]]]
        return found

    def _having(self, f: str, kinds: tuple[str, ...], column: str) -> Mapping[bytes, list[Did]]:
        if (f, column) not in self._by_value:
            self._by_value[f, column] = _ByValue(self.by_start, self._rows(f, kinds), column)
        return self._by_value[f, column]

    @cached_property
    def _by_value(self) -> dict[tuple[str, str], _ByValue]:
        return {}


class _ByValue(Mapping[bytes, list[Did]]):
    """Operations by what they were given, or told."""

    def __init__(self, dids: _Dids, rows: Rows, column: str) -> None:
        codes: Any = getattr(dids.columns, column)[rows]
        order = np.argsort(codes, kind="stable")
        self.dids, self.rows, self.codes = dids, rows[order], codes[order]

    def __len__(self) -> int:
        return len(np.unique(self.codes))

    def __iter__(self) -> Iterator[bytes]:
        return (json_of(self.dids.columns.values[code]) for code in np.unique(self.codes).tolist())

    def __getitem__(self, value: bytes) -> list[Did]:
        code = self.dids.numbered.codes[value]
        first, last = np.searchsorted(self.codes, [code, code + 1])
        if first == last:
            raise KeyError(value)
        return self.dids.of(self.rows[first:last].tolist())
