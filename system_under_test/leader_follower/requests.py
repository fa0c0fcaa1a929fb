"""What clients may ask, checked before it goes anywhere.

    {"id": 7, "f": "read", "key": "x", "mode": "session", "token": [2, 14]}
    {"id": 8, "f": "write", "key": "x", "value": 5, "generation": 2}
    {"id": 9, "f": "increment", "key": "x", "value": 3, "session": [12, 1]}
    {"id": 10, "f": "status"}

Everything but reads and `status` goes through the log: see `commands.py` for what there is, and for keys and values;
`session` is for requests that may be repeated (`sessions.py`), `generation` the newest that the client knows of
(`fencing.py`). Answers: see `answers.py`; they carry the same id.
"""

from __future__ import annotations

from typing import Any

from .commands import ARGUMENTS, CHANGES, NUMBER_MAX, BadRequest, command_of, is_count, is_key
from .messages import NOTHING, Request, Version
from .reads import MODES

OPERATIONS = ("read", "status", "transfer", *CHANGES, *ARGUMENTS)


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
    if not isinstance(f, str) or f not in OPERATIONS:
        raise BadRequest(f"f must be one of {', '.join(OPERATIONS)}")
    if f in ARGUMENTS:
        command_of(f, key, value)
    elif not is_key(key):
        raise BadRequest("key must be a string, a whole number or null, and not huge")
    mode = frame.get("mode", "leader")
    if mode not in MODES:
        raise BadRequest(f"mode must be one of {', '.join(MODES)}")
    token, session = _token(frame.get("token")), _session(frame.get("session"))
    return Request((connection, number), f, key, value, str(mode), token, session, _generation(frame.get("generation")))


def _token(value: Any) -> Version:
    if value is None:
        return NOTHING
    if not isinstance(value, list) or len(value) != 2 or any(type(part) is not int or part < 0 for part in value):
        raise BadRequest("token must be [generation, index]")
    return (value[0], value[1])


def _generation(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value < NUMBER_MAX:
        raise BadRequest("generation must be a whole number, and not huge")
    return value


def _session(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_count, value)):
        raise BadRequest("session must be [session, number]")
    return (value[0], value[1])
