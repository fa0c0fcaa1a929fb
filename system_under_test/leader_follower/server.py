"""The server: drives the pure node on an asyncio loop, real or simulated, over sockets and a disk.

One thread, one loop, no waiting inside: each frame that comes in is an event; its effects are carried out at once, in
order. What was appended to the log during one turn of the loop is written and synced together (group commit), and only
then reported to the node as durable, which lets it acknowledge.

A full disk makes the node refuse writes; what it could not write yet it keeps, does not count as durable, and tries
again. Any other failure of the disk ends the server: what a failed sync lost is unknown, so nothing may be claimed.

Limits: everything is bounded (connections, buffers, frames, waiting requests); a client that does not read its answers
is cut off.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping

from . import status
from .commands import BadRequest
from .configuration import Configuration
from .hard_state import load_hard_state, save_hard_state
from .incoming import Incoming
from .machine import Machine
from .messages import (
    NOTHING,
    Append,
    DiskFull,
    Effect,
    Event,
    Flush,
    Message,
    Note,
    Persisted,
    Received,
    Reply,
    SaveHardState,
    SaveSnapshot,
    Send,
    Start,
    Tick,
    Version,
    made,
)
from .node import Node
from .peers import PeerLink, patience_ns
from .requests import parse_request, request_id
from .snapshot_file import load_snapshot, save_snapshot
from .state import NEVER_NS
from .wal import WriteAheadLog
from .wire import BadFrame, decode_message, encode, encode_message

CONNECTIONS_MAX = 1024
DISK_RETRY_S = 0.1
FULL = (errno.ENOSPC, errno.EDQUOT)
FLUSH, TICK = Flush(), Tick()


async def serve(machine: Machine, addresses: Mapping[str, tuple[str, int]], configuration: Configuration) -> None:
    """Run one node until cancelled; raises what ended it.

    Raises:
        CorruptLog: the disk is damaged; the node does not start.
        OSError: the address is taken, or the disk failed.
    """
    await Server(machine, addresses, configuration).run()


class Server:
    """One node on a loop."""

    def __init__(
        self, machine: Machine, addresses: Mapping[str, tuple[str, int]], configuration: Configuration
    ) -> None:
        self._machine = machine
        self._configuration = configuration
        self._address = addresses[configuration.name]
        checked = not configuration.has_bug("checksum-ignored")
        snapshot, first = load_snapshot(machine.disk, checked=checked)
        self._wal, entries = WriteAheadLog.open(
            machine.disk,
            configuration.segment_bytes,
            first=first,
            base=NOTHING if snapshot is None else snapshot.version,
            keep_torn=configuration.has_bug("torn-tail-accepted"),
            checked=checked,
        )
        if configuration.fsync != "never":
            self._wal.sync()
        self._syncs = configuration.fsync == "always" and not configuration.has_bug("ack-before-fsync")
        generation, vote = load_hard_state(machine.disk)
        if configuration.has_bug("vote-not-persisted"):
            generation, vote = 0, None
        self._node = Node(configuration, machine.random, generation, vote, entries, snapshot)
        patience = patience_ns(configuration.election_timeout_ms)
        self._links = {peer: PeerLink(addresses[peer], patience) for peer in configuration.peers}
        self._connections: dict[int, Incoming] = {}
        self._next_connection = 0
        self._unsaved: SaveHardState | None = None
        self._unsaved_snapshot: SaveSnapshot | None = None
        self._disk_is_full = False
        self._retry_due = False
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._monotonic_ns = machine.monotonic_ns
        self._wall_ns = machine.wall_ns if configuration.trusts_walls else _unread
        self._sent: Message | None = None
        self._sent_frame = b""
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        last = self._node.state.log.last_version()
        expose = getattr(machine, "expose", None)  # a simulated machine may be curious
        if expose is not None:
            expose(lambda: status.summary(self._node.state))
        machine.log(f"up as {configuration.name}, generation {generation}, log ends at {last}")

    async def run(self) -> None:
        """Listen and serve until cancelled or failed."""
        listener = await self._loop.create_server(lambda: Incoming(self), *self._address)
        links = [self._loop.create_task(link.run()) for link in self._links.values()]
        try:
            self._handle(Start())
            self._sync_at_intervals()
            await self._failed
        finally:
            self._stop(listener, links)

    def _stop(self, listener: asyncio.Server, links: list[asyncio.Task[None]]) -> None:
        """Let go of everything on the loop; nothing that matters depends on it."""
        listener.close()
        if self._timer is not None:
            self._timer.cancel()
        for link in links:
            link.cancel()
        for connection in list(self._connections.values()):
            connection.abort()
        if not self._failed.done():
            self._failed.cancel()

    # ── events in, effects out ───────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, event: Event) -> None:
        """Give the node an event and carry out what it wants. Any error ends the node: it must not go on half."""
        if self._failed.done():
            return
        try:
            for effect in self._node.handle(event, self._monotonic_ns(), self._wall_ns()):
                self._carry_out(effect)
        except Exception as error:
            self._fail(error)
            return
        self._arm_timer()
        if not self._flush_due and (self._node.wants_flush() or (self._has_unwritten() and not self._disk_is_full)):
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _carry_out(self, effect: Effect) -> None:
        """In the order of how often they come."""
        if isinstance(effect, Send):
            # What is not durable must not be said: neither a vote nor a generation.
            if self._unsaved is None:
                to, message = effect
                self._links[to].send(self._frame(message), self._monotonic_ns())
        elif isinstance(effect, Append):
            self._wal.append(effect.entries)
        elif isinstance(effect, Reply):
            (connection, number), answer = effect
            self._reply(connection, {"id": number, **answer})
        elif isinstance(effect, SaveHardState):
            self._unsaved = effect
            self._save_hard_state()
        elif isinstance(effect, SaveSnapshot):
            if effect.replaces:
                self._wal.forget_pending()
            replaces = effect.replaces or (self._unsaved_snapshot is not None and self._unsaved_snapshot.replaces)
            self._unsaved_snapshot = effect._replace(replaces=replaces)
        elif isinstance(effect, Note):
            self._machine.log(effect.text)

    def _frame(self, message: Message) -> bytes:
        """A message as bytes; what goes to all followers alike is encoded once."""
        if message != self._sent or type(message) is not type(self._sent):
            self._sent, self._sent_frame = message, encode_message(self._configuration.name, message)
        return self._sent_frame

    def _reply(self, connection: int, answer: dict[str, object]) -> None:
        found = self._connections.get(connection)
        if found is not None:
            found.reply(encode(answer))

    # ── disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        """End a batch: send what was held back, write and sync what was appended, report it durable."""
        self._flush_due = False
        if self._node.wants_flush():
            self._handle(FLUSH)
        if self._failed.done():
            return
        try:
            last = self._write_out()
        except Exception as error:
            self._fail(error)
            return
        if last is not None:
            self._handle(Persisted(*last))

    def _has_unwritten(self) -> bool:
        return self._wal.has_pending() or self._unsaved_snapshot is not None

    def _write_out(self) -> Version | None:
        """Bring all that is pending to the disk, and return the last entry's name; None when there is nothing to tell.

        Raises:
            OSError: the disk failed otherwise than by being full.
        """
        if not self._save_hard_state():
            return None
        try:
            last = self._replace_log()
            last = self._wal.write() if self._wal.has_pending() else last
        except OSError as error:
            self._disk_refused(error)
            return None
        if last is not None and self._syncs:
            self._wal.sync()
        self._save_snapshot()
        if self._disk_is_full:
            self._disk_is_full = False
            self._machine.log("the disk takes data again")
            self._handle(DiskFull(False))
        return last

    def _replace_log(self) -> Version | None:
        """Save a snapshot in place of the whole log, if that is due, and return the entry that it ends with."""
        if self._unsaved_snapshot is None or not self._unsaved_snapshot.replaces:
            return None
        snapshot = self._unsaved_snapshot.snapshot
        save_snapshot(self._machine.disk, snapshot, self._wal.next_segment())
        self._wal.begin_anew()
        self._unsaved_snapshot = None
        return snapshot.version

    def _save_snapshot(self) -> None:
        """Save a snapshot of what the log holds, and remove the segments before it. A full disk keeps the old one:
        the log still has everything; the next snapshot will do."""
        if self._unsaved_snapshot is None or self._wal.has_pending():
            return
        snapshot, self._unsaved_snapshot = self._unsaved_snapshot.snapshot, None
        segment = self._wal.segment_after(snapshot.version[1])
        try:
            save_snapshot(self._machine.disk, snapshot, segment)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._machine.log("the disk is full: no snapshot taken")
            return
        self._wal.remove_before(segment)

    def _save_hard_state(self) -> bool:
        """Save generation and vote if need be; whether they are durable now."""
        if self._unsaved is None:
            return True
        try:
            save_hard_state(self._machine.disk, *self._unsaved)
        except OSError as error:
            self._disk_refused(error)
            return False
        self._unsaved = None
        return True

    def _disk_refused(self, error: OSError) -> None:
        """A full disk is waited out; anything else ends the node."""
        if error.errno not in FULL:
            raise error
        if not self._disk_is_full:
            self._disk_is_full = True
            self._machine.log("the disk is full: refusing writes")
            self._loop.call_soon(self._handle, DiskFull(True))
        if not self._retry_due:
            self._retry_due = True
            self._loop.call_later(DISK_RETRY_S, self._retry_disk)

    def _retry_disk(self) -> None:
        self._retry_due = False
        self._flush()

    def _sync_at_intervals(self) -> None:
        if self._configuration.fsync != "interval" or self._failed.done():
            return
        try:
            self._wal.sync()
        except OSError as error:
            self._fail(error)
        self._loop.call_later(self._configuration.fsync_interval_ms / 1000, self._sync_at_intervals)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _arm_timer(self) -> None:
        """See to it that the node gets its next tick in time. A timer that is too early does no harm, and is kept."""
        deadline_ns = self._node.next_deadline_ns()
        if deadline_ns >= NEVER_NS:
            return
        if self._timer is not None:
            if deadline_ns >= self._timer_ns:
                return
            self._timer.cancel()
        self._timer_ns = deadline_ns
        delay_ns = max(0, deadline_ns - self._monotonic_ns())
        self._timer = self._loop.call_later(delay_ns / 1e9 + 1e-6, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._handle(TICK)

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def accept(self, connection: Incoming) -> int:
        """Take a connection, and number it; 0 if it is refused. Known from its first moment: none is forgotten when
        the node ends."""
        if len(self._connections) >= CONNECTIONS_MAX or self._failed.done():
            return 0
        self._next_connection += 1
        self._connections[self._next_connection] = connection
        return self._next_connection

    def forget(self, number: int) -> None:
        """The connection is over."""
        self._connections.pop(number, None)

    def refuse(self, number: int, why: str) -> None:
        """The connection brought nonsense: it is over."""
        self.forget(number)
        self._machine.log(f"connection {number} closed: {why}")

    def take(self, number: int, value: object) -> None:
        """A frame came: a node's message, or a client's request; BadFrame if it is neither."""
        if isinstance(value, list):
            self._receive(value)
        elif isinstance(value, dict):
            self._ask(number, value)
        else:
            raise BadFrame("neither a request nor a message")

    def _receive(self, value: list[object]) -> None:
        source, message = decode_message(value)
        if source not in self._links:
            raise BadFrame("a message of no node of this cluster")
        self._links[source].heard()
        self._handle(made(Received, (source, message)))

    def _ask(self, connection: int, frame: dict[str, object]) -> None:
        try:
            request = parse_request(connection, frame)
        except BadRequest as error:
            answer = {"status": "refused", "error": f"bad-request: {error}", "node": self._configuration.name}
            self._reply(connection, {"id": request_id(frame), **answer})
            return
        self._handle(request)


def _unread() -> int:
    """A wall clock that nobody looks at."""
    return 0
