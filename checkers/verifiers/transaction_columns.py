"""Re-checks orders of long histories of transactions in whole columns: confirms, or leaves it to the plain verifier.

The same as in `transaction_orders`, for a serial order and for starts and commits: every transaction that
happened is placed once, each read finds what the changes committed before it left (and what its own transaction did
before it), and nothing contradicts sessions or real time.

    confirmed(history, certificate)     True: all of it stands. False: nothing is said
    narrowed(history, verdict)          the part of a long history that matters to what an "invalid" verdict shows

It shares the reading of the file with the checker, and nothing else.

Limits: histories that were read into a table (`checkers.transactions.reading`); certificates "order" and "schedule".
The other two, of weak levels that hold where no serial order does, take the plain way, with an object for every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.transactions.reading import LongHistory
from checkers.transactions.table import APPEND, NO_LIST, NULL, READ, WRITE, Table
from checkers.verifiers.transaction_edges import level_of
from checkers.verifiers.transaction_facts import json_of
from harness.history import History
from harness.history.operations import FAIL, NEVER, OK
from harness.verdict import Verdict

Numbers = NDArray[np.int64]
ABSENT: Final = -1
COMPARED: Final = 1 << 22
"""So many elements of lists are compared at a time."""


def confirmed(history: History, certificate: dict[str, Any]) -> bool:
    """See the module docstring."""
    if not isinstance(history, LongHistory) or not len(history.table):
        return False
    strength, order = level_of(certificate["level"])
    if order == 2 and history.header.order == "session":
        return False
    if "order" in certificate:
        given = np.asarray(certificate["order"], dtype=np.int64)
        order = order if strength in (0, 5, 6) else max(order, 1)
        places = _places(history.table, given, np.arange(len(given)), given, np.arange(len(given)))
    elif "schedule" in certificate and strength == 5:
        moments = np.asarray(certificate["schedule"], dtype=np.int64).reshape(-1, 2)
        commits = moments[:, 1] == 1
        begun, ended = np.flatnonzero(~commits), np.flatnonzero(commits)
        places = _places(history.table, moments[begun, 0], begun, moments[ended, 0], ended)
    else:
        return False
    if places is None:
        return False
    start, commit = places
    return _replays(history, start, commit) and _agrees(history.table, start, commit, order)


def _places(
    table: Table, begun: Numbers, starts: Numbers, ended: Numbers, commits: Numbers
) -> tuple[Numbers, Numbers] | None:
    """Per transaction when it starts and commits, ABSENT where it does not; None unless all that happened are there."""
    found = []
    for named, moments in ((begun, starts), (ended, commits)):
        rows = np.minimum(np.searchsorted(table.invoke, named), len(table) - 1)
        if not np.array_equal(table.invoke[rows], named) or (np.bincount(rows, minlength=len(table)) > 1).any():
            return None
        place = np.full(len(table), ABSENT)
        place[rows] = moments
        found.append(place)
    start, commit = found
    there = commit != ABSENT
    wrong = (start > commit) | ((start != ABSENT) != there) | (there & (table.status == FAIL))
    if (wrong | (~there & (table.status == OK))).any():
        return None
    return start, commit


# ── replaying ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _replays(history: LongHistory, start: Numbers, commit: Numbers) -> bool:
    """Whether every read finds what was there."""
    table, initial = history.table, _initial(history)
    kinds = np.zeros(len(table.keys), np.uint8)
    kinds[table.step_key[table.step_f == APPEND]] |= APPEND
    kinds[table.step_key[table.step_f == WRITE]] |= WRITE
    if initial is None or (kinds == APPEND | WRITE).any() or (initial != NULL and (kinds == APPEND).any()):
        return False
    happened = commit[table.step_txn] != ABSENT
    changes = np.flatnonzero((table.step_f != READ) & happened)
    span = int(commit.max(initial=0)) + 2
    codes = table.step_key[changes] * np.int64(span) + commit[table.step_txn[changes]]
    sorting = np.argsort(codes, kind="stable")
    codes, left = codes[sorting], table.step_value[changes[sorting]]
    reads = np.flatnonzero((table.step_f == READ) & happened)
    since = start[table.step_txn[reads]]
    key = table.step_key[reads].astype(np.int64)
    first = np.searchsorted(codes, key * span)
    before = np.searchsorted(codes, key * span + since) - first
    own_first, own = _own(table, changes, reads)
    if not np.array_equal(start, commit) and not _none_between(table, start, commit, codes, changes, span):
        return False
    lists = (kinds[key] != WRITE) & (initial == NULL)
    whole = before[lists] + own[lists]
    if not _show(table, reads[lists], left, first[lists], whole):
        return False
    values = np.append(left, initial)
    held = np.where(before > 0, first + before - 1, len(left))
    found = np.where(own > 0, table.step_value[own_first], values[held])
    right = (table.step_value[reads] == found) & (table.step_len[reads] <= 0)
    return bool(np.all(right[~lists]))


def _initial(history: LongHistory) -> int | None:
    """What a register holds before it is written, as a code; None where that cannot be told."""
    initial = history.header.initial
    if initial is None:
        return int(NULL)
    return initial if type(initial) is int and history.table.values is None and abs(initial) < 1 << 62 else None


def _own(table: Table, changes: Numbers, reads: Numbers) -> tuple[Numbers, Numbers]:
    """Per read the last change that its transaction made to its key before it (0 for none), and how many there are."""
    width = np.int64(max(1, len(table.keys)))
    group = table.step_txn * width + table.step_key
    sorting = np.argsort(group[changes], kind="stable")
    steps = changes[sorting]
    # a change, and a read, is known by its group and by its step; steps of one group are in order
    span = np.int64(len(table.step_f) + 1)
    ranks, _ = _ranked(group[steps], group[reads])
    codes = ranks[0] * span + steps
    here = np.searchsorted(codes, ranks[1] * span + reads)
    begin = np.searchsorted(codes, ranks[1] * span)
    count = here - begin
    last = steps[np.maximum(here - 1, 0)] if len(steps) else np.zeros(len(reads), np.int64)
    return np.where(count > 0, last, 0), count


def _ranked(one: Numbers, other: Numbers) -> tuple[tuple[Numbers, Numbers], int]:
    """Small numbers in the same order: for the sorted `one`, and for `other` (len(one) where it has no equal)."""
    first = np.ones(len(one), bool)
    first[1:] = one[1:] != one[:-1]
    distinct = one[first]
    rank = np.cumsum(first) - 1
    if not len(distinct):
        return (rank, np.zeros(len(other), np.int64)), 0
    place = np.minimum(np.searchsorted(distinct, other), len(distinct) - 1)
    return (rank, np.where(distinct[place] == other, place, len(distinct))), len(distinct)


def _none_between(table: Table, start: Numbers, commit: Numbers, codes: Numbers, changes: Numbers, span: int) -> bool:
    """Whether nobody else changes a key between the start and the commit of a transaction that changes it."""
    row, key = table.step_txn[changes], table.step_key[changes] * np.int64(span)
    since, until = np.searchsorted(codes, key + start[row]), np.searchsorted(codes, key + commit[row])
    return bool(np.all(since == until))


def _show(table: Table, reads: Numbers, left: Numbers, first: Numbers, length: Numbers) -> bool:
    """Whether each list that was read has the length it must have, and begins what was appended to its key."""
    told = table.step_len[reads]
    if (told == NO_LIST).any() or not np.array_equal(told, length):
        return False
    since = table.step_from[reads]
    ends = np.cumsum(length)
    low = 0
    while low < len(reads):
        gone = int(ends[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(ends, gone + COMPARED, side="right")))
        some = length[low:high]
        within = np.arange(int(some.sum())) - np.repeat(np.cumsum(some) - some, some)
        shown = table.elements[np.repeat(since[low:high], some) + within]
        if not np.array_equal(shown, left[np.repeat(first[low:high], some) + within]):
            return False
        low = high
    return True


# ── sessions and real time ───────────────────────────────────────────────────────────────────────────────────────────


def _agrees(table: Table, start: Numbers, commit: Numbers, order: int) -> bool:
    """Whether nothing that was over before another began, in its session or at all, commits after that starts."""
    rows = np.flatnonzero(commit != ABSENT)
    if order == 0 or not len(rows):
        return True
    if order == 1:
        rows = rows[np.argsort(table.session[rows], kind="stable")]
        sure = np.maximum.accumulate(np.where(table.status[rows] == OK, np.arange(len(rows)), -1))[:-1]
        one, other = rows[sure], rows[1:]
        bound = (sure >= 0) & (table.session[one] == table.session[other])
        return bool(np.all(commit[one[bound]] <= start[other[bound]]))
    over = rows[table.response[rows] != NEVER]
    over = over[np.argsort(table.response[over])]
    latest = np.append(ABSENT, np.maximum.accumulate(commit[over]))
    known = np.searchsorted(table.response[over], table.invoke[rows])
    return bool(np.all(start[rows] >= latest[known]))


# ── what matters of a long history ───────────────────────────────────────────────────────────────────────────────────


def narrowed(history: History, verdict: Verdict) -> History:
    """The transactions that an "invalid" verdict names, and all others that touch a key that one of those touches."""
    if not isinstance(history, LongHistory) or verdict.answer != "invalid":
        return history
    table, operations = history.table, history.operations
    named = {start for anomaly in verdict.anomalies for start in (*anomaly.ops, *_starts(anomaly.certificate))}
    rows = np.flatnonzero(np.isin(operations.invoke, np.fromiter(named, np.int64, len(named))))
    touched = np.isin(table.step_txn, rows)
    keys = {json_of(anomaly.key) for anomaly in verdict.anomalies}
    wanted = np.array([json_of(key) in keys for key in table.keys], dtype=bool)
    wanted[table.step_key[touched]] = True
    taken = np.union1d(rows, table.step_txn[wanted[table.step_key]])
    both = np.concatenate([operations.invoke[taken], operations.completion[taken]])
    return History(history.header, [history.events[index] for index in np.sort(both[both >= 0]).tolist()])


def _starts(certificate: Any) -> Iterator[int]:
    """Every transaction that a certificate names: the numbers in it, and those that are none do no harm."""
    if isinstance(certificate, dict):
        for name, part in certificate.items():
            if name not in ("key", "element"):
                yield from _starts(part)
    elif isinstance(certificate, list | tuple):
        for part in certificate:
            yield from _starts(part)
    elif type(certificate) is int:
        yield certificate
