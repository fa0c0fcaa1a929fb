"""What the real-time order alone says about repeated values; no search.

A step that saw v between c and r needs some write of v that was invoked before r, and that no definite write X of
another value follows wholly before c. So with

    P = the latest response of the writes of v invoked before r
    Q = the latest invocation of the definite writes that responded before c

P < Q refutes: all those writes of v had ended before X began, and X had ended before the step began. (If X wrote v
itself, P is at least its response.) The same
thought bounds the states that are possible at a moment. It is sound for any number of indeterminate steps, O(n log n),
and decides most broken histories at once; what it does not refute, nothing follows for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checkers.linearizability.register import CAS, NEVER, NO_VALUE, READ, Columns, Register

_BEFORE_ALL = -2
Numbers = NDArray[np.int64]
Latest = Callable[[Numbers, Numbers], Numbers]


@dataclass(frozen=True)
class Stale:
    """`step` saw a value that `overwrite` had certainly replaced; None: a value that nobody had begun to write."""

    step: int
    overwrite: int | None


def first_stale(register: Register) -> Stale | None:
    """The stale step with the earliest response, or None."""
    invoke, produced = np.array(register.invoke), np.array(register.produced)
    response, expected, kind = np.array(register.response), np.array(register.expected), np.array(register.kind)
    asked = np.flatnonzero(((kind == READ) | (kind == CAS)) & (response != NEVER))
    if not len(asked):
        return None
    span = int(max(invoke[-1], response[response != NEVER].max())) + 4
    response = np.minimum(response, span - 3)
    writes = np.flatnonzero(produced != NO_VALUE)
    latest = _latest_response(register.initial, span, (produced[writes], invoke[writes], response[writes]))
    ends = latest(expected[asked], response[asked])
    over = writes[response[writes] < span - 3]
    over = over[np.argsort(response[over])]
    count = np.searchsorted(response[over], invoke[asked])
    newest = np.maximum.accumulate(np.append(-1, invoke[over]))[count]
    wrong = np.flatnonzero(ends < newest)
    unwritten = np.flatnonzero(ends == _BEFORE_ALL)
    if not len(wrong) and not len(unwritten):
        return None
    wrong = np.union1d(wrong, unwritten)
    first = int(wrong[np.argmin(response[asked[wrong]])])
    overwrite = None if ends[first] == _BEFORE_ALL else int(np.searchsorted(invoke, newest[first]))
    return Stale(int(asked[first]), overwrite)


def _latest_response(initial: int, span: int, writes: tuple[Numbers, Numbers, Numbers]) -> Latest:
    """Values and moments → the latest response of the writes of each value that were invoked before the moment."""
    values, starts, ends = (np.append(first, rest) for first, rest in zip((initial, -2, -1), writes, strict=True))
    order = np.argsort(values * span + starts + 2)
    values, keys = values[order], (values * span + starts + 2)[order]
    so_far = np.maximum.accumulate(values * span + ends[order] + 1) - values * span - 1

    def latest(value: Numbers, moment: Numbers) -> Numbers:
        place = np.searchsorted(keys, value * span + moment + 2) - 1
        return np.where((place >= 0) & (values[place] == value), so_far[place], _BEFORE_ALL)

    return latest


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
