"""Staleness against its definitions, on small random histories; certificates are re-checked."""

from collections import Counter

import numpy as np
from oracle import staleness as oracle
from oracle.guarantees import Case
from oracle.replicas import Sessions as Replicas
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions.record import Record
from checkers.staleness import Staleness
from checkers.staleness.missed import Reads, Writes, count
from checkers.staleness.samples import samples_of
from checkers.staleness.zones import Zones
from checkers.verifiers.sessions import verify_sessions
from harness.history import Header, History

SEEDS = some_and_many(5000)


@SEEDS
def test_k_and_delta_of_every_read_are_what_counting_says(seeds):
    seen = Counter()
    for seed in seeds:
        events = Replicas(seed).history(10, 2, ("none", "global", "key")[seed % 3])
        history = History(Header(1, "register"), events)
        record = Record.of(history)
        keys = set(record.key)
        versions = bool(keys) and keys <= record.versioned
        if not keys or (not versions and keys & record.versioned):
            continue
        case = Case(events)
        impossible = {record.accesses[found.read].invoke for found in record.impossible}
        wanted = {begin: k for begin, k in oracle.per_read(case, versions).items() if begin not in impossible}
        samples = samples_of(history)
        o = history.operations
        deltas = [
            0 if first < 0 else int(moment - samples.writes.over[first])
            for moment, first in zip(samples.reads.moment, samples.missed.first, strict=True)
        ]
        begins = o.invoke[samples.reads.row].tolist()
        assert dict(zip(begins, zip(samples.missed.k.tolist(), deltas, strict=True), strict=True)) == wanted, seed
        bounds = {"k_max": 1 + seed % 3 if seed % 2 else None, "delta_ms_max": 3.0 if seed % 5 == 0 else None}
        verdict = Staleness(**bounds).check(history, Budget(60))
        assert verify_sessions(history, verdict) == [], seed
        above = [
            (bounds["k_max"] and k > bounds["k_max"]) or (bounds["delta_ms_max"] and delta > 3)
            for k, delta in wanted.values()
        ]
        assert (verdict.answer == "invalid") == any(above), seed
        assert verdict.counts.get("anomalies", 0) == sum(map(bool, above)), seed
        seen.update([verdict.answer, max((k for k, _ in wanted.values()), default=1)])
    seeds.told(seen["invalid"], seen["valid"] + seen["invalid"])
    assert min(seen["valid"], seen["invalid"], seen[2], seen[3]) > len(seeds) // 50


@SEEDS
def test_k_gamma_and_delta_of_a_key_are_what_trying_and_widening_says(seeds):
    found = Counter()
    for seed in seeds[::5]:
        events = Replicas(seed).history(6, 1)
        history = History(Header(1, "register"), events)
        samples, case = samples_of(history), Case(events)
        if not samples.zones or case.impossible():
            continue
        ((by_index, _, _),) = samples.zones.values()
        scaled = [done._replace(begin=done.begin * 1000, end=min(done.end * 1000, 1 << 60)) for done in by_index]
        zones = Zones.of(scaled)
        assert Zones.of(by_index).least_k() == oracle.least_k(case), seed
        gamma, delta = zones.gamma(), zones.delta()
        assert oracle.atomic(case, gamma / 2000, gamma / 2000) and gamma >= max(zones.gammas(), default=0), seed
        assert gamma == 0 or not oracle.atomic(case, gamma / 2000 - 0.01, gamma / 2000 - 0.01), seed
        assert zones.gamma() == max([zones.early(), *zones.gammas().tolist()]), seed
        if delta < 1 << 59:
            assert oracle.atomic(case, delta / 1000, 0, reads_only=True), seed
            assert delta == 0 or not oracle.atomic(case, delta / 1000 - 1.01, 0, reads_only=True), seed
        found.update([f"k{Zones.of(by_index).least_k()}", "gamma" if gamma else "none"])
    seeds.told(found["gamma"], found["gamma"] + found["none"])
    assert min(found["k2"], found["k3"], found["gamma"], found["none"]) > 3


def test_many_writes_are_counted_as_few_are():
    generator = np.random.default_rng(7)
    for _ in range(20):
        n = 400
        moments = generator.permutation(4 * n)
        writes = Writes(np.arange(n), generator.integers(0, 3, n), generator.permutation(n), moments[:n])
        reads = Reads(np.arange(n), generator.integers(0, 3, n), generator.integers(-1, n, n), moments[n : 2 * n])
        missed = count(reads, writes)
        for place in range(n):
            newer = [
                w
                for w in range(n)
                if writes.key[w] == reads.key[place]
                and writes.level[w] > reads.level[place]
                and writes.over[w] < reads.moment[place]
            ]
            assert missed.k[place] == 1 + len(newer)
            assert missed.first[place] == min(newer, key=lambda w: writes.over[w], default=-1)
            assert missed.newest[place] == max(newer, key=lambda w: writes.level[w], default=-1)
