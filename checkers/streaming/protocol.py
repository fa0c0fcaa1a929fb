"""What a streaming checker is: events in, one after another; the first violation out, at the event that completes it.

What it says after any number of events is what its offline twin says of a history that ends there, or "unknown".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.op import Op
from harness.verdict import Anomaly, Verdict


class StreamingChecker(Protocol):
    """Judges a history while it is made."""

    @property
    def name(self) -> str:
        """As the offline checker is registered."""

    def event(self, op: Op) -> Sequence[Anomaly]:
        """Take in the next event, fault events among them; what it completes that is wrong."""

    def verdicts(self) -> Sequence[Verdict]:
        """What can be said of the events so far; one verdict per guarantee."""

    def held(self) -> int:
        """How many things are kept in memory: values, operations under way, versions."""
