"""Histories streamed from files: the same answers as in memory, and one sentence for what cannot be read."""

import json

import msgspec
import pytest
from made_histories import Story

from checkers.streaming import StreamingCounter, StreamingRegister, StreamingSessions, Watch
from checkers.streaming.files import check_stream
from harness.cli import main
from harness.errors import HistoryError
from harness.history import Header
from harness.history.streaming import EventStream
from harness.op import Op


def stored(path, story):
    lines = [msgspec.json.encode(story.header), *(msgspec.json.encode(op) for op in story.events)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def stale(model="session"):
    story = Story(model=model)
    story.write(1, 1, (1, 1))
    story.fault("start")
    story.write(1, 2, (1, 2))
    story.fault("stop")
    story.read(1, 1, (1, 1))
    return story


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 1 << 20])
def test_a_file_is_read_the_same_in_blocks_of_any_size(tmp_path, block_bytes):
    story = stale()
    stream = EventStream(stored(tmp_path / "history.jsonl", story), block_bytes)
    assert [op for events in stream for op in events] == story.events
    assert (stream.header.model, stream.count, stream.truncated) == ("session", len(story.events), "")


@pytest.mark.parametrize("cut", [1, 30])
def test_a_file_that_was_cut_off_is_streamed_up_to_its_last_whole_line(tmp_path, cut):
    story = stale()
    path = stored(tmp_path / "history.jsonl", story)
    path.write_bytes(path.read_bytes()[: -1 - cut])
    stream = EventStream(path, 64)
    assert sum(map(len, stream)) == len(story.events) - 1
    assert (
        stream.truncated
        == f"history.jsonl was cut off inside line {len(story.events) + 1}; events kept: the 9 before it."
    )


@pytest.mark.parametrize("model", ["session", "register"])
def test_a_violation_is_found_in_a_streamed_file(tmp_path, model, capsys):
    path = stored(tmp_path / "history.jsonl", stale(model))
    result = check_stream(path)
    assert (result.outcome, result.counts.operations, result.faults[0].proven) == ("violation", 3, True)
    assert main(["check", str(path), "--stream", "--json"]) == 1
    streamed = json.loads(capsys.readouterr().out)
    assert main(["check", str(path), "--json"]) == 1
    whole = json.loads(capsys.readouterr().out)
    answers = [{v["checker"]: v["answer"] for v in said["verdicts"]} for said in (streamed, whole)]
    assert all(answers[0][name] == answer for name, answer in answers[1].items() if name in answers[0])
    assert main(["check", str(path), "--stream"]) == 1
    assert "VIOLATION" in capsys.readouterr().out


def test_a_large_session_history_is_streamed_without_being_asked(tmp_path, monkeypatch, capsys):
    path = stored(tmp_path / "history.jsonl", stale())
    monkeypatch.setattr("harness.cli.check.STREAM_BYTES", 10)
    assert main(["check", str(path), "--json"]) == 1
    assert "forgotten" in capsys.readouterr().out
    assert main(["check", str(stored(tmp_path / "other.jsonl", stale("register"))), "--json"]) == 1
    assert "forgotten" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "line 1: only one JSON operation per line"),
        ('{"splitbrain":1,"model":"session"}\n{"process":0,"type":"invoke","f":3}\n', "line 2: this is no operation"),
        ('{"splitbrain":1,"model":"session"}\n\n{broken}\n{}\n', "line 3: this is not JSON"),
        ('{"splitbrain":1,"model":7}\n', "line 1: this is no operation"),
        ('{"splitbrain":1,"model":"session"}\n{"process":0,"type":"ok","f":"read"}\n', "without having invoked"),
        ('{"model":"session"}\n' + '{"process":0,"type":"invoke","f":"read"}\n' * 2, "event 0 is still running"),
        ('{"model":"session"}\n{}\n', "neither process nor f"),
        ('{"splitbrain":1,"model":"queue"}\n', "cannot be streamed"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path, text, said, capsys):
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    with pytest.raises(HistoryError, match=said):
        check_stream(path)
    assert main(["check", str(path), "--stream"]) == 254
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(HistoryError, match="cannot be read"):
        check_stream(tmp_path / "nowhere.jsonl")


def test_foreign_lines_are_forgiven_what_decides_nothing(tmp_path):
    path = tmp_path / "foreign.jsonl"
    path.write_text(
        '{"process":0,"type":"invoke","f":"write","value":1,"time":1.5,"index":7}\n'
        '{"process":0,"type":"ok","f":"write","value":1,"error":["why"],"version":[1,1]}\n'
    )
    assert check_stream(path, "session").outcome == "valid"


def test_a_watch_names_the_first_violation_and_looks_no_further():
    story = stale()
    story.read(1, None, (0, 0))
    watch = Watch([StreamingSessions(story.header), StreamingRegister(story.header)])
    said = [sentence for op in story.events if (sentence := watch.event(op))]
    assert said == [
        "read-your-writes was broken by operation 8: At k, process 1 wrote version 1.2, and later read 1 (version 1.1),"
        " which is older."
    ]


def test_what_a_streaming_checker_cannot_judge_is_unknown_with_the_reason():
    story = Story(model="session")
    story.write(1, 1)
    story.write(1, 2, (1, 2), key="other")
    checker = StreamingSessions(story.header)
    for op in story.events:
        assert not checker.event(op)
    assert {verdict.reason for verdict in checker.verdicts()} == {"k: operation 0 tells no version."}


def test_reads_of_what_cannot_be_are_found_while_streaming():
    story = Story(model="session")
    story.write(1, 1, (1, 1))
    garbage = story.read(2, 99, (1, 2))
    opening = story.event(3, "invoke", "write", 5)
    story.read(2, 5, (1, 3))
    story.event(3, "fail", "write", 5)
    checker = StreamingSessions(story.header, ("monotonic-reads",))
    found = [anomaly for op in story.events for anomaly in checker.event(op)]
    assert [(anomaly.name, anomaly.culprit) for anomaly in found] == [
        ("garbage-read", garbage),
        ("aborted-read", opening),
    ]


def test_what_is_no_operation_of_a_counter_is_not_passed_over():
    counter = StreamingCounter(Header(1, "counter"))
    for number, type_ in enumerate(("invoke", "ok")):
        counter.event(Op(number, None, 0, type_, "enqueue", None, 1))
    (verdict,) = counter.verdicts()
    assert (verdict.answer, verdict.reason[:36]) == ("unknown", "'enqueue' is no operation of a count")
