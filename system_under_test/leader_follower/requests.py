"""What clients may ask, checked before it goes anywhere.

    {"id": 7, "f": "read", "key": "x", "mode": "session", "token": [2, 14]}
    {"id": 8, "f": "write", "key": "x", "value": 5}
    {"id": 9, "f": "cas", "key": "x", "value": [5, 6]}
    {"id": 10, "f": "status"}

Keys are strings, whole numbers or null; values are JSON scalars. Answers: see `answers.py`; they carry the same id.
"""

from __future__ import annotations

import math
from typing import Any

from .messages import NOTHING, Request, Version
from .reads import MODES

STRING_CHARACTERS_MAX = 8192
NUMBER_MAX = 1 << 63
OPERATIONS = ("read", "write", "cas", "status")


class BadRequest(Exception):  # noqa: N818 - it names what was asked, and is read as such
    """A request that is refused, by one sentence."""


def request_id(frame: dict[str, Any]) -> int | None:
    """The number by which the client knows its request, if it gave one."""
    number = frame.get("id")
    return number if type(number) is int and 0 <= number < NUMBER_MAX else None


def parse_request(connection: int, frame: dict[str, Any]) -> Request:
    """The request in a client's frame; BadRequest names the field."""
    number = request_id(frame)
    if number is None:
        raise BadRequest("id must be a whole number")
    f, key, value = frame.get("f"), frame.get("key"), frame.get("value")
    if f not in OPERATIONS:
        raise BadRequest(f"f must be one of {', '.join(OPERATIONS)}")
    if not (key is None or type(key) in (int, str)) or not _is_scalar(key):
        raise BadRequest("key must be a string, a whole number or null, and not huge")
    if f == "write" and not _is_scalar(value):
        raise BadRequest("value must be a JSON scalar, and not huge")
    if f == "cas" and not (isinstance(value, list) and len(value) == 2 and all(map(_is_scalar, value))):
        raise BadRequest("value must be [old, new], two JSON scalars, and not huge")
    mode = frame.get("mode", "leader")
    if mode not in MODES:
        raise BadRequest(f"mode must be one of {', '.join(MODES)}")
    return Request((connection, number), str(f), key, value, str(mode), _token(frame.get("token")))


def _token(value: Any) -> Version:
    if value is None:
        return NOTHING
    if not isinstance(value, list) or len(value) != 2 or any(type(part) is not int or part < 0 for part in value):
        raise BadRequest("token must be [generation, index]")
    return (value[0], value[1])


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= STRING_CHARACTERS_MAX
    if type(value) is int:
        return abs(value) < NUMBER_MAX
    if isinstance(value, float):
        return math.isfinite(value)  # 1e999 is good JSON and reads as infinity, which is not
    return value is None or isinstance(value, bool)
