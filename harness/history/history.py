"""A history in memory: header and events, in the recorder's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from harness.history.header import Header
from harness.history.operations import Operations, pair
from harness.op import NEMESIS, Op


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

    @cached_property
    def fault_events(self) -> Sequence[Op]:
        """The fault events among them."""
        return [op for op in self.events if op.process == NEMESIS]

    @cached_property
    def last_ns(self) -> int:
        """The latest time that an event has, 0 where none has any."""
        operations = self.operations
        faults = (op.time for op in self.fault_events if op.time is not None)
        return max(0, *(int(c.max(initial=0)) for c in (operations.invoke_ns, operations.response_ns)), *faults)

    def meaning(self, header: Header) -> History:
        """The same events under another header."""
        other = History(header, self.events, self.truncated)
        other.__dict__.update({name: self.__dict__[name] for name in _KEPT if name in self.__dict__})
        return other


_KEPT: Final = ("operations", "fault_events")
