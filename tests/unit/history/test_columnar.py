"""A long file that is read into columns says the same as one that is read event by event."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.errors import HistoryError
from harness.history import Header, History, Operations, columnar, reader
from harness.history.operations import pair
from harness.history.reader import read_history
from harness.op import Op
from harness.streams import Random

ODD: list[Any] = [
    None,
    7,
    -7,
    0,
    [1, 2],
    [1, -2],
    "word",
    "w0rd",
    1.5,
    True,
    [],
    [1, 2, 3],
    {"a": 1},
    1 << 60,
    [1, 1.0],
]


ERRORS = ["held", None, "empty", "held: by 7", "refused"]


NODES: dict[int, list[str | None]] = {1: [None, "n1"], 2: ["n1", "n22", "n"], 3: ["a"], 9: ["n1", "k1", "2", None]}


WORDS: list[Any] = ["k1", "k22", "k", "1", 1, "k07", "k1x", "j1", "k 1"]


def events(random: Random, values: list[Any], keys: list[Any], count: int, fault: bool = False) -> list[Op]:
    """Clients that ask and are answered; the last may still be running."""
    found: list[Op] = []
    running: dict[int, Op] = {}
    for _ in range(count):
        process = random.randrange(8)
        if process in running:
            asked = running.pop(process)
            kind = random.choice(("ok", "ok", "fail"))
            version = (1, random.randrange(9)) if random.random() < 0.3 and fault else None
            op = msgspec.structs.replace(asked, type=kind, value=random.choice(values), version=version)
            op = msgspec.structs.replace(op, node=random.choice(NODES[len(keys)]))
            if kind == "fail":
                op = msgspec.structs.replace(op, error=ERRORS[len(found) % len(ERRORS)])
            if random.random() < 0.3:
                op = msgspec.structs.replace(
                    op, version=(1, random.randrange(99)), token=(0, 7), applied=(1, len(found))
                )
        else:
            f = random.choice(("read", "write", "cas"))
            session = random.choice((None, "s", 3)) if fault else None
            op = Op(process=process, f=f, key=random.choice(keys), value=random.choice(values), session=session)
            running[process] = op
        found.append(msgspec.structs.replace(op, index=len(found), time=random.choice((None, 5, 10**12))))
        if fault and random.random() < 0.05:
            found.append(Op(len(found), 3, "nemesis", "invoke", "start-kill"))
    return found


def written(path: Path, ops: list[Op], header: str = '{"splitbrain":1,"model":"register"}') -> Path:
    lines = [header, *(msgspec.json.encode(op).decode() for op in ops)]
    path.write_text("\n".join(lines) + "\n")
    return path


def said(operations: Operations, name: str) -> list[Any]:
    column = getattr(operations, name)
    tables = {
        "argument": "values",
        "result": "values",
        "process": "names",
        "session": "names",
        "node": "names",
        "error": "errors",
    }
    table = getattr(operations, tables.get(name, {"f": "fs", "key": "keys"}.get(name, "")), None)
    return [repr(table[code]) for code in column.tolist()] if table is not None else column.tolist()


def same(history: History, ops: list[Op]) -> None:
    expected = pair(ops)
    for column in fields(Operations):
        if isinstance(getattr(expected, column.name), np.ndarray):
            assert said(history.operations, column.name) == said(expected, column.name), column.name
            assert getattr(history.operations, column.name).dtype == getattr(expected, column.name).dtype, column.name
    assert list(history.events) == ops
    assert [history.events[place] for place in (0, -1, len(ops) // 2)] == [ops[0], ops[-1], ops[len(ops) // 2]]
    assert list(history.events[2:5]) == ops[2:5]
    assert history.fault_events == [op for op in ops if op.process == "nemesis"]


@pytest.fixture(autouse=True)
def every_file_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONG", 0)
    monkeypatch.setattr(columnar, "BLOCK", 3_000)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("values", [[None, 1, 2], [3, [1, 2], [2, 1], None], ["a", None, 5], ODD])
@pytest.mark.parametrize(
    "keys", [[None], [1, 2, 10], ["x", "y"], ["k1", "k22", "k", "1", 1, "k07", "k1x", "j1", "k 1"]]
)
def test_columns_say_what_the_events_say(tmp_path: Path, seed: int, values: list[Any], keys: list[Any]) -> None:
    ops = events(Random(seed), values, keys, 150, fault=seed > 2)
    path = written(tmp_path / "history.jsonl", ops)
    history = columnar.read_columns(path, len(path.read_bytes().split(b"\n")[0]) + 1, Header(1))
    assert history is not None
    same(history, ops)
    same(read_history(path), ops)


def test_words_that_end_with_a_number_are_told_from_numbers_and_from_one_another(tmp_path: Path) -> None:
    pairs = [("k1", "n"), ("k", "n1"), ("1", "n1"), ("k1", "n1"), ("k", "n"), ("k11", "n1"), ("k1", "n11")]
    ops = []
    for key, node in pairs * 20:
        ops.append(Op(len(ops), 1, 0, "invoke", "read", key))
        ops.append(Op(len(ops), 1, 0, "ok", "read", key, 5, node))
    path = written(tmp_path / "history.jsonl", ops)
    same(read_history(path), ops)


BROKEN = [
    ('{"index":1,"process":1,"type":"ok","f":"read","value":}', "this is not JSON"),
    ('{"index":1,"process":1,"type":"okay","f":"read","value":3}', "wanted invoke, ok, fail or info"),
    ('{"index":1,"process":1,"type":"ok","f":"read","value":007}', "this is not JSON"),
    ('{"index":1,"process":1,"type":"ok","f":"read","value":[1,]}', "this is not JSON"),
    ('{"index":1,"process":1,"type":"ok","f":5,"value":1}', "field f: found 5; wanted str"),
    ('{"index":1,"process":2,"type":"ok","f":"read","value":1}', "without having invoked it"),
    ('{"index":1,"process":1,"type":"invoke","f":"read","value":1}', "is still running"),
]


@pytest.mark.parametrize(("line", "problem"), BROKEN)
def test_a_broken_line_of_a_long_file_is_refused_in_the_same_words(tmp_path: Path, line: str, problem: str) -> None:
    good = '{"index":0,"process":1,"type":"invoke","f":"read","value":null}'
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(['{"splitbrain":1,"model":"register"}', good, line, ""]))
    with pytest.raises(HistoryError, match="line 3") as caught:
        read_history(path)
    assert problem in str(caught.value)


def test_numbers_that_are_written_in_other_ways_are_read_all_the_same(tmp_path: Path) -> None:
    lines = [
        '{"splitbrain":1}',
        '{"index":0, "process": 1, "type":"invoke","f":"write","value":-0}',
        '{"index":9,"process":1,"type":"ok","f":"write","value":1e2}',
        "",
        '{"process":1,"type":"invoke","f":"write","value":123456789012345678901234567890}',
        '{"process":1,"type":"ok","f":"r2d2","value":" 5, 6"}',
    ]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines) + "\n")
    history = read_history(path)
    assert [op.value for op in history.events] == [0, 100.0, 123456789012345678901234567890, " 5, 6"]
    assert [op.index for op in history.events] == [0, 1, 2, 3]
    assert history.operations.invoke.tolist() == [0, 2]


def test_a_file_that_changed_since_it_was_read_is_not_explained_from(tmp_path: Path) -> None:
    path = written(tmp_path / "history.jsonl", events(Random(1), [1, 2], [None], 100))
    history = read_history(path)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(HistoryError, match="was changed while it was judged"):
        history.events[3]


def test_a_file_that_was_cut_off_is_read_plainly(tmp_path: Path) -> None:
    path = written(tmp_path / "history.jsonl", events(Random(1), [1, 2], [None], 100))
    path.write_text(path.read_text()[:-20])
    assert read_history(path).truncated
