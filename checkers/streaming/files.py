"""Judges a history file of any length in bounded memory, with streaming checkers.

    check_stream(Path("history.jsonl"), model="session").outcome

What comes out is a result like that of any other check, but without certificates: to re-check them takes the whole
history in memory. Faults are listed as they are found in the file.

Limits: the models of MODELS, and what their streaming checkers can decide.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from checkers.judge import stream_result
from checkers.streaming.counter import StreamingCounter
from checkers.streaming.protocol import StreamingChecker
from checkers.streaming.register import StreamingRegister
from checkers.streaming.sessions import StreamingSessions
from harness.errors import HistoryError
from harness.history.header import Header
from harness.history.streaming import EventStream
from harness.op import NEMESIS, Op
from harness.result import Counts, Result

MODELS: Final[dict[str, Callable[[Header], StreamingChecker]]] = {
    "session": StreamingSessions,
    "register": StreamingRegister,
    "cas-register": StreamingRegister,
    "counter": StreamingCounter,
}


def check_stream(path: Path, model: str | None = None, changes: dict[str, Any] | None = None) -> Result:
    """Judge a file event by event.

    Args:
        path: one JSON operation per line, with or without a header.
        model: one of MODELS; None: what the header says.
        changes: fields of the header that are to be others.

    Raises:
        HistoryError: the file cannot be read, or its model not be streamed; one sentence.
    """
    stream = EventStream(path)
    header = msgspec.structs.replace(stream.header, **(changes or {}))
    name = model or header.model
    if name not in MODELS:
        raise HistoryError(f"{path}: a history of the model {name!r} cannot be streamed, only {', '.join(MODELS)}.")
    checker = MODELS[name](header)
    tally = _Tally()
    for events in stream:
        for op in events:
            checker.event(op)
            tally.take(op)
    return stream_result(
        checker.verdicts(),
        path.name,
        tally.counts(),
        tally.faults,
        duration_ns=tally.last_ns,
        truncated=stream.truncated,
    )


class _Tally:
    """What a result says besides the verdicts."""

    def __init__(self) -> None:
        self.ended = {"invoke": 0, "ok": 0, "fail": 0, "info": 0}
        self.faults: list[Op] = []
        self.last_ns = 0

    def take(self, op: Op) -> None:
        """Count an event."""
        if op.process == NEMESIS:
            self.faults.append(op)
        else:
            self.ended[op.type] += 1
        self.last_ns = op.time or self.last_ns

    def counts(self) -> Counts:
        """Operations by how they ended."""
        begun, ok, fail, info = (self.ended[kind] for kind in ("invoke", "ok", "fail", "info"))
        return Counts(begun, ok, fail, info, begun - ok - fail - info)
