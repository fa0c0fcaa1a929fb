"""Durability against its definition, on small random histories; every certificate re-checked.

Small histories travel in bundles: each has a key and processes of its own, so that one history judges a bundle of them.
"""

from collections import Counter
from random import Random

from oracle import durability as oracle
from torture import some_and_many

from checkers.durability import Durability
from checkers.protocol import Budget
from checkers.verifiers.sessions import verify_sessions
from harness.history import Header, History
from harness.op import Op

BUNDLE = 40
BUNDLES = 2500
SEEDS = some_and_many(BUNDLES, BUNDLE, least=50)
VALID_AGAIN = 5
"""How often the valid histories of a bundle are judged once more by themselves, for their certificate."""


class Maker:
    """Makes random operations of one key at a time; events are numbered through."""

    def __init__(self, random, new_value=lambda number: number):
        self.random, self.events, self.key, self.free_process, self.new_value = random, [], 0, 0, new_value

    def below(self, number):
        return int(self.random.random() * number)

    def emit(self, process, type_, f, value=None, version=None, session=None):
        self.events.append(Op(len(self.events), None, process, type_, f, self.key, value, None, session, version))

    def main_phase(self, versions, operations, written, choose):
        """Interleaved reads, writes and cas by one to three processes; `written` collects the values."""
        first = self.free_process
        processes = list(range(first, first + (1, 2, 2, 3)[self.below(4)]))
        self.free_process += 10
        shared = first if self.random.random() < 0.2 else None
        running = {}
        while (operations and processes) or running:
            some = processes if operations else list(running)
            process = some[self.below(len(some))]
            if process not in running:
                operations -= 1
                running[process] = self._invoke(process, written, shared)
            elif self._complete(running.pop(process), process, versions, written, choose) == "info":
                processes.remove(process)

    def final_reads(self, versions, written, choose):
        """One to three reads by processes of their own, mostly of the same value."""
        self.free_process += 10
        same = choose(self, written)
        for process in range(self.free_process, self.free_process + 1 + self.below(3)):
            value = same if self.random.random() < 0.7 else choose(self, written)
            end = "ok" if process == self.free_process or self.random.random() < 0.8 else "fail"
            self.emit(process, "invoke", "read")
            self.emit(process, end, "read", value, versions(value) if versions and end == "ok" else None)

    def _invoke(self, process, written, session):
        f = ("read", "read", "read", "read", "read", "write", "write", "write", "write", "cas")[self.below(10)]
        value = None
        if f != "read":
            value = self.new_value(len(written) + 1)
            written.append(value)
            value = [self.below(value), value] if f == "cas" else value
        self.emit(process, "invoke", f, value, None, session)
        return f, value, session

    def _complete(self, started, process, versions, written, choose):
        f, value, session = started
        end = ("ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "info", "fail")[self.below(10)]
        if f == "read" and end == "ok":
            value = choose(self, written)
        told = None
        if versions and end == "ok":
            told = versions(value[1] if f == "cas" else value)
        self.emit(process, end, f, value, told, session)
        return end


def judge(checker, history):
    verdict = checker.check(history, Budget(60))
    assert verdict.answer in ("valid", "invalid"), verdict
    assert verdict.counts["anomalies"] == len(verdict.anomalies)
    assert verify_sessions(history, verdict) == []
    return verdict


def judge_valid_ones(checker, history, broken):
    """The histories of a bundle that are valid make a valid bundle."""
    sound = [op for op in history.events if op.key not in broken]
    moved = [renumbered(op, index) for index, op in enumerate(sound)]
    assert judge(checker, History(history.header, moved)).answer == "valid"


def renumbered(op, index):
    return Op(index, op.time, op.process, op.type, op.f, op.key, op.value, op.node, op.session, op.version, op.error)


def recent(maker, written):
    """Reads mostly return something that was written lately, so that many histories are sound."""
    if not written:
        return None
    if maker.random.random() < 0.6:
        return written[-1]
    place = maker.below(len(written) + 1)
    return written[place] if place < len(written) else None


def some_versions(maker):
    """Versions of one key's values: absent, in order of invocation, nearly so, or contradicting each other."""
    kind = ("none", "sorted", "shuffled", "shuffled", "colliding")[maker.below(5)]
    if kind == "none":
        return None
    noise = {"sorted": 0, "shuffled": 15, "colliding": 30}[kind]
    numbers = [30 + number * 10 + maker.below(2 * noise + 1) - noise for number in range(9)]
    if kind == "colliding":
        numbers = [number // 10 for number in numbers]
    return lambda value: (1, 0 if value is None else numbers[value])


def bundles_with_final_reads(seeds, draw_versions, new_value):
    """Main phases of a bundle one after another, then the final reads of all."""
    for seed in seeds:
        maker = Maker(Random(seed))
        maker.new_value = lambda number, maker=maker: new_value(maker, number)
        written = [[] for _ in range(BUNDLE)]
        versions = [draw_versions(maker) for _ in range(BUNDLE)]
        parts = []
        for maker.key in range(BUNDLE):
            start = len(maker.events)
            maker.main_phase(versions[maker.key], 1 + maker.below(5), written[maker.key], recent)
            parts.append(maker.events[start:])
        final_from = 1 + max(op.index for op in maker.events if op.f != "read")
        for maker.key in range(BUNDLE):
            start = len(maker.events)
            maker.final_reads(versions[maker.key], written[maker.key], recent)
            parts[maker.key] += maker.events[start:]
        yield seed, parts, final_from, History(Header(1, "register"), maker.events)


@SEEDS
def test_writes_are_lost_exactly_where_no_order_explains_the_final_reads(seeds):
    lost, broken = Counter(), 0
    for seed, parts, final_from, history in bundles_with_final_reads(
        seeds, some_versions, lambda _maker, number: number
    ):
        anomalies = judge(Durability(), history).anomalies
        wanted = [oracle.lost_writes(part, final_from) for part in parts]
        assert {anomaly.ops[0] for anomaly in anomalies} == set().union(*wanted), seed
        lost.update(anomaly.certificate["by"] for anomaly in anomalies)
        broken += sum(map(bool, wanted))
        if seed % VALID_AGAIN == 0:
            judge_valid_ones(Durability(), history, {key for key, writes in enumerate(wanted) if writes})
    seeds.told(broken)
    assert lost["versions"] > len(seeds)
    assert lost["real-time"] > len(seeds)


@SEEDS
def test_a_write_of_a_repeated_value_is_called_lost_only_if_it_is(seeds):
    lost = broken = 0
    repeated = bundles_with_final_reads(seeds[::5], lambda _maker: None, lambda maker, _number: 1 + maker.below(2))
    for seed, parts, final_from, history in repeated:
        found = {anomaly.ops[0] for anomaly in judge(Durability(), history).anomalies}
        wanted = [oracle.lost_writes(part, final_from) for part in parts]
        assert found <= set().union(*wanted), seed
        lost += len(found)
        broken += sum(map(bool, wanted))
    seeds.told(broken, len(seeds) // 5 * BUNDLE)
    assert lost > len(seeds) // 5
