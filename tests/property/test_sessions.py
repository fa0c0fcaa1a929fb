"""Session checkers and durability against the definitions, on small random histories; every certificate re-checked.

Small histories travel in bundles: each has a key and processes of its own, so that one history judges a bundle of them.
"""

import os
from random import Random

import pytest
from oracle import sessions as oracle

from checkers.durability import Durability
from checkers.protocol import Budget
from checkers.sessions import MonotonicReads, ReadYourWrites
from checkers.verify_sessions import verify_sessions
from harness.history import Header, History
from harness.op import Op

TIMES = 20 if os.environ.get("SPLITBRAIN_TORTURE") == "1" else 1
BUNDLE = 40
BUNDLES = 250
VALID_AGAIN = 5
"""How often the valid histories of a bundle are judged once more by themselves, for their certificate."""


class Maker:
    """Makes random operations of one key at a time; events are numbered through."""

    def __init__(self, random, new_value=lambda number: number):
        self.random, self.events, self.key, self.free_process, self.new_value = random, [], 0, 0, new_value

    def emit(self, process, type_, f, value=None, version=None, session=None):
        self.events.append(
            Op(len(self.events), None, process, type_, f, self.key, value, None, session, version),
        )

    def main_phase(self, versions, operations, written, choices):
        """Interleaved reads, writes and cas by two or three processes; `written` collects the values."""
        random, first = self.random, self.free_process
        processes = range(first, first + random.choice((1, 2, 2, 3)))
        self.free_process += 10
        running, retired, left = {}, set(), operations
        shared = random.random() < 0.2
        while left or running:
            process = random.choice(processes)
            if process in running:
                self._complete(running.pop(process), process, versions, written, retired, choices)
            elif left and process not in retired:
                left -= 1
                running[process] = self._invoke(process, written, first if shared else None)
            elif all(one in retired for one in processes):
                return

    def final_reads(self, versions, written, choices):
        """One to three reads by processes of their own, mostly of the same value."""
        self.free_process += 10
        same = choices(written)
        for process in range(self.free_process, self.free_process + self.random.randint(1, 3)):
            value = same if self.random.random() < 0.7 else choices(written)
            end = "ok" if process == self.free_process or self.random.random() < 0.8 else "fail"
            self.emit(process, "invoke", "read")
            self.emit(process, end, "read", value, versions(value) if versions and end == "ok" else None)

    def _invoke(self, process, written, session):
        f = self.random.choices(("read", "write", "cas"), (5, 4, 1))[0]
        value = None
        if f != "read":
            value = self.new_value(len(written) + 1)
            written.append(value)
            value = [self.random.randrange(value), value] if f == "cas" else value
        self.emit(process, "invoke", f, value, session=session)
        return f, value, session

    def _complete(self, started, process, versions, written, retired, choices):
        f, value, session = started
        end = self.random.choices(("ok", "info", "fail"), (8, 1, 1))[0]
        if end == "info":
            retired.add(process)
        if f == "read" and end == "ok":
            value = choices(written)
        shown = value[1] if f == "cas" else value
        told = versions(shown) if versions and end == "ok" else None
        self.emit(process, end, f, value, told, session)


def bundles(versions, operations, choices):
    for seed in range(BUNDLES):
        maker = Maker(Random(seed))
        parts = []
        for maker.key in range(BUNDLE):
            start = len(maker.events)
            maker.main_phase(versions, maker.random.randint(3, operations), [], choices(maker.random))
            parts.append(maker.events[start:])
        yield seed, parts


def judge(checker, parts):
    events = [op for part in parts for op in part]
    history = History(Header(1, "register"), events)
    verdict = checker.check(history, Budget(60))
    assert verdict.answer in ("valid", "invalid"), verdict
    assert verdict.counts["anomalies"] == len(verdict.anomalies)
    assert verify_sessions(history, verdict) == []
    return verdict


def judge_valid_ones(checker, parts, broken):
    """The histories of a bundle that are valid make a valid bundle."""
    offset, moved = 0, []
    for key, part in enumerate(parts):
        if key not in broken:
            moved.append([renumbered(op, op.index - part[0].index + offset) for op in part])
            offset += len(part)
    if moved:
        assert judge(checker, moved).answer == "valid"


def renumbered(op, index):
    return Op(index, op.time, op.process, op.type, op.f, op.key, op.value, op.node, op.session, op.version, op.error)


def recent(random):
    """Reads mostly return something that was written lately, so that many histories are sound."""

    def choose(written):
        if not written:
            return None
        return written[-1] if random.random() < 0.6 else random.choice([None, *written])

    return choose


def version_of(value):
    return (1 + (value or 0) // 3, value or 0)


def test_session_guarantees_by_versions_are_what_the_definition_says():
    broken = [0, 0]
    checkers = (ReadYourWrites(), MonotonicReads())
    for seed, parts in bundles(version_of, 7, recent):
        for number, checker in enumerate(checkers):
            found = {anomaly.culprit for anomaly in judge(checker, parts).anomalies}
            wanted = set()
            for part in parts:
                wanted |= oracle.culprits_by_versions(part, checker.name)
            assert found == wanted, (seed, checker.name)
            broken[number] += len(found)
            if seed % VALID_AGAIN == number:
                keys = {part[0].key for part in parts if oracle.culprits_by_versions(part, checker.name)}
                judge_valid_ones(checker, parts, keys)
    assert min(broken) > BUNDLES


@pytest.mark.parametrize("checker", [ReadYourWrites(), MonotonicReads()], ids=lambda checker: checker.name)
def test_session_guarantees_by_values_are_what_the_definition_says(checker):
    broken = 0
    for seed, parts in bundles(None, 7, recent):
        found = {anomaly.key for anomaly in judge(checker, parts).anomalies}
        wanted = {part[0].key for part in parts if not oracle.holds_by_values(part, checker.name)}
        assert found == wanted, (seed, checker.name)
        broken += len(found)
        if seed % VALID_AGAIN == 0:
            judge_valid_ones(checker, parts, found)
    assert broken > BUNDLES


@pytest.mark.parametrize("guarantee", ["read-your-writes", "monotonic-reads"])
def test_the_smallest_sets_decide_as_all_sets_do(guarantee):
    answers = set()
    for seed in range(2000):
        maker = Maker(Random(seed))
        maker.main_phase(None, 5, [], recent(maker.random))
        answer = oracle.holds_by_all_sets(maker.events, guarantee)
        assert oracle.holds_by_values(maker.events, guarantee) == answer, seed
        answers.add(answer)
    assert answers == {True, False}


def some_versions(random):
    """Versions of one key's values: absent, in order of invocation, nearly so, or contradicting each other."""
    kind = random.choice(("none", "sorted", "shuffled", "shuffled", "colliding"))
    if kind == "none":
        return None
    noise = {"sorted": 0, "shuffled": 15, "colliding": 3}[kind]
    numbers = [number * 10 + random.randint(-noise, noise) * (1 if kind == "shuffled" else 10) for number in range(9)]
    return lambda value: (1, 0 if value is None else 30 + numbers[value])


def bundles_with_final_reads(new_value):
    """Main phases of a bundle one after another, then the final reads of all."""
    for seed in range(BUNDLES):
        random = Random(seed)
        maker = Maker(random, lambda number, random=random: new_value(random, number))
        written = [[] for _ in range(BUNDLE)]
        versions = [some_versions(random) for _ in range(BUNDLE)]
        parts = []
        for maker.key in range(BUNDLE):
            start = len(maker.events)
            maker.main_phase(versions[maker.key], random.randint(1, 5), written[maker.key], recent(random))
            parts.append(maker.events[start:])
        final_from = len(maker.events)
        for maker.key in range(BUNDLE):
            start = len(maker.events)
            maker.final_reads(versions[maker.key], written[maker.key], recent(random))
            parts[maker.key] += maker.events[start:]
        yield seed, maker.events, parts, final_from


def judge_durability(events):
    history = History(Header(1, "register"), events)
    verdict = Durability().check(history, Budget(60))
    assert verdict.answer in ("valid", "invalid"), verdict
    assert verdict.counts["anomalies"] == len(verdict.anomalies)
    assert verify_sessions(history, verdict) == []
    return {anomaly.ops[0] for anomaly in verdict.anomalies}


def test_writes_are_lost_exactly_where_no_order_explains_the_final_reads():
    lost = 0
    for seed, events, parts, final_from in bundles_with_final_reads(lambda _random, number: number):
        found = judge_durability(events)
        wanted = {index for part in parts for index in oracle.lost_writes(part, final_from)}
        assert found == wanted, seed
        lost += len(found)
        if seed % VALID_AGAIN == 0:
            broken = {part[0].key for part in parts if oracle.lost_writes(part, final_from)}
            sound = [op for op in events if op.key not in broken]
            assert not judge_durability([renumbered(op, index) for index, op in enumerate(sound)])
    assert lost > 5 * BUNDLES
