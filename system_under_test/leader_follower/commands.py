"""What may stand in the log, said once: how a client asks for it, and how its entry looks.

    f, key, value                          command
    write "x" 5                            ["write", "x", 5]
    cas "x" [5, 6]                         ["cas", "x", 5, 6]
    delete "x"                             ["delete", "x"]
    increment "x" 3                        ["increment", "x", 3]
    append "x" 5, add "x" 5                ["append", "x", 5], ["add", "x", 5]
    enqueue "x" 5, dequeue "x"             ["enqueue", "x", 5], ["dequeue", "x"]
    acquire "x" "alice", release "x" 17    ["acquire", "x", "alice"], ["release", "x", 17]
    txn [["r", "x", null], ["w", "y", 5]]  ["txn", null, [["r", "x", null], ["w", "y", 5]]]
    open                                   ["open", null]          a session (see `sessions.py`)
    add-node "n4", remove-node "n4"        ["add-node", "n4"], ["remove-node", "n4"]    (see `changes.py`)

Keys are strings, whole numbers or null; values are JSON scalars; a transaction is of up to `PARTS_MAX` parts
["r", key, null], ["w", key, value] and ["append", key, value]. What a client may repeat is wrapped, with its session
and its number: ["once", 12, 3, ["increment", "x", 3]].

>>> command_of("cas", "x", [5, 6])
['cas', 'x', 5, 6]
>>> is_command(["cas", "x", 5]), is_command(["format", "x"])
(False, False)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

STRING_CHARACTERS_MAX = 8192
NUMBER_MAX = 1 << 63
PARTS_MAX = 64
TRANSACTION_BYTES_MAX = 256 * 1024


class BadRequest(Exception):  # noqa: N818 - it names what was asked, and is read as such
    """A request that is refused, by one sentence."""


def is_scalar(value: Any) -> bool:
    """Whether this is a JSON scalar that is not huge."""
    kind = type(value)
    if kind is int:
        fits: bool = -NUMBER_MAX < value < NUMBER_MAX
        return fits
    if kind is str:
        return len(value) <= STRING_CHARACTERS_MAX
    if kind is float:
        return math.isfinite(value)  # 1e999 is good JSON and reads as infinity, which is not
    return value is None or isinstance(value, bool)


def is_key(value: Any) -> bool:
    """Whether this can be a key."""
    return value is None or (type(value) in (int, str) and is_scalar(value))


def is_count(value: Any) -> bool:
    """Whether this is a whole number that is neither negative nor huge."""
    return type(value) is int and 0 <= value < NUMBER_MAX


def _is_number(value: Any) -> bool:
    return type(value) is int and is_scalar(value)


def _is_owner(value: Any) -> bool:
    return isinstance(value, str) and is_scalar(value)


def _is_transaction(value: Any) -> bool:
    if not isinstance(value, list) or not 0 < len(value) <= PARTS_MAX:
        return False
    return all(map(_is_part, value)) and len(json.dumps(value)) <= TRANSACTION_BYTES_MAX


def _is_part(part: Any) -> bool:
    if not isinstance(part, list) or len(part) != 3 or part[0] not in ("r", "w", "append"):
        return False
    return is_key(part[1]) and is_scalar(part[2]) and (part[0] != "r" or part[2] is None)


ARGUMENTS: dict[str, tuple[Callable[[Any], bool], ...]] = {
    "write": (is_scalar,),
    "cas": (is_scalar, is_scalar),
    "delete": (),
    "increment": (_is_number,),
    "append": (is_scalar,),
    "add": (is_scalar,),
    "enqueue": (is_scalar,),
    "dequeue": (),
    "acquire": (_is_owner,),
    "release": (is_count,),
    "txn": (_is_transaction,),
    "open": (),
}
"""What follows f and key in a command."""
KEYLESS = ("txn", "open")
CHANGES = ("add-node", "remove-node")
"""Entries about the cluster itself, ["add-node", name], which change nothing in the state machine (`membership.py`)."""
_WANTED = {
    "cas": "[old, new], two JSON scalars",
    "increment": "a whole number",
    "acquire": "the owner, a string",
    "release": "the token, a whole number",
    "txn": f'one to {PARTS_MAX} of ["r", key, null], ["w", key, value], ["append", key, value]',
}


def command_of(f: str, key: Any, value: Any) -> list[Any]:
    """The command that a client asks for by these three; BadRequest says what is wrong."""
    if f not in ARGUMENTS:
        raise BadRequest(f"f must be one of {', '.join(ARGUMENTS)}")
    if not is_key(key) or (f in KEYLESS and key is not None):
        wanted = "null" if f in KEYLESS else "a string, a whole number or null, and not huge"
        raise BadRequest(f"key must be {wanted}")
    count = len(ARGUMENTS[f])
    given = [] if count == 0 and value is None else value if count == 2 and isinstance(value, list) else [value]
    command = [f, key, *given]
    if not _fits(command):
        wanted = "null" if count == 0 else _WANTED.get(f, "a JSON scalar")
        raise BadRequest(f"value must be {wanted}, and not huge" if count else f"value must be {wanted}")
    return command


def is_command(value: Any) -> bool:
    """Whether this can be applied: so that what another node sends cannot upset the state machine."""
    if not isinstance(value, list):
        return value is None
    if len(value) == 2 and value[0] in CHANGES:
        return isinstance(value[1], str)
    if len(value) == 4 and value[0] == "once":
        _, session, number, value = value
        return is_count(session) and is_count(number) and isinstance(value, list) and _fits(value)
    return _fits(value)


def once(session: tuple[int, int] | None, command: list[Any]) -> list[Any]:
    """The command as an entry of a session that may repeat it."""
    return command if session is None else ["once", *session, command]


def _fits(command: list[Any]) -> bool:
    if len(command) < 2 or not is_key(command[1]):
        return False
    f = command[0]
    checks = ARGUMENTS.get(f) if isinstance(f, str) else None
    if checks is None or len(checks) != len(command) - 2:
        return False
    if len(checks) == 1:
        return checks[0](command[2])
    return all(check(command[place]) for place, check in enumerate(checks, 2))
