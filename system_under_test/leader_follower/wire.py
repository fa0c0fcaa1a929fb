"""Frames: four bytes of length, big-endian, then that many bytes of JSON, at most 1 MiB.

Clients send objects (`requests.py`) and get objects; nodes send arrays: [source, kind, field, ...].

>>> decoder = Decoder()
>>> decoder.feed(encode([1, 2])[:5]), decoder.feed(encode([1, 2])[5:])
([], [[1, 2]])
"""

from __future__ import annotations

import json
import struct
from typing import Any, get_origin, get_type_hints

from .commands import is_command
from .messages import (
    AcceptAnswer,
    AcceptRequest,
    AppendAnswer,
    AppendRequest,
    Decided,
    Entry,
    Forward,
    ForwardAnswer,
    Message,
    PrepareAnswer,
    PrepareRequest,
    SnapshotAnswer,
    SnapshotRequest,
    StandNow,
    VoteAnswer,
    VoteRequest,
)

LENGTH = struct.Struct(">I")
FRAME_BYTES_MAX = 1 << 20
READ_BYTES = 1 << 16

_KINDS: dict[str, type[Any]] = {
    "vote?": VoteRequest,
    "vote!": VoteAnswer,
    "prepare?": PrepareRequest,
    "prepare!": PrepareAnswer,
    "accept?": AcceptRequest,
    "accept!": AcceptAnswer,
    "decided": Decided,
    "stand": StandNow,
    "append?": AppendRequest,
    "append!": AppendAnswer,
    "snapshot?": SnapshotRequest,
    "snapshot!": SnapshotAnswer,
    "forward?": Forward,
    "forward!": ForwardAnswer,
}
_FIELDS: dict[str, tuple[type, ...]] = {
    name: tuple(get_origin(hint) or hint for hint in get_type_hints(kind).values()) for name, kind in _KINDS.items()
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class BadFrame(Exception):  # noqa: N818 - it names what was read, and is read as such
    """Bytes that are no frame of ours: the connection they came on has no future."""


def encode(value: Any) -> bytes:
    """One frame; ValueError if there is none for this."""
    payload = _ENCODER.encode(value).encode()
    if len(payload) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(payload)} bytes; the most is {FRAME_BYTES_MAX}")
    return LENGTH.pack(len(payload)) + payload


class Decoder:
    """Turns chunks of bytes, cut anywhere, into the values of whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The values that these bytes complete; BadFrame at the first that is none."""
        self._buffer += data
        values, offset = [], 0
        while offset + LENGTH.size <= len(self._buffer):
            (length,) = LENGTH.unpack_from(self._buffer, offset)
            if length > FRAME_BYTES_MAX:
                raise BadFrame(f"a frame of {length} bytes; the most is {FRAME_BYTES_MAX}")
            end = offset + LENGTH.size + length
            if end > len(self._buffer):
                break
            values.append(_parse(bytes(self._buffer[offset + LENGTH.size : end])))
            offset = end
        del self._buffer[:offset]
        return values


def encode_message(source: str, message: Message) -> bytes:
    """One frame that carries a message between nodes."""
    return encode([source, _NAMES[type(message)], *message])


def decode_message(value: list[Any]) -> tuple[str, Message]:
    """Who says what; BadFrame if it makes no sense."""
    if len(value) < 2 or not isinstance(value[0], str) or not isinstance(value[1], str) or value[1] not in _KINDS:
        raise BadFrame("no message of a node")
    source, kind, *fields = value
    if len(fields) != len(_FIELDS[kind]) or any(
        type(found) is not wanted for found, wanted in zip(fields, _FIELDS[kind], strict=True)
    ):
        raise BadFrame(f"a message {kind} with wrong fields")
    if any(type(found) is int and found < 0 for found in fields):
        raise BadFrame(f"a message {kind} with a negative number")
    message: Message = _KINDS[kind](*fields)
    if isinstance(message, AppendRequest):
        message = message._replace(entries=_entries(message.entries, message.previous_index))
    elif isinstance(message, SnapshotRequest) and any(type(name) is not str for name in message.members):
        raise BadFrame("a snapshot with members that are no names")
    elif isinstance(message, Forward) and not is_command(message.command):
        raise BadFrame("a command passed on that is none")
    return source, message


def _entries(values: list[Any], previous_index: int) -> list[Entry]:
    entries = []
    for index, value in enumerate(values, previous_index + 1):
        if not isinstance(value, list) or len(value) != 3 or type(value[0]) is not int or value[1] != index:
            raise BadFrame(f"no entry {index}")
        if not is_command(value[2]):
            raise BadFrame(f"entry {index} has no command")
        entries.append(Entry(value[0], index, value[2]))
    return entries


def _parse(payload: bytes) -> Any:
    try:
        return _DECODER.decode(payload.decode())
    except (ValueError, RecursionError) as error:
        raise BadFrame("a frame that is not JSON") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Made once: json.dumps and json.loads make a new one for every frame when they are given arguments.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
