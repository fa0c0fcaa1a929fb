"""Re-checks a claimed order of writes in whole columns: confirms, or leaves it to `visible`.

    order_of(history, order)       None: not a history, or not an order, that this can be told of
    in_order(trace, asked)         True: every read shows the newest of what it has to see. False: nothing is said

The places in the order are taken for versions, so what confirms an order of versions confirms most of them. Where that
does not do, because the replicas are no prefixes of one log, the history is replayed: each write brings along, per key,
the place of the newest write that whoever sees it has to see, and so does each session.

    a write brings along    itself, what its session wrote before (monotonic writes), what it read before (writes
                            follow reads), and what those bring along
    a read has to see       what its value brings along, what its session read (monotonic reads) and wrote (read your
                            writes) before

It shares no code with the checkers, on purpose.
Limits: those of `session_columns`, but versions are not looked at; a number per write and key, and NUMBERS_MAX
of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.session_columns import (
    ENDLESS,
    GUARANTEES,
    NOTHING,
    Numbers,
    Trace,
    columns_of,
    confirmed,
    initial_code,
    plain,
    sources_of,
    writes_are_newer,
)
from harness.history import History
from harness.history.operations import OK

NUMBERS_MAX: Final = 1 << 28
_BEGUN, _WROTE, _ASKED, _READ = range(4)
_Newest = NDArray[np.int32]


def order_of(history: History, order: Sequence[int]) -> Trace | None:
    """A history with the places of an order for versions."""
    if not plain(history) or not all(type(index) is int for index in order):
        return None
    o = history.operations
    reads, writes = columns_of(o)
    if not len(reads) or not len(writes):
        return None
    source = sources_of(o, reads, writes, initial_code(history))
    told = np.array(order, np.int64)
    at = np.minimum(np.searchsorted(o.invoke[writes], told), len(writes) - 1)  # operations are in order of invocation
    if source is None or np.any(o.invoke[writes[at]] != told):
        return None
    level = np.full(len(writes), NOTHING)
    level[at] = np.arange(len(told))
    exists = o.status[writes] == OK
    exists[source[source >= 0]] = True
    if np.any(level[exists] == NOTHING) or len(np.unique(at)) < len(at):
        return None
    level[~exists] = NOTHING
    return _neighbours(Trace(o, reads, writes, source, level, level, level))


def _neighbours(trace: Trace) -> Trace:
    """With the next newer write of each, and the oldest of each key."""
    o, level = trace.operations, trace.level
    exists = np.flatnonzero(level >= 0)
    key = o.key[trace.writes].astype(np.int64)
    ranked = exists[np.lexsort((level[exists], key[exists]))]
    within = key[ranked[1:]] == key[ranked[:-1]]
    following, first = np.full(len(level), ENDLESS), np.full(len(o.keys), ENDLESS)
    following[ranked[:-1][within]] = level[ranked[1:][within]]
    first[key[ranked[::-1]]] = level[ranked[::-1]]  # of one key, the last that is put down is the oldest
    return Trace(o, trace.reads, trace.writes, trace.source, level, following, first)


def in_order(trace: Trace, asked: Mapping[str, Any]) -> bool:
    """See the module docstring."""
    if confirmed(trace, asked):
        return True
    small = (len(trace.writes) + len(trace.operations.names)) * len(trace.operations.keys) <= NUMBERS_MAX
    return small and not asked["per_key"] and writes_are_newer(trace, asked) and _replayed(trace, asked)


def _replayed(trace: Trace, asked: Mapping[str, Any]) -> bool:
    """Whether no read is older than what it has to see, event by event."""
    o = trace.operations
    ryw, mr, mw, wfr = (name in asked["guarantees"] for name in GUARANTEES)
    keys, sessions = len(o.keys), len(o.names)
    brings = list(np.full((len(trace.writes), keys), NOTHING, np.int32))
    wrote, read = (list(np.full((sessions, keys), NOTHING, np.int32)) for _ in range(2))
    session_of = {True: o.session[trace.reads].tolist(), False: o.session[trace.writes].tolist()}
    key_of = {True: o.key[trace.reads].tolist(), False: o.key[trace.writes].tolist()}
    source, level = trace.source.tolist(), trace.level.tolist()
    asks: dict[int, int] = {}
    for kind, number in _events(trace):
        reading = kind in (_ASKED, _READ)
        session, key = session_of[reading][number], key_of[reading][number]
        if kind == _BEGUN:
            _take_in(brings[number], wrote[session] if mw else None, read[session] if wfr else None)
            brings[number][key] = max(int(brings[number][key]), level[number])
        elif kind == _WROTE:
            _take_in(wrote[session], brings[number], None)
        elif kind == _ASKED:
            asks[number] = max(int(read[session][key]) if mr else NOTHING, int(wrote[session][key]) if ryw else NOTHING)
        else:
            own, known = source[number], asks.pop(number)
            shown = NOTHING if own < 0 else level[own]
            if own >= 0:
                known = max(known, int(brings[own][key]))
                _take_in(read[session], brings[own], None)
            if known > shown:
                return False
    return True


def _take_in(newest: _Newest, one: _Newest | None, other: _Newest | None) -> None:
    for more in (one, other):
        if more is not None:
            np.maximum(newest, more, out=newest)


def _events(trace: Trace) -> list[tuple[int, int]]:
    """What begins and ends, in order; each with a place in the reads or the writes."""
    o = trace.operations
    reads, writes = np.arange(len(trace.reads)), np.flatnonzero(trace.level >= 0)
    over = writes[o.status[trace.writes[writes]] == OK]
    moments: list[tuple[int, Numbers, Numbers]] = [
        (_BEGUN, writes, o.invoke[trace.writes[writes]]),
        (_WROTE, over, o.response[trace.writes[over]]),
        (_ASKED, reads, o.invoke[trace.reads]),
        (_READ, reads, o.response[trace.reads]),
    ]
    sorting = np.argsort(np.concatenate([when for _, _, when in moments]))
    kinds = np.concatenate([np.full(len(some), kind) for kind, some, _ in moments])[sorting]
    numbers = np.concatenate([some for _, some, _ in moments])[sorting]
    return list(zip(kinds.tolist(), numbers.tolist(), strict=True))
