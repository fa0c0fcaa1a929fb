"""Causal and sequential consistency against the definitions, on small random histories; certificates are re-checked."""

from collections import Counter

import msgspec
import pytest
from oracle import guarantees as oracle
from oracle.registers import random_events, random_shape
from oracle.replicas import Sessions as Replicas
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions import Causal, CausalConvergent, Sequential
from checkers.sessions.canonical import by_time, by_what_follows
from checkers.sessions.saturation import Saturation
from checkers.sessions.sequential import Search
from checkers.sessions.steps import NOTHING, Moves
from checkers.verifiers.sessions import verify_sessions
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random

SEEDS = some_and_many(5000)


def judged(checker, history):
    verdict = checker.check(history, Budget(60))
    assert verify_sessions(history, verdict) == []
    return verdict


@SEEDS
@pytest.mark.parametrize("checker", [Causal(), CausalConvergent()], ids=lambda checker: checker.name)
def test_causality_is_what_the_bad_patterns_say(checker, seeds):
    answers = Counter()
    for seed in seeds:
        convergent = checker.name == "causal-convergent"
        events = Replicas(seed).history(11, 2, "none" if convergent or seed % 3 else "global")
        verdict = judged(checker, History(Header(1, "register"), events))
        holds = oracle.causal(events, convergent=convergent)
        assert verdict.answer == ("valid" if holds else "invalid") or not oracle.operations(events), seed
        answers[holds, verdict.certificate.get("by")] += 1
    seeds.told(sum(count for (holds, _), count in answers.items() if not holds))
    assert answers[False, None] > len(seeds) // 20
    assert answers[True, "closure"] or checker.name == "causal-convergent"


@SEEDS
def test_sequential_consistency_is_what_trying_all_orders_says(seeds):
    answers = Counter()
    for seed in seeds:
        events = Replicas(seed).history(9, 2)
        verdict = judged(Sequential(), History(Header(1, "register"), events))
        if oracle.operations(events):
            holds = oracle.sequential(events)
            assert verdict.answer == ("valid" if holds else "invalid"), seed
            answers[holds] += 1
    seeds.told(answers[False], answers[True] + answers[False])
    assert answers[False] > len(seeds) // 10


@SEEDS
def test_each_way_to_an_order_is_right_when_it_is_the_only_one(seeds):
    ways, tried = Counter(), 0
    for seed in seeds[::2]:
        events = Replicas(seed).history(9, 2)
        moves = Moves.of(History(Header(1, "register"), events))
        if not moves.told or not all(move.finds in (NOTHING, moves.initial) or source for move, source in read(moves)):
            continue
        holds = oracle.sequential(events)
        known = Saturation(moves)
        found = [guess(moves, known) is not None for guess in (by_time, by_what_follows)]
        assert holds or not any(found), seed
        assert Search(moves, known).run(Budget(60)) == ("order" if holds else "none"), seed
        ways.update({"time": found[0], "follows": found[1], "none": not holds})
        tried += 1
    seeds.told(ways["none"], tried)
    assert min(ways["time"], ways["follows"], ways["none"]) > len(seeds) // 20, ways


def read(moves):
    """Each move with whoever may have left what it found."""
    return [(move, moves.writers.get((move.key, move.finds))) for move in moves.moves]


@SEEDS
def test_compare_and_sets_and_repeated_values_are_in_the_order_too(seeds):
    answers = Counter()
    for seed in seeds[::2]:
        random = Random(seed)
        refusals = ("drop", "returned")[seed // 2 % 2]
        made = random_events(random, random_shape(random, True, refusals), None)
        events = [msgspec.structs.replace(op, index=index) for index, op in enumerate(made)]
        verdict = judged(Sequential(), History(Header(1, "cas-register", None, refusals), events))
        if verdict.answer == "unknown":
            assert "no operation" in verdict.reason or "refused" in verdict.reason
            continue
        holds = oracle.sequential(oracle.with_refusals_as_reads(events, refusals))
        assert verdict.answer == ("valid" if holds else "invalid"), seed
        answers.update([holds, *(anomaly.rule for anomaly in verdict.anomalies)])
    seeds.told(answers[False], answers[True] + answers[False])
    assert min(answers[False], answers["no-order"], answers["order-cycle"]) > 10


def test_a_long_history_of_replicas_that_lag_needs_no_search():
    # 40 sessions on replicas that are up to 30 writes behind: a search from left to right gets lost in it.
    random, log, seen, events = Random(7), [], [0] * 40, []
    for number in range(4000):
        session, key, index = random.randrange(40), random.randrange(60), 2 * number
        if random.random() < 0.3:
            log.append((key, number))
            seen[session] = len(log)
            call = Op(index, index, session, "invoke", "write", key, number)
        else:
            seen[session] = max(seen[session], len(log) - random.randrange(30))
            call = Op(index, index, session, "invoke", "read", key)
        value = next((value for at, value in reversed(log[: seen[session]]) if at == key), None)
        events += [call, msgspec.structs.replace(call, index=index + 1, type="ok", value=value)]
    verdict = judged(Sequential(), History(Header(1, "register"), events))
    assert verdict.answer == "valid"
    assert "states_searched" not in verdict.counts


def test_what_is_sequential_is_causal():
    checked = 0
    for seed in range(1000):
        history = History(Header(1, "register"), Replicas(seed).history(9, 2))
        answers = [judged(checker, history).answer for checker in (Sequential(), CausalConvergent(), Causal())]
        assert answers in (["valid"] * 3, ["unknown"] * 3) or answers[0] == "invalid", seed
        assert answers[1] != "valid" or answers[2] == "valid", seed
        checked += answers[0] == "valid"
    assert checked > 100
