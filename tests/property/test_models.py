"""Of every model: the general engine agrees with brute force, and every certificate is confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracle.sequential import OBJECTS, as_keys, random_history, right
from torture import Seeds, some_and_many

from checkers.linearizability import Linearizability
from checkers.models import Model, model, model_names
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random

KEYS = 50
BATCHES = 100
"""Of 50 histories each: 5,000 of every model."""


def keyed(declared: Model) -> Model:
    """The same, with a key of its own for each history of a batch."""
    own = declared.key
    return replace(declared, key=lambda call: (call.key, own(call)))


def judged(header: Header, declared: Model, events: list[Op]) -> set[int]:
    """The keys that are broken; every certificate is confirmed on the way."""
    history = History(header, events)
    verdict = Linearizability(declared).check(history, Budget())
    assert verify(history, verdict, declared) == []
    broken = {anomaly.key[0] for anomaly in verdict.anomalies}
    assert verdict.answer == ("invalid" if broken else "valid"), verdict.reason
    return broken


def compare(name: str, seed: int) -> int:
    """Compare one batch with brute force; how many of its histories are broken."""
    random, of, declared = Random(seed), OBJECTS[name], keyed(model(name))
    parts = [random_history(random, of) for _ in range(KEYS)]
    header = of.header(name)
    broken = {key for key, part in enumerate(parts) if not right(part, of)}
    assert judged(header, declared, as_keys(Random(seed), parts)) == broken, f"seed {seed}"
    if seed % 5:
        return len(broken)
    sound = [part for key, part in enumerate(parts) if key not in broken]
    assert judged(header, declared, as_keys(Random(seed), sound)) == set(), f"seed {seed}"
    return len(broken)


@some_and_many(BATCHES, KEYS, least=20)
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_the_general_engine_agrees_with_brute_force(name: str, seeds: Seeds) -> None:
    broken = sum(compare(name, seed) for seed in seeds)
    seeds.told(broken)
    assert 0.1 < broken / (len(seeds) * KEYS) < 0.7, "too one-sided to show anything"


def test_every_model_is_compared() -> None:
    assert set(model_names()) == set(OBJECTS)
