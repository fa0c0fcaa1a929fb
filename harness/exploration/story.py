"""A small run in plain words: fault, operation, anomaly, in the order in which they happened.

    0.000 s  n1 leads
    0.102 s  n1 is cut off: n1 | n2 n3 (partition-1)
    0.120 s  client 0 asks n1: write 1 to k0                    → done, says n1 after 3 ms
    0.391 s  n2 is elected
    ...
    So: ...

Limits: for runs of some dozens of events; all of them are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op
from harness.verdict import Anomaly

Line = tuple[int, str]
"""Nanoseconds since the run's start, and what happened then."""

DOES: Final = {
    "partition": "the network is cut",
    "kill": "is killed",
    "pause": "stands still",
    "power": "loses power",
    "clock": "has its clock set off",
}
UNDONE: Final = {"partition": "the network is whole again", "kill": "starts again", "power": "starts again"}
ENDED: Final = {"ok": "done", "fail": "not done", "info": "nobody knows"}


def tell(
    events: Sequence[Op],
    anomaly: Anomaly | None,
    logs: Mapping[str, Sequence[str]],
    patterns: Mapping[str, str],
    started_ns: int,
    *,
    everything: bool = False,
) -> str:
    """The story of a run.

    Args:
        events: the history; anomaly: what it is told for.
        logs: each node's lines, which begin with seconds; patterns: which of them are events, and which event.
        started_ns: what the nodes' clock showed when the history began.
        everything: tell all that nodes logged, also before the history began.
    """
    said = list(_everything(logs, started_ns)) if everything else list(_node_events(logs, patterns, started_ns))
    lines = sorted([*_faults(events), *_operations(events), *said])
    leader = "" if everything else _leader_before(logs, patterns, started_ns)
    told = [f"{0:8.3f} s  {leader} leads"] if leader else []
    told += [f"{time_ns / 1e9:8.3f} s  {text}" for time_ns, text in lines if time_ns >= 0 or everything]
    if anomaly is not None:
        told.append(f"So: {anomaly.sentence}")
    return "\n".join(told) + "\n"


def _faults(events: Sequence[Op]) -> Iterator[Line]:
    for window in fault_windows(events):
        nodes = " ".join(window.nodes)
        cut = window.kind == "partition"
        what = DOES.get(window.kind, f"suffers {window.kind}")
        yield window.start_ns, f"{what if cut else f'{nodes} {what}'}: {window.detail} ({window.id})"
        if window.stop_ns is not None:
            undone = UNDONE.get(window.kind, "goes on as before")
            yield window.stop_ns, f"{undone if cut else f'{nodes} {undone}'} ({window.id})"


def _operations(events: Sequence[Op]) -> Iterator[Line]:
    """Each operation where it began, with how it ended."""
    asked: dict[int | str, Op] = {}
    for op in events:
        if op.process == NEMESIS:
            continue
        if op.type == "invoke":
            asked[op.process] = op
            continue
        begun = asked.pop(op.process)
        yield begun.time or 0, f"client {begun.process} asks: {_asked(begun):<32} → {_ended(begun, op)}"
    for begun in asked.values():
        yield begun.time or 0, f"client {begun.process} asks: {_asked(begun):<32} → no answer"


def _asked(op: Op) -> str:
    at = f" at {op.node}" if op.node else ""
    match op.f:
        case "write":
            return f"write {op.value} to {op.key}{at}"
        case "read":
            return f"read {op.key}{at}"
        case "cas" if isinstance(op.value, list | tuple) and len(op.value) >= 2:
            return f"change {op.key} from {op.value[0]} to {op.value[1]}{at}"
    value = "" if op.value is None else f" {op.value}"
    return f"{op.f} {op.key}{value}{at}"


def _ended(begun: Op, op: Op) -> str:
    took_ms = ((op.time or 0) - (begun.time or 0)) / 1e6
    said = f", says {op.node}" if op.node else ""
    value = f" {op.value}" if op.type == "ok" and op.value != begun.value else ""
    if op.type == "ok" and op.f == "read":
        value = f" {op.value}"
    return f"{ENDED[op.type]}{value}{said}{f' ({op.error})' if op.error else ''} after {took_ms:.0f} ms"


def _node_events(logs: Mapping[str, Sequence[str]], patterns: Mapping[str, str], started_ns: int) -> Iterator[Line]:
    for node, time_ns, event in _logged(logs, patterns):
        if event in ("elected", "deposed"):
            yield time_ns - started_ns, f"{node} is {event}"


def _everything(logs: Mapping[str, Sequence[str]], started_ns: int) -> Iterator[Line]:
    for node, time_ns, text in _logged(logs, {}):
        yield time_ns - started_ns, f"{node}: {text}"


def _leader_before(logs: Mapping[str, Sequence[str]], patterns: Mapping[str, str], started_ns: int) -> str:
    before = [
        (time_ns, node)
        for node, time_ns, event in _logged(logs, patterns)
        if event == "elected" and time_ns < started_ns
    ]
    return max(before, default=(0, ""))[1]


def _logged(logs: Mapping[str, Iterable[str]], patterns: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    compiled = {event: re.compile(pattern) for event, pattern in patterns.items()}
    for node, lines in logs.items():
        for line in lines:
            stamp, _, text = line.partition(" ")
            if not compiled:
                yield node, _nanoseconds(stamp), text
            for event, pattern in compiled.items():
                if pattern.search(text):
                    yield node, _nanoseconds(stamp), event


def _nanoseconds(stamp: str) -> int:
    try:
        return round(float(stamp) * 1e9)
    except ValueError:
        return 0
