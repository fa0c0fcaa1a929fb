"""A checker's work divided by key: the same answer, counts and anomalies as on the whole."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from random import Random

from checkers.by_key import check_by_key, divided, merged
from checkers.linearizability import Linearizability
from checkers.protocol import Budget, left_over
from checkers.verify import verify
from harness.history import Header, History
from harness.op import NEMESIS, Op
from harness.verdict import Verdict


def history(keys, broken=()):
    """Two writes and a read per key, one key after another; where it is broken the read is of the older write."""
    events = [Op(process=NEMESIS, type="info", f="start-kill")]
    for key in range(keys):
        for f, value in (("write", 1), ("write", 2), ("read", 1 if key in broken else 2)):
            events += [Op(process=0, f=f, key=key, value=None if f == "read" else value)]
            events += [Op(process=0, type="ok", f=f, key=key, value=value)]
    numbered = [Op(i, None, op.process, op.type, op.f, op.key, op.value) for i, op in enumerate(events)]
    return History(Header(model="register"), numbered)


def test_the_parts_share_the_keys_and_keep_the_indices():
    whole = history(40)
    parts = divided(whole, 16)
    assert len(parts) == 16
    assert all(part.events[op.index] is op for part in parts for op in part.events)
    assert sorted(op.index for part in parts for op in part.events if op.is_client()) == list(range(1, 241))
    assert all(len(set(part.operations.key.tolist())) in (2, 3) for part in parts)


def test_what_holds_of_every_part_holds_of_the_whole_and_can_be_verified():
    whole = history(40)
    with ThreadPoolExecutor(2) as workers:
        verdict = check_by_key(whole, Linearizability("register"), Budget(60), workers)
    assert (verdict.answer, verdict.counts["keys_decided"]) == ("valid", 40)
    assert verify(whole, verdict) == []


def test_what_is_broken_is_found_in_its_part_in_other_processes():
    whole = history(40, broken={7, 30})
    with ProcessPoolExecutor(2) as workers:
        verdict = check_by_key(whole, Linearizability("register"), Budget(60), workers)
    alone = Linearizability("register").check(whole, Budget(60))
    assert (verdict.answer, verdict.anomalies, verdict.counts) == (alone.answer, alone.anomalies, alone.counts)
    assert verdict.summary == alone.summary == "2 of 40 keys admit no order."
    assert verify(whole, verdict) == []


def test_the_words_are_of_all_parts_and_the_certificate_names_the_model():
    queues = History(Header(model="queue"), [
        Op(index, None, 0, kind, "enqueue", key, 1)
        for index, (key, kind) in enumerate((key, kind) for key in range(3) for kind in ("invoke", "ok"))
    ])  # fmt: skip
    with ThreadPoolExecutor(2) as workers:
        verdict = check_by_key(queues, Linearizability(), Budget(60), workers)
    assert verdict == Linearizability().check(queues, Budget(60))
    assert verdict.summary == "All 3 keys admit an order."


def test_a_worker_that_dies_leaves_its_words():
    class Dying(Linearizability):
        def check(self, history, budget):
            if 0 in history.operations.keys:
                raise MemoryError("gone")
            return super().check(history, budget)

    with ThreadPoolExecutor(2) as workers:
        verdict = check_by_key(history(20), Dying("register"), Budget(60), workers)
    assert verdict.answer == "unknown"
    assert "gone" in verdict.reason
    assert "admit" not in verdict.summary


def test_the_division_does_not_depend_on_the_order_of_keys():
    whole = history(10)
    keys = [op.key for op in whole.events if op.key is not None]
    Random(1).shuffle(keys)
    assert len(divided(whole, 3)) == 3


def test_one_key_is_not_divided():
    with ThreadPoolExecutor(2) as workers:
        verdict = check_by_key(history(1, broken={0}), Linearizability("register"), Budget(60), workers)
    assert verdict.answer == "invalid"


def test_of_parts_that_are_undecided_it_is_said_together_how_much_was_decided():
    def part(decided, left):
        counts = {"keys": decided + left, "keys_decided": decided, "anomalies": 0}
        reason = left_over("The budget of 4 s was spent", decided, [f"key {left}{n}" for n in range(left)], 5)
        return Verdict(
            "linearizability", "unknown" if left else "valid", "", counts=counts, reason=reason if left else ""
        )

    whole = merged(Linearizability(), [part(3, 0), part(2, 1), part(0, 2)])
    assert whole.reason == "The budget of 4 s was spent: 5 of 8 keys were decided; not key 10, key 20, key 21."
    assert merged(Linearizability(), [part(3, 0), part(2, 1)]).reason == part(2, 1).reason.replace("2 of 3", "5 of 6")
