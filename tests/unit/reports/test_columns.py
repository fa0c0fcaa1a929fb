"""A history packed for the page says the same after unpacking; this is the twin of what assets/data.js does."""

from __future__ import annotations

import base64
import itertools
import json
import random
import zlib
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made import MS, Header, History, Op, busy_history, in_order, stale_history

from harness.history.operations import OK
from reports.html.columns import RUNNING, pack, rows_kept

Row = dict[str, Any]


def inflated(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text), -15)


def unpacked(history: History) -> list[Row]:
    packed = pack(history, ())
    blob, words, rows, offset = inflated(packed.columns), json.loads(inflated(packed.words)), packed.layout["rows"], 0
    columns: dict[str, list[int]] = {}
    for described in packed.layout["columns"]:
        numbers = [0] * rows
        for plane in range(described["width"]):
            part = blob[offset : offset + rows]
            numbers = [number + (byte << 8 * plane) for number, byte in zip(numbers, part, strict=True)]
            offset += rows
        if described["difference"]:
            coded = [-(number + 1) // 2 if number % 2 else number // 2 for number in numbers]
            numbers = list(np.cumsum(coded)) if rows else []
        columns[described["name"]] = [int(number) for number in numbers]
    assert offset == len(blob)
    return [_row({name: column[at] for name, column in columns.items()}, words) for at in range(rows)]


def _row(row: dict[str, int], words: dict[str, list[str]]) -> Row:
    result = row["result"] - 1 if row["result"] else row["argument"]
    session = row["session"] - 1 if row["session"] else row["process"]
    return {
        "index": row["index"],
        "completion": row["index"] + row["completion"] if row["completion"] else None,
        "start": row["start"],
        "took": row["took"] - 1,
        "status": row["status"],
        "process": words["names"][row["process"]],
        "session": words["names"][session],
        "node": words["names"][row["node"]],
        "f": words["fs"][row["f"]],
        "key": words["keys"][row["key"]],
        "argument": words["values"][row["argument"]],
        "result": words["values"][result],
        "version": (row["generation"], row["log_index"]),
        "error": words["errors"][row["error"]],
    }


def expected(history: History) -> list[Row]:
    """The same straight from the events."""
    done: dict[int | str, Op] = {}
    rows = []
    for op in reversed(history.events):
        if op.process == "nemesis":
            continue
        if op.type != "invoke":
            done[op.process] = op
            continue
        end = done.pop(op.process, None)
        last = end or op
        took = (end.time or 0) // 1000 - (op.time or 0) // 1000 if end and end.time is not None else -1
        rows.append(
            {
                "index": op.index,
                "completion": end.index if end else None,
                "start": (op.time or 0) // 1000,
                "took": max(0, took) if took != -1 else -1,
                "status": ["ok", "fail", "info"].index(end.type) if end else RUNNING,
                "process": str(op.process),
                "session": str(op.process if op.session is None else op.session),
                "node": last.node or "null",
                "f": op.f,
                "key": op.key if isinstance(op.key, str) else json.dumps(op.key, separators=(",", ":")),
                "argument": json.dumps(op.value, separators=(",", ":")),
                "result": json.dumps(last.value, separators=(",", ":")),
                "version": tuple(last.version) if last.version else (-1, -1),
                "error": last.error or "",
            }
        )
    return rows[::-1]


def test_a_busy_history_is_the_same_after_unpacking() -> None:
    history = busy_history(3000)
    assert unpacked(history) == expected(history)


def test_no_operation_and_one_operation() -> None:
    assert unpacked(History(Header(), [])) == []
    alone = History(Header(), [Op(0, 5 * MS, 3, "invoke", "write", None, {"a": [1]}, session="s")])
    assert unpacked(alone) == expected(alone)


OPERATIONS = st.tuples(
    st.integers(0, 10**13),
    st.integers(0, 10**10),
    st.sampled_from(["ok", "fail", "info", "running"]),
    st.none() | st.integers(-(2**53), 2**53) | st.text("abc", max_size=5) | st.lists(st.integers(0, 9), max_size=3),
    st.none() | st.sampled_from(["x", "y", 7]),
    st.none() | st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)),
)


@settings(max_examples=60)
@given(st.lists(OPERATIONS, max_size=12))
def test_any_history_is_the_same_after_unpacking(drawn: list[tuple[Any, ...]]) -> None:
    events = []
    for process, (start, took, how, value, key, version) in enumerate(drawn):
        asked = Op(0, start, process, "invoke", "write" if process % 2 else "read", key, value)
        events.append((start, process * 2, asked))
        if how != "running":
            done = {"ok": asked.ok(value, version), "fail": asked.fail("no", version=version), "info": asked.info("?")}
            events.append((start + took, process * 2 + 1, msgspec.structs.replace(done[how], time=start + took)))
    history = History(Header(splitbrain=1), in_order(events))
    assert unpacked(history) == expected(history)


def test_a_history_without_times_is_packed_by_the_index_of_its_events() -> None:
    history = stale_history()
    history = History(history.header, [msgspec.structs.replace(op, time=None) for op in history.events])
    packed = pack(history, ())
    assert not packed.layout["timed"]
    assert [row["start"] for row in unpacked(history)] == [row["index"] for row in unpacked(history)]


def test_a_hundred_thousand_operations_take_less_than_two_megabytes() -> None:
    packed = pack(busy_history(100_000, processes=60), ())
    assert len(packed.columns) + len(packed.words) < 2_000_000
    assert packed.layout["kept"] == ""


def test_long_values_are_cut_the_more_of_them_the_shorter() -> None:
    def values(count: int) -> History:
        chance = random.Random(5)
        events = [Op(at, at * MS, at, "invoke", "write", "k", chance.randbytes(300).hex()) for at in range(count)]
        return History(Header(), events)

    few, many = pack(values(10), ()), pack(values(9_000), ())
    assert few.layout["value_limit"] == 400
    assert many.layout["value_limit"] < 400
    assert len(many.words) < 1_700_000


def test_nothing_in_the_dictionaries_acts() -> None:
    words = json.loads(inflated(pack(stale_history(value_of=lambda _: "\x1b[2J\u202e", key="\x00"), ()).words))
    assert words["values"] == ["null", '"\\u001b[2J\\u202e"']
    assert words["keys"] == ["null", "\\x00"]


def kept_of(history: History, marked: list[int], limit: int) -> tuple[set[int], Any]:
    return set(rows_kept(history.operations, marked, limit).tolist()), history.operations


def test_past_the_limit_what_matters_most_is_kept() -> None:
    history = busy_history(4000)
    asked = [op.index for op in history.events if op.type == "invoke" and op.is_client()][2000:2003]
    kept, operations = kept_of(history, asked, 1500)
    assert len(kept) <= 1500
    assert {2000, 2001, 2002} <= kept
    assert set(np.flatnonzero(operations.status != OK).tolist()) <= kept
    rest = sorted(kept)
    assert max(later - earlier for earlier, later in itertools.pairwise(rest)) < 40, "the sample is even"


def test_even_among_too_many_failures_the_anomaly_is_kept() -> None:
    history = busy_history(4000)
    asked = [op.index for op in history.events if op.type == "invoke" and op.is_client()][-1:]
    kept, _ = kept_of(history, asked, 20)
    assert len(kept) <= 20
    assert 3999 in kept
