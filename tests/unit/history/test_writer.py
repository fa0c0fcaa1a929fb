"""Writing histories for others: what is read back is what was written."""

import io

import pytest

from harness.history.header import Header
from harness.history.history import History
from harness.history.reader import read_history
from harness.history.writer import edn, write_edn, write_jsonl
from harness.op import NEMESIS, Op

EVENTS = (
    Op(0, 5, 0, "invoke", "read", "k"),
    Op(1, 9, 0, "ok", "read", "k", 3, "n1", None, (1, 7)),
    Op(2, None, 1, "invoke", "cas", 'a "quoted"\nkey', [1, None]),
    Op(3, 12, NEMESIS, "info", "start-partition", None, {"nodes": ["n1"], "proven": True}),
    Op(4, 13, 1, "info", "cas", 'a "quoted"\nkey', [1, None], None, None, None, "timeout"),
)
HISTORY = History(Header(1, "cas-register", initial=0), EVENTS)


def round_trip(tmp_path, write, name, history=HISTORY):
    path = tmp_path / name
    with path.open("wb") as stream:
        write(history, stream)
    return read_history(path)


def test_json_lines_come_back_whole(tmp_path):
    back = round_trip(tmp_path, write_jsonl, "history.jsonl")
    assert (back.header, tuple(back.events)) == (HISTORY.header, EVENTS)


def test_edn_comes_back_whole_but_for_the_header(tmp_path):
    assert tuple(round_trip(tmp_path, write_edn, "history.edn").events) == EVENTS


def test_keys_of_a_history_of_writes_come_back(tmp_path):
    told = [("invoke", "a", 1), ("ok", "a", 1), ("invoke", "b", [1, 2]), ("ok", "b", [1, 2])]
    events = tuple(Op(n, None, 0, kind, "write", key, value) for n, (kind, key, value) in enumerate(told))
    assert tuple(round_trip(tmp_path, write_edn, "history.edn", History(Header(1), events)).events) == events


def test_keys_that_a_read_tells_of_are_written_as_jepsen_does():
    stream = io.BytesIO()
    write_edn(HISTORY, stream)
    assert b':value ["k" nil]' in stream.getvalue()


def test_steps_of_transactions_begin_with_keywords():
    steps = [["append", "x", 1], ["r", "y", [1, 2]], ["r", "append", None]]
    assert edn(steps, steps=True) == '[[:append "x" 1] [:r "y" [1 2]] [:r "append" nil]]'


def test_transactions_come_back_as_they_were(tmp_path):
    steps = [["append", 4, 1], ["r", 5, [1.5, True]]]
    history = History(
        Header(1), (Op(0, None, 0, "invoke", "txn", None, steps), Op(1, None, 0, "ok", "txn", None, steps))
    )
    assert tuple(round_trip(tmp_path, write_edn, "history.edn", history).events) == history.events


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "nil"), (True, "true"), (float("inf"), "##Inf"), ("\\\u2028", '"\\\\\u2028"'), ({"a": [1]}, '{"a" [1]}')],
)
def test_every_json_value_has_its_edn(value, text):
    assert edn(value) == text


def test_the_stream_stays_open_for_its_owner():
    stream = io.BytesIO()
    write_edn(HISTORY, stream)
    assert not stream.closed
