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
from .machine import Machine
from .messages import (
    NOTHING,
    Append,
    DiskFull,
    Effect,
    Event,
    Flush,
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
)
from .node import Node
from .peers import PeerLink, patience_ns
from .requests import parse_request, request_id
from .snapshot_file import load_snapshot, save_snapshot
from .state import NEVER_NS
from .wal import WriteAheadLog
from .wire import READ_BYTES, BadFrame, Decoder, decode_message, encode, encode_message

CONNECTIONS_MAX = 1024
REPLY_BUFFER_BYTES_MAX = 4 << 20
DISK_RETRY_S = 0.1
FULL = (errno.ENOSPC, errno.EDQUOT)


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
        generation, vote = load_hard_state(machine.disk)
        if configuration.has_bug("vote-not-persisted"):
            generation, vote = 0, None
        self._node = Node(configuration, machine.random, generation, vote, entries, snapshot)
        patience = patience_ns(configuration.election_timeout_ms)
        self._links = {peer: PeerLink(addresses[peer], patience) for peer in configuration.peers}
        self._connections: dict[int, asyncio.StreamWriter] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._next_connection = 0
        self._unsaved: SaveHardState | None = None
        self._unsaved_snapshot: SaveSnapshot | None = None
        self._disk_is_full = False
        self._retry_due = False
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        last = self._node.state.log.last_version()
        expose = getattr(machine, "expose", None)  # a simulated machine may be curious
        if expose is not None:
            expose(lambda: status.summary(self._node.state))
        machine.log(f"up as {configuration.name}, generation {generation}, log ends at {last}")

    async def run(self) -> None:
        """Listen and serve until cancelled or failed."""
        listener = await asyncio.start_server(self._accept, *self._address)
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
        for writer in self._connections.values():
            writer.transport.abort()
        if not self._failed.done():
            self._failed.cancel()

    # ── events in, effects out ───────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, event: Event) -> None:
        """Give the node an event and carry out what it wants. Any error ends the node: it must not go on half."""
        if self._failed.done():
            return
        try:
            for effect in self._node.handle(event, self._machine.monotonic_ns(), self._machine.wall_ns()):
                self._carry_out(effect)
        except Exception as error:
            self._fail(error)
            return
        self._arm_timer()
        if not self._flush_due and (self._node.wants_flush() or (self._has_unwritten() and not self._disk_is_full)):
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(to, message):
                # What is not durable must not be said: neither a vote nor a generation.
                if self._unsaved is None:
                    frame = encode_message(self._configuration.name, message)
                    self._links[to].send(frame, self._machine.monotonic_ns())
            case Append(entries):
                self._wal.append(entries)
            case SaveSnapshot():
                if effect.replaces:
                    self._wal.forget_pending()
                replaces = effect.replaces or (self._unsaved_snapshot is not None and self._unsaved_snapshot.replaces)
                self._unsaved_snapshot = effect._replace(replaces=replaces)
            case Reply((connection, number), answer):
                self._reply(connection, {"id": number, **answer})
            case SaveHardState():
                self._unsaved = effect
                self._save_hard_state()
            case Note(text):
                self._machine.log(text)

    def _reply(self, connection: int, answer: dict[str, object]) -> None:
        writer = self._connections.get(connection)
        if writer is None or writer.transport.is_closing():
            return
        if writer.transport.get_write_buffer_size() > REPLY_BUFFER_BYTES_MAX:
            writer.transport.abort()
            return
        writer.write(encode(answer))

    # ── disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        """End a batch: send what was held back, write and sync what was appended, report it durable."""
        self._flush_due = False
        self._handle(Flush())
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
        lazy = self._configuration.has_bug("ack-before-fsync")
        if last is not None and self._configuration.fsync == "always" and not lazy:
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
        delay_ns = max(0, deadline_ns - self._machine.monotonic_ns())
        self._timer = self._loop.call_later(delay_ns / 1e9 + 1e-6, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._handle(Tick())

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection, or refuse it. Known from its first moment: none is forgotten when the node ends."""
        if len(self._connections) >= CONNECTIONS_MAX or self._failed.done():
            writer.transport.abort()
            return
        self._next_connection += 1
        number = self._next_connection
        self._connections[number] = writer
        self._readers[number] = self._loop.create_task(self._serve_connection(number, reader, writer))

    async def _serve_connection(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._read(number, reader)
        except BadFrame as error:
            self._machine.log(f"connection {number} closed: {error}")
        except (OSError, asyncio.CancelledError):
            pass  # the other side went away, or this node is ending
        finally:
            del self._connections[number], self._readers[number]
            writer.close()

    async def _read(self, number: int, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        while data := await reader.read(READ_BYTES):
            for value in decoder.feed(data):
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
        self._handle(Received(source, message))

    def _ask(self, connection: int, frame: dict[str, object]) -> None:
        try:
            request = parse_request(connection, frame)
        except BadRequest as error:
            answer = {"status": "refused", "error": f"bad-request: {error}", "node": self._configuration.name}
            self._reply(connection, {"id": request_id(frame), **answer})
            return
        self._handle(request)
