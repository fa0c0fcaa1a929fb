"""Isolation levels against their definitions, tried out in every way, on small random histories; all certificates hold.

A small store is told to be serializable, to give each transaction a snapshot, or to show each step what there is, and
to make a mistake now and then, so that every level is kept and broken often.
"""

from collections import Counter as Count

from oracle import transactions as oracle
from oracle.made_transactions import made
from torture import some_and_many

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.verify import verify
from harness.history import Header, History

LEVELS = tuple(oracle.JUDGES)
SEEDS = some_and_many(8_000, least=3_000)


def judged(events, level):
    history = History(Header(1, "transactions"), events)
    verdict = Transactions(level).check(history, Budget(60))
    assert verify(history, verdict) == [], verdict
    return verdict


@SEEDS
def test_levels_are_judged_as_by_their_definitions(seeds):
    answers = Count()
    for seed in seeds:
        events, lists = made(seed)
        level = LEVELS[seed % len(LEVELS)]
        verdict = judged(events, level)
        wanted = "valid" if oracle.holds(events, level, lists) else "invalid"
        assert verdict.answer == wanted, (seed, level, verdict)
        answers[level, wanted] += 1
    seeds.told(sum(count for (_, answer), count in answers.items() if answer == "invalid"))
    for level in LEVELS:
        assert min(answers[level, "valid"], answers[level, "invalid"]) > len(seeds) / len(LEVELS) / 20, answers
