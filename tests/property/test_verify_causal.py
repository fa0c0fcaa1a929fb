"""Causality without an order is re-checked by clocks: the same as following every operation to all that it knew."""

from collections import Counter
from random import Random

import msgspec
from oracle import guarantees as oracle
from oracle.middling import replicas
from oracle.replicas import Sessions as Replicas
from oracle.spoiled import spoiled
from property.test_session_values import made
from torture import some_and_many

from checkers.protocol import Budget
from checkers.sessions import Causal
from checkers.verifiers.causal import acts_of, late_reads
from checkers.verifiers.sessions import verify_sessions
from checkers.verifiers.visible import doubts, traced_of
from harness.history import Header, History
from harness.verdict import Verdict

GUARANTEES = ["monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads"]
ASKED = {"guarantees": GUARANTEES, "per_key": False, "convergent": True, "linearizable_writes": False}
CLOSURE = {"asked": ASKED, "by": "closure"}
WORDS = (*GUARANTEES, "closure", "order", "versions")


def history_of(seed):
    """Small, in some of which replicas do not agree."""
    random = Random(seed)
    if seed % 3:
        return made(seed, 30)
    events = Replicas(seed).history(
        random.choice((8, 14, 25)), random.choice((1, 2)), random.choice(("none", "global"))
    )
    return History(Header(1, "register"), events)


def overwritten(history):
    """Reads of what their session knew to be overwritten, by sets of all that comes before; None where unknown."""
    traced = traced_of(history)
    dids = [did for did in traced.operations.values() if did.wrote is not None or did.read is not None]
    if any(did.read is not None and traced.unknown(did) for did in dids):
        return None
    knew = {}

    def before(did):
        """Writes that come before an operation, by index."""
        if did.begin.index not in knew:
            found = set()
            for one in traced.earlier(did):
                write = one if one.wrote is not None else traced.source(one)
                found |= {write.begin.index, *before(write)} if write is not None else set()
            knew[did.begin.index] = found
        return knew[did.begin.index]

    late = []
    for read in dids:
        if read.read is not None:
            source = traced.source(read)
            saw = before(read) | (before(source) if source is not None else set())
            others = [traced.operations[index] for index in saw]
            for write in others:
                behind = source is None or source.begin.index in before(write)
                if write is not source and write.key == read.key and behind:
                    late.append(read.begin.index)
                    break
    return late


@some_and_many(1500)
def test_clocks_find_what_following_every_operation_finds(seeds):
    found = Counter()
    for seed in seeds:
        history = history_of(seed)
        wanted = overwritten(history)
        if wanted is None:
            continue
        told = [int(text.split()[2]) for text in doubts(traced_of(history), CLOSURE)]
        assert told == wanted, seed
        acts = acts_of(history)
        assert acts is not None and sorted(acts.begin[late_reads(acts)].tolist()) == wanted, seed
        found[bool(wanted)] += 1
    seeds.told(found[True], found.total())
    assert min(found[True], found[False]) > len(seeds) / 10, found


@some_and_many(2500)
def test_no_closure_is_confirmed_that_does_not_stand(seeds):
    found = Counter()
    for seed in seeds:
        random = Random(seed)
        history = history_of(seed)
        certificate = CLOSURE if random.random() < 0.5 else spoiled(random, CLOSURE, len(history.events), WORDS)
        name = random.choice(("causal", "causal", "causal", "causal-convergent", "pram"))
        problems = verify_sessions(history, Verdict(name, "valid", certificate=certificate))
        said = certificate.get("asked")
        right = (
            name == "causal"
            and isinstance(said, dict)
            and certificate.get("by") == "closure"
            and set(said.get("guarantees", ())) == set(GUARANTEES)
            and not (said.get("per_key", True) or said.get("linearizable_writes", True))
        )
        by_versions = not right and certificate.get("by") == "versions"
        holds = right and overwritten(history) == []
        assert (problems == []) == holds or by_versions, (seed, name, certificate, problems)
        found[certificate is CLOSURE, right, holds] += 1
    seeds.told(len(seeds) - found[True, True, True], len(seeds))
    assert min(found[True, True, True], found[True, True, False], found[False, False, False]) > len(seeds) / 20, found


def test_a_long_history_is_confirmed_and_with_one_answer_of_long_ago_it_is_not():
    events = replicas(8, 3, 6000)
    verdict = Causal().check(History(Header(1, "register"), events), Budget(60))
    assert (verdict.answer, verdict.certificate) == ("valid", CLOSURE)
    assert verify_sessions(History(Header(1, "register"), events), verdict) == []
    last = max(place for place, op in enumerate(events) if (op.f, op.type) == ("read", "ok"))
    old = next(op for op in events if op.f == "write" and op.key == events[last].key)
    events[last] = msgspec.structs.replace(events[last], value=old.value)
    (problem,) = verify_sessions(History(Header(1, "register"), events), verdict)
    assert problem == f"causal: the read {events[last].index - 1} returned what its session knew to be overwritten."


def test_closure_is_what_the_bad_patterns_say():
    for seed in range(300):
        events = Replicas(seed).history(11, 2, "global" if seed % 3 else "none")
        history = History(Header(1, "register"), events)
        if oracle.operations(events) and (late := overwritten(history)) is not None:
            assert oracle.causal(events, convergent=False) == (not late), seed
