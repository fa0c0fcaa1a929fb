"""Transactions that were read as columns and those that were read one by one: the same verdicts, witnesses included."""

from collections import Counter as Count
from random import Random

import msgspec
from oracle.made_transactions import made
from oracle.transactions import JUDGES
from torture import some_and_many

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.transactions.reading import read_transactions
from checkers.verifiers.transaction_columns import confirmed
from checkers.verify import verify
from harness.history import Header
from harness.history.reader import read_history
from harness.op import NEMESIS, Op


def written(path, random, events):
    """A file of these events: with or without a header, faults in between, and keys that are words or numbers."""
    header = Header(1, "transactions", order=random.choice(("", "", "session")))
    keys = {"x": "x", "y": 7, "z": "a.5"} if random.random() < 0.5 else {"x": 2, "y": 1, "z": 0}
    lines = [msgspec.json.encode(header)] if random.random() < 0.8 else []
    for op in events:
        if random.random() < 0.1:
            lines.append(msgspec.json.encode(Op(process=NEMESIS, type="info", f="start-partition", value={"id": "p"})))
        steps = [[f, keys[key], value] for f, key, value in op.value]
        lines.append(msgspec.json.encode(msgspec.structs.replace(op, index=-1, time=op.index * 10, value=steps)))
    cut = random.random() < 0.1
    path.write_bytes(b"\n".join(lines) + (b'\n{"process":1,"type' if cut else b"\n"))


LEVELS = tuple(JUDGES)


@some_and_many(800)
def test_both_ways_give_the_same_verdict_and_the_same_second_opinion(tmp_path, seeds):
    path, answers = tmp_path / "history.jsonl", Count()
    quickly = 0
    for seed in seeds:
        random = Random(seed)
        events, _ = made(seed)
        written(path, random, events)
        level = LEVELS[seed % len(LEVELS)]
        long, plain = read_transactions(path), read_history(path)
        assert long is not None and long.truncated == plain.truncated, seed
        verdict = Transactions(level).check(long, Budget(60))
        assert verdict == Transactions(level).check(plain, Budget(60)), (seed, level)
        assert verify(long, verdict) == verify(plain, verdict) == [], (seed, level)
        assert list(long.events) == list(plain.events) and long.fault_events == plain.fault_events, seed
        assert long.last_ns == plain.last_ns
        quickly += verdict.answer == "valid" and confirmed(long, verdict.certificate)
        answers[verdict.answer] += 1
        if verdict.answer == "valid":
            wrong = spoiled(random, verdict)
            assert bool(verify(long, wrong)) == bool(verify(plain, wrong)), (seed, level, wrong.certificate)
    seeds.told(answers["invalid"])
    assert min(quickly, answers["invalid"]) > len(seeds) / 10, (quickly, answers)


def spoiled(random, verdict):
    """The same with a certificate that is another: two places exchanged, or one left out."""
    certificate = dict(verdict.certificate)
    name = next((name for name in ("order", "schedule", "commits") if name in certificate), None)
    if name is not None and len(certificate[name]) > 1:
        places = list(certificate[name])
        one, other = random.sample(range(len(places)), 2)
        places[one], places[other] = places[other], places[one]
        certificate[name] = places if random.random() < 0.8 else places[1:]
    return msgspec.structs.replace(verdict, certificate=certificate)
