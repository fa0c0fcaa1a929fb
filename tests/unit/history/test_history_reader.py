"""Reading histories: ours, JSON arrays and Jepsen's EDN; and one sentence for everything that is wrong."""

import time

import msgspec
import pytest

from harness.errors import HistoryError
from harness.history.header import Header
from harness.history.reader import read_history
from harness.op import NEMESIS, Op

HEADER = b'{"splitbrain":1,"model":"register","workload":"session"}\n'
READ = Op(0, 5, 0, "invoke", "read", "k")
DONE = Op(1, 9, 0, "ok", "read", "k", 3, "n1", None, (1, 7))


def line(op):
    return msgspec.json.encode(op) + b"\n"


def written(tmp_path, content, name="history.jsonl"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def refused(tmp_path, content, name="history.jsonl"):
    with pytest.raises(HistoryError) as caught:
        read_history(written(tmp_path, content, name))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(tmp_path))
    return message.removeprefix(str(tmp_path) + "/")


def test_our_history_comes_back_as_it_was_written(tmp_path):
    history = read_history(written(tmp_path, HEADER + line(READ) + line(DONE)))
    assert history.header == Header(1, "register", workload="session")
    assert list(history.events) == [READ, DONE]
    assert history.truncated == ""


def test_a_run_directory_stands_for_its_history(tmp_path):
    written(tmp_path, HEADER + line(READ) + line(DONE))
    assert len(read_history(tmp_path).events) == 2


def test_a_history_without_header_is_foreign(tmp_path):
    assert read_history(written(tmp_path, line(READ) + line(DONE))).header.splitbrain == 0


def test_a_cut_off_history_is_read_up_to_its_last_whole_line(tmp_path):
    history = read_history(written(tmp_path, HEADER + line(READ) + line(DONE)[:-9]))
    assert list(history.events) == [READ]
    assert history.truncated == "history.jsonl was cut off inside line 3; events kept: the 1 before it."


def test_a_last_line_without_newline_is_whole_if_it_is_json(tmp_path):
    history = read_history(written(tmp_path, HEADER + line(READ) + line(DONE).rstrip()))
    assert (len(history.events), history.truncated) == (2, "")


def test_a_broken_line_in_the_middle_refuses_the_file(tmp_path):
    message = refused(tmp_path, HEADER + line(READ)[:-9] + b"\n" + line(DONE))
    assert message.startswith("history.jsonl, line 2: ")
    assert "wanted" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; wanted a history."),
        (b"\n \n", "the file is empty; wanted a history."),
        (b"hello", "line 1: found hello; wanted a history: one JSON operation per line, a JSON array"),
        (
            HEADER + b'{"process":0,"type":"maybe","f":"read"}\n',
            'line 2: field type: found "maybe"; wanted invoke, ok,',
        ),
        (HEADER + b'{"process":0,"type":"invoke","f":7}\n', "line 2: field f: found 7; wanted str."),
        (HEADER + b'{"time":"x","process":0}\n', 'line 2: field time: found "x"; wanted int | null.'),
        (HEADER + line(DONE), "line 2: process 0 completes read as ok without having invoked it; wanted an invocation"),
        (HEADER + line(READ) * 2, "line 3: process 0 invokes read while what it invoked in line 2 is still running;"),
        (HEADER + b"\n\n" + line(DONE), "line 4: process 0 completes read"),
        (HEADER + b'{"type":"invoke"}\n', "line 2: found neither process nor f; wanted an operation."),
        (b'{"splitbrain":"one"}\n', 'line 1: field splitbrain: found "one"; wanted int.'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, message):
    assert message in refused(tmp_path, content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HistoryError, match=r"nowhere\.jsonl: no such file"):
        read_history(tmp_path / "nowhere.jsonl")


def test_a_byte_that_is_not_text_is_told(tmp_path):
    assert "line 2: this is not JSON (a byte that is not UTF-8)" in refused(
        tmp_path, HEADER + b'{"f":"\xff","process":1}\n' + line(READ)
    )


def test_a_json_array_is_a_history_with_or_without_header(tmp_path):
    ops = line(READ).strip() + b",\n" + line(DONE).strip()
    for content in (b"[" + ops + b"]", b"[" + HEADER.strip() + b"," + ops + b"]"):
        assert list(read_history(written(tmp_path, content)).events) == [READ, DONE]


def test_a_json_array_that_is_cut_off_is_refused_with_its_line(tmp_path):
    assert "line 2: this is not a whole JSON array" in refused(tmp_path, b"[" + line(READ) + b",{", "history.json")


def test_an_element_that_is_no_operation_is_named(tmp_path):
    assert "element 1: field f: found 7; wanted str." in refused(tmp_path, b'[{"f":"read","process":0},{"f":7}]')


def test_foreign_indices_are_replaced_and_odd_errors_are_kept_as_text(tmp_path):
    content = b'{"index":7,"time":1.5,"process":0,"type":"invoke","f":"read"}\n'
    content += b'{"index":7,"time":2,"process":0,"type":"info","f":"read","error":["timeout",3]}\n'
    events = read_history(written(tmp_path, content)).events
    assert [op.index for op in events] == [0, 1]
    assert events[0].time == 1
    assert events[1].error == '["timeout",3]'


def test_fault_events_need_no_invocation(tmp_path):
    fault = Op(0, 1, NEMESIS, "info", "start-partition")
    assert list(read_history(written(tmp_path, HEADER + line(fault))).events) == [fault]


def test_jepsens_history_is_read(tmp_path):
    text = """{:type :invoke, :f :read, :value nil, :process 0, :time 10, :index 0}
              {:type :invoke, :f :start, :process :nemesis, :value nil, :time 11, :index 1}
              {:type :ok, :f :read, :value 3, :process 0, :time 20, :index 2}"""
    events = read_history(written(tmp_path, text.encode(), "history.edn")).events
    assert [(op.process, op.type, op.f, op.value) for op in events] == [
        (0, "invoke", "read", None),
        (NEMESIS, "invoke", "start", None),
        (0, "ok", "read", 3),
    ]


def test_jepsens_independent_keys_are_told_from_values(tmp_path):
    text = """[{:type :invoke, :f :read, :value [7 nil], :process 0}
               {:type :ok, :f :read, :value [7 3], :process 0}
               {:type :invoke, :f :cas, :value [7 [3 4]], :process 0}
               {:type :ok, :f :cas, :value [7 [3 4]], :process 0}]"""
    events = read_history(written(tmp_path, text.encode(), "history.edn")).events
    assert [(op.key, op.value) for op in events] == [(7, None), (7, 3), (7, [3, 4]), (7, [3, 4])]


def test_a_cut_off_edn_history_keeps_its_whole_operations(tmp_path):
    text = '[{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :read, :process 0, :error "tim'
    history = read_history(written(tmp_path, text.encode(), "history.edn"))
    assert len(history.events) == 1
    assert "cut off inside line 2" in history.truncated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{:type :ok :f}", "line 1: this is not EDN: found a map with a key and no value"),
        ("{:type :ok\n]", "line 2: this is not EDN: found ']', wanted the '}' of '{'"),
        ("{:type :ok :process 0\n :value 1/0}", "line 2: this is not EDN: found '1/0', wanted a number"),
        ("{:type :late, :f :read, :process 0}", 'line 1: field type: found "late"; wanted invoke, ok, fail or info.'),
        (
            "\n{:type :invoke :f :write :process 0}{:type :ok :f :read :process 0}{:type :ok :f :read :process 0}",
            "line 2: process 0 completes read as ok without having invoked it",
        ),
    ],
)
def test_what_is_wrong_in_edn_is_said_with_its_line(tmp_path, text, message):
    assert message in refused(tmp_path, text.encode(), "history.edn")


@pytest.mark.parametrize("name", ["history.jsonl", "history.edn"])
def test_a_process_that_others_leave_null_is_as_one_that_is_left_out(tmp_path, name):
    jsonl = (
        b'{"process":null,"type":"ok","f":"txn","value":[["w","x",1]]}\n{"type":"ok","f":"txn","value":[["r","x",1]]}\n'
    )
    edn = b'{:process nil :type :ok :f :txn :value [[:w "x" 1]]} {:type :ok :f :txn :value [[:r "x" 1]]}'
    events = read_history(written(tmp_path, jsonl if name.endswith("l") else edn, name)).events
    assert [(op.process, op.type) for op in events] == [(-1, "invoke"), (-1, "ok")] * 2


def test_a_hundred_thousand_events_are_read_in_a_second(tmp_path):
    ops = [
        op
        for i in range(50_000)
        for op in (
            Op(2 * i, i, i % 10, "invoke", "read", f"k{i % 5}"),
            Op(2 * i + 1, i, i % 10, "ok", "read", f"k{i % 5}", i, "n1", None, (1, i)),
        )
    ]
    path = written(tmp_path, HEADER + b"".join(map(line, ops)))
    started = time.process_time()
    assert len(read_history(path).events) == 100_000
    assert time.process_time() - started < 1.0
