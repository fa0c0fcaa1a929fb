"""What a history is about, told from its words alone, or not told."""

import pytest

from harness.history.vocabulary import guess_model, with_names
from harness.op import NEMESIS, Op


def words(*fs):
    return [Op(f=f, process=0) for f in fs]


@pytest.mark.parametrize(
    ("fs", "model"),
    [
        (("read", "write"), "register"),
        (("write",), "register"),
        (("read", "write", "cas"), "cas-register"),
        (("get", "put", "append"), "kv"),
        (("dequeue", "enqueue"), "queue"),
        (("push", "pop"), "stack"),
        (("acquire", "release"), "mutex"),
        (("add", "contains"), "set"),
        (("increment", "read"), "counter"),
        (("add", "read"), ""),
        (("read",), ""),
        (("write", "dance"), ""),
        ((), ""),
    ],
)
def test_words_tell_the_model_or_nothing(fs, model):
    assert guess_model(words(*fs)) == model


def test_faults_do_not_count():
    assert guess_model([*words("push", "pop"), Op(f="kill", process=NEMESIS)]) == "stack"


@pytest.mark.parametrize("f", ["txn", ""])
def test_transactions_are_told_by_their_steps(f):
    assert guess_model([Op(f=f, process=0, value=[["append", 1, 2], ["r", 1, None]])]) == "list-append"
    assert guess_model([Op(f=f, process=0, value=[["w", 1, 2], ["r", 1, None]])]) == "rw-register"
    assert guess_model([Op(f=f, process=0, value=[["w", 1, 2], ["append", 1, 3]])]) == ""
    assert guess_model([Op(f=f, process=0, value=3)]) == ""


def test_operations_without_a_name_are_transactions_if_all_of_them_can_be():
    steps = [Op(process=0, value=[["append", 1, 2]]), Op(process=0, type="info"), Op(f="kill", process=NEMESIS)]
    assert [op.f for op in with_names(steps)] == ["txn", "txn", "kill"]
    other = [*steps, Op(process=1, value=3)]
    assert with_names(other) is other
