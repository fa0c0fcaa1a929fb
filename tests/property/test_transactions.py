"""Isolation levels against their definitions, tried out in every way, on small random histories; all certificates hold.

A small store is told to be serializable, to give each transaction a snapshot, or to show each step what there is, and
to make a mistake now and then, so that every level is kept and broken often.
"""

from collections import Counter as Count
from random import Random

import msgspec
from oracle import transactions as oracle
from oracle.made_transactions import made
from torture import some_and_many

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.verify import verify
from harness.history import Header, History

LEVELS = tuple(oracle.JUDGES)


def judged(events, level):
    history = History(Header(1, "transactions"), events)
    verdict = Transactions(level).check(history, Budget(60))
    assert verify(history, verdict) == [], verdict
    return verdict


def compared(seeds, make):
    """Judge each history at one of the levels, and compare; how often each answer was given, by (level, answer)."""
    answers = Count()
    for seed in seeds:
        events, lists = make(seed)
        level = LEVELS[seed % len(LEVELS)]
        verdict = judged(events, level)
        if verdict.answer != "unknown":
            wanted = "valid" if oracle.holds(events, level, lists) else "invalid"
            assert verdict.answer == wanted, (seed, level, verdict)
        answers[level, verdict.answer] += 1
    seeds.told(by_answer(answers)["invalid"])
    return answers


def by_answer(answers):
    """How often each answer was given."""
    total = Count(valid=0, invalid=0, unknown=0)
    for (_, answer), count in answers.items():
        total[answer] += count
    return total


@some_and_many(8_000, least=3_000)
def test_levels_are_judged_as_by_their_definitions(seeds):
    answers = compared(seeds, made)
    assert by_answer(answers)["unknown"] == 0
    for level in LEVELS:
        assert min(answers[level, "valid"], answers[level, "invalid"]) > len(seeds) / len(LEVELS) / 20, answers


def undone(seed):
    """A history in which some transactions failed whose work others may have seen, and some lists are shuffled."""
    random = Random(-seed)
    events, lists = made(seed)
    asked, told = {}, []
    for op in events:
        if op.type == "invoke":
            asked[op.process] = op
        elif op.type == "ok" and random.random() < 0.2:
            op = msgspec.structs.replace(op, type="fail", value=asked[op.process].value)
        elif op.type == "ok" and random.random() < 0.3:
            shuffled = [[f, k, random.sample(v, len(v)) if isinstance(v, list) else v] for f, k, v in op.value]
            op = msgspec.structs.replace(op, value=shuffled)
        told.append(op)
    return told, lists


@some_and_many(5_000, least=5_000)
def test_read_uncommitted_allows_to_see_what_is_undone_and_no_circle_of_writes(seeds):
    answers = Count()
    for seed in seeds:
        events, lists = undone(seed)
        kept = oracle.keeps_uncommitted(events, lists)
        verdict = judged(events, "read-uncommitted")
        assert verdict.answer == ("valid" if kept else "invalid"), (seed, verdict)
        answers[kept] += 1
    seeds.told(answers[False])
    assert min(answers[True], answers[False]) > len(seeds) / 100, answers


def doubled(seed):
    """A history in which two values that were written are one, or one is what a register held at first."""
    random = Random(-seed)
    events, lists = made(seed)
    written = sorted({value for op in events for f, _, value in op.value if f != "r"})
    one, other = random.sample(written, 2) if len(written) > 1 else (0, 0)
    initially = random.random() < 0.5

    def same(value, key):
        if isinstance(value, list):
            return [same(element, "") for element in value]
        return value if value != one else None if initially and key and key not in lists else other

    return [msgspec.structs.replace(op, value=[[f, k, same(v, k)] for f, k, v in op.value]) for op in events], lists


@some_and_many(2_000, least=1_000)
def test_values_written_twice_are_judged_where_nobody_mixes_them_up(seeds):
    answers = by_answer(compared(seeds, doubled))
    assert min(answers["valid"], answers["invalid"]) > answers["unknown"] / 10 > 0, answers


def doubted(seed):
    """A history in which some transactions are in doubt, after which their sessions go on."""
    random = Random(-seed)
    events, lists = made(seed)
    asked = {}
    for place, op in enumerate(events):
        if op.type == "invoke":
            asked[op.process] = op
        elif op.type == "ok" and random.random() < 0.2:
            events[place] = msgspec.structs.replace(op, type="info", value=asked[op.process].value)
    return events, lists


@some_and_many(2_000, least=1_000)
def test_sessions_keep_their_order_over_what_is_in_doubt(seeds):
    answers = by_answer(compared(seeds, doubted))
    assert answers["unknown"] == 0 and min(answers["valid"], answers["invalid"]) > len(seeds) / 20, answers
