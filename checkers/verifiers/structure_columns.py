"""Replays the orders of long histories of objects in whole columns: confirms, or leaves it to `structures`.

The same as there, for queues, stacks, sets of elements, mutexes, fenced locks and counters: every operation that must
be in the order is there once, each finds the object as it saw it, and none stands before one that had ended when it
began. What an operation finds is what the changes before it left: it takes a running sum or maximum, not a replay.

    replays(history, certificate, "queue")     True: all of it stands. False: nothing is said

It shares no code with the checkers, on purpose.
Limits: numbers, words, true, false and null; no whole reads of sets; refusals that say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.object_facts import json_of
from checkers.verifiers.orders import in_time
from harness.history import History, Operations
from harness.history.operations import FAIL, INFO, OK
from harness.history.values import Values

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
NOBODY: Final = -1
UNKNOWN: Final = -2
"""Who holds a lock, if that is no token: nobody, or somebody who was not told."""
_PLAIN: Final = {int, str, bool, type(None)}
_GREAT: Final = 1 << 62
_FS: Final = {
    "queue": ("enqueue", "dequeue"),
    "stack": ("push", "pop"),
    "set": ("add", "remove", "contains", "read"),
    "mutex": ("acquire", "release"),
    "fenced-lock": ("acquire", "release"),
    "counter": ("increment", "add", "read"),
}
_WORDS: Final = {
    "queue": {"dequeue": "empty"},
    "stack": {"pop": "empty"},
    "mutex": {"acquire": "held"},
    "fenced-lock": {"acquire": "held", "release": "not-holder"},
}
"""The error by which a refusal says what the object was like."""


def replays(history: History, certificate: Mapping[str, Any], model: str) -> bool:
    """See the module docstring."""
    o = history.operations
    if model not in _FS or not len(o) or not set(map(type, o.keys)) | set(map(type, o.values)) <= _PLAIN:
        return False
    try:
        placed = _placed(o, certificate, model)
        return placed is not None and in_time(o, placed.rows, placed.part) and _ALLOWED[model](placed, history)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return False


@dataclass(frozen=True)
class _Placed:
    """Operations in the claimed order, key after key.

    Attributes:
        rows: of the operations; part: to which key's order each belongs, ascending.
    """

    operations: Operations
    rows: Numbers
    part: Numbers

    def f(self, *names: str) -> Flags:
        """Which are of one of these functions."""
        found: Flags = np.array([f in names for f in self.operations.fs])[self.operations.f[self.rows]]
        return found

    @cached_property
    def status(self) -> NDArray[np.uint8]:
        """How each ended."""
        return self.operations.status[self.rows]

    @cached_property
    def given(self) -> Numbers:
        """Codes of what each was given."""
        return self.operations.argument[self.rows].astype(np.int64)

    @cached_property
    def told(self) -> Numbers:
        """Codes of what each was told."""
        return self.operations.result[self.rows].astype(np.int64)

    @cached_property
    def numbers(self) -> tuple[Numbers, Flags]:
        """Per code the whole number, and whether it is one."""
        values = self.operations.values
        there = np.zeros(len(values), np.bool_)
        if isinstance(values, Values):
            there[1 : 1 + len(values.numbers)] = True
            numbers = np.zeros(len(values), np.int64)
            numbers[there] = values.numbers
            return numbers, there
        there[:] = [type(value) is int and abs(value) < _GREAT for value in values]
        return np.array([v if t else 0 for v, t in zip(values, there.tolist(), strict=True)], np.int64), there

    def last(self, changes: Flags, states: Numbers, start: int, groups: Numbers | None = None) -> Numbers:
        """Per operation what the last change before it left, in its group, which is its part if none is given."""
        groups = self.part if groups is None else groups
        order = np.argsort(groups, kind="stable")
        whose, place = groups[order], np.arange(len(order))
        latest = np.append(-1, np.maximum.accumulate(np.where(changes[order], place, -1)))[:-1]
        known = (latest >= 0) & (whose[latest] == whose)
        found = np.empty(len(order), np.int64)
        found[order] = np.where(known, states[order][latest], start)
        return found

    def sums(self, amounts: Numbers) -> Numbers:
        """Per operation the sum of all until it, in its part, itself included."""
        total = np.cumsum(amounts)
        opens = np.searchsorted(self.part, self.part)
        return total - (total - amounts)[opens]


def _placed(o: Operations, certificate: Mapping[str, Any], model: str) -> _Placed | None:
    """The order of every key, if all that must be there is there once, and nothing that cannot be."""
    codes = {json_of(key): code for code, key in enumerate(o.keys)}
    entries = certificate["keys"]
    keys = [codes[json_of(entry["key"])] for entry in entries]
    ours = np.array([f in _FS[model] for f in o.fs])[o.f]
    if len(set(keys)) < len(keys) or not set(keys) <= set(np.unique(o.key).tolist()):
        return None
    orders = [np.asarray(entry["order"], dtype=None if len(entry["order"]) else np.int64) for entry in entries]
    if any(order.dtype.kind != "i" or order.ndim != 1 for order in orders):
        return None
    order = np.concatenate([np.zeros(0, np.int64), *orders])
    part = np.repeat(np.arange(len(keys)), np.array([len(one) for one in orders], np.int64))
    rows = np.minimum(np.searchsorted(o.invoke, order), len(o) - 1)
    times = np.bincount(rows, minlength=len(o))
    seen = ours & ((o.status == OK) | _refused(o, ours, model))
    right = (
        bool(np.all(o.invoke[rows] == order))
        and bool(np.all(o.key[rows] == np.array(keys, np.int64)[part]))
        and bool(np.all(times <= (ours & ((o.status == INFO) | seen))))
        and bool(np.all(times[seen] == 1))
    )
    return _Placed(o, rows, part) if right else None


def _refused(o: Operations, ours: Flags, model: str) -> Flags:
    """Which operations failed with the word that says what the object was like."""
    found = np.zeros(len(o), np.bool_)
    words = _WORDS.get(model, {})
    rows = np.flatnonzero(ours & (o.status == FAIL) & np.array([f in words for f in o.fs])[o.f])
    found[rows] = [
        (o.events[end].error or "").split(":")[0] == words[o.fs[f]]
        for end, f in zip(o.completion[rows].tolist(), o.f[rows].tolist(), strict=True)
    ]
    return found


# ── what each finds ──────────────────────────────────────────────────────────────────────────────────────────────────


def _takes(p: _Placed, put: str) -> tuple[Flags, Flags, Numbers] | None:
    """What puts in, what takes out, and how many are inside after each; None if one found what cannot be."""
    puts = p.f(put)
    nothing = ~puts & ((p.status == FAIL) | ((p.status == OK) & (p.told == 0)))
    takes = ~puts & ~nothing
    inside = p.sums(puts.astype(np.int64) - takes)
    fits = bool(np.all(inside >= 0) and np.all(inside[nothing] == 0))
    return (puts, takes, inside) if fits else None


def _queue(p: _Placed, _history: History) -> bool:
    """What goes in n-th comes out n-th."""
    if (found := _takes(p, "enqueue")) is None:
        return False
    puts, takes, _ = found
    ins, outs = np.flatnonzero(puts), np.flatnonzero(takes)
    number = p.sums(takes.astype(np.int64))[outs] - 1
    from_ = ins[np.searchsorted(p.part[ins], p.part[outs]) + number]
    return bool(np.all((p.status[outs] == INFO) | (p.given[from_] == p.told[outs])))


def _stack(p: _Placed, _history: History) -> bool:
    """What comes out from a height is what last went in there."""
    if (found := _takes(p, "push")) is None:
        return False
    puts, takes, inside = found
    moved = np.flatnonzero(puts | takes)
    height = inside[moved] + takes[moved]
    order = np.argsort(p.part[moved] * (len(moved) + 1) + height, kind="stable")
    moved = moved[order]
    outs = np.flatnonzero(takes[moved])
    taken, from_ = moved[outs], moved[outs - 1]
    return bool(np.all((p.status[taken] == INFO) | (p.given[from_] == p.told[taken])))


def _set(p: _Placed, _history: History) -> bool:
    """Each element by itself."""
    if bool(np.any(p.f("read"))):
        return False
    adds, removes, asks, ok = p.f("add"), p.f("remove"), p.f("contains"), p.status == OK
    values = p.operations.values
    true, false = (next((c for c, v in enumerate(values) if v is word), -1) for word in (True, False))
    there = p.last(adds | removes, adds.astype(np.int64), 0, p.part * len(values) + p.given) == 1
    unchanged = ok & (p.told == false) & (p.given != false)
    fits = np.where(asks, p.told == np.where(there, true, false), np.where(adds, ~unchanged | there, there ^ unchanged))
    return bool(np.all(fits | ~ok))


def _mutex(p: _Placed, history: History) -> bool:
    """Nobody gets it who finds it held."""
    acquires, refused = p.f("acquire"), p.status == FAIL
    start = int(history.header.initial in (True, "held"))
    held = p.last(~refused, acquires.astype(np.int64), start) == 1
    return bool(np.all(held == (refused | ~acquires)))


def _fenced(p: _Placed, _history: History) -> bool:
    """The same, and tokens grow; a token that nobody was told is no number."""
    acquires, refused = p.f("acquire"), p.status == FAIL
    told = acquires & (p.status == OK)
    numbers, known = p.numbers
    tokens = np.where(acquires, p.told, p.given)
    if not bool(np.all(known[tokens[told | ~acquires]])):
        return False
    after = np.where(acquires, np.where(told, p.told, UNKNOWN), NOBODY)
    held = p.last(~refused, after, NOBODY)
    free = held == NOBODY
    fits = np.where(acquires, free != refused, (held == p.given) != refused)
    grew = np.flatnonzero(told)
    within = p.part[grew][1:] == p.part[grew][:-1]
    return bool(np.all(fits) and np.all(np.diff(numbers[p.told[grew]])[within] > 0))


def _counter(p: _Placed, history: History) -> bool:
    """The sum of what was added."""
    start, reads = history.header.initial or 0, p.f("read")
    numbers, known = p.numbers
    shows = (p.status == OK) & (reads | (p.f("increment") & (p.told != 0)))
    fits = type(start) is int and np.all(known[p.given[~reads]]) and np.all(known[p.told[shows]] | (p.told[shows] == 0))
    amounts = np.where(reads, 0, numbers[p.given])
    if not fits or abs(start) + float(np.abs(amounts).astype(np.float64).sum()) >= _GREAT:
        return False
    shown = np.where(p.told == 0, start, numbers[p.told])
    return bool(np.all(shown[shows] == (start + p.sums(amounts))[shows]))


_ALLOWED: Final[dict[str, Callable[[_Placed, History], bool]]] = {
    "queue": _queue,
    "stack": _stack,
    "set": _set,
    "mutex": _mutex,
    "fenced-lock": _fenced,
    "counter": _counter,
}
