"""Certificates of sessions and staleness, re-checked in columns and event by event: columns confirm nothing else.

Histories are good, bad, and changed by hand afterwards; certificates are those of the checkers, and spoiled ones.
"""

from collections import Counter
from random import Random

import msgspec
import numpy as np
import pytest
from oracle.guarantees import SUBSETS
from oracle.replicas import Sessions as Replicas
from oracle.spoiled import other, places
from oracle.spoiled import spoiled as spoiled_certificate
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions import Semantics, Sessions
from checkers.staleness import Staleness
from checkers.verifiers.session_columns import grouped, trace_of
from checkers.verifiers.session_lookup import looked_up
from checkers.verifiers.sessions import Proof, proven, served, verify_sessions
from checkers.verifiers.staleness import _counted, recounted, verify_staleness
from checkers.verifiers.staleness import _problems as _problems_with
from checkers.verifiers.staleness_columns import _count, counted_in_columns
from checkers.verifiers.visible import doubts, traced_of
from harness.history import Header, History, reader
from harness.history.reader import read_history

ERRORS = (KeyError, IndexError, TypeError, ValueError)
HOPS = ("own-write", "earlier-read", "earlier-write", "read-before", "returned")
WORDS = (*HOPS, "sees", "mw", "wfr", "version", "real-time")
RULES = (
    "older-version",
    "initial-value",
    "value-cycle",
    "overwritten",
    "garbage-read",
    "aborted-read",
    "future-read",
)


def made(seed, folder, most=12):
    """A history: mostly with versions, often with something changed in it, half of them read from a file."""
    random = Random(seed)
    versions = random.choice(("none", "global", "global", "key"))
    events = Replicas(seed).history(random.choice((5, 8, most)), random.choice((1, 2, 3)), versions)
    for _ in range(random.choice((0, 0, 1, 2))):
        place = random.randrange(len(events))
        events[place] = changed(random, events[place], events)
    if random.random() < 0.1:
        events = [msgspec.structs.replace(op, session=random.choice((None, op.process, "a"))) for op in events]
    header = Header(1, "register", initial=random.choice((None, None, None, 0, 2)))
    if random.random() < 0.5:
        return header, History(header, events)
    path = folder / "history.jsonl"
    path.write_bytes(b"\n".join([msgspec.json.encode(header), *map(msgspec.json.encode, events)]) + b"\n")
    return header, read_history(path)


def changed(random, op, events):
    """An event with another version or another value, and so perhaps one that cannot be."""
    other = random.choice(events)
    way = random.randrange(6)
    if way < 3 and op.version is not None:
        version = (op.version[0], max(0, op.version[1] + random.choice((-1, 1)))), other.version, None, (2, 0)
        return msgspec.structs.replace(op, version=random.choice(version))
    if way < 5:
        return msgspec.structs.replace(op, value=random.choice((other.value, other.value, None, "word", True)))
    return op


def refused(problems):
    """Whether there is any problem; what cannot be read is one."""
    try:
        return any(problems)
    except ERRORS:
        return True


def asked_of(random):
    return {
        "guarantees": sorted(random.choice(SUBSETS)),
        "per_key": random.random() < 0.4,
        "convergent": random.random() < 0.7,
        "linearizable_writes": random.random() < 0.2,
    }


def both(found):
    """How many certificates were judged both ways."""
    return sum(found[quick, plainly] for quick in (True, False) for plainly in (True, False))


@pytest.fixture(autouse=True)
def _every_file_is_long(monkeypatch):
    monkeypatch.setattr(reader, "LONG", 0)


@some_and_many(1500, each=4)
def test_columns_confirm_no_history_that_events_doubt(tmp_path, seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        _, history = made(seed, tmp_path)
        for _ in range(4):
            certificate = {"asked": asked_of(random), "by": "versions"}
            if random.random() < 0.1:
                certificate["asked"].pop(random.choice(list(certificate["asked"])))
            try:
                quick = served(history, certificate)
            except ERRORS:
                quick = False
            plainly = not refused(_doubts(history, certificate))
            assert plainly or not quick, (seed, certificate)
            found[quick, plainly] += 1
    seeds.told(found[False, False], both(found))
    assert min(found[True, True], found[False, False]) > len(seeds) / 2


def _doubts(history, certificate):
    yield from doubts(traced_of(history), certificate)

    del history


@some_and_many(500, each=20)
def test_columns_prove_the_same_anomalies_as_events(tmp_path, seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        _, history = made(seed, tmp_path)
        semantics = Semantics(
            random.random() < 0.7, random.random() < 0.4, random.choice(("any", "any", "linearizable"))
        )
        verdict = Sessions(tuple(random.choice(SUBSETS)), semantics).check(history, Budget(60))
        assert verify_sessions(history, verdict) == [], seed
        by_versions = verdict.certificate.get("by") == "versions"
        assert not by_versions or looked_up(history) is None or served(history, verdict.certificate), seed
        found["valid, by versions"] += by_versions
        plain = looked_up(history) is not None
        for anomaly in verdict.anomalies:
            good = proven(history, anomaly)
            assert good == plain, (seed, anomaly)
            found["good", good] += 1
            for _ in range(20):
                wrong = spoiled(random, anomaly, history)
                quick, plainly = proven(history, wrong), not refused(_problems(history, wrong))
                assert quick == (plainly and plain), (seed, wrong.certificate)
                found[quick, plainly] += 1
    seeds.told(found[False, False], both(found))
    assert min(found["valid, by versions"], found["good", True], found[True, True]) > len(seeds) / 10
    assert found[False, False] > len(seeds) * 2


def _problems(history, anomaly):
    yield from Proof(traced_of(history), anomaly).problems()


def spoiled(random, anomaly, history):
    """The same under another rule, or with another certificate."""
    if random.random() < 0.1:
        return msgspec.structs.replace(anomaly, rule=random.choice(RULES))
    certificate, kept = dict(anomaly.certificate), {}
    if random.random() < 0.9:
        kept["asked"] = certificate.pop("asked")
    changed = spoiled_certificate(random, certificate, len(history.events), WORDS)
    return msgspec.structs.replace(anomaly, certificate=changed | kept)


@some_and_many(1500, each=4)
def test_columns_count_staleness_as_events_do(tmp_path, seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        _, history = made(seed, tmp_path, 30)
        bounds = {"k_max": random.choice((None, 1, 1, 2, 3)), "delta_ms_max": random.choice((None, None, 3.0))}
        verdict = Staleness(**bounds).check(history, Budget(60))
        trace = trace_of(history)
        if trace is not None and len(trace.reads):
            counted = counted_in_columns(trace)
            figures = zip(counted.k.tolist(), counted.delta_ns.tolist(), strict=True)
            assert dict(zip(counted.begin.tolist(), figures, strict=True)) == _counted(history), seed
            found["counted", min(3, counted.worst()[0])] += 1
        assert verify_staleness(history, verdict) == [], seed
        for wrong in (verdict, *(spoiled_figures(random, verdict, history) for _ in range(3))):
            quick = not _fails(recounted, history, wrong)
            plainly = not refused(_problems_of_staleness(history, wrong))
            assert quick == (plainly and trace is not None and len(trace.reads) > 0), (seed, wrong)
            found[quick, plainly] += 1
    seeds.told(found[False, False], both(found))
    assert min(found[True, True], found[False, False], found["counted", 2], found["counted", 3]) > len(seeds) / 50


def _fails(confirms, *told):
    """Whether columns do not confirm something."""
    try:
        return not confirms(*told)
    except ERRORS:
        return True


def _problems_of_staleness(history, verdict):
    if verdict.answer != "unknown":
        yield from _problems_with(_counted(history), verdict)


def spoiled_figures(random, verdict, history):
    """The same with one figure of its certificate, or of that of an anomaly, changed."""
    if verdict.anomalies and random.random() < 0.1:
        return msgspec.structs.replace(verdict, answer="valid")
    at = random.randrange(max(1, len(verdict.anomalies)))
    certificate = verdict.anomalies[at].certificate if verdict.anomalies else verdict.certificate
    certificate = msgspec.json.decode(msgspec.json.encode(certificate))
    if not certificate:
        return verdict
    holder, place = random.choice([(h, p) for h, p in places(certificate) if not isinstance(h[p], list | str)])
    holder[place] = random.choice((other(random, holder[place], len(history.events), ()), 0, 1, None))
    if random.random() < 0.1:
        holder.pop(place)
    if not verdict.anomalies:
        return msgspec.structs.replace(verdict, certificate=certificate)
    anomalies = list(verdict.anomalies)
    anomalies[at] = msgspec.structs.replace(anomalies[at], certificate=certificate)
    return msgspec.structs.replace(verdict, anomalies=tuple(anomalies))


def test_the_count_of_what_is_not_below_a_bound_is_that_of_counting():
    for seed in range(40):
        random = Random(seed)
        ranks = random.sample(range(seed), seed)
        asked = [(random.randint(0, seed), random.randint(0, seed)) for _ in range(20)]
        places, least = (np.array(part) for part in zip(*asked, strict=True))
        wanted = [sum(rank >= bound for rank in ranks[:place]) for place, bound in asked]
        assert _count(np.array(ranks, np.int64), places, least).tolist() == wanted


def test_groups_of_any_size_are_ordered_as_by_sorting_them():
    for seed in range(60):
        random = Random(seed)
        groups = np.array([random.randrange(1 << random.randint(0, seed % 60 + 1)) for _ in range(seed)], np.int64)
        assert grouped(groups).tolist() == sorted(range(seed), key=lambda place: groups[place])
