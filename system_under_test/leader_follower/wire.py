"""Frames: four bytes of length, big-endian, then that many bytes of JSON, at most 1 MiB.

Clients send objects (`requests.py`) and get objects; nodes send arrays: [source, kind, field, ...].

>>> decoder = Decoder()
>>> decoder.feed(encode([1, 2])[:5]), decoder.feed(encode([1, 2])[5:])
([], [[1, 2]])
"""

from __future__ import annotations

import struct
from typing import Any, get_origin, get_type_hints

from .commands import is_command
from .json_text import from_json, to_json
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
    made,
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
_FIELDS: dict[str, list[type]] = {
    name: [get_origin(hint) or hint for hint in get_type_hints(kind).values()] for name, kind in _KINDS.items()
}
_NUMBERS = {name: [place for place, kind in enumerate(kinds) if kind is int] for name, kinds in _FIELDS.items()}
"""Which fields are whole numbers; none may be negative."""
_NAMES = {kind: name for name, kind in _KINDS.items()}


class BadFrame(Exception):  # noqa: N818 - it names what was read, and is read as such
    """Bytes that are no frame of ours: the connection they came on has no future."""


def encode(value: Any) -> bytes:
    """One frame; ValueError if there is none for this."""
    payload = to_json(value).encode()
    if len(payload) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(payload)} bytes; the most is {FRAME_BYTES_MAX}")
    return LENGTH.pack(len(payload)) + payload


class Decoder:
    """Turns chunks of bytes, cut anywhere, into the values of whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """The values that these bytes complete; BadFrame at the first that is none."""
        if self._rest:
            data = self._rest + data
        values, offset, size = [], 0, len(data)
        while offset + LENGTH.size <= size:
            (length,) = LENGTH.unpack_from(data, offset)
            if length > FRAME_BYTES_MAX:
                raise BadFrame(f"a frame of {length} bytes; the most is {FRAME_BYTES_MAX}")
            start = offset + LENGTH.size
            if start + length > size:
                break
            offset = start + length
            values.append(_parse(data[start:offset]))
        self._rest = data[offset:]
        return values


def encode_message(source: str, message: Message) -> bytes:
    """One frame that carries a message between nodes."""
    return encode([source, _NAMES[type(message)], *message])


def decode_message(value: list[Any]) -> tuple[str, Message]:
    """Who says what; BadFrame if it makes no sense."""
    if len(value) < 2 or type(value[0]) is not str or type(value[1]) is not str or value[1] not in _KINDS:
        raise BadFrame("no message of a node")
    source, name, *fields = value
    if list(map(type, fields)) != _FIELDS[name]:
        raise BadFrame(f"a message {name} with wrong fields")
    for place in _NUMBERS[name]:
        if fields[place] < 0:
            raise BadFrame(f"a message {name} with a negative number")
    kind = _KINDS[name]
    if kind is AppendRequest:
        fields[_ENTRIES] = _entries(fields[_ENTRIES], fields[_PREVIOUS])
    elif kind is SnapshotRequest and any(type(member) is not str for member in fields[_MEMBERS]):
        raise BadFrame("a snapshot with members that are no names")
    elif kind is Forward and not is_command(fields[-1]):
        raise BadFrame("a command passed on that is none")
    return source, made(kind, fields)


def _entries(values: list[Any], previous_index: int) -> list[Entry]:
    entries = []
    for index, value in enumerate(values, previous_index + 1):
        if type(value) is not list or len(value) != 3 or type(value[0]) is not int or value[1] != index:
            raise BadFrame(f"no entry {index}")
        if not is_command(value[2]):
            raise BadFrame(f"entry {index} has no command")
        entries.append(made(Entry, value))
    return entries


def _parse(payload: bytes) -> Any:
    try:
        return from_json(payload.decode())
    except (ValueError, RecursionError) as error:
        raise BadFrame("a frame that is not JSON") from error


_ENTRIES = AppendRequest._fields.index("entries")
_PREVIOUS = AppendRequest._fields.index("previous_index")
_MEMBERS = SnapshotRequest._fields.index("members")
