"""The checker agrees with brute force on very many small histories, and every certificate is confirmed."""

from __future__ import annotations

import os
from typing import Any

import pytest
from oracle.linearizability import linearizable
from oracle.registers import interleaved, random_events, random_shape

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random

KEYS = 80
"""Histories judged at a time, as the keys of one: tables of numbers have a price for each history, not for each key."""
BATCHES = 210
KINDS = [
    ("register", "drop", None),
    ("register", "drop", 0),
    ("cas-register", "drop", None),
    ("cas-register", "returned", None),
    ("cas-register", "mismatch", 1),
    ("cas-register", "mismatch", None),
]
"""210 batches of 80 for each of 6 kinds are 100,800 histories."""


def batch(seed: int, model: str, refusals: str, initial: Any) -> list[list[Op]]:
    random = Random(seed)
    shapes = [random_shape(random, model == "cas-register", refusals) for _ in range(KEYS)]
    return [random_events(random, shape, initial) for shape in shapes]


def judged(seed: int, header: Header, parts: list[list[Op]]) -> tuple[str, set[int]]:
    """Answer and broken keys; every certificate is confirmed on the way."""
    history = History(header, interleaved(Random(seed), parts))
    verdict = Linearizability().check(history, Budget())
    assert verify(history, verdict) == []
    assert verdict.counts["anomalies"] == len(verdict.anomalies)
    return verdict.answer, {anomaly.key for anomaly in verdict.anomalies}


def compare(seed: int, header: Header) -> int:
    """Compare one batch with brute force; how many of its histories are broken."""
    parts = batch(seed, header.model, header.fail_cas, header.initial)
    broken = {key for key, part in enumerate(parts) if not linearizable(part, header.initial, header.fail_cas)}
    assert judged(seed, header, parts) == ("invalid" if broken else "valid", broken), f"seed {seed}"
    sound = [part for key, part in enumerate(parts) if key not in broken]
    assert judged(seed, header, sound) == ("valid", set()), f"seed {seed}"
    return len(broken)


def compare_all(header: Header, batches: int, first_seed: int) -> None:
    broken = sum(compare(seed, header) for seed in range(first_seed, first_seed + batches))
    assert 0.1 < broken / (batches * KEYS) < 0.6, "too one-sided to show anything"


@pytest.mark.parametrize(("model", "refusals", "initial"), KINDS)
def test_verdicts_are_those_of_brute_force(model: str, refusals: Any, initial: Any) -> None:
    compare_all(Header(splitbrain=1, model=model, initial=initial, fail_cas=refusals), BATCHES, first_seed=0)


@pytest.mark.torture
@pytest.mark.parametrize(("model", "refusals", "initial"), KINDS)
def test_verdicts_are_those_of_brute_force_ten_times_more(model: str, refusals: Any, initial: Any) -> None:
    first_seed = int(os.environ.get("SPLITBRAIN_SEED", "1000000"))
    compare_all(Header(splitbrain=1, model=model, initial=initial, fail_cas=refusals), 10 * BATCHES, first_seed)
