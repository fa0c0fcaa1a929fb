"""Several operations at once under one process, as some recorders write them."""

import pytest

from harness.errors import HistoryError
from harness.history.lanes import mended
from harness.history.reader import read_history
from harness.op import NEMESIS, Op

LINES = (
    '{"process":0,"type":"invoke","f":"read"}',
    '{"process":0,"type":"invoke","f":"write","value":1}',
    '{"process":0,"type":"ok","f":"write","value":1}',
    '{"process":0,"type":"ok","f":"read","value":1}',
)


def test_each_operation_gets_a_process_of_its_own():
    events = [
        Op(process=0, f="read"),
        Op(process=5, f="read"),
        Op(process=0, f="write"),
        Op(process=0, type="ok", f="read"),
    ]
    assert [op.process for op in mended(events)] == [0, 5, 6, 0]


def test_values_tell_operations_of_one_function_apart():
    events = [
        Op(process=0, f="write", value=1),
        Op(process=0, f="write", value=2),
        Op(process=0, type="ok", f="write", value=2),
    ]
    assert [op.process for op in mended(events)] == [0, 1, 1]


def test_what_reads_found_does_not_hide_which_transaction_ended():
    asked = ([["append", 1, 5]], [["r", 1, None]], [["r", 2, None]])
    found = ([["r", 2, [7]]], [["append", 1, 5]], [["r", 1, [5]]])
    events = [Op(process=0, f="txn", value=value) for value in asked]
    events += [Op(process=0, type="ok", f="txn", value=value) for value in found]
    assert [op.process for op in mended(events)] == [0, 1, 2, 2, 0, 1]


def test_of_two_transactions_that_ask_the_same_nobody_knows_which_ended():
    events = [Op(process=0, f="txn", value=[["r", 1, None]])] * 2
    assert mended([*events, Op(process=0, type="ok", f="txn", value=[["r", 1, [5]]])]) is None


def test_what_cannot_be_told_mended_is_not_guessed():
    events = [Op(process=0, f="read"), Op(process=0, f="read"), Op(process=0, type="ok", f="read", value=2)]
    assert mended(events) is None


def test_faults_stay_as_they_are():
    assert mended([Op(process=NEMESIS, type="info", f="kill")])[0].process == NEMESIS


def test_a_foreign_file_is_taken_mended_and_one_of_ours_is_refused(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text("\n".join(LINES))
    assert [op.process for op in read_history(path).events] == [0, 1, 1, 0]
    path.write_text("\n".join(['{"splitbrain":1,"model":"register"}', *LINES]))
    with pytest.raises(HistoryError, match="one operation at a time"):
        read_history(path)


def test_a_completion_without_invocation_gets_one():
    events = mended([Op(process=0, type="ok", f="txn", value=[["r", 1, 2]], version=(1, 2))])
    assert [(op.type, op.value, op.version) for op in events] == [
        ("invoke", [["r", 1, None]], None),
        ("ok", [["r", 1, 2]], (1, 2)),
    ]


def test_such_an_operation_began_right_after_what_its_process_did_before_or_at_the_beginning():
    first = [Op(process=0, type="ok", f="write", value=1), Op(process=1, f="read")]
    late = [Op(process=0, type="ok", f="write", value=2), Op(process=2, type="ok", f="write", value=3)]
    told = [(op.process, op.type) for op in mended([*first, *late])]
    assert told == [(0, "invoke"), (2, "invoke"), (0, "ok"), (0, "invoke"), (1, "invoke"), (0, "ok"), (2, "ok")]


def test_a_second_completion_of_one_operation_is_no_operation_of_its_own():
    late = [Op(process=0, f="write", value=1), *(Op(process=0, type=t, f="write", value=1) for t in ("info", "ok"))]
    assert mended(late) is None


def test_a_completion_that_fits_nothing_that_runs_is_not_guessed():
    assert mended([Op(process=0, f="read"), Op(process=0, type="ok", f="write", value=1)]) is None
