"""Writes a history for others: as JSON lines, which is our own form, or as Jepsen's EDN.

    write_jsonl(history, stream)     a header, then one event a line
    write_edn(history, stream)       one map a line; keys of several objects become `[key value]`, as Jepsen lifts them,
                                     with a tag where nothing else tells that there are keys

What a form cannot say is left out: EDN has no place for our header, so model, initial state and the meaning of a failed
compare-and-set have to be given again to whoever reads it. Reading back what was written gives the same operations.

Limits: strings are written as EDN strings, never as keywords, except `:type`, `:f` and the process of faults.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from harness.history.edn import tells_of_a_key
from harness.history.history import History
from harness.op import NEMESIS, Op

_KEYWORD: Final = re.compile(r"[A-Za-z*+!_?<>=.&%$|-][\w*+!?<>=.&%$|/#-]*\Z", re.ASCII)
TUPLE: Final = "jepsen.independent/tuple"
_MICRO: Final = frozenset({"r", "w", "append", "read", "write"})
"""Words that begin a step of a transaction; Jepsen has them as keywords."""


def write_jsonl(history: History, stream: BinaryIO) -> None:
    """Header and events, one JSON object a line."""
    header = msgspec.structs.replace(history.header, splitbrain=history.header.splitbrain or 1)
    stream.write(msgspec.json.encode(header) + b"\n")
    for op in history.events:
        stream.write(msgspec.json.encode(op) + b"\n")


def write_edn(history: History, stream: BinaryIO) -> None:
    """One EDN map a line, as in a `history.edn`."""
    pair = _pair(history)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n", write_through=True)
    try:
        for op in history.events:
            text.write("{" + ", ".join(f":{name} {value}" for name, value in _fields(op, pair)) + "}\n")
    finally:
        text.detach()


def _pair(history: History) -> str | None:
    """What stands before `[key value]`: a tag where no reader would know them for such; None without keys."""
    clients = [op for op in history.events if op.process != NEMESIS]
    if all(op.key is None for op in clients):
        return None
    return "" if any(tells_of_a_key(op, op.key, op.value) for op in clients) else f"#{TUPLE} "


def _fields(op: Op, pair: str | None) -> Iterator[tuple[str, str]]:
    keyed = pair is not None and op.process != NEMESIS
    value = [op.key, op.value] if keyed else op.value
    yield "index", str(op.index)
    if op.time is not None:
        yield "time", str(op.time)
    yield "type", f":{op.type}"
    yield "process", f":{op.process}" if op.process == NEMESIS else edn(op.process)
    yield "f", f":{op.f}" if _KEYWORD.match(op.f) else edn(op.f)
    yield "value", (pair or "") * keyed + edn(value, steps=op.f == "txn")
    for name in ("node", "session", "version", "error"):
        if (given := getattr(op, name)) is not None:
            yield name, edn(given)


def edn(value: Any, *, steps: bool = False) -> str:
    """A JSON value as EDN. With `steps`, the first word of each step of a transaction is a keyword."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{edn(key)} {edn(held)}" for key, held in value.items()) + "}"
    if steps:
        return "[" + " ".join(_step(step) for step in value) + "]"
    return "[" + " ".join(map(edn, value)) + "]"


def _step(step: Any) -> str:
    if isinstance(step, list) and step and step[0] in _MICRO:
        return "[" + " ".join([f":{step[0]}", *map(edn, step[1:])]) + "]"
    return edn(step)


def _number(value: int | float) -> str:
    if value != value:
        return "##NaN"
    if value in (float("inf"), float("-inf")):
        return "##Inf" if value > 0 else "##-Inf"
    return repr(value)
