"""Frames and requests: what is understood, and that nothing else is."""

import json

import pytest

from system_under_test.leader_follower.commands import BadRequest, command_of
from system_under_test.leader_follower.json_text import from_json, to_json
from system_under_test.leader_follower.messages import (
    AppendAnswer,
    AppendRequest,
    Entry,
    Forward,
    ForwardAnswer,
    VoteAnswer,
    VoteRequest,
)
from system_under_test.leader_follower.requests import parse_request
from system_under_test.leader_follower.wire import BadFrame, Decoder, decode_message, encode, encode_message

MESSAGES = [
    VoteRequest(3, 2, 17, True),
    VoteAnswer(3, False, False),
    AppendRequest(3, 2, 17, [Entry(3, 18, None), Entry(3, 19, ["cas", "k", None, "ü"])], 16, 4),
    AppendAnswer(3, True, 19, 4),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_come_out_as_they_went_in_however_cut(message):
    frame = encode_message("n1", message)
    for cut in range(len(frame)):
        decoder = Decoder()
        values = decoder.feed(frame[:cut]) + decoder.feed(frame[cut:] + frame)
        assert [decode_message(value) for value in values] == [("n1", message)] * 2


@pytest.mark.parametrize("value", [None, True, "ü\n", -5, 1 << 70, 1.5, [], {}, [1, [2, {"a": None}], ()], {"k": [1]}])
def test_json_is_what_the_standard_library_makes_of_it(value):
    text = to_json(value)
    assert text == json.dumps(value, separators=(",", ":"))
    assert from_json(text) == from_json(f" {text}\n") == json.loads(text)


@pytest.mark.parametrize("text", ["", " ", "[1", "[1] 2", "NaN", "-Infinity", "'a'", "nul"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"JSON|Expecting|Extra data"):
        from_json(text)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_json_does_not_know_are_not_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(value)


@pytest.mark.parametrize(
    "data",
    [
        (1 << 20).to_bytes(4, "big")[:3] + b"\x01",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1x",
        b"\0\0\0\3NaN",
        b"\0\0\0\1\xff",
        (200_000).to_bytes(4, "big") + b"[" * 200_000,
    ],
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(BadFrame):
        Decoder().feed(data)


@pytest.mark.parametrize(
    "value",
    [
        [],
        ["n1"],
        ["n1", "vote?"],
        ["n1", "vote?", 1, 2, 3, 1],
        ["n1", "vote?", 1, -2, 3, True],
        ["n1", "vote?", True, 2, 3, True],
        [1, "vote!", 1, True, True],
        ["n1", ["vote!"], 1, True, True],
        ["n1", "append?", 1, 0, 0, [[1, 2, None]], 0, 0],
        ["n1", "append?", 1, 0, 0, [[1, 1]], 0, 0],
        ["n1", "append?", 1, 0, 0, [[1, 1, ["drop", "k"]]], 0, 0],
        ["n1", "append?", 1, 0, 0, [[1, 1, ["write", "k"]]], 0, 0],
        ["n1", "append?", 1, 0, 0, [[1, 1, []]], 0, 0],
        ["n1", "append?", 1, 0, 0, [5], 0, 0],
        ["n1", "append?", 1, 0, 0, [[1, 1, ["once", 1, 1, ["open"]]]], 0, 0],
        ["n1", "forward?", 1, 5, None],
        ["n1", "forward?", 1, 5, []],
        ["n1", "forward?", 1, 5, ["write", "k"]],
        ["n1", "forward?", 1, -5, ["write", "k", 1]],
        ["n1", "forward!", 5, []],
    ],
)
def test_what_is_no_message_is_refused(value):
    with pytest.raises(BadFrame):
        decode_message(value)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        ({}, "id"),
        ({"id": True}, "id"),
        ({"id": 1, "f": "drop"}, "f must be"),
        ({"id": 1, "f": ["read"]}, "f must be"),
        ({"id": 1, "f": "read", "key": 1.5}, "key"),
        ({"id": 1, "f": "read", "key": True}, "key"),
        ({"id": 1, "f": "read", "key": "x" * 9000}, "key"),
        ({"id": 1, "f": "read", "key": 1 << 70}, "key"),
        ({"id": 1, "f": "write", "value": [1]}, "value"),
        ({"id": 1, "f": "write", "value": "x" * 9000}, "value"),
        ({"id": 1, "f": "write", "value": float("inf")}, "value"),
        ({"id": 1, "f": "cas", "value": 5}, "value"),
        ({"id": 1, "f": "cas", "value": [1, float("-inf")]}, "value"),
        ({"id": 1, "f": "cas", "value": [1, 2, 3]}, "value"),
        ({"id": 1, "f": "increment", "value": "1"}, "value must be a whole number"),
        ({"id": 1, "f": "txn", "value": [["r", "x"]]}, "value must be one to"),
        ({"id": 1, "f": "txn", "key": "x", "value": [["r", "x", None]]}, "key must be null"),
        ({"id": 1, "f": "dequeue", "value": 5}, "value must be null"),
        ({"id": 1, "f": "once", "value": 5}, "f must be"),
        ({"id": 1, "f": "write", "session": 5}, "session"),
        ({"id": 1, "f": "write", "session": [1, -5]}, "session"),
        ({"id": 1, "f": "write", "session": [1, True]}, "session"),
        ({"id": 1, "f": "read", "mode": "psychic"}, "mode"),
        ({"id": 1, "f": "read", "mode": ["leader"]}, "mode"),
        ({"id": 1, "f": "read", "token": 5}, "token"),
        ({"id": 1, "f": "read", "token": [1, -5]}, "token"),
        ({"id": 1, "f": "read", "token": [1, "5"]}, "token"),
    ],
)
def test_a_bad_request_is_refused_by_the_field(frame, problem):
    with pytest.raises(BadRequest, match=problem):
        parse_request(1, frame)


def test_a_good_request():
    request = parse_request(4, {"id": 7, "f": "read", "key": "x", "mode": "session", "token": [2, 14]})
    assert (request.reference, request.mode, request.token) == ((4, 7), "session", (2, 14))


def test_a_good_request_that_may_be_repeated():
    request = parse_request(4, {"id": 7, "f": "increment", "key": "x", "value": 3, "session": [12, 1]})
    assert (request.f, request.key, request.value, request.session) == ("increment", "x", 3, (12, 1))


@pytest.mark.parametrize("message", [Forward(3, 77, ["write", "x", 5]), ForwardAnswer(77, {"status": "ok"})])
def test_what_is_passed_on_comes_out_as_it_went_in(message):
    (value,) = Decoder().feed(encode_message("n1", message))
    assert decode_message(value) == ("n1", message)


def test_the_largest_entries_fit_a_frame_in_the_largest_batch():
    from system_under_test.leader_follower.log import Log
    from system_under_test.leader_follower.replication import BATCH_BYTES, BATCH_ENTRIES

    worst = "\U0001f600" * 8192
    log = Log([Entry(1, i, ["cas", worst, worst, worst]) for i in range(1, 5)])
    batch = log.batch(1, BATCH_ENTRIES, BATCH_BYTES)
    assert len(batch) >= 1
    encode_message("n1", AppendRequest(1, 0, 0, batch, 0, 0))
    part = ["append", "\N{GRINNING FACE}" * 1000, "\N{GRINNING FACE}" * 1000]
    transaction = command_of("txn", None, [part] * 10)
    batch = Log([Entry(1, i, transaction) for i in range(1, 5)]).batch(1, BATCH_ENTRIES, BATCH_BYTES)
    encode_message("n1", AppendRequest(1, 0, 0, batch, 0, 0))
    small = Log([Entry(1, i, ["write", "k", "x" * 500]) for i in range(1, 1000)])
    assert 20 < len(small.batch(1, BATCH_ENTRIES, BATCH_BYTES)) <= BATCH_ENTRIES
    assert encode([1]) == b"\0\0\0\3[1]"
