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
    assert verify(whole, verdict) == []


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
        counts = {"keys": decided + left, "keys_decided": decided}
        reason = left_over("The budget of 4 s was spent", decided, [f"key {left}{n}" for n in range(left)], 5)
        return Verdict(
            "linearizability", "unknown" if left else "valid", "", counts=counts, reason=reason if left else ""
        )

    whole = merged("linearizability", [part(3, 0), part(2, 1), part(0, 2)])
    assert whole.reason == "The budget of 4 s was spent: 5 of 8 keys were decided; not key 10, key 20, key 21."
    assert merged("linearizability", [part(3, 0), part(2, 1)]).reason == part(2, 1).reason.replace("2 of 3", "5 of 6")


def test_the_whole_is_summed_up_like_one_that_was_not_divided():
    whole = history(40)
    with ThreadPoolExecutor(2) as workers:
        verdict = check_by_key(whole, Linearizability("register"), Budget(60), workers)
    assert (
        verdict.summary == Linearizability("register").check(whole, Budget(60)).summary == "All 40 keys admit an order."
    )
