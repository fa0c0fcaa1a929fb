"""Orders of objects, replayed in columns and one by one: columns confirm exactly the same ones, good and spoiled."""

from collections import Counter
from random import Random

import msgspec
import pytest
from oracle import made_structures as made
from oracle.made_objects import AsQueue, Maker
from oracle.spoiled import spoiled
from test_structures import KINDS
from torture import some_and_many

from checkers.objects import Counter as ObjectCounter
from checkers.objects import FencedLock, TotalQueue
from checkers.protocol import Budget
from checkers.structures import Structure
from checkers.verifiers.object_facts import objects
from checkers.verifiers.object_lookup import looked_up
from checkers.verifiers.objects import _problems as queue_problems
from checkers.verifiers.objects import confirmed as queue_confirmed
from checkers.verifiers.structure_columns import replays
from checkers.verifiers.structures import STRUCTURE_RULES, _problems, confirmed, model_of
from harness.history import Header, History, reader
from harness.history.operations import INFO, OK
from harness.history.reader import read_history
from harness.verdict import Verdict

NAMES = [name for name in KINDS if name not in ("grow-set", "log")]
WAYS = 8


def both(found):
    """How many certificates were judged both ways."""
    return sum(found[quick, plainly] for quick in (True, False) for plainly in (True, False))


@pytest.fixture(autouse=True)
def _every_file_is_long(monkeypatch):
    monkeypatch.setattr(reader, "LONG", 0)


def story(name, seed, folder):
    """A history of up to three objects, sometimes with an answer changed, half of them read from a file."""
    random, kind = Random(seed), KINDS[name]
    parts = []
    for key in ((None,), ("x",), (1, "1"), ("x", "y", 3))[seed % 4]:
        events = made.made(random.randrange(1 << 40), kind.thing(seed))
        process = 100 * len(parts)
        parts.append([msgspec.structs.replace(op, key=key, process=op.process + process) for op in events])
    events = []
    while parts:
        part = random.choice(parts)
        events.append(msgspec.structs.replace(part.pop(0), index=len(events)))
        parts = [part for part in parts if part]
    if random.random() < 0.3:
        place = random.randrange(len(events))
        value = random.choice((None, True, False, 0, 1, 1.0, events[place - 1].value))
        events[place] = msgspec.structs.replace(events[place], value=value)
    header = Header(1, initial=kind.initial)
    if random.random() < 0.5:
        return History(header, events)
    path = folder / "history.jsonl"
    path.write_bytes(b"\n".join([msgspec.json.encode(header), *map(msgspec.json.encode, events)]) + b"\n")
    return read_history(path)


def orders(name, history):
    """The certificate of a valid verdict; of any other, that all happened as it began, or as it ended."""
    verdict = Structure(name.partition(" ")[0]).check(history, Budget(60))
    if verdict.answer == "valid":
        return verdict.certificate["keys"]
    o = history.operations
    rows = sorted(range(len(o)), key=lambda row: (o.response[row], row)) if len(o) % 2 else range(len(o))
    keys = [[int(o.invoke[row]) for row in rows if o.key[row] == code] for code in range(len(o.keys))]
    return [{"key": key, "order": order} for key, order in zip(o.keys, keys, strict=True) if order]


def other_orders(random, entries, history):
    """The same orders, with something exchanged, left out, added, named twice, or under another name."""
    entries = [{"key": entry["key"], "order": list(entry["order"])} for entry in entries]
    entry = random.choice(entries)
    order, way, events = entry["order"], random.randrange(WAYS), len(history.events)
    if way == 0 and len(order) > 1:
        place = random.randrange(len(order) - 1)
        order[place], order[place + 1] = order[place + 1], order[place]
    elif way == 1 and len(order) > 1:
        one, other = random.sample(range(len(order)), 2)
        order[one], order[other] = order[other], order[one]
    elif way == 2 and order:
        order.pop(random.randrange(len(order)))
    elif way == 3 and order:
        order.insert(random.randrange(len(order)), random.choice(order))
    elif way == 4:
        added = random.choice((random.randrange(events), random.randrange(events), -1, events, 1.5, "1"))
        order.insert(random.randint(0, len(order)), added)
    elif way == 5:
        order[:] = random.choice(entries)["order"]
    elif way == 6:
        entries.insert(random.randint(0, len(entries)), {"key": random.choice(history.operations.keys), "order": []})
    elif random.random() < 0.5:
        entries.remove(entry)
    else:
        entry["key"] = random.choice((*history.operations.keys, "z"))
    return entries


def plainly(history, verdict):
    """Whether it stands, one operation after another."""
    return stands(_problems, history, verdict)


def stands(problems, history, verdict):
    """Whether there are no problems; what cannot be read is one."""
    try:
        return not any(problems(objects(history), verdict))
    except (KeyError, IndexError, TypeError, ValueError):
        return False


def odd(model, history, entries):
    """What columns leave to others: floats, true for a number, whole reads, keys named twice, takes of nothing."""
    o = history.operations
    doubtful = model in ("queue", "stack") and bool((o.status == INFO).any())
    whole = model == "set" and "read" in o.fs
    keys = [repr(entry["key"]) for entry in entries]
    kinds = set(map(type, o.values))
    number = float in kinds or (bool in kinds and model in ("counter", "fenced-lock"))
    if model == "fenced-lock":
        releases = [o.fs[code] == "release" for code in o.f]
        number |= any(type(o.values[code]) is not int for code in (*o.result[o.status == OK], *o.argument[releases]))
    return doubtful or whole or number or len(set(keys)) < len(keys)


@pytest.mark.parametrize("name", NAMES)
@some_and_many(250, each=8)
def test_columns_confirm_the_orders_that_stand_one_by_one(name, seeds, tmp_path):
    found, model = Counter(), name.partition(" ")[0]
    for seed in seeds:
        random, history = Random(seed), story(name, seed, tmp_path)
        entries = orders(name, history)
        for wrong in (entries, *(other_orders(random, entries, history) for _ in range(7))):
            verdict = Verdict(model, "valid", certificate={"model": model, "keys": wrong})
            quick, slow = replays(history, verdict.certificate, model), plainly(history, verdict)
            assert slow or not quick, (seed, wrong)
            assert quick == slow or odd(model, history, wrong), (seed, wrong)
            found[quick, slow] += 1
    seeds.told(found[False, False], both(found))
    assert found[True, True] > len(seeds) / 4
    assert found[False, False] > len(seeds)


CHECKERS = {"fenced-lock": FencedLock(), "counter": ObjectCounter(), "counter that tells": ObjectCounter()}


@pytest.mark.parametrize("name", NAMES)
@some_and_many(120, each=40)
def test_columns_prove_the_same_anomalies_of_objects_as_events(name, seeds, tmp_path):
    found, model = Counter(), name.partition(" ")[0]
    for seed in seeds:
        random, history = Random(seed), story(name, seed, tmp_path)
        for checker in (Structure(model), *([CHECKERS[name]] if name in CHECKERS else [])):
            verdict = checker.check(history, Budget(60))
            if verdict.answer != "invalid" or not model_of(verdict):
                continue
            for wrong in (verdict, *(with_another_anomaly(random, verdict, history) for _ in range(20))):
                quick, slow = confirmed(history, wrong), plainly(history, wrong)
                assert quick == (slow and looked_up(history) is not None), (seed, wrong)
                found[quick, slow] += 1
    seeds.told(found[False, False], both(found))
    assert min(found[True, True], found[False, False]) > len(seeds) / 10


def with_another_anomaly(random, verdict, history):
    """The same with one anomaly of another rule, of another key, with another culprit, or with another certificate."""
    at = random.randrange(len(verdict.anomalies))
    anomaly, way = verdict.anomalies[at], random.randrange(12)
    if way == 0:
        anomaly = msgspec.structs.replace(anomaly, rule=random.choice(sorted(STRUCTURE_RULES)))
    elif way == 1:
        anomaly = msgspec.structs.replace(anomaly, key=random.choice((None, "x", 1, "1", "y", 3)))
    elif way == 2:
        anomaly = msgspec.structs.replace(anomaly, culprit=random.randrange(len(history.events)))
    else:
        certificate = spoiled(random, anomaly.certificate, len(history.events), ("acquire", "release"))
        anomaly = msgspec.structs.replace(anomaly, certificate=certificate)
    anomalies = (*verdict.anomalies[:at], anomaly, *verdict.anomalies[at + 1 :])
    return msgspec.structs.replace(verdict, anomalies=anomalies)


@some_and_many(400, each=10)
def test_columns_account_for_the_same_queues_as_events(seeds):
    found = Counter()
    for seed in seeds:
        random, maker = Random(seed), Maker(seed)
        for maker.key in (None, "x", 7)[seed % 3 :]:
            maker.part(AsQueue(), 2 + maker.below(9))
        history = History(Header(1, "queue"), maker.events)
        verdict = TotalQueue().check(history, Budget(60))
        if verdict.answer == "invalid":
            assert queue_confirmed(history, verdict), seed
            for wrong in (with_another_anomaly(random, verdict, history) for _ in range(5)):
                quick, slow = queue_confirmed(history, wrong), stands(queue_problems, history, wrong)
                assert quick == slow, (seed, wrong)
                found["invalid", slow] += 1
        keys = verdict.certificate.get("keys") or [{"key": key, "doubtful": []} for key in history.operations.keys]
        others = (spoiled(random, {"keys": keys}, len(history.events), ("x", "y")) for _ in range(9))
        for certificate in ({"keys": keys}, *others):
            claimed = Verdict("total-queue", "valid", certificate=certificate)
            quick, slow = queue_confirmed(history, claimed), stands(queue_problems, history, claimed)
            assert slow or not quick, (seed, certificate)
            found[quick, slow] += 1
    seeds.told(found[False, False], both(found))
    assert found[False, True] < 0.05 * found[True, True], found
    assert (
        min(found["invalid", True], found["invalid", False], found[True, True], found[False, False]) > len(seeds) / 10
    )
