"""Reading transactions straight into columns: the same table as by the general reader, or nothing at all."""

import numpy as np
import pytest

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.transactions.reading import read_transactions
from checkers.transactions.table import table_of
from harness.history.reader import read_history

HEAD = '{"splitbrain":1,"model":"list-append"}\n'


def line(process, kind, value, f="txn", **more):
    import json

    return json.dumps({"process": process, "type": kind, "f": f, "value": value, **more}) + "\n"


STORY = (
    line(0, "invoke", [["append", "x", 1], ["r", "y", None]], time=5)
    + line(1, "invoke", [["append", "x", 2], ["r", "x", None]])
    + line("nemesis", "info", {"kind": "partition"}, "start-partition")
    + line(1, "ok", [["append", "x", 2], ["r", "x", [2]]])
    + line(0, "info", [["append", "x", 1], ["r", "y", None]], error="timeout")
    + line(2, "invoke", [["w", 7, 3], ["r", "x", None]])
    + line(2, "fail", [["w", 7, 3], ["r", "x", None]])
    + line(3, "invoke", [["r", 7, None], ["r", "x", None], ["r", "y", None]])
    + line(3, "ok", [["r", 7, None], ["r", "x", [2, 1]], ["r", "y", []]])
    + line(3, "invoke", [["append", "y", 4]])
)


def written(tmp_path, text):
    path = tmp_path / "history.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def rows(table):
    """Every step in words, by transaction."""
    found = []
    for step in range(len(table.step_f)):
        value = table.list_at(step) if table.step_len[step] > 0 else table.value(int(table.step_value[step]))
        key = table.keys[table.step_key[step]]
        found.append((int(table.step_txn[step]), int(table.step_f[step]), key, value))
    return found


def test_a_plain_file_gives_the_same_table_as_the_general_reader(tmp_path):
    path = written(tmp_path, HEAD + STORY)
    history = read_transactions(path)
    assert history is not None and history.kind == ""
    table, general = history.table, table_of(read_history(path))
    assert history.header.model == "list-append"
    for name in ("invoke", "response", "status"):
        assert np.array_equal(getattr(table, name), getattr(general, name)), name
    assert rows(table) == rows(general)
    verdict = Transactions().check(history, Budget(10))
    assert verdict == Transactions().check(read_history(path), Budget(10))
    assert verdict.answer == "valid"


def test_a_file_that_was_cut_off_is_read_up_to_its_last_whole_line(tmp_path):
    for head, kept in ((HEAD, 12), ("", 11)):
        path = written(tmp_path, head + STORY + '{"process":9,"ty')
        history = read_transactions(path)
        assert history.truncated == read_history(path).truncated != ""
        assert f"inside line {kept};" in history.truncated
        assert len(history.events) == 10


OTHERWISE = {
    "a word as a value": HEAD + line(0, "invoke", [["append", "x", "a"]]) + line(0, "ok", [["append", "x", "a"]]),
    "a fraction": HEAD + line(0, "invoke", [["append", "x", 1.0]]) + line(0, "ok", [["append", "x", 1.0]]),
    "a truth": HEAD + line(0, "invoke", [["append", "x", True]]) + line(0, "ok", [["append", "x", True]]),
    "another operation": HEAD + line(0, "invoke", 1, "write", key="x") + line(0, "ok", 1, "write", key="x"),
    "a completion without invocation": HEAD + line(0, "ok", [["append", "x", 1]]),
    "two invocations": HEAD + line(0, "invoke", [["append", "x", 1]]) * 2,
    "a broken line": HEAD + STORY + '{"process":9,"ty\n' + STORY,
    "a session": HEAD + line(0, "invoke", [["r", "x", None]], session="s"),
    "an error that is no word": HEAD + line(0, "invoke", []) + line(0, "info", [], error={"why": 1}),
    "a list that is written": HEAD + line(0, "invoke", [["w", "x", [1]]]) + line(0, "ok", [["w", "x", [1]]]),
    "nothing that is appended": HEAD + line(0, "invoke", [["append", "x", None]]),
    "a list that a register shows": HEAD
    + line(0, "invoke", [["w", "x", 1], ["r", "x", None]])
    + line(0, "ok", [["w", "x", 1], ["r", "x", [1]]]),
    "a large number": HEAD + line(0, "invoke", []) + line(0, "ok", [["append", "x", 1 << 62]]),
    "an array": "[" + line(0, "invoke", []) + "]",
    "nothing": HEAD,
    "a huge number": HEAD + line(0, "invoke", []) + line(0, "ok", [["append", "x", 1 << 70]]),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_whatever_is_otherwise_is_left_to_the_general_reader(tmp_path, name):
    assert read_transactions(written(tmp_path, OTHERWISE[name])) is None


def test_a_missing_file_is_left_to_the_general_reader(tmp_path):
    assert read_transactions(tmp_path / "none.jsonl") is None


def test_values_of_any_kind_are_judged():
    from harness.history import Header, History
    from harness.op import Op

    def history(*values):
        events = []
        for process, steps in enumerate(values):
            events.append(Op(len(events), None, process, "invoke", "txn", None, steps))
            events.append(Op(len(events), None, process, "ok", "txn", None, steps))
        return History(Header(1, "transactions"), events)

    mixed = [["append", "x", "a"], ["append", "x", 1.0], ["append", "x", True], ["w", [1, 2], {"b": None}]]
    sound = [["r", "x", ["a", 1.0, True]], ["r", [1, 2], {"b": None}]]
    assert Transactions().check(history(mixed, sound), Budget(10)).answer == "valid"
    wrong = [["r", "x", ["a", 1, True]]]
    assert Transactions().check(history(mixed, wrong), Budget(10)).answer == "invalid"
