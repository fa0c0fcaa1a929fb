"""One direction of a connection, as TCP would treat it.

Bytes arrive in order, each segment after its own delay but never before the one ahead of it. What is written in one
instant travels as one segment. When the way is shut nothing is lost and nothing is told: the segments are held, and
tried again after 0.2 s, 0.4 s, 0.8 s, ... up to two minutes, fifteen times, after which the connection is dead. So a
healed link does not carry at once what was held: that is what makes a long-lived connection slow to come back.

A way that answers with a reset ends the sender's side at once, and leaves the other side half open, knowing nothing.

A connection needs both ways, for acknowledgements come back on the other one. If only that other way is shut, what is
sent within the first timeout arrives, and then the sender is stuck too.

    quiet ──sent, unacknowledged──▶ waiting ──timeout──▶ stalled ──both ways open at a timeout──▶ quiet

Limits: no window but the sender's buffer limits; an acknowledgement takes no time when the ways are open.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from harness.simulation.link import RETRANSMIT_MIN_NS

if TYPE_CHECKING:
    from harness.simulation.handles import SimTimer
    from harness.simulation.network import Network
    from harness.simulation.server import SimServer
    from harness.simulation.transport import SimTransport

RETRANSMIT_MAX_NS: Final = 120_000_000_000
RETRANSMISSIONS_MAX: Final = 15
"""Linux' tcp_retries2: a connection is given up after about 15 minutes."""

HEADER_BYTES: Final = 64
"""What a segment weighs besides its bytes, on a narrow link."""

Kind = Literal["open", "data", "end", "reset"]


class Segment:
    """What arrives as one event.

    Attributes:
        kind: "open" is the end of the handshake, "end" a FIN, "reset" a RST.
        parts: the bytes, as they were written; sent_ns: when; message: its number, on a recording.
        server: the listener that an "open" is for.
    """

    __slots__ = ("kind", "message", "parts", "sent_ns", "server")

    def __init__(self, kind: Kind, parts: list[bytes], sent_ns: int, server: SimServer | None = None) -> None:
        self.kind = kind
        self.parts = parts
        self.sent_ns = sent_ns
        self.server = server
        self.message = 0


class Pipe:
    """From one end of a connection to the other.

    Attributes:
        queued_bytes: what was written and the receiving process has not taken yet.
    """

    __slots__ = (
        "_arrival_ns", "_back", "_delay_ns", "_held", "_loop", "_port", "_process", "_receiver", "_retransmissions",
        "_sender", "_stalled", "_tail", "_there", "_timeout_ns", "_timer", "queued_bytes",
    )  # fmt: skip

    def __init__(self, network: Network, sender: SimTransport, receiver: SimTransport) -> None:
        self.queued_bytes = 0
        self._loop = network.loop
        self._sender = sender
        self._receiver = receiver
        self._process = sender.process
        self._port = receiver.port
        self._there = network.link(sender.host, receiver.host)
        self._back = network.link(receiver.host, sender.host)
        self._delay_ns = self._there.delay_ns
        self._arrival_ns = 0
        self._tail: Segment | None = None
        self._held: deque[Segment] = deque()
        self._stalled = False
        self._timer: SimTimer | None = None
        self._timeout_ns = RETRANSMIT_MIN_NS
        self._retransmissions = 0

    @property
    def destination(self) -> str:
        """The host that it leads to."""
        return self._receiver.host

    # ── the sender's side ────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, server: SimServer) -> None:
        """The last message of the handshake, on which the server's side comes into being."""
        self._send(Segment("open", [], self._loop.virtual_ns, server))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.queued_bytes += len(data)
        tail, now_ns = self._tail, self._loop.virtual_ns
        if tail is not None and tail.sent_ns == now_ns:
            tail.parts.append(data)
            return
        segment = Segment("data", [data], now_ns)
        if self._timer is None and self._there.plain and self._back.plain:
            self._launch(segment)
        else:
            self._send(segment)
        self._tail = segment

    def end(self) -> None:
        """Send that nothing more will come."""
        self._send(Segment("end", [], self._loop.virtual_ns))

    def reset(self) -> None:
        """Throw away what is held, and send a reset. Nobody repeats a reset: on a shut way it is lost."""
        self.silence()
        if self._process is not None and self._process.blocked:
            self._process.outbox.append(self._reset_now)
        else:
            self._reset_now()

    def _reset_now(self) -> None:
        if self._there.passage(self._port) == "open":
            self._launch(Segment("reset", [], self._loop.virtual_ns))

    def silence(self) -> None:
        """Send nothing any more, not even what is held."""
        self._tail = None
        self._held.clear()
        self._stop_waiting()

    def _send(self, segment: Segment) -> None:
        self._tail = None
        if self._timer is None and self._there.plain and self._back.plain:
            self._launch(segment)
        elif self._process is not None and self._process.blocked:
            self._process.outbox.append(lambda: self._pass_on(segment))
        else:
            self._pass_on(segment)

    def _pass_on(self, segment: Segment) -> None:
        """Send it on a way that may be shut."""
        passage = self._there.passage(self._port)
        if passage == "reset":
            self._note("drop", segment)
            self.refuse(segment, self._loop.virtual_ns)
        elif passage == "open" and not self._held and not self._stalled:
            self._launch(segment)
            if self._timer is None and self._back.passage(self._sender.port) != "open":
                self._wait()
        else:
            self._note("drop", segment)
            self._held.append(segment)
            if self._timer is None:
                self._wait()

    def _launch(self, segment: Segment) -> None:
        """Let it travel, behind all that travels already."""
        loop = self._loop
        if loop.recording is not None:
            segment.message = loop.recording.next_message()
            self._note("send", segment)
        if not self._there.plain:
            size = sum(map(len, segment.parts)) + HEADER_BYTES
            self._there.carry(loop.virtual_ns, size, lambda arrival_ns: self._arrives(segment, arrival_ns))
            return
        arrival_ns = loop.virtual_ns + self._delay_ns()
        if arrival_ns < self._arrival_ns:
            arrival_ns = self._arrival_ns
        self._arrival_ns = arrival_ns
        receiver = self._receiver
        if receiver.gone:
            self.refuse(segment, arrival_ns)
        else:
            loop.call_at_ns(arrival_ns, receiver.receive, (segment,), receiver.context)

    def _arrives(self, segment: Segment, arrival_ns: int) -> None:
        self._arrival_ns = arrival_ns = max(arrival_ns, self._arrival_ns, self._loop.virtual_ns)
        if self._receiver.gone:
            self.refuse(segment, arrival_ns)
        else:
            self._loop.call_at_ns(arrival_ns, self._receiver.receive, (segment,), self._receiver.context)

    def _note(self, kind: str, segment: Segment) -> None:
        sender, receiver = self._sender, self._receiver
        size = sum(map(len, segment.parts))
        self._loop.note(kind, sender.host, segment.kind, receiver.host, size, segment.message)

    # ── retransmission ───────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self) -> None:
        """Set the timer of the sending kernel, which runs whatever becomes of the process."""
        when_ns = self._loop.virtual_ns + self._timeout_ns
        self._timer = self._loop.call_at_ns(when_ns, self._retransmit, (), self._loop.kernel_context)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._stalled = False
        self._timeout_ns = RETRANSMIT_MIN_NS
        self._retransmissions = 0

    def _retransmit(self) -> None:
        passages = {self._there.passage(self._port), self._back.passage(self._sender.port)}
        if "silent" not in passages:
            self._stop_waiting()
            held, self._held = self._held, deque()
            for segment in held:
                self._pass_on(segment)
            return
        self._stalled = True
        self._retransmissions += 1
        if self._retransmissions > RETRANSMISSIONS_MAX:
            self.silence()
            self._sender.kernel_lost(errno.ETIMEDOUT)
            return
        self._timeout_ns = min(2 * self._timeout_ns, RETRANSMIT_MAX_NS)
        self._wait()

    # ── the receiver's side ──────────────────────────────────────────────────────────────────────────────────────────

    def taken(self, size: int) -> None:
        """The receiving process took so many bytes: there is room again."""
        self.queued_bytes -= size
        if self._sender.writing_paused:
            self._sender.room_made()

    def refuse(self, segment: Segment, arrival_ns: int) -> None:
        """It arrives where nobody is at home, and the kernel there answers with a reset, if it can."""
        if segment.kind in ("open", "data") and self._back.passage(self._sender.port) == "open":
            back_ns = arrival_ns + self._back.delay_ns()
            self._loop.call_at_ns(back_ns, self._sender.kernel_lost, (errno.ECONNRESET,), self._loop.kernel_context)
