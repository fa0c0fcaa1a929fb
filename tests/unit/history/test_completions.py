"""Foreign histories of completions only: each operation gets its invocation."""

import pytest

from harness.errors import HistoryError
from harness.history.reader import read_history

FOREIGN = '{"source":"a paper","model":"rw-register"}\n'
OURS = '{"splitbrain":1,"model":"rw-register"}\n'
LINES = (
    '{"process":0,"type":"ok","f":"txn","value":[["r","x",1],["w","y",2]]}\n'
    '{"process":0,"type":"fail","f":"txn","value":[["w","x",3]]}\n'
    '{"process":1,"type":"ok","f":"read","key":"x","value":1}\n'
)


def read(tmp_path, text):
    path = tmp_path / "history.jsonl"
    path.write_text(text, encoding="utf-8")
    return read_history(path)


def test_each_completion_is_preceded_by_its_invocation_which_knows_no_answer(tmp_path):
    events = read(tmp_path, FOREIGN + LINES).events
    assert [(op.index, op.type) for op in events] == list(enumerate(["invoke", "ok", "invoke", "fail", "invoke", "ok"]))
    assert [op.value for op in events[::2]] == [[["r", "x", None], ["w", "y", 2]], [["w", "x", 3]], None]


def test_a_file_with_an_invocation_must_have_them_all(tmp_path):
    some = '{"process":5,"type":"invoke","f":"read","key":"x"}\n'
    with pytest.raises(HistoryError, match="without having invoked it"):
        read(tmp_path, FOREIGN + some + LINES)


def test_our_own_files_have_invocations(tmp_path):
    with pytest.raises(HistoryError, match="without having invoked it"):
        read(tmp_path, OURS + LINES)
