"""What the events of a long history say about the few operations of an anomaly, looked up when it is asked for.

The same answers as `checkers.verifiers.visible.Traced` gives, without an object for each of a million operations: to
re-check an anomaly takes the operations that it names, and what wrote the values that they saw.

    looked_up(history)             None: it is not a history that this can be told of; see `session_columns`
    looked_up(history).source(did)

It shares no code with the checkers, on purpose.
Limits: why versions contradict each other is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from checkers.verifiers.accesses import INFINITE, Did, did_of, json_of, kept
from checkers.verifiers.believed import believed_keys
from checkers.verifiers.events import row_of
from checkers.verifiers.session_columns import Numbers, columns_of, plain
from checkers.verifiers.visible import Traced
from harness.history import History
from harness.history.operations import FAIL
from harness.op import Op, Version

_TYPES = ("ok", "fail", "info")


class _Operations(Mapping[int, Did]):
    """Every operation by the index of its invocation, made when it is asked for, and then always the same."""

    def __init__(self, history: History) -> None:
        self.header, self.columns = history.header, history.operations
        self.made: dict[int, Did] = {}

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[int]:
        return iter(self.columns.invoke.tolist())

    def __getitem__(self, index: int) -> Did:
        row = row_of(self.columns, index)
        if row not in self.made:
            self.made[row] = did_of(*self._events(row), self.header)
        return self.made[row]

    def _events(self, row: int) -> tuple[Op, Op | None]:
        o = self.columns
        begin = Op(
            int(o.invoke[row]),
            process=o.names[o.process[row]],
            f=o.fs[o.f[row]],
            key=o.keys[o.key[row]],
            value=o.values[o.argument[row]],
            session=o.names[o.session[row]],
        )
        end, version = int(o.completion[row]), (int(o.generation[row]), int(o.log_index[row]))
        if end < 0:
            return begin, None
        told: Any = _TYPES[o.status[row]]
        value = o.values[o.result[row]]
        return begin, msgspec.structs.replace(
            begin, index=end, type=told, value=value, version=version if version[0] >= 0 else None
        )


class Looked(Traced):
    """See the module docstring; what it does not say anew is as in `Traced`."""

    operations: _Operations

    def __init__(self, history: History) -> None:
        self.initial = json_of(history.header.initial)
        self.operations = _Operations(history)
        self.believed = _Believed(history)
        self._traced: dict[int, Did | None] = {}
        o = history.operations
        self._reads, self._may = columns_of(o)
        self._columns = o

    def contradiction(self, did: Did) -> str:
        """As in `Traced`."""
        return "" if self.believed[did.key] else "the versions contradict each other, or are missing."

    def writers(self, did: Did, value: bytes) -> list[Did]:
        """As in `Traced`, of what the operation read."""
        if value != did.read:
            raise ValueError("only the writers of what was read are known.")
        return self._having(self._by_argument, did, self._columns.result)

    def failed(self, read: Did) -> bool:
        """As in `Traced`."""
        o, row = self._columns, row_of(self._columns, read.begin.index)
        same = (o.status == FAIL) & (o.argument == o.result[row]) & (o.key == o.key[row])
        return any(o.fs[code] == "write" for code in o.f[same].tolist())

    def source(self, read: Did) -> Did | None:
        """As in `Traced`."""
        if read.read is None:
            return None
        index = read.begin.index
        if index not in self._traced:
            self._traced[index] = self._trace(read)
        return self._traced[index]

    def version(self, did: Did) -> Version | None:
        """As in `Traced`; of a write in doubt it is what the first read told that can only have read from it."""
        if did.read is not None or did.over < INFINITE:
            return None if did.version is None else (did.version[0], did.version[1])
        for read in self._having(self._by_result, did, self._columns.argument) if did.wrote is not None else ():
            if self.source(read) is did and read.version is not None:
                return (read.version[0], read.version[1])
        return None

    def _having(self, by: tuple[Numbers, Numbers], did: Did, column: Any) -> list[Did]:
        """Operations on the key of another that have its value, in order of invocation."""
        o, row = self._columns, row_of(self._columns, did.begin.index)
        rows, codes = by
        first, last = np.searchsorted(codes, [column[row], column[row] + 1])
        same = rows[first:last]
        return [self.operations[int(index)] for index in o.invoke[same[o.key[same] == o.key[row]]].tolist()]

    @cached_property
    def _by_argument(self) -> tuple[Numbers, Numbers]:
        return _sorted(self._may, self._columns.argument)

    @cached_property
    def _by_result(self) -> tuple[Numbers, Numbers]:
        return _sorted(self._reads, self._columns.result)


def _sorted(rows: Numbers, column: Any) -> tuple[Numbers, Numbers]:
    """Rows by their value, and the values."""
    codes = column[rows]
    order = np.argsort(codes, kind="stable")
    return rows[order], codes[order]


class _Believed(dict[bytes, bool]):
    """Whether the versions of a key can be believed; worked out for all when it is asked of the first."""

    def __init__(self, history: History) -> None:
        self.columns = history.operations

    def __missing__(self, key: bytes) -> bool:
        believed = believed_keys(self.columns)
        if believed is None:
            raise ValueError("the versions are too great.")
        self.update(zip(map(json_of, self.columns.keys), believed.tolist(), strict=True))
        if key not in self:
            raise KeyError(key)
        return self[key]


@kept
def looked_up(history: History) -> Looked | None:
    """See the module docstring."""
    return Looked(history) if plain(history) else None
