"""Lanes of a whole history in columns: what one process did within one session, one operation after another.

    process 3 of session a: write 1, read 1, write 2 (in doubt), read 1 meanwhile      lanes [1, 1, 2] and [1]

They are numbered by their first invocation, as `checkers.sessions.record` numbers them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


def lanes_by_invocation(name: Column, invoke: Column, response: Column) -> Column:
    """The lane of each operation; `name` is a number for its session and process together."""
    sorting = np.lexsort((invoke, name))
    begins = np.ones(len(name), np.bool_)
    begins[1:] = name[sorting][1:] != name[sorting][:-1]
    begins[1:] |= response[sorting][:-1] > invoke[sorting][1:]
    births = invoke[sorting][begins]
    number = np.empty(len(births), np.int64)
    number[np.argsort(births)] = np.arange(len(births))
    lane = np.empty(len(name), np.int64)
    lane[sorting] = number[np.cumsum(begins) - 1]
    return lane


def places_within(lane: Column) -> Column:
    """The place of each operation in its lane; they are in order of invocation."""
    sorting = np.argsort(lane, kind="stable")
    firsts = np.searchsorted(lane[sorting], np.arange(int(lane.max(initial=-1)) + 1))
    place = np.empty(len(lane), np.int64)
    place[sorting] = np.arange(len(lane)) - firsts[lane[sorting]]
    return place
