"""Re-checks session guarantees by versions in whole columns: confirms, or leaves it to `visible`.

Every read is traced to the one write of its value, and the versions must agree. Then the events of each session are
laid one after another, and one running maximum over them says how new the newest thing is that the session knew before
each of its operations. That suffices: if each write is newer than all that its session knew, then whatever a write
brings along is older than itself, so nothing that a read is obliged to see is newer than the newest thing its session
knew.

    trace_of(history)              None: it is not a history that this can be told of
    confirmed(trace, asked)        True: every read is new enough. False: nothing is said

It shares no code with the checkers, on purpose.
Limits: reads and writes of numbers, words, true, false and null, with complete versions and values that are written
once each; and refusals that say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.accesses import kept
from harness.history import History, Operations
from harness.history.operations import FAIL, INFO, OK
from harness.history.values import Values

Numbers = NDArray[np.int64]
NOTHING: Final = -1
"""How new the initial value is, and what nobody saw; and the source of a read of the initial value."""
ENDLESS: Final = np.iinfo(np.int64).max
GUARANTEES: Final = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")
_SPACE: Final = 1 << 62
_PLAIN: Final = {int, str, bool, type(None)}


@dataclass(frozen=True)
class Trace:
    """Completed reads, and writes that happened or may have; each read with its write.

    Attributes:
        reads, writes: rows of the operations.
        source: per read its write, as a place in `writes`; NOTHING for the initial value.
        level: per write how new it is by its version, which a read tells of one in doubt; NOTHING if nobody did.
        next: per write the level of the next newer one of its key, ENDLESS without one.
        first: per code of a key the level of its oldest write, ENDLESS without one.
    """

    operations: Operations
    reads: Numbers
    writes: Numbers
    source: Numbers
    level: Numbers
    next: Numbers
    first: Numbers

    def shown(self) -> Numbers:
        """Per read the level of what it returned."""
        return np.append(self.level, NOTHING)[self.source]


def plain(history: History) -> bool:
    """Whether equal codes of a history are equal JSON, and all operations are reads and writes."""
    o = history.operations
    scalars = isinstance(o.values, Values) and len(o.values) == 1 + len(o.values.numbers)
    return (
        len(o) > 0
        and set(o.fs) <= {None, "read", "write"}
        and type(history.header.initial) in _PLAIN
        and set(map(type, o.keys)) <= _PLAIN
        and (scalars or set(map(type, o.values)) <= _PLAIN)
    )


def initial_code(history: History) -> int:
    """The code of the initial value; one more than there are if nobody names it."""
    start, values = history.header.initial, history.operations.values
    if start is None:
        return 0
    return next((code for code, one in enumerate(values) if type(one) is type(start) and one == start), len(values))


def columns_of(o: Operations) -> tuple[Numbers, Numbers]:
    """The rows of completed reads, and of writes that happened or may have."""
    is_read = np.array([f == "read" for f in o.fs])[o.f]
    return np.flatnonzero(is_read & (o.status == OK)), np.flatnonzero(~is_read & (o.status != FAIL))


def levels(o: Operations) -> Numbers | None:
    """Versions as numbers in the same order, NOTHING where there is none; None if they do not fit."""
    told = o.generation >= 0
    if np.any(told != (o.log_index >= 0)):
        return None
    width = int(o.log_index.max(initial=0)) + 1
    if (int(o.generation.max(initial=0)) + 2) * width >= _SPACE:
        return None
    return np.where(told, o.generation * width + o.log_index, NOTHING)


@kept
def trace_of(history: History) -> Trace | None:
    """See the module docstring; the latest is kept, since several verdicts are about one history."""
    if not plain(history):
        return None
    o = history.operations
    level = levels(o)
    reads, writes = columns_of(o)
    if level is None or not len(reads) + len(writes):
        return None
    if np.any(level[reads] < 0) or np.any((level[writes] < 0) == (o.status[writes] == OK)):
        return None
    source = sources_of(o, reads, writes, initial_code(history))
    return None if source is None else _ordered(o, reads, writes, source, level)


def sources_of(o: Operations, reads: Numbers, writes: Numbers, initial: int) -> Numbers | None:
    """Per read the one write of its value; None if a value was written twice, or never, or later."""
    given, seen = o.argument[writes].astype(np.int64), o.result[reads].astype(np.int64)
    if np.any(given == initial):
        return None
    if int(np.bincount(given).max(initial=0)) > 1:  # then a value needs its key to tell who wrote it
        width = len(o.values) + 1
        both = np.concatenate([o.key[writes] * np.int64(width) + given, o.key[reads] * np.int64(width) + seen])
        codes = np.unique(both, return_inverse=True)[1]
        given, seen = codes[: len(writes)], codes[len(writes) :]
        if int(np.bincount(given).max(initial=0)) > 1:
            return None
    writer = np.full(1 + int(max(given.max(initial=0), seen.max(initial=0))), NOTHING)
    writer[given] = np.arange(len(writes))
    source: Numbers = writer[seen]
    found = source >= 0
    if np.any(found == (o.result[reads] == initial)):
        return None
    rows = writes[source[found]]
    right = (o.key[rows] == o.key[reads[found]]) & (o.invoke[rows] < o.response[reads[found]])
    return source if bool(right.all()) else None


def _ordered(o: Operations, reads: Numbers, writes: Numbers, source: Numbers, version: Numbers) -> Trace | None:
    """The writes of each key in the order of their versions; None if versions contradict each other."""
    level = np.where(o.status[writes] == OK, version[writes], NOTHING)
    key, found = o.key.astype(np.int64), source >= 0
    traced, shown = source[found], version[reads[found]]
    doubtful = o.status[writes[traced]] == INFO
    level[traced[doubtful]] = shown[doubtful]
    if np.any(level[traced] != shown):
        return None
    span = int(version.max()) + 1
    if (len(o.keys) + 1) * span >= _SPACE:
        return None
    exists = np.flatnonzero(level >= 0)
    names = key[writes[exists]] * span + level[exists]
    order = np.argsort(names)
    names, ranked = names[order], exists[order]
    if np.any(names[1:] == names[:-1]):
        return None
    initial = key[reads[~found]] * span + version[reads[~found]]
    if np.any(np.append(names, NOTHING)[np.searchsorted(names, initial)] == initial):
        return None
    keys, tops = names // span, names % span
    within = keys[1:] == keys[:-1]
    following, first = np.full(len(writes), ENDLESS), np.full(len(o.keys), ENDLESS)
    following[ranked[:-1][within]] = tops[1:][within]
    first[keys[::-1]] = tops[::-1]  # of one key, the last that is put down is the oldest
    return Trace(o, reads, writes, source, level, following, first)


# ── the guarantees ───────────────────────────────────────────────────────────────────────────────────────────────────


def writes_are_newer(trace: Trace, asked: Mapping[str, Any]) -> bool:
    """Whether each write is newer than all that has to come before it."""
    o, real_time, per_key = trace.operations, asked["linearizable_writes"], asked["per_key"]
    _, _, mw, wfr = (name in asked["guarantees"] for name in GUARANTEES)
    done = np.flatnonzero(o.status[trace.writes] == OK)
    exist = np.flatnonzero(trace.level >= 0)
    if real_time:
        key = o.key.astype(np.int64)
        scope = key if per_key else np.zeros_like(key)
        before = _known(trace, scope, done, False, o.invoke[trace.writes[exist]])
        if before is None or np.any(before >= trace.level[exist]):
            return False
    if mw or wfr:
        session = o.session.astype(np.int64)
        before = _known(trace, session, done if mw else done[:0], wfr, o.invoke[trace.writes[exist]])
        if before is None or np.any(before >= trace.level[exist]):
            return False
    return True


def confirmed(trace: Trace, asked: Mapping[str, Any]) -> bool:
    """Whether writes are newer than what comes before them, and reads show the newest that they have to."""
    if not writes_are_newer(trace, asked):
        return False
    o = trace.operations
    ryw, mr, mw, wfr = (name in asked["guarantees"] for name in GUARANTEES)
    done = np.flatnonzero(o.status[trace.writes] == OK)
    session, key = o.session.astype(np.int64), o.key.astype(np.int64)
    # Without the last two, what a session knew of one key says nothing of another.
    scope = session if mw or wfr else session * len(o.keys) + key
    before = _known(trace, scope, done if ryw else done[:0], mr, o.invoke[trace.reads])
    if before is None:
        return False
    newer, found = trace.first[key[trace.reads]], trace.source >= 0
    newer[found] = trace.next[trace.source[found]]
    return not bool(np.any(newer <= before))


def _known(trace: Trace, scope: Numbers, writes: Numbers, reads: bool, moments: Numbers) -> Numbers | None:
    """Per moment the newest level that its scope knew, by some completed writes and perhaps by reads.

    Args:
        scope: per operation to whose knowledge it belongs; moments: invocations of operations.
        writes: places in `trace.writes`; reads: whether they count.
    """
    o = trace.operations
    size = int(max(o.invoke[-1], o.completion.max())) + 1
    height = int(trace.level.max(initial=0)) + 2
    if (int(scope.max()) + 1) * height >= _SPACE:
        return None
    told, whose = np.zeros(size, np.int64), np.full(size, NOTHING)
    whose[o.invoke] = scope
    done = trace.writes[writes]
    whose[o.response[done]], told[o.response[done]] = scope[done], trace.level[writes] + 1
    if reads:
        whose[o.response[trace.reads]], told[o.response[trace.reads]] = scope[trace.reads], trace.shown() + 1
    events = np.flatnonzero(whose >= 0)
    events = events[grouped(whose[events])]
    floor = whose[events] * height
    told[events] = np.maximum.accumulate(floor + told[events]) - floor - 1
    known: Numbers = told[moments]
    return known


def grouped(groups: Numbers) -> NDArray[np.intp]:
    """A stable order by numbers that are not negative, 16 bits at a time."""
    order = np.argsort((groups & 0xFFFF).astype(np.uint16), kind="stable")
    for shift in range(16, int(groups.max(initial=0)).bit_length(), 16):
        part = (groups >> shift & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(part[order], kind="stable")]
    return order
