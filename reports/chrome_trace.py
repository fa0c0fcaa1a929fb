"""A run as a Chrome trace, for Perfetto (ui.perfetto.dev) and chrome://tracing.

Each client, each node and the faults are tracks. Operations and faults are asynchronous slices, because slices of one
track would have to nest; what nodes log is instants. Times are microseconds since the history began.

Format: "Trace Event Format", the Chromium project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op

CLIENTS: Final = 1
NODES: Final = 2
FAULTS: Final = 3


def chrome_trace(events: Sequence[Op], logs: Mapping[str, Sequence[str]], started_ns: int) -> dict[str, Any]:
    """The trace as JSON data.

    Args:
        events: the history; logs: each node's lines, which begin with seconds of the nodes' clock.
        started_ns: what that clock showed when the history began.
    """
    tracks = {CLIENTS: "clients", NODES: "nodes", FAULTS: "faults"}
    named = [
        {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
        for pid, name in tracks.items()
    ]
    return {"traceEvents": [*named, *_operations(events), *_faults(events), *_logged(logs, started_ns)]}


def _operations(events: Sequence[Op]) -> Iterator[dict[str, Any]]:
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
            "ts": (op.time or 0) / 1000,
            "args": {"type": op.type, "value": op.value, "node": op.node, "error": op.error},
        }


def _faults(events: Sequence[Op]) -> Iterator[dict[str, Any]]:
    end_ns = max((op.time or 0 for op in events[-1:]), default=0)
    for number, window in enumerate(fault_windows(events)):
        facts = {"cat": "fault", "id": number, "name": f"{window.id}: {window.detail}", "pid": FAULTS, "tid": number}
        yield {**facts, "ph": "b", "ts": window.start_ns / 1000, "args": {"evidence": list(window.evidence)}}
        yield {**facts, "ph": "e", "ts": (end_ns if window.stop_ns is None else window.stop_ns) / 1000}


def _logged(logs: Mapping[str, Sequence[str]], started_ns: int) -> Iterator[dict[str, Any]]:
    for number, (node, lines) in enumerate(logs.items()):
        yield {"ph": "M", "name": "thread_name", "pid": NODES, "tid": number, "args": {"name": node}}
        for line in lines:
            stamp, _, text = line.partition(" ")
            try:
                at_ns = round(float(stamp) * 1e9) - started_ns
            except ValueError:
                continue
            yield {"ph": "i", "s": "t", "name": text, "pid": NODES, "tid": number, "ts": at_ns / 1000}
