"""Runs on a node, when asked for: writes what its network interfaces see into a file that packet analysers read.

    python3 capture.py /var/log/splitbrain/packets.pcap 33554432

The file is a pcap; it lies among the node's logs, and so is collected with them. Control over SSH is left out, as it
would drown the rest.

Limits: of each packet the first SNAP_BYTES; past the bound in bytes no more is written.
"""

from __future__ import annotations

import socket
import struct
import sys
import time  # noqa: TID251 - runs on a node, where there is no harness
from pathlib import Path

EVERYTHING = 3
LINK_ETHERNET = 1
SNAP_BYTES = 256
SSH_PORT = 22
HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP_BYTES, LINK_ETHERNET)


def record(packet: bytes, size: int, now_ns: int) -> bytes:
    """One packet of the file."""
    kept = packet[:SNAP_BYTES]
    return struct.pack("=IIII", now_ns // 10**9, now_ns % 10**9 // 1000, len(kept), size) + kept


def is_control(packet: bytes) -> bool:
    """Whether it is a TCP segment from or to the port of SSH."""
    if packet[12:14] != b"\x08\x00" or len(packet) < 34 or packet[23] != 6:
        return False
    at = 14 + (packet[14] & 15) * 4
    return SSH_PORT in struct.unpack("!HH", packet[at : at + 4].ljust(4, b"\x00"))


def main(path: Path, most: int) -> None:
    """Capture until somebody ends us, or until the file is full."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING)) as wire, path.open("wb") as file:
        file.write(HEADER)
        while file.tell() < most:
            packet = wire.recv(1 << 16)
            if not is_control(packet):
                file.write(record(packet, len(packet), time.time_ns()))
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
