"""The checker agrees with brute force on very many small histories, and every certificate is confirmed."""

from __future__ import annotations

from typing import Any

import pytest
from oracle.linearizability import linearizable
from oracle.registers import interleaved, random_events, random_shape
from torture import Seeds, some_and_many

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


@some_and_many(BATCHES, KEYS, least=20)
@pytest.mark.parametrize(("model", "refusals", "initial"), KINDS)
def test_verdicts_are_those_of_brute_force(model: str, refusals: Any, initial: Any, seeds: Seeds) -> None:
    header = Header(splitbrain=1, model=model, initial=initial, fail_cas=refusals)
    broken = sum(compare(seed, header) for seed in seeds)
    seeds.told(broken)
    assert 0.05 < broken / (len(seeds) * KEYS) < 0.6, "too one-sided to show anything"
