"""Everything that happened in a simulated run, as a list: made only when asked for, to be read or compared.

    ground = SimGround(7, record=True)
    ...
    ground.recording().events[0]     # Event(time_ns=0, node="n1", kind="task", what="n1-1", peer="", size=0)

| kind      | what                                     | peer                | size  |
|-----------|------------------------------------------|---------------------|-------|
| `task`    | which task or callback ran               |                     |       |
| `timer`   | which timer rang                         |                     |       |
| `send`    | `data`, `open`, `end`, `reset`, `datagram` | where to          | bytes |
| `deliver` | the same                                 | where from          | bytes |
| `drop`    | what was sent and did not leave          | where to            | bytes |
| `disk`    | the call and the path                    |                     | bytes |
| `process` | `started`, `killed`, `paused`, ...       |                     |       |
| `log`     | a line of the node's log                 |                     |       |
| `clock`   | what was done to the wall clock          |                     |       |
| `net`     | what was done to the network             |                     |       |
| `client`  | an event of the history                  |                     |       |

`node` is the host, `control` for harness and clients. What was sent and what arrives of it have the same `message`, a
number from 1; of data that arrives the beginning is there as `content`.

Limits: EVENTS_MAX; what comes after is counted, not kept. A run that records is the same run, only slower.
"""

from __future__ import annotations

from typing import Final, NamedTuple

EVENTS_MAX: Final = 5_000_000
CONTENT_BYTES_MAX: Final = 160


class Event(NamedTuple):
    """One thing that happened; see the module docstring."""

    time_ns: int
    node: str
    kind: str
    what: str
    peer: str
    size: int
    message: int = 0
    content: str = ""


class Recording:
    """The list.

    Attributes:
        left_out: how many events came after it was full.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self.left_out = 0
        self._messages = 0

    @property
    def events(self) -> tuple[Event, ...]:
        """All of them, in order."""
        return tuple(self._events)

    def next_message(self) -> int:
        """A number for a message that is about to be sent."""
        self._messages += 1
        return self._messages

    def add(
        self,
        time_ns: int,
        node: str,
        kind: str,
        what: str,
        peer: str = "",
        size: int = 0,
        message: int = 0,
        content: bytes = b"",
    ) -> None:
        """Take one."""
        if len(self._events) < EVENTS_MAX:
            self._events.append(Event(time_ns, node, kind, what, peer, size, message, _readable(content)))
        else:
            self.left_out += 1


def _readable(content: bytes) -> str:
    """As text: what cannot be printed is a dot."""
    text = content[:CONTENT_BYTES_MAX].decode("latin-1")
    return "".join(sign if sign.isprintable() else "·" for sign in text) + "…" * (len(content) > CONTENT_BYTES_MAX)
