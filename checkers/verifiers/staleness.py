"""Re-counts staleness on the raw events, read by read, with sorted lists instead of columns.

    invalid   each read missed as many completed writes, for as long, as is claimed, and that is above the bound
    valid     no read was staler than the worst one that is claimed, and that is within the bounds

By versions it is counted in columns first (`staleness_columns`); what that does not confirm is counted here.
Without versions a write counts as missed if it began after an operation on the returned value was over.
Limits: what is claimed of whole keys (gamma, and the k that is searched for) is not counted again.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from checkers.verifiers.accesses import INFINITE, Did
from checkers.verifiers.session_columns import trace_of
from checkers.verifiers.staleness_columns import counted_in_columns
from checkers.verifiers.visible import Traced, traced_of
from harness.history import History
from harness.verdict import Verdict


class Stale(NamedTuple):
    """A read's k, and for how long what it missed first had been complete, if there are times."""

    k: int
    delta_ns: int


def verify_staleness(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker != "staleness" or verdict.answer == "unknown":
        return []
    try:
        if recounted(history, verdict):
            return []
        return [f"staleness: {text}" for text in _problems(_counted(history), verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"staleness: the certificate cannot be read: {type(error).__name__}: {error}."]


def recounted(history: History, verdict: Verdict) -> bool:
    """Whether columns confirm it; if not, nothing is said."""
    trace = trace_of(history)
    if trace is None or not len(trace.reads):
        return False
    counted = counted_in_columns(trace)
    reads = {index: Stale(*found) for index in _named(verdict) if (found := counted.get(index)) is not None}
    return not any(_wrong(reads, verdict, counted.worst()))


def _named(verdict: Verdict) -> Iterator[int]:
    return (anomaly.certificate["read"] for anomaly in verdict.anomalies)


def _problems(reads: dict[int, Stale], verdict: Verdict) -> Iterator[str]:
    k, delta_ns = max(read.k for read in reads.values()), max(read.delta_ns for read in reads.values())
    yield from _wrong(reads, verdict, (k, delta_ns, len(reads)))


def _wrong(reads: Mapping[int, Stale], verdict: Verdict, found_worst: tuple[int, int, int]) -> Iterator[str]:
    """What does not stand, with the figures of the reads that it names, and the worst of all."""
    if verdict.answer == "valid":
        worst, bounds = verdict.certificate["worst"], verdict.certificate["bounds"]
        k, delta_ns, count = found_worst
        if found_worst != (worst["k"], worst["delta_ns"], worst["reads"]):
            yield f"the worst k and delta are {k} and {delta_ns} ns, of {count} reads."
        if _above(Stale(k, delta_ns), bounds):
            yield "a read is staler than allowed."
    elif not verdict.anomalies:
        yield "nothing is shown."
    for anomaly in verdict.anomalies:
        said = anomaly.certificate
        found = reads.get(said["read"])
        if found is None or found != Stale(said["k"], said["delta_ns"]):
            yield f"the read {said['read']} has other figures: {found}."
        elif not _above(found, said["bounds"]):
            yield f"the read {said['read']} is not staler than allowed."


def _above(read: Stale, bounds: Mapping[str, Any]) -> bool:
    k_max, delta_ms_max = bounds["k_max"], bounds["delta_ms_max"]
    return (k_max is not None and read.k > k_max) or (delta_ms_max is not None and read.delta_ns > delta_ms_max * 1e6)


def _counted(history: History) -> dict[int, Stale]:
    traced = traced_of(history)
    ended_ns = {did.end.index: did.end.time for did in traced.operations.values() if did.end is not None}
    found: dict[int, Stale] = {}
    for key, dids in traced.keys.items():
        found |= _Key(traced, dids, traced.believed[key]).counted(ended_ns)
    return found


class _Key:
    """One key: when each write was over, and how new what was written and read is."""

    def __init__(self, traced: Traced, dids: list[Did], versioned: bool) -> None:
        self.traced, self.dids, self.versioned = traced, dids, versioned
        self.shown: dict[int, int] = {}
        for did in dids:
            source = traced.source(did) if did.read is not None else None
            if source is not None:
                index = source.begin.index
                self.shown[index] = min(self.shown.get(index, INFINITE), did.over)

    def over(self, write: Did) -> int:
        """When a write was certainly over."""
        return write.over if write.over < INFINITE else self.shown.get(write.begin.index, INFINITE)

    def level(self, did: Did) -> Any:
        """How new: a version, or an event."""
        if did.wrote is not None:
            return (self.traced.version(did) or (-1, -1)) if self.versioned else did.begin.index
        source = self.traced.source(did)
        if source is None:
            return (-1, -1) if self.versioned else -1
        if self.versioned:
            return self.traced.version(source) or (-1, -1)
        return min(source.over, self.shown[source.begin.index])

    def counted(self, ended_ns: Mapping[int, int | None]) -> dict[int, Stale]:
        """Each read that can be traced, in order of beginning; `ended_ns` has the time of each completion."""
        found: dict[int, Stale] = {}
        writes = sorted((self.over(w), w.begin.index, w) for w in self.dids if w.wrote is not None)
        complete: list[Any] = []
        tops: list[Any] = []  # the newest that was complete, after each write in the order in which they ended
        place = 0
        for did in self.dids:
            while place < len(writes) and writes[place][0] < did.begin.index:
                level = self.level(writes[place][2])
                insort(complete, level)
                tops.append(max(tops[-1], level) if tops else level)
                place += 1
            if did.read is None or self.traced.unknown(did):
                continue
            level = self.level(did)
            missed = len(complete) - bisect_right(complete, level)
            first = writes[bisect_right(tops, level)][0] if missed else None
            found[did.begin.index] = Stale(1 + missed, _gap(ended_ns, did, first))
        return found


def _gap(ended_ns: Mapping[int, int | None], read: Did, over: int | None) -> int:
    ended = ended_ns[over] if over is not None else None
    return 0 if ended is None or read.begin.time is None else max(0, read.begin.time - ended)
