"""Runs on a node: holds, delays, drops, doubles and damages what arrives from its peers, as told.

    python3 link_queue.py 7 /run/splitbrain/links.sock < links.json       starts the daemon if need be, and tells it

    {"seed": 1, "links": {"10.0.0.2": {"delay_ms": 20, "jitter_ms": 5, "loss": 0.1, "rate_kbit": 0, "hold": false}}}

The node's packet filter hands packets of peers to a queue (NFQUEUE); this daemon decides when each goes on. It needs
nothing of the kernel but that queue, works per peer and one way, and its end lifts the fault: the rule says
--queue-bypass, so then everything passes. The answer tells what it counted since it was told the last time.

- delay, jitter: uniform around the delay, and never out of order.
- reorder: that share does not wait and so overtakes what does. loss, corrupt: shares; one bit of the payload is turned.
- duplicate: share that comes twice: a copy is sent to the node itself, by the loopback, as if the peer had sent it.
- rate_kbit: a wire of that bandwidth before the delay, with WIRE_S of buffer; what does not fit is lost.
- hold: nothing passes until hold is lifted; then all does at once, in order.

Limits: IPv4; HELD_MAX packets are held, further ones are lost, as in a full buffer; packets are told apart by the
address they come from. What a link loses, damages or holds is not doubled.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import random  # noqa: TID251 - runs on a node, where there is no harness
import select
import socket
import struct
import sys
import time  # noqa: TID251 - as above
from pathlib import Path
from typing import Any

NETFILTER = 12
QUEUE = 3 << 8
PACKET, VERDICT, CONFIG = QUEUE, QUEUE | 1, QUEUE | 2
DROP, ACCEPT = 0, 1
HELD_MAX = 8192
COPIED = 0xFFFF
BUFFER_BYTES = 8 << 20
WIRE_S = 0.3
START_S = 5.0
IP_HEADER = 20
LOOPBACK = 1
"""The number of that interface in every network namespace."""
Link = dict[str, Any]
Verdict = tuple[int, bool, bytes | None]
"""A packet's number, whether it goes on, and its payload if that was changed."""


def attribute(kind: int, data: bytes) -> bytes:
    """One netlink attribute, padded."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind: int, queue: int, flags: int, *attributes: bytes) -> bytes:
    """One netlink message about a queue."""
    body = struct.pack("=BBH", 0, 0, socket.htons(queue)) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message, by kind."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def bind(queue: int) -> socket.socket:
    """A socket to which the kernel gives the queue's packets; OSError where it will not."""
    wire = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    wire.bind((0, 0))
    with contextlib.suppress(OSError):
        wire.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), BUFFER_BYTES)
    request_and_answer = 1 | 4
    for command in (
        attribute(1, struct.pack("=BBH", 1, 0, 0)),
        attribute(2, struct.pack("!IB", COPIED, 2)),
        attribute(3, struct.pack("!I", HELD_MAX)),
    ):
        wire.send(message(CONFIG, queue, request_and_answer, command))
        (error,) = struct.unpack_from("=i", wire.recv(BUFFER_BYTES), 16)
        if error:
            raise OSError(-error, os.strerror(-error))
    return wire


class Links:
    """What is in force, and which packets wait: a plain calculation, so that it can be tested without a kernel."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.counts = {"seen": 0, "lost": 0, "damaged": 0, "overtook": 0, "doubled": 0}
        self._waiting: list[tuple[int, int, str]] = []
        self._copies: list[tuple[int, int, str, bytes]] = []
        self._held: dict[str, list[int]] = {}
        self._last: dict[str, int] = {}
        self._wire_free: dict[str, int] = {}
        self._random = random.Random(0)  # noqa: S311 - it is not for secrets

    def tell(self, links: dict[str, Link], seed: int) -> list[Verdict]:
        """Exactly these links are in force; what waits on others, or on such as hold no more, goes on at once."""
        changed = {address for address in {*self.links, *links} if self.links.get(address) != links.get(address)}
        self.links, self._random = links, random.Random(seed)  # noqa: S311 - as above
        self.counts = dict.fromkeys(self.counts, 0)
        gone = [number for _, number, address in sorted(self._waiting) if address in changed]
        self._waiting = [entry for entry in self._waiting if entry[2] not in changed]
        heapq.heapify(self._waiting)
        self._copies = [entry for entry in self._copies if entry[2] not in changed]
        heapq.heapify(self._copies)
        for address in changed:
            self._last.pop(address, None)
            self._wire_free.pop(address, None)
            if not links.get(address, {}).get("hold"):
                gone += self._held.pop(address, [])
        return [(number, True, None) for number in gone]

    def waiting(self) -> int:
        """Packets that are held or delayed now."""
        return len(self._waiting) + sum(map(len, self._held.values()))

    def arrive(self, number: int, packet: bytes, now: int) -> list[Verdict]:
        """A packet came."""
        self.counts["seen"] += 1
        address = socket.inet_ntoa(packet[12:16]) if len(packet) >= IP_HEADER else ""
        link = self.links.get(address)
        if link is None:
            return [(number, True, None)]
        if self._random.random() < link.get("loss", 0.0):
            self.counts["lost"] += 1
            return [(number, False, None)]
        if link.get("hold"):
            self._held.setdefault(address, []).append(number)
            return []
        if self._random.random() < link.get("corrupt", 0.0) and len(packet) > IP_HEADER + 8:
            self.counts["damaged"] += 1
            return [(number, True, self._damaged(packet))]
        gone = self._delay(number, address, link, len(packet), now)
        if gone[:1] != [(number, False, None)] and self._random.random() < link.get("duplicate", 0.0):
            self.counts["doubled"] += 1
            at = now if gone else self._last[address]
            heapq.heappush(self._copies, (at, self.counts["doubled"], address, packet))
        return gone

    def _delay(self, number: int, address: str, link: Link, size: int, now: int) -> list[Verdict]:
        through = now
        if link.get("rate_kbit"):
            through = max(now, self._wire_free.get(address, 0)) + int(size * 8e6 / link["rate_kbit"])
            if through - now > WIRE_S * 1e9:
                self.counts["lost"] += 1
                return [(number, False, None)]
            self._wire_free[address] = through
        if self._random.random() < link.get("reorder", 0.0):
            self.counts["overtook"] += 1
            return [(number, True, None)]
        jitter = link.get("jitter_ms", 0.0)
        delay_ms = link.get("delay_ms", 0.0) + (self._random.uniform(-jitter, jitter) if jitter else 0.0)
        at = max(through + int(max(0.0, delay_ms) * 1e6), self._last.get(address, 0))
        if at <= now:
            return [(number, True, None)]
        self._last[address] = at
        heapq.heappush(self._waiting, (at, number, address))
        return []

    def _damaged(self, packet: bytes) -> bytes:
        """One bit turned beyond the address: the checksums find it."""
        damaged = bytearray(packet)
        damaged[self._random.randrange((packet[0] & 15) * 4, len(packet))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)

    def due(self, now: int) -> list[Verdict]:
        """Packets whose time has come."""
        gone: list[Verdict] = []
        while self._waiting and self._waiting[0][0] <= now:
            gone.append((heapq.heappop(self._waiting)[1], True, None))
        return gone

    def pause_s(self, now: int) -> float | None:
        """How long until the next packet or copy is due; None: for ever."""
        heads = [heap[0][0] for heap in (self._waiting, self._copies) if heap]
        return max(0.0, (min(heads) - now) / 1e9) if heads else None

    def copies(self, now: int) -> list[bytes]:
        """Packets that are to come once more now."""
        found = []
        while self._copies and self._copies[0][0] <= now:
            found.append(heapq.heappop(self._copies)[3])
        return found


def serve(queue: int, path: str) -> None:
    """The daemon: packets from the kernel, words from the harness, for ever."""
    wire = bind(queue)
    wire.setblocking(False)
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    links = Links()
    again = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def pass_on(verdicts: list[Verdict]) -> None:
        for number, on, payload in verdicts:
            verdict = attribute(2, struct.pack("!II", ACCEPT if on else DROP, number))
            changed = b"" if payload is None else attribute(10, payload)
            with contextlib.suppress(OSError):  # a packet that is gone needs no verdict
                wire.send(message(VERDICT, queue, 1, verdict, changed))

    while True:
        now = time.monotonic_ns()
        pass_on(links.due(now))
        for packet in links.copies(now):
            with contextlib.suppress(OSError):  # one that the kernel will not take is not doubled
                again.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        ready, _, _ = select.select([wire, listener], [], [], links.pause_s(now))
        if listener in ready:
            listen_once(listener, links, pass_on)
        if wire in ready:
            read_packets(wire, links, pass_on)


def read_packets(wire: socket.socket, links: Links, pass_on: Any) -> None:
    """Take what the kernel has, up to a bound, so that delayed ones are not forgotten meanwhile."""
    for _ in range(64):
        try:
            data = wire.recv(1 << 17)
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: the kernel had more than its buffer holds; those are lost
            links.counts["lost"] += 1
            continue
        length, kind = struct.unpack_from("=IH", data)
        found = attributes(data[20:length]) if kind == PACKET else {}
        if 1 in found:
            (number,) = struct.unpack_from("!I", found[1])
            (came_by,) = struct.unpack("!I", found.get(5, bytes(4)))
            packet, now = found.get(10, b""), time.monotonic_ns()
            pass_on([(number, True, None)] if came_by == LOOPBACK else links.arrive(number, packet, now))


def listen_once(listener: socket.socket, links: Links, pass_on: Any) -> None:
    """Hear what shall be in force, and tell what was counted."""
    with contextlib.suppress(OSError, ValueError), listener.accept()[0] as talk:
        talk.settimeout(1.0)
        heard = b""
        while part := talk.recv(1 << 16):
            heard += part
        told = json.loads(heard)
        counts = links.counts | {"waiting": links.waiting()}
        if "links" in told:
            pass_on(links.tell(told["links"], told.get("seed", 0)))
        talk.sendall(json.dumps(counts).encode())


def ask(path: str, words: bytes) -> bytes:
    """Tell the daemon; OSError where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.settimeout(5.0)
        talk.connect(path)
        talk.sendall(words)
        talk.shutdown(socket.SHUT_WR)
        answer = b""
        while part := talk.recv(1 << 16):
            answer += part
        return answer


def start(queue: int, path: str) -> None:
    """Start the daemon in a session of its own, and wait until it listens."""
    bind(queue).close()  # what the kernel will not do is said here, where somebody reads it
    if os.fork() == 0:
        os.setsid()
        quiet = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(quiet, descriptor)
        try:
            serve(queue, path)
        finally:
            os._exit(1)


def main(queue: int, path: str) -> int:
    """Pass standard input on to the daemon, which is started if there is none; prints its answer."""
    words = sys.stdin.buffer.read()
    with contextlib.suppress(OSError):
        sys.stdout.write(ask(path, words).decode() + "\n")
        return 0
    try:
        start(queue, path)
    except OSError as error:
        sys.stderr.write(f"the kernel will not queue packets: {error.strerror}\n")
        return 1
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            sys.stdout.write(ask(path, words).decode() + "\n")
            return 0
        time.sleep(0.02)
    sys.stderr.write("the queue's daemon did not come up\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
