"""A run as a Chrome trace, for Perfetto (ui.perfetto.dev) and chrome://tracing.

Each client, each node and the faults are tracks. Operations and faults are asynchronous slices, because slices of one
track would have to nest; what nodes log is instants. Where everything was recorded, each node is a process besides,
with all its messages, calls of the disk, timers and tasks (`full_trace.py`). Times are microseconds of their clock.

Format: "Trace Event Format", the Chromium project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op
from reports import full_trace

CLIENTS: Final = 1
NODES: Final = 2
FAULTS: Final = 3


def chrome_trace(
    events: Sequence[Op],
    logs: Mapping[str, Sequence[str]],
    started_ns: int,
    happened: Sequence[full_trace.Happened] = (),
) -> dict[str, Any]:
    """The trace as JSON data.

    Args:
        events: the history; logs: each node's lines, which begin with seconds of the nodes' clock.
        started_ns: what that clock showed when the history began; happened: everything, if that was recorded.
    """
    tracks = {CLIENTS: "clients", NODES: "nodes", FAULTS: "faults"}
    named = [
        {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
        for pid, name in tracks.items()
    ]
    told = [*_operations(events, started_ns), *_faults(events, started_ns), *_logged(logs)]
    return {"traceEvents": [*named, *told, *full_trace.chrome_events(happened)]}


def _operations(events: Sequence[Op], started_ns: int) -> Iterator[dict[str, Any]]:
    begun: dict[int | str, Op] = {}
    for op in events:
        if op.process == NEMESIS:
            continue
        phase = "b" if op.type == "invoke" else "e"
        first = op if phase == "b" else begun.pop(op.process)
        if phase == "b":
            begun[op.process] = op
        yield {
            "ph": phase,
            "cat": "operation",
            "id": first.index,
            "name": f"{first.f} {first.key if first.key is not None else ''}".strip(),
            "pid": CLIENTS,
            "tid": op.process,
            "ts": ((op.time or 0) + started_ns) / 1000,
            "args": {"type": op.type, "value": op.value, "node": op.node, "error": op.error},
        }


def _faults(events: Sequence[Op], started_ns: int) -> Iterator[dict[str, Any]]:
    end_ns = max((op.time or 0 for op in events[-1:]), default=0)
    for number, window in enumerate(fault_windows(events)):
        facts = {"cat": "fault", "id": number, "name": f"{window.id}: {window.detail}", "pid": FAULTS, "tid": number}
        stop_ns = end_ns if window.stop_ns is None else window.stop_ns
        evidence = {"evidence": list(window.evidence)}
        yield {**facts, "ph": "b", "ts": (window.start_ns + started_ns) / 1000, "args": evidence}
        yield {**facts, "ph": "e", "ts": (stop_ns + started_ns) / 1000}


def _logged(logs: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for number, (node, lines) in enumerate(logs.items()):
        yield {"ph": "M", "name": "thread_name", "pid": NODES, "tid": number, "args": {"name": node}}
        for line in lines:
            stamp, _, text = line.partition(" ")
            try:
                at_ns = round(float(stamp) * 1e9)
            except ValueError:
                continue
            yield {"ph": "i", "s": "t", "name": text, "pid": NODES, "tid": number, "ts": at_ns / 1000}
