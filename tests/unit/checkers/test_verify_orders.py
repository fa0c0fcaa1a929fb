"""Orders of long histories are confirmed in columns exactly if they are confirmed event by event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from oracle.registers import interleaved, random_events, random_shape

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verifiers.columns import in_columns
from checkers.verifiers.events import facts_by_key
from checkers.verifiers.orders import confirmed
from checkers.verify import _RULES, _anomaly, _orders
from harness.history import History, reader
from harness.history.reader import read_history
from harness.streams import Random
from harness.verdict import Anomaly


def recorded(folder: Path, seed: int, keys: int) -> History:
    random = Random(seed)
    parts = [random_events(random, random_shape(random, True, "drop"), None) for _ in range(keys)]
    events = interleaved(random, parts)
    header = '{"splitbrain":1,"model":"cas-register"}'
    path = folder / f"{seed}.jsonl"
    path.write_text("\n".join([header, *(msgspec.json.encode(op).decode() for op in events)]) + "\n")
    return read_history(path)


def changed(random: Random, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same orders, with one of them wrong in one of many ways, or still right."""
    entries = [{"key": entry["key"], "order": list(entry["order"])} for entry in entries]
    entry = random.choice(entries)
    order, way = entry["order"], random.randrange(6)
    if way == 0 and len(order) > 1:
        place = random.randrange(len(order) - 1)
        order[place], order[place + 1] = order[place + 1], order[place]
    elif way == 1 and order:
        order.pop(random.randrange(len(order)))
    elif way == 2 and order:
        order.insert(random.randrange(len(order)), random.choice(order))
    elif way == 3:
        order.insert(random.randint(0, len(order)), random.randrange(60))
    elif way == 4:
        entries.remove(entry)
    elif way == 5:
        entry["key"] = random.randrange(12)
    return entries


def test_columns_confirm_what_events_confirm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONG", 0)
    outcomes = []
    for seed in range(250):
        history = recorded(tmp_path, seed, 1 + seed % 6)
        verdict = Linearizability().check(history, Budget())
        if verdict.answer != "valid" or not verdict.certificate["keys"]:
            continue
        if not confirmed(history, verdict.certificate):  # a change of null into a number is left to the others
            assert any(isinstance(op.value, list) and None in op.value for op in history.events)
            continue
        for number in range(20):
            certificate = {"keys": changed(Random(seed * 100 + number), verdict.certificate["keys"])}
            stands = not list(_orders(facts_by_key(history), certificate))
            whole = len(certificate["keys"]) == len(verdict.certificate["keys"])
            assert confirmed(history, certificate) == (stands and whole), (seed, number)
            outcomes.append(stands and whole)
    assert outcomes.count(True) > 20
    assert outcomes.count(False) > 200


def accused(random: Random, anomaly: Anomaly) -> Anomaly:
    """The same anomaly, or one with other operations, another window or another rule."""
    certificate = dict(anomaly.certificate)
    ops = list(certificate["ops"])
    way = random.randrange(5)
    if way == 0:
        ops[random.randrange(len(ops))] = random.randrange(30)
    elif way == 1:
        random.shuffle(ops)
    elif way == 2 and "since" in certificate:
        certificate["since"] += random.randint(-3, 3)
    elif way == 3 and "until" in certificate:
        certificate["until"] += random.randint(-3, 3)
    elif way == 4 and anomaly.rule != "search":
        return msgspec.structs.replace(anomaly, rule=random.choice(_of_as_many(len(ops))))
    certificate["ops"] = ops
    shown = tuple({op for op in ops if op is not None} | {anomaly.culprit or 0})
    return msgspec.structs.replace(anomaly, certificate=certificate, ops=shown)


def _of_as_many(count: int) -> list[str]:
    """The rules that name as many operations."""
    takes = {"unwritten-value": 1, "double-cas": 2, "chain-order": 2, "blocks": 4}
    return [rule for rule in _RULES if takes.get(rule, count) == count]


def test_columns_confirm_the_anomalies_that_events_confirm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONG", 0)
    outcomes = []
    for seed in range(500):
        history = recorded(tmp_path, seed, 1 + seed % 3)
        anomalies = Linearizability().check(history, Budget()).anomalies
        keys = in_columns(history) if anomalies else None
        if keys is None:
            continue
        plainly = facts_by_key(history)
        for anomaly in anomalies:
            assert not _anomaly(keys, anomaly), (seed, anomaly)
            for number in range(20):
                claim = accused(Random(seed * 100 + number), anomaly)
                problem = _anomaly(keys, claim)
                assert problem == _anomaly(plainly, claim), (seed, number, claim)
                outcomes.append((anomaly.rule, not problem))
    assert {rule for rule, stands in outcomes if stands} >= {"search", "blocks", "chain-order", "unwritten-value"}
    assert {rule for rule, stands in outcomes if not stands} >= {"search", "blocks", "chain-order", "unwritten-value"}
