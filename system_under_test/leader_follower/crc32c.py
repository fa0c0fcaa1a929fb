"""CRC-32C (Castagnoli), the checksum of the log's frames, as the standard library does not have it.

It is the one of iSCSI, ext4 and most write-ahead logs: of the polynomials of 32 bits it finds the most errors in frames
of a few kilobytes (Koopman 2002). By a table over two bytes at a time, made when first needed.

>>> hex(crc32c(b"123456789"))
'0xe3069283'

Limits: 13 MB/s where zlib's CRC-32, which is compiled, does 4,300.
"""

from __future__ import annotations

import functools
import struct

POLYNOMIAL = 0x82F63B78
ALL_ONES = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The checksum of the bytes."""
    by_word, by_byte = _tables()
    crc = ALL_ONES
    for word in struct.unpack_from(f"<{len(data) // 2}H", data):
        crc = by_word[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    if len(data) % 2:
        crc = by_byte[(crc ^ data[-1]) & 0xFF] ^ (crc >> 8)
    return crc ^ ALL_ONES


@functools.cache
def _tables() -> tuple[list[int], list[int]]:
    """What two bytes, and what one byte, make of the register, by their value."""
    by_byte = [_after_byte(value) for value in range(256)]
    halves = (by_byte[value & 0xFF] ^ (value >> 8) for value in range(1 << 16))
    return [by_byte[half & 0xFF] ^ (half >> 8) for half in halves], by_byte


def _after_byte(register: int) -> int:
    """The register eight bits on."""
    for _ in range(8):
        register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
    return register
