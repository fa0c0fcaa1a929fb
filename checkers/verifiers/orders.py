"""Re-checks the orders of long histories of registers in whole columns: confirms, or leaves it to `checkers.verify`.

The same as there, for reads, writes and compare-and-sets of numbers: every operation that happened is placed once, each
finds the state that it saw, and none is placed before one that had ended when it began.

    confirmed(history, certificate)     True: all of it stands. False: nothing is said

Limits: histories that were read into columns, and refusals that say nothing.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.events import token
from harness.history import History, Operations
from harness.history.operations import FAIL, INFO, OK
from harness.history.values import Values

Numbers = NDArray[np.int64]
NOTHING: Final = -1


def confirmed(history: History, certificate: dict[str, Any]) -> bool:
    """See the module docstring."""
    operations, values = history.operations, history.operations.values
    start = history.header.initial
    if not plain(history):
        return False
    assert isinstance(values, Values)
    sees, makes, sound = meaning(operations, values)
    entries = certificate.get("keys", ())
    keys = {token(key): code for code, key in enumerate(operations.keys)}
    codes = [keys.get(token(entry["key"]), NOTHING) for entry in entries]
    if (
        not sound
        or NOTHING in codes
        or set(codes) != set(np.unique(operations.key).tolist())
        or len(set(codes)) < len(codes)
    ):
        return False
    order = np.concatenate([np.asarray(entry["order"], dtype=np.int64) for entry in entries])
    rows = np.minimum(np.searchsorted(operations.invoke, order), len(operations) - 1)
    segment = np.repeat(np.arange(len(entries)), [len(entry["order"]) for entry in entries])
    right = bool(np.all(operations.invoke[rows] == order))
    right &= bool(np.all(operations.key[rows] == np.asarray(codes)[segment]))
    right &= _all_placed(operations, rows, (sees != NOTHING) | (makes != NOTHING))
    return (
        right
        and _replays(sees[rows], makes[rows], segment, code_of(values, start))
        and in_time(operations, rows, segment)
    )


def plain(history: History) -> bool:
    """Whether a history is one that this can be told of in columns."""
    operations, start = history.operations, history.header.initial
    known = isinstance(operations.values, Values) and set(operations.fs) <= {None, "read", "write", "cas"}
    numbers = type(start) in (int, type(None))
    return known and history.header.fail_cas == "drop" and numbers and len(operations) > 0


def meaning(operations: Operations, values: Values) -> tuple[Numbers, Numbers, bool]:
    """What each operation needs to find and what it leaves, and whether that could be told of all."""
    kinds = np.array([{"read": 0, "write": 1, "cas": 2}.get(f, 3) for f in operations.fs])[operations.f]
    sees = np.full(len(operations), NOTHING, dtype=np.int64)
    makes = sees.copy()
    reads = (kinds == 0) & (operations.status == OK)
    sees[reads] = operations.result[reads]
    writes = (kinds == 1) & (operations.status != FAIL)
    makes[writes] = operations.argument[writes]
    changes = (kinds == 2) & (operations.status != FAIL)
    pair = operations.argument[changes].astype(np.int64) - 1 - len(values.numbers)
    sound = bool(np.all((pair >= 0) & (pair < len(values.firsts)))) and not bool(np.any(kinds == 3))
    if sound:
        sees[changes], makes[changes] = values.firsts[pair], values.seconds[pair]
    return sees, makes, sound


def code_of(values: Values, start: int | None) -> int:
    """The number of the initial state; one that no value has, if nobody names it."""
    if start is None:
        return 0
    place = int(np.searchsorted(values.numbers, start))
    return place + 1 if place < len(values.numbers) and int(values.numbers[place]) == start else len(values) + 1


def _all_placed(operations: Operations, rows: Numbers, says: NDArray[np.bool_]) -> bool:
    """Whether each operation is placed once at most, none that did not happen, and all that certainly did."""
    times = np.bincount(rows, minlength=len(operations))
    must = says & (operations.status != INFO)
    return bool(np.all(times <= says) and np.all(times[must] == 1))


def _replays(sees: Numbers, makes: Numbers, segment: Numbers, start: int) -> bool:
    """Whether every operation finds what it saw."""
    if not len(sees):
        return True
    place = np.arange(len(sees))
    last = np.maximum.accumulate(np.where(makes != NOTHING, place, -1))
    before = np.append(-1, last[:-1])
    known = (before >= 0) & (segment[np.maximum(before, 0)] == segment)
    state = np.where(known, makes[np.maximum(before, 0)], start)
    return bool(np.all((sees == NOTHING) | (sees == state)))


def in_time(operations: Operations, rows: Numbers, segment: Numbers) -> bool:
    """Whether nothing stands before an operation that had ended when it began."""
    if not len(rows):
        return True
    span = int(operations.invoke[-1]) * 2 + 4
    response = np.minimum(operations.response[rows], span - 1)
    backwards = (segment * span + response)[::-1]
    soonest = np.minimum.accumulate(backwards)[::-1] - segment * span
    return bool(np.all(operations.invoke[rows] <= soonest))
