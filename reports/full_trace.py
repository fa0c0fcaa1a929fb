"""Everything that happened in a simulated run, for people and for Perfetto: messages, disks, timers, tasks.

As text, one line for each event of a recording (`harness/simulation/recording.py`):

    1.204113 s  n2       deliver  data from n1, 96 bytes  #841  ···\\["n1","append?",1,...

In a Chrome trace each node is a process, and what it sent, received, did to its disk and ran are its threads. A message
is a flow: an arrow from where it was sent to where it arrived; one without an arrow never did.

Format: "Trace Event Format", the Chromium project. Slices of one thread must nest, so each ends before the next begins.

Limits: an event takes no time in a simulation; its slice is drawn a microsecond long, or less where the next is nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

FIRST_PID: Final = 10
THREADS: Final = {"send": 1, "drop": 1, "deliver": 2, "disk": 3, "timer": 4, "task": 4, "process": 5, "log": 5,
                  "clock": 5, "net": 5, "client": 5}  # fmt: skip
NAMES: Final = {1: "sent", 2: "received", 3: "disk", 4: "timers and tasks", 5: "told"}
SLICE_US: Final = 1.0


class Happened(Protocol):
    """What is needed of an event."""

    @property
    def time_ns(self) -> int:
        """When, on the loop's clock."""

    @property
    def node(self) -> str:
        """Where."""

    @property
    def kind(self) -> str:
        """`send`, `deliver`, `disk`, ..."""

    @property
    def what(self) -> str:
        """In a word."""

    @property
    def peer(self) -> str:
        """Where to, or where from."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def message(self) -> int:
        """The number that it has where it was sent and where it arrives; 0 for none."""

    @property
    def content(self) -> str:
        """How it begins."""


def lines(events: Sequence[Happened], left_out: int = 0) -> Iterator[str]:
    """One for each event; and one about those that were left out, if any."""
    for event in events:
        number = f"  #{event.message}" if event.message else ""
        content = f"  {event.content}" if event.content else ""
        yield f"{event.time_ns / 1e9:.6f} s  {event.node:<8} {event.kind:<8} {_told(event)}{number}{content}"
    if left_out:
        yield f"{left_out} more events were left out."


def chrome_events(events: Sequence[Happened]) -> Iterator[dict[str, Any]]:
    """Of a Chrome trace, on the loop's clock in microseconds."""
    pids = {node: FIRST_PID + place for place, node in enumerate(sorted({event.node for event in events}))}
    for node, pid in pids.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": node}}
        for tid, name in NAMES.items():
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}
    arrived = {event.message for event in events if event.kind == "deliver"}
    for event, length_us in zip(events, _lengths_us(events), strict=True):
        place = {"pid": pids[event.node], "tid": THREADS[event.kind], "ts": event.time_ns / 1000}
        facts = {"bytes": event.size, "message": event.message, "content": event.content}
        slice_args = {name: value for name, value in facts.items() if value}
        yield {**place, "ph": "X", "dur": length_us, "cat": event.kind, "name": _told(event), "args": slice_args}
        if event.message and event.message in arrived and event.kind in ("send", "deliver"):
            flow = {**place, "cat": "message", "name": "message", "id": event.message}
            yield {**flow, "ph": "s"} if event.kind == "send" else {**flow, "ph": "f", "bp": "e"}


def _told(event: Happened) -> str:
    size = f", {event.size} bytes" if event.size else ""
    way = {"send": " to ", "drop": " to ", "deliver": " from "}.get(event.kind, "  ")
    return f"{event.what}{way + event.peer if event.peer else ''}{size}"


def _lengths_us(events: Sequence[Happened]) -> list[float]:
    """How long each slice is drawn: up to the next one on its thread that begins later."""
    lengths: list[float] = [SLICE_US] * len(events)
    later: dict[tuple[str, int], tuple[int, float]] = {}
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        thread = (event.node, THREADS[event.kind])
        next_ns, length_us = later.get(thread, (event.time_ns + 2000, SLICE_US))
        if next_ns > event.time_ns:
            length_us = min(SLICE_US, (next_ns - event.time_ns) / 1000)
        later[thread] = (event.time_ns, length_us)
        lengths[place] = length_us
    return lengths
