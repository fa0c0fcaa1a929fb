"""Simple invariants against their definitions, on small random histories; every verdict is looked at again."""

from random import Random

import pytest
from oracle import made_structures as made
from oracle.made_invariants import KINDS, AsSet
from torture import some_and_many

from checkers.invariants import FinalSet
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op

SEEDS = some_and_many(5_000)


@pytest.mark.parametrize("name", KINDS)
@SEEDS
def test_an_invariant_agrees_with_its_definition(name, seeds):
    kind = KINDS[name]
    answers = {"valid": 0, "invalid": 0, "unknown": 0}
    for seed in seeds:
        events = made.made(seed, kind.thing())
        history = History(Header(), events)
        verdict = kind.checker.check(history, Budget(60))
        answers[verdict.answer] += 1
        assert verify(history, verdict) == [], seed
        if verdict.answer == "unknown":
            assert not any(op.type == "ok" and op.f == kind.needs for op in events) or not events, seed
        else:
            assert (verdict.answer == "valid") == kind.holds(events), seed
    seeds.told(answers["invalid"])
    assert answers["invalid"] > len(seeds) * 0.03
    assert answers["valid"] > len(seeds) * 0.3


def test_a_final_set_is_judged_by_key():
    random = Random(3)
    for _ in range(200):
        parts = [made.made(random.randrange(10_000), AsSet()) for _ in range(3)]
        alone = [FinalSet().check(History(Header(), part), Budget(60)).answer for part in parts]
        events = []
        for key, part in enumerate(parts):
            at = len(events)
            events += [
                Op(at + op.index, None, 100 * key + op.process, op.type, op.f, key, op.value, error=op.error)
                for op in part
            ]
        together = FinalSet().check(History(Header(), events), Budget(60)).answer
        assert together == ("invalid" if "invalid" in alone else "unknown" if "unknown" in alone else "valid")
