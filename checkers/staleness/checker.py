"""Staleness: how far behind reads were, in writes and in time, for every node and during every fault.

A measure, not a promise: the verdict is "valid" unless a bound was asked for.

    Staleness()                          k and delta: middle, 99 of 100, worst; the share of stale reads after t
    Staleness(k_max=3)                   "invalid" where a read missed more than two completed writes
    Staleness(delta_ms_max=500.0)        "invalid" where a read missed a write that had been complete for longer

    k        1 + completed writes of the key that a read missed
    delta    for how long the first of them had been complete when the read began
    gamma    by how much all operations of a key would have to be longer for it to be linearizable; without versions.
             Of a read: the most of that which it has a part in

Parts of the verdict hold the same for each node that answered, and for each fault while it was in force.

Source: Golab, Li, Shah (PODC 2011); Golab et al. (ICDCS 2014); P(stale after t) as in Bailis et al. (VLDB 2012).
Limits: without versions, k and delta of a read are what is certain at least; "valid" for a bound then takes a k that is
known of the whole key (see `checkers.staleness.zones`), and is "unknown" otherwise. Times are the recorder's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.protocol import Budget
from checkers.sessions.explain import key_text, value_text, version_text
from checkers.staleness.samples import Samples, samples_of
from checkers.staleness.zones import FOREVER, Zones
from harness.history import History
from harness.history.faults import fault_windows
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
PARTS_MAX: Final = 50
AFTER_MS: Final = (0, 1, 10, 100, 1_000, 10_000)
Column = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Staleness:
    """How far behind reads were, in writes (k) and in time (delta), by node and by fault."""

    k_max: int | None = None
    delta_ms_max: float | None = None
    name: str = "staleness"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Measure; see the module docstring."""
        samples = samples_of(history)
        return _Measured(history, samples, self.k_max, self.delta_ms_max, self.name, budget).verdict()


@dataclass
class _Measured:
    """One history."""

    history: History
    samples: Samples
    k_max: int | None
    delta_ms_max: float | None
    name: str
    budget: Budget
    least_k: dict[int, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        o, s = self.history.operations, self.samples
        self.begin_ns = o.invoke_ns[s.reads.row]
        over_ns = _over_ns(self.history, s)
        first = s.missed.first
        known = (first >= 0) & (self.begin_ns >= 0)
        known[known] &= over_ns[first[known]] >= 0
        self.delta_ns = np.zeros(len(first), np.int64)
        self.delta_ns[known] = np.maximum(0, self.begin_ns[known] - over_ns[first[known]])
        self.timed = bool(np.all(self.begin_ns >= 0) and np.all(over_ns >= 0))
        self.gamma_ns = np.full(len(first), -1)
        self.since_ns = _since_first_write(s, self.begin_ns, over_ns)

    def verdict(self) -> Verdict:
        """Everything in one verdict, with parts."""
        s = self.samples
        reads = len(s.reads.row)
        if not reads:
            reason = "no read of a register can be traced to its write."
            return Verdict(self.name, "unknown", "There is nothing to measure.", reason=reason)
        of_keys, of_zones = self._zones()
        counts, measures = self._of(np.ones(reads, np.bool_))
        measures |= of_zones
        counts |= {"keys": s.keys, "keys_by_versions": s.keys_by_versions, "reads_left_out": s.impossible + s.unknown}
        counts |= of_keys
        over = self._over()
        counts["anomalies"] = int(np.count_nonzero(over))
        summary = _sentence(counts, measures, self.timed, bool(np.all(s.exact)))
        parts = tuple(self._parts())
        bounds = {"k_max": self.k_max, "delta_ms_max": self.delta_ms_max}
        if counts["anomalies"]:
            anomalies = tuple(self._explain(int(place)) for place in np.flatnonzero(over)[:ANOMALIES_MAX])
            summary = f"{counts['anomalies']:,} reads were staler than allowed. {summary}"
            return Verdict(self.name, "invalid", summary, anomalies, counts, measures, parts=parts)
        if reason := self._open():
            return Verdict(self.name, "unknown", summary, (), counts, measures, reason, parts=parts)
        worst = {"k": counts["k_max"], "delta_ns": int(self.delta_ns.max()), "reads": reads}
        certificate = {"bounds": bounds, "worst": worst}
        return Verdict(self.name, "valid", summary, (), counts, measures, certificate=certificate, parts=parts)

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _of(self, chosen: Mask) -> tuple[dict[str, int], dict[str, float]]:
        """Figures of some reads."""
        k = self.samples.missed.k[chosen]
        counts = {"reads": len(k), "stale_reads": int(np.count_nonzero(k > 1))}
        if not len(k):
            return counts, {}
        counts |= {"k_p50": _percentile(k, 50), "k_p99": _percentile(k, 99), "k_max": int(k.max())}
        measures = {"stale_share": counts["stale_reads"] / len(k)}
        if self.timed:
            delta = self.delta_ns[chosen]
            measures |= {f"delta_ms_p{p}": _percentile(delta, p) / 1e6 for p in (50, 99)}
            measures["delta_ms_max"] = int(delta.max()) / 1e6
            for after_ms in AFTER_MS:
                asked = self.since_ns[chosen] >= after_ms * 1_000_000
                if asked.any():
                    late = int(np.count_nonzero(delta[asked] > after_ms * 1_000_000))
                    measures[f"stale_after_{after_ms}_ms"] = late / int(np.count_nonzero(asked))
        gamma = self.gamma_ns[chosen & (self.gamma_ns >= 0)]
        if len(gamma):
            measures |= {f"gamma_ms_read_p{p}": _percentile(gamma, p) / 1e6 for p in (50, 99)}
            measures["gamma_ms_read_max"] = int(gamma.max()) / 1e6
        return counts, measures

    def _zones(self) -> tuple[dict[str, int], dict[str, float]]:
        """What is known of whole keys without versions, with gamma and delta of the worst; and gamma of each read."""
        counts: dict[str, int] = {}
        measures: dict[str, float] = {}
        gammas, deltas = [0], [0]
        ordered = _times_grow(self.history)
        for key, (by_index, by_time, rows) in self.samples.zones.items():
            if self.budget.spent():
                self.least_k[key] = None
                continue
            k = self.least_k[key] = Zones.of(by_index).least_k()
            name = "keys_k_open" if k is None else f"keys_{k}_atomic"
            counts[name] = counts.get(name, 0) + 1
            if by_time is None:
                continue
            at = np.searchsorted(self.samples.reads.row, rows)
            if k == 1 and ordered:  # what is in order by event is so by time
                self.gamma_ns[at] = 0
                continue
            zones = Zones.of(by_time)
            gammas.append(zones.gamma())
            deltas.append(min(zones.delta(), FOREVER))
            self.gamma_ns[at] = zones.gammas()
        if self.samples.zones and self.timed:
            measures["gamma_ms_max"] = max(gammas) / 1e6
            if max(deltas) < FOREVER:
                measures["delta_atomicity_ms_max"] = max(deltas) / 1e6
        return counts, measures

    def _parts(self) -> Iterator[Verdict]:
        """The same for every node that answered, and for every fault."""
        o, rows = self.history.operations, self.samples.reads.row
        nodes = o.node[rows]
        groups = [(f"node {o.names[code]}", nodes == code) for code in np.unique(nodes) if o.names[code] is not None]
        begins, ends = o.invoke[rows], o.response[rows]
        calm = np.ones(len(rows), np.bool_)
        for window in fault_windows(self.history.fault_events):
            last = window.stop_index if window.stop_index is not None else np.iinfo(np.int64).max
            during = (ends >= window.start_index) & (begins <= last)
            calm &= ~during
            groups.append((f"during {window.id}", during))
        if not calm.all():
            groups.append(("outside of faults", calm))
        for name, chosen in groups[:PARTS_MAX]:
            counts, measures = self._of(chosen)
            said = _sentence(counts, measures, self.timed, True) if counts["reads"] else "No read."
            yield Verdict(f"{self.name}: {name}", "valid", said, counts=counts, measures=measures)

    # ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _over(self) -> Mask:
        over = np.zeros(len(self.delta_ns), np.bool_)
        if self.k_max is not None:
            over |= self.samples.missed.k > self.k_max
        if self.delta_ms_max is not None:
            over |= self.delta_ns > self.delta_ms_max * 1e6
        return over

    def _open(self) -> str:
        """Why a bound that was asked for is not known to hold, or ""."""
        s = self.samples
        if self.k_max is None and self.delta_ms_max is None:
            return ""
        left_out = s.impossible + s.unknown
        if left_out:
            return f"{left_out:,} reads cannot be traced to one write."
        most = 0 if self.k_max is None or self.delta_ms_max is not None else self.k_max
        unknown = [key for key, k in self.least_k.items() if k is None or k > max(most, 1)]
        if unknown:
            names = self.history.operations.keys
            some = ", ".join(key_text(names[key]) for key in unknown[:3])
            return f"without versions it is not known of {len(unknown):,} of {s.keys:,} keys, {some} among them."
        return "" if self.timed or self.delta_ms_max is None else "the history has no times."

    def _explain(self, place: int) -> Anomaly:
        s, o = self.samples, self.history.operations
        read, exact = int(s.reads.row[place]), bool(s.exact[place])
        first, newest = (int(s.writes.row[column[place]]) for column in (s.missed.first, s.missed.newest))
        k, key = int(s.missed.k[place]), o.keys[o.key[read]]
        node = o.names[o.node[read]]
        value = value_text(o.values[o.result[read]]) + _version(self.history, read, exact)
        missed = value_text(o.values[o.argument[newest]]) + _version(self.history, newest, exact)
        at_least = "" if exact else "at least "
        gap = f", the first of them {self.delta_ns[place] / 1e6:.1f} ms before" if self.timed else ""
        sentence = (
            f"At {key_text(key)}, process {o.names[o.process[read]]} read {value}"
            f"{'' if node is None else f' from {node}'}, although {at_least}{k - 1:,} newer "
            f"{'write was' if k == 2 else 'writes were'} complete{gap}; the newest is {missed}."
        )
        ops = tuple(sorted({int(o.invoke[row]) for row in (read, first, newest)}))
        certificate: dict[str, Any] = {
            "read": int(o.invoke[read]),
            "k": k,
            "delta_ns": int(self.delta_ns[place]),
            "exact": exact,
        }
        certificate |= {"bounds": {"k_max": self.k_max, "delta_ms_max": self.delta_ms_max}}
        culprit = int(o.invoke[read])
        return Anomaly("stale-read", "staleness", sentence, key, ops, culprit, "", "too-stale", certificate)


def _over_ns(history: History, samples: Samples) -> Column:
    """When each write was over, in time; of one in doubt, when the read that showed it was."""
    o = history.operations
    times = o.response_ns[samples.writes.row].copy()
    own = o.response[samples.writes.row] == samples.writes.over
    if not own.all():
        sorting = np.argsort(o.completion)
        place = np.searchsorted(o.completion[sorting], samples.writes.over[~own])
        times[~own] = o.response_ns[sorting[place]]
    return times


def _times_grow(history: History) -> bool:
    """Whether no event has an earlier time than one before it."""
    o = history.operations
    over = np.flatnonzero(o.completion >= 0)
    times = np.concatenate([o.invoke_ns, o.response_ns[over]])[
        np.argsort(np.concatenate([o.invoke, o.completion[over]]))
    ]
    return bool(np.all(times[1:] >= times[:-1]))


def _since_first_write(samples: Samples, begin_ns: Column, over_ns: Column) -> Column:
    """Per read how long ago the first write of its key was over; negative when there was none."""
    first: Column = np.full(1 + int(max(samples.reads.key.max(initial=0), samples.writes.key.max(initial=0))), FOREVER)
    np.minimum.at(first, samples.writes.key, over_ns)
    return np.asarray(begin_ns - first[samples.reads.key], np.int64)


def _percentile(values: Column, percent: int) -> int:
    """The least value that so many of a hundred do not exceed."""
    place = -(-len(values) * percent // 100) - 1
    return int(np.partition(values, max(place, 0))[max(place, 0)])


def _sentence(counts: dict[str, int], measures: dict[str, float], timed: bool, exact: bool) -> str:
    stale, reads = counts["stale_reads"], counts["reads"]
    if not stale:
        return f"None of {reads:,} reads missed a completed write{'' if exact else ', as far as is certain'}."
    least = "" if exact else "at least "
    said = f"{least}{stale:,} of {reads:,} reads missed completed writes: {least}{counts['k_max'] - 1:,} at worst"
    if timed:
        said += f", {measures['delta_ms_max']:.1f} ms behind (99 of 100: {measures['delta_ms_p99']:.1f} ms)"
    return said[0].upper() + said[1:] + "."


def _version(history: History, row: int, exact: bool) -> str:
    o = history.operations
    generation, index = int(o.generation[row]), int(o.log_index[row])
    return f" (version {version_text((generation, index))})" if exact and generation >= 0 else ""
