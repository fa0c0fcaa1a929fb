"""Invalid histories by versions: the pass over what columns suspect says what the pass over everything says.

Whole verdicts are compared: answer, summary, every anomaly with its operations, sentence and certificate, and counts.
"""

from collections import Counter
from random import Random

import msgspec
import pytest
from oracle.guarantees import SUBSETS
from oracle.replicas import Sessions as Replicas
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions import Semantics, Sessions, columns, suspects
from checkers.sessions.checker import verdict_of
from checkers.sessions.record import Record
from checkers.sessions.visibility import judge
from checkers.verifiers.sessions import verify_sessions
from harness.history import Header, History, reader
from harness.history.reader import read_history
from harness.op import Op


class Story:
    """One log, and replicas that lag behind it; what goes wrong now and then is up to chance."""

    def __init__(self, random, initial=None):
        self.random, self.initial = random, initial
        self.events = []
        self.log = []  # (key, value)
        self.shared = random.random() < 0.3
        self.keys = random.choice((1, 2, 3, 8))
        self.lag = random.choice((1, 3, 10, 40))
        self.careless = random.choice((0.0, 0.1, 0.3, 0.6))
        self.misplaced = random.choice((0.0, 0.0, 0.01, 0.1))
        self.doubt = random.choice((0.0, 0.0, 0.02, 0.1))
        self.known = Counter()

    def told(self, operations, processes):
        """The events."""
        random, free, running, fresh = self.random, list(range(processes)), [], processes
        while operations or running:
            if operations and free and (not running or random.random() < 0.5):
                operations -= 1
                process = free.pop(random.randrange(len(free)))
                running.append(self._begin(process))
                continue
            begun = running.pop(random.randrange(len(running)))
            kind = "info" if random.random() < self.doubt else "fail" if random.random() < 0.02 else "ok"
            self._end(begun, kind)
            free.append(begun.process if kind != "info" else fresh)
            fresh += kind == "info"
        return self.events

    def _session(self, process):
        return f"s{process % 3}" if self.shared else None

    def _begin(self, process):
        key, write = f"k{self.random.randrange(self.keys)}", self.random.random() < 0.45
        value = len(self.events) + 1 if write else None
        op = Op(len(self.events), None, process, "invoke", "write" if write else "read", key, value, None,
                self._session(process))  # fmt: skip
        self.events.append(op)
        return op

    def _end(self, begun, kind):
        random, session = self.random, self._session(begun.process) or begun.process
        value, version = begun.value, None
        if begun.f == "write" and (kind == "ok" or (kind == "info" and random.random() < 0.7)):
            self.log.append((begun.key, value))
            version = len(self.log)
            if len(self.log) > 2 and random.random() < self.misplaced:
                other = max(0, len(self.log) - 1 - random.randrange(1, 12))
                # Nobody has been told of a place whose write is still to be told of: take one that is in doubt for it.
                version = self._swap(other)
            if kind == "ok":
                self.known[session] = max(self.known[session], version)
        elif begun.f == "read" and kind == "ok":
            least = 0 if random.random() < self.careless else self.known[session]
            seen = max(least, len(self.log) - random.randrange(self.lag + 1), 0)
            place = next((at for at in range(seen, 0, -1) if self.log[at - 1][0] == begun.key), 0)
            version, value = place, self.log[place - 1][1] if place else self.initial
            self.known[session] = max(self.known[session], seen)
        told = None if version is None or kind != "ok" else (1, version)
        self.events.append(Op(len(self.events), None, begun.process, kind, begun.f, begun.key, value, None,
                              begun.session, told))  # fmt: skip

    def _swap(self, other):
        """Change the places of the last write and an earlier one, also in what was told before."""
        last = len(self.log) - 1
        self.log[last], self.log[other] = self.log[other], self.log[last]
        moved = {(1, other + 1): (1, last + 1)}
        for place, op in enumerate(self.events):
            if op.version in moved:
                self.events[place] = msgspec.structs.replace(op, version=moved[op.version])
        return other + 1


def made(seed, folder):
    """A history: small, most with versions, some with something changed in it, some read from a file."""
    random = Random(seed)
    initial = None
    if random.random() < 0.2:
        versions = random.choice(("none", "global", "global", "key"))
        events = Replicas(seed).history(random.choice((5, 8, 14)), random.choice((1, 2, 3)), versions)
    else:
        initial = random.choice((None, None, 0))
        events = Story(random, initial).told(random.choice((6, 12, 30, 60)), random.choice((1, 2, 3, 5)))
    if random.random() < 0.1:
        place = random.randrange(len(events))
        other = random.choice(events)
        changes = random.choice(({"version": None}, {"version": other.version}, {"value": other.value}))
        events[place] = msgspec.structs.replace(events[place], **changes)
    return written(Header(1, "register", initial=initial), events, folder, random)


def written(header, events, folder, random):
    if random.random() < 0.7:
        return History(header, events)
    path = folder / "history.jsonl"
    path.write_bytes(b"\n".join([msgspec.json.encode(header), *map(msgspec.json.encode, events)]) + b"\n")
    return read_history(path)


def compare(history, subset, semantics, found):
    """Judge both ways."""
    checker = Sessions(subset, semantics)
    verdict = checker.check(history, Budget(600))
    rules = semantics.rules(subset)
    told = columns.read_columns(history)
    bounds = told and columns.Bounds.of(told, rules)
    quick = told and columns.confirmed(told, rules, bounds)
    part = told and not quick and suspects.judge_part(history, told, rules, bounds, lambda: False)
    assert verdict.answer == "unknown" or verify_sessions(history, verdict) == []
    if quick:
        found["quick"] += 1
        return verdict
    if not told and verdict.answer == "valid":  # by a guess, which counts less: see `test_session_values`
        return verdict
    record = Record.of(history)
    right = verdict_of(record, judge(record, rules, lambda: False), rules, semantics, checker.name)
    if len(columns.from_nowhere(history)):  # reads that are set aside: what the others were held against may count less
        assert (verdict.answer, verdict.anomalies) == (right.answer, right.anomalies)
    else:
        assert verdict == right
    found["part" if part else "whole", verdict.answer] += 1
    if part:
        found.update({anomaly.rule for anomaly in verdict.anomalies})
    return verdict


def semantics_of(random):
    return Semantics(random.random() < 0.7, random.random() < 0.3, random.choice(("any", "any", "linearizable")))


@pytest.fixture(autouse=True)
def _every_file_is_long(monkeypatch):
    monkeypatch.setattr(reader, "LONG", 0)


@some_and_many(1500)
def test_of_what_is_suspected_the_pass_says_what_it_says_of_everything(tmp_path, monkeypatch, seeds):
    monkeypatch.setattr(suspects, "PART_MAX", 1.0)
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        compare(made(seed, tmp_path), tuple(random.choice(SUBSETS)), semantics_of(random), found)
    seeds.told(found["part", "invalid"] + found["whole", "invalid"])
    assert found["part", "invalid"] > len(seeds) / 10
    assert min(found["older-version"], found["initial-value"], found["value-cycle"]) > len(seeds) / 100


@some_and_many(1500)
def test_reads_of_what_nobody_wrote_say_nothing_about_the_others(tmp_path, monkeypatch, seeds):
    monkeypatch.setattr(suspects, "PART_MAX", 1.0)
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        events = Story(random).told(random.choice((6, 12, 30, 60)), random.choice((1, 2, 3, 5)))
        reads = [op for op in events if op.f == "read" and op.type == "ok"]
        for op in random.sample(reads, min(len(reads), random.choice((1, 1, 2)))):
            version = random.choice(((1, 1000), (1, 1001), (1, 0), (0, 7), (1, 2), op.version))
            wrong = {"value": random.choice(("nobody's", "another's", 1.0, True)), "version": version}
            events[op.index] = msgspec.structs.replace(op, **wrong)
        history = written(Header(1, "register"), events, tmp_path, random)
        garbage = columns.from_nowhere(history)
        told = len(garbage) and columns.read_columns(history, garbage)
        subset, semantics = tuple(random.choice(SUBSETS)), semantics_of(random)
        verdict = Sessions(subset, semantics).check(history, Budget(600))
        assert verdict.answer != "invalid" or verify_sessions(history, verdict) == []
        record, rules = Record.of(history), semantics.rules(subset)
        right = verdict_of(record, judge(record, rules, lambda: False), rules, semantics, verdict.checker)
        counts = {name: verdict.counts[name] for name in ("anomalies", "keys", "keys_by_versions", "keys_undecided")}
        assert counts.items() <= right.counts.items(), seed
        assert (verdict.answer, verdict.anomalies) == (right.answer, right.anomalies), seed
        found[bool(told), len(verdict.anomalies) > len(garbage)] += 1
    seeds.told(found[True, True] + found[True, False])
    assert min(found[True, True], found[True, False]) > len(seeds) / 20


@some_and_many(10, each=3)
def test_of_a_long_history_the_pass_is_given_a_part(tmp_path, seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        story = Story(random)
        story.keys, story.lag, story.careless = 20, 30, random.choice((0.01, 0.05))
        story.misplaced, story.doubt = random.choice((0.0, 0.0, 0.002)), random.choice((0.0, 0.002))
        history = written(Header(1), story.told(2000, 10), tmp_path, random)
        for _ in range(3):
            compare(history, tuple(random.choice(SUBSETS)), semantics_of(random), found)
    seeds.told(found["part", "invalid"] + found["whole", "invalid"])
    assert found["part", "invalid"] > len(seeds)


def test_a_write_in_doubt_whose_version_a_read_contradicts_is_not_believed():
    events = [
        Op(0, None, 1, "invoke", "write", "k", 1),
        Op(1, None, 1, "info", "write", "k", 1, version=(1, 1)),
        Op(2, None, 2, "invoke", "read", "k"),
        Op(3, None, 2, "ok", "read", "k", 1, version=(1, 2)),
    ]
    history = History(Header(1), events)
    assert columns.read_columns(history) is None
    events[1] = msgspec.structs.replace(events[1], version=(1, 2))
    assert columns.read_columns(History(Header(1), events)) is not None
