"""A history in memory: header and events, in the recorder's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.history.header import Header
from harness.history.operations import Operations, pair
from harness.op import Op


@dataclass(frozen=True)
class History:
    """Events in one total order.

    Attributes:
        header: what the operations mean.
        events: every event, `events[i].index == i`; fault events are among them.
        truncated: a sentence when the file was cut off inside a line, else "".
    """

    header: Header
    events: Sequence[Op] = field(repr=False)
    truncated: str = ""

    @cached_property
    def operations(self) -> Operations:
        """Client operations, paired, in columns."""
        return pair(self.events)
