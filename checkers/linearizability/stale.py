"""What the real-time order alone says about repeated values; no search.

A step that saw v between c and r needs some write of v that was invoked before r, and that no definite write X of
another value follows wholly before c. So with

    P = the latest response of the writes of v invoked before r
    Q = the latest invocation of the definite writes of other values that responded before c

P < Q refutes: all those writes of v had ended before X began, and X had ended before the step began. The same
thought bounds the states that are possible at a moment. It is sound for any number of indeterminate steps, O(n log n),
and decides most broken histories at once; what it does not refute, nothing follows for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from checkers.linearizability.register import CAS, NEVER, NO_VALUE, READ, Columns, Register

_BEFORE_ALL = -2


@dataclass(frozen=True)
class Stale:
    """`step` saw a value that `overwrite` had certainly replaced; None: a value that nobody had begun to write."""

    step: int
    overwrite: int | None


def first_stale(register: Register) -> Stale | None:
    """The stale step with the earliest response, or None."""
    writes, overwrites = _Writes(register), _Overwrites(register)
    found: list[tuple[int, Stale]] = []
    for step, (kind, value) in enumerate(zip(register.kind, register.expected, strict=True)):
        end = register.response[step]
        if kind not in (READ, CAS) or end == NEVER:
            continue
        latest = writes.latest_response(value, end)
        overwrite = overwrites.latest(register.invoke[step], value)
        if latest == _BEFORE_ALL:
            found.append((end, Stale(step, None)))
        elif overwrite is not None and latest < register.invoke[overwrite]:
            found.append((end, Stale(step, overwrite)))
    return min(found, key=lambda item: item[0])[1] if found else None


def possible_states(register: Register, moment: int) -> tuple[int, ...]:
    """States that the register may be in just before an event; more than there are, perhaps, but never fewer."""
    latest = {register.initial: -1}
    overwrites: dict[int, int] = {}
    for step, value in enumerate(register.produced):
        if register.invoke[step] >= moment:
            break
        if value == NO_VALUE:
            continue
        end = register.response[step]
        latest[value] = max(latest.get(value, _BEFORE_ALL), end)
        if end < moment:
            overwrites[value] = register.invoke[step]
    two = sorted(overwrites.items(), key=lambda item: -item[1])[:2]

    def possible(value: int, end: int) -> bool:
        return all(other == value or end >= start for other, start in two)

    return tuple(value for value, end in latest.items() if possible(value, end))


def possible_in_columns(columns: Columns, place: int, moment: int) -> tuple[int, ...]:
    """The same of one register of a history, which may be long."""
    rows = columns.rows(place)
    invoke = columns.operations.invoke[rows]
    rows = rows[: int(np.searchsorted(invoke, moment))]
    rows = rows[(columns.produced[rows] != NO_VALUE) & (columns.kind[rows] >= 0)]
    values = np.append(columns.produced[rows], columns.initial)
    ends = np.append(columns.operations.response[rows], -1)
    over = np.flatnonzero(ends[:-1] < moment)
    possible = np.ones(len(values), dtype=np.bool_)
    for _ in range(2):
        if len(over):
            newest = over[-1]
            possible &= (values == values[newest]) | (ends >= columns.operations.invoke[rows[newest]])
            over = over[values[over] != values[newest]]
    return tuple(np.unique(values[possible]).tolist())


class _Writes:
    """Of every value: its writes by invocation, and the latest response so far."""

    def __init__(self, register: Register) -> None:
        self.starts: dict[int, list[int]] = {register.initial: [-2]}
        self.ends: dict[int, list[int]] = {register.initial: [-1]}
        for step, value in enumerate(register.produced):
            if value != NO_VALUE:
                self.starts.setdefault(value, []).append(register.invoke[step])
                ends = self.ends.setdefault(value, [])
                ends.append(max(ends[-1], register.response[step]) if ends else register.response[step])

    def latest_response(self, value: int, moment: int) -> int:
        """The latest response of the writes of a value that were invoked before a moment."""
        count = bisect_left(self.starts.get(value, ()), moment)
        return self.ends[value][count - 1] if count else _BEFORE_ALL


class _Overwrites:
    """The definite writes by response, and the latest invocation so far, for two different values."""

    def __init__(self, register: Register) -> None:
        response, produced = register.response, register.produced
        definite = [step for step, value in enumerate(produced) if value != NO_VALUE and response[step] != NEVER]
        definite.sort(key=response.__getitem__)
        self.ends = [response[step] for step in definite]
        self.best: list[tuple[int | None, int | None]] = []
        self.produced = produced
        best: int | None = None
        second: int | None = None
        for step in definite:
            if best is None or produced[step] == produced[best]:
                best = step if best is None or register.invoke[step] > register.invoke[best] else best
            elif register.invoke[step] > register.invoke[best]:
                best, second = step, best
            elif second is None or register.invoke[step] > register.invoke[second]:
                second = step
            self.best.append((best, second))

    def latest(self, moment: int, value: int) -> int | None:
        """The latest-invoked definite write, of another value, that responded before a moment."""
        count = bisect_left(self.ends, moment)
        if not count:
            return None
        best, second = self.best[count - 1]
        return second if best is not None and self.produced[best] == value else best
