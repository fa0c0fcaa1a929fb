"""Checkers of counters, queues and locks against every order, on small random histories; every certificate re-checked.

Small histories travel in bundles: each has a key and processes of its own, so that one history judges a bundle of them.
An object that works is told to make a mistake now and then, so that both answers are frequent.
"""

from collections import Counter

import pytest
from oracle.made_objects import CASES, AsSetWithRetries, Maker
from oracle.objects import idempotent_holds
from torture import some_and_many

from checkers.objects import SetFull
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op

BUNDLE = 40
BUNDLES = 500
SEEDS = some_and_many(BUNDLES, BUNDLE, least=50)


def bundle(seed, make, length):
    maker = Maker(seed)
    parts = []
    for maker.key in range(BUNDLE):
        parts.append(maker.part(make(), 2 + maker.below(length - 1)))
    return maker.events, parts


def judge(checker, header, events):
    history = History(header, events)
    verdict = checker.check(history, Budget(60))
    assert verify(history, verdict) == [], verdict
    return verdict


def renumbered(events):
    return [
        Op(number, None, op.process, op.type, op.f, op.key, op.value, error=op.error)
        for number, op in enumerate(events)
    ]


@SEEDS
@pytest.mark.parametrize("case", CASES)
def test_objects_are_judged_as_by_trying_every_order(case, seeds):
    checker, make, holds, length, may_be_undecided = CASES[case]
    header, answers = Header(1, case), Counter()
    for seed in seeds:
        events, parts = bundle(seed, make, length)
        verdict = judge(checker, header, events)
        broken = {anomaly.key for anomaly in verdict.anomalies}
        wanted = {key for key, part in enumerate(parts) if not holds(part)}
        sound = [op for op in events if op.key not in broken]
        undecided = set()
        if judge(checker, header, renumbered(sound)).answer == "unknown":
            undecided = {key for key in set(range(BUNDLE)) - broken if alone(checker, header, parts[key]) == "unknown"}
        assert broken == wanted - undecided, (seed, wanted ^ broken)
        answers.update(broken=len(broken), undecided=len(undecided))
    seeds.told(answers["broken"])
    assert answers["broken"] > 4 * len(seeds)
    assert answers["undecided"] < BUNDLE * len(seeds) * may_be_undecided


@some_and_many(60, BUNDLE, least=20)
def test_sets_with_elements_added_again_are_judged_as_by_trying_every_order(seeds):
    found = 0
    for seed in seeds:
        events, parts = bundle(seed, AsSetWithRetries, 8)
        broken = {anomaly.key for anomaly in judge(SetFull(), Header(1, "set"), events).anomalies}
        assert broken == {key for key, part in enumerate(parts) if not idempotent_holds(part)}, seed
        adds = [[op.value for op in part if op.f == "add" and op.type == "ok"] for part in parts]
        found += sum(len(adds[key]) > len({*adds[key]}) for key in broken)
    seeds.told(found)
    assert found > len(seeds) // 4


def alone(checker, header, part):
    """What one small history is by itself."""
    return judge(checker, header, renumbered(part)).answer
