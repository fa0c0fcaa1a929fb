"""Session guarantees against the definitions, on small random histories; every certificate is re-checked."""

from collections import Counter

import pytest
from oracle import guarantees as oracle
from oracle.guarantees import MR, MW, RYW, SUBSETS, WFR
from oracle.replicas import Sessions as Replicas
from torture import many

from checkers.protocol import Budget
from checkers.sessions import CausalConvergent, Pram, Semantics, Sessions
from checkers.sessions.record import Record
from checkers.sessions.visibility import judge
from checkers.verifiers.sessions import verify_sessions
from harness.history import Header, History
from harness.op import Op

NAMED = [(RYW,), (MR,), (MW,), (WFR,), (RYW, MR, MW), (RYW, MR, MW, WFR)]


def made(seed, most=7):
    """A history, and whether its versions are the order of its writes."""
    versions = ("none", "global", "none", "key")[seed % 4]
    history = History(Header(1, "register"), Replicas(seed).history(most, 2, versions))
    record = Record.of(history)
    keys = set(record.key)
    # The definition knows versions of all keys or of none.
    mixed = bool(keys & record.versioned) and not keys <= record.versioned
    return history, bool(keys) and not mixed, keys <= record.versioned


def semantics_of(seed, versions):
    convergent = versions or seed // 4 % 3 != 0
    return Semantics(convergent, per_key=seed // 12 % 3 == 0, writes="linearizable" if seed // 36 % 4 == 0 else "any")


def wanted(history, subset, semantics, versions):
    return oracle.holds(
        history.events,
        subset,
        per_key=semantics.per_key,
        convergent=semantics.convergent,
        versions=versions,
        linearizable=semantics.writes == "linearizable",
    )


def compare(seeds, subset):
    answers = Counter()
    for seed in seeds:
        history, usable, versions = made(seed)
        if not usable:
            continue
        semantics = semantics_of(seed, versions)
        verdict = Sessions(subset, semantics).check(history, Budget(60))
        holds = wanted(history, subset, semantics, versions)
        assert verdict.answer == ("valid" if holds else "invalid"), (seed, subset)
        assert verify_sessions(history, verdict) == [], (seed, subset)
        answers[holds] += 1
    assert answers[False] > 0.03 * answers.total()
    assert answers[True] > 0.3 * answers.total()
    return answers


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_every_combination_is_what_the_definition_says(subset):
    compare(range(5400 if subset in NAMED else 1200), subset)


@many()
@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_every_combination_is_what_the_definition_says_on_very_many(subset, seeds):
    answers = compare(seeds, subset)
    seeds.told(answers[False], answers.total())


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_the_smallest_sets_decide_as_all_sets_do(subset):
    answers = Counter()
    for seed in range(150):
        events = Replicas(seed).history(5, 2)
        case = oracle.Case(events)
        if len(case.writes) <= 3 and len(case.reads) <= 3:
            answer = oracle.holds_by_all_sets(events, subset)
            assert oracle.holds(events, subset) == answer, seed
            answers[answer] += 1
    assert min(answers[True], answers[False]) > 2


@pytest.mark.parametrize("guarantee", [RYW, MR])
def test_by_versions_each_culprit_is_a_read_older_than_what_obliges_it(guarantee):
    found = 0
    for seed in range(1, 1500, 2):
        history, usable, versions = made(seed, 12)
        if not usable or not versions or oracle.Case(history.events).impossible():
            continue
        done = oracle.operations(history.events)
        culprits = {
            read.begin
            for read in done
            if read.reads
            for one in done
            if oracle.before(one, read) and one.key == read.key and one.reads == (guarantee == MR)
            if one.version > read.version
        }
        verdict = Sessions((guarantee,)).check(history, Budget(60))
        assert {a.culprit for a in verdict.anomalies if a.name == guarantee} == culprits, seed
        found += len(culprits)
    assert found > 50


def test_columns_confirm_only_what_the_pass_does():
    confirmed = 0
    for seed in range(1, 500, 2):
        history, _, _ = made(seed, 12)
        record = Record.of(history)
        for subset in SUBSETS:
            semantics = semantics_of(seed, True)
            verdict = Sessions(subset, semantics).check(history, Budget(60))
            findings = judge(record, semantics.rules(subset), lambda: False)
            broken = bool(findings or record.impossible)
            assert (verdict.answer == "invalid") == broken, (seed, subset)
            confirmed += verdict.certificate.get("by") == "versions"
    assert confirmed > 500


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def answer(checker, events, initial=None):
    """Judge events after they were numbered afresh."""
    moved = [
        Op(index, op.time, op.process, op.type, op.f, op.key, op.value, op.node, op.session, op.version)
        for index, op in enumerate(events)
    ]
    return checker.check(History(Header(1, "register", initial), moved), Budget(60)).answer


def valid_ones(checker, count):
    for seed in range(count):
        events = Replicas(seed).history(9, 2, ("none", "global")[seed % 2])
        if answer(checker, events) == "valid":
            yield events


ALL = [Sessions((RYW,)), Sessions((MR,)), Sessions((MW,)), Sessions((WFR,)), Pram(), CausalConvergent()]


@pytest.mark.parametrize("checker", ALL, ids=lambda checker: checker.name)
def test_without_a_doubtful_write_that_nobody_saw_what_was_valid_stays_so(checker):
    removed = 0
    for events in valid_ones(checker, 150):
        seen = {op.value for op in events if op.f == "read" and op.type == "ok"}
        unseen = {op.process for op in events if op.type == "info" and op.f == "write" and op.value not in seen}
        values = {op.value for op in events if op.process in unseen and op.type == "info"}
        rest = [op for op in events if op.f != "write" or op.value not in values]
        removed += len(rest) < len(events)
        assert answer(checker, rest) != "invalid"
    assert removed > 2


@pytest.mark.parametrize("checker", ALL, ids=lambda checker: checker.name)
def test_other_names_for_values_and_keys_change_nothing(checker):
    for seed in range(120):
        events = Replicas(seed).history(9, 2, ("none", "global")[seed % 2])
        renamed = [
            Op(op.index, None, op.process, op.type, op.f, {"key": op.key}, op.value and f"value {op.value}", None,
               op.session, op.version)
            for op in events
        ]  # fmt: skip
        assert answer(checker, renamed) == answer(checker, events)


@pytest.mark.parametrize("checker", ALL, ids=lambda checker: checker.name)
def test_cut_where_nothing_is_under_way_what_was_valid_stays_so(checker):
    for events in valid_ones(checker, 150):
        for end in range(len(events)):
            begun = {op.process for op in events[:end] if op.type == "invoke"}
            if begun and answer(checker, events[:end]) != "unknown":
                cut = [
                    op for op in events[:end] if op.f != "read" or op.type != "invoke" or _completes(op, events, end)
                ]
                reads = [op for op in cut if op.f == "read" and op.type == "ok"]
                if reads:
                    assert answer(checker, cut) == "valid"


def _completes(op, events, end):
    return any(other.process == op.process and other.type == "ok" for other in events[op.index - events[0].index : end])


@pytest.mark.parametrize("checker", ALL, ids=lambda checker: checker.name)
def test_an_operation_that_ends_later_obliges_less(checker):
    for events in valid_ones(checker, 100):
        for place, op in enumerate(events[:-1]):
            after = events[place + 1]
            if op.type == "ok" and after.process != op.process:
                swapped = [*events[:place], after, op, *events[place + 2 :]]
                assert answer(checker, swapped) == "valid"


def test_what_is_stronger_is_never_valid_where_what_is_weaker_is_not():
    for seed in range(250):
        events = Replicas(seed).history(9, 2)
        answers = {subset: answer(Sessions(subset), events) for subset in SUBSETS}
        for weak in SUBSETS:
            for strong in SUBSETS:
                if set(weak) < set(strong) and answers[strong] == "valid":
                    assert answers[weak] == "valid", (seed, weak, strong)
