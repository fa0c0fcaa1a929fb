"""Re-counts a queue in whole columns, for a long history: confirms, or leaves it to `objects`.

The same as there: nothing came out more often than it went in, or before it began to go in; and of what went in and
never came out, each can have gone to a dequeue in doubt of its own.

    accounted(history, certificate)     True: all of it stands. False: nothing is said

It shares no code with the checkers, on purpose.
Limits: numbers, words, true, false and null; refusals that say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.object_facts import ENDLESS, Did, Object, json_of, nothing
from checkers.verifiers.object_lookup import looked_up
from harness.history import History
from harness.history.operations import FAIL, OK


def accounted(history: History, certificate: Mapping[str, Any]) -> bool:
    """See the module docstring."""
    objects, o = looked_up(history), history.operations
    if objects is None:
        return False
    named = {f: np.array([name == f for name in o.fs])[o.f] for f in ("enqueue", "dequeue")}
    used = {json_of(o.keys[code]) for code in np.unique(o.key[named["enqueue"] | named["dequeue"]]).tolist()}
    entries = {json_of(entry["key"]): entry for entry in certificate.get("keys", ())}
    puts = np.flatnonzero(named["enqueue"] & (o.status != FAIL))
    takes = np.flatnonzero(named["dequeue"] & (o.status == OK) & (o.result != 0))
    missing = _missing(history, puts, takes)
    if missing is None or set(entries) != used:
        return False
    lost: dict[bytes, list[int]] = {}
    for row in missing.tolist():
        lost.setdefault(json_of(o.keys[o.key[row]]), []).append(int(o.invoke[row]))
    return all(_excused(objects[key], entry, lost.get(key, [])) for key, entry in entries.items())


def _missing(history: History, puts: NDArray[np.intp], takes: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """The acknowledged enqueues of what never came out; None if something came out that cannot have."""
    o, width = history.operations, np.int64(len(history.operations.values))
    names = np.concatenate([o.key[puts] * width + o.argument[puts], o.key[takes] * width + o.result[takes]])
    distinct, places = np.unique(names, return_inverse=True)
    ins, outs = places[: len(puts)], places[len(puts) :]
    given, taken = (np.bincount(some, minlength=len(distinct)) for some in (ins, outs))
    first = np.full(len(distinct), ENDLESS)
    np.minimum.at(first, ins, o.invoke[puts])
    if np.any(taken > given) or np.any(first[outs] > o.response[takes]):
        return None
    left = (taken < given) & ((given == 1) | (taken == 0))
    missing: NDArray[np.intp] = puts[left[ins] & (o.status[puts] == OK)]
    return missing


def _excused(of: Object, entry: Mapping[str, Any], missing: list[int]) -> bool:
    """Whether each enqueue has a dequeue in doubt of its own, which had begun when the queue was next found empty."""
    pairs = [(of.by_start[enqueue], of.by_start[dequeue]) for enqueue, dequeue in entry["doubtful"]]
    if len({dequeue.start for _, dequeue in pairs}) != len(pairs):
        return False
    takers = {enqueue.start: dequeue for enqueue, dequeue in pairs}
    empties = [did for did in of.all("dequeue", "ok", "fail") if nothing(did)] if missing else []
    return all(_may_have(takers.get(start), of.by_start[start], empties) for start in missing)


def _may_have(taker: Did | None, enqueue: Did, empties: list[Did]) -> bool:
    limit = min((empty.end for empty in empties if empty.start > enqueue.end), default=ENDLESS)
    return taker is not None and (taker.begin.f, taker.kind) == ("dequeue", "info") and taker.start <= limit
