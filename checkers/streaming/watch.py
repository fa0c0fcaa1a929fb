"""Watches a run with streaming checkers: what is the first violation, and at which operation?

    watch = Watch([StreamingRegister(header)])
    watch.event(op)       None, or a sentence as soon as something is wrong

Limits: after the first violation it looks no further: what follows is for the offline checkers.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.streaming.protocol import StreamingChecker
from harness.op import Op
from harness.verdict import Anomaly


class Watch:
    """Several streaming checkers on one stream of events."""

    def __init__(self, checkers: Sequence[StreamingChecker]) -> None:
        self.checkers = checkers
        self.first: Anomaly | None = None

    def event(self, op: Op) -> str | None:
        """Take in an event; a sentence at the first violation, None otherwise."""
        if self.first is not None:
            return None
        for checker in self.checkers:
            for anomaly in checker.event(op):
                self.first = anomaly
                return f"{anomaly.guarantee} was broken by operation {anomaly.culprit}: {anomaly.sentence}"
        return None
