"""What a key can hold, and what each operation makes of it.

    register   one JSON scalar       write, cas, increment (a whole number; null counts as 0)
    list       in order of arrival   append
    set        each element once     add; read sorted
    queue      first in, first out   enqueue, dequeue
    lock       its holder and token  acquire, release

A key that holds null is as good as one that was never written: any first operation may make anything of it. Every other
operation on a key of another kind is refused, "wrong-type", and `delete` makes any key null again.

Each operation is a function of the object and the arguments; it changes the object in place and returns a value, or
raises `Refused` and has changed nothing. No clock and no chance: every node decides alike.

A lock's token is the index of the entry that took it, so tokens grow: who guards something with a lock can refuse what
comes with an older one. Locks do not time out, and a holder cannot take one twice.

>>> lock = Object("lock")
>>> change(lock, "acquire", ["alice"], 7), change(lock, "release", [7], 8)
(7, None)

Limits: an object that grows holds at most `OBJECT_BYTES_MAX`, so that a read of it fits into a frame.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .commands import NUMBER_MAX
from .messages import NOTHING, Version

OBJECT_BYTES_MAX = 512 * 1024

EMPTY: dict[str, Callable[[], Any]] = {
    "register": lambda: None,
    "list": list,
    "set": dict,
    "queue": deque,
    "lock": lambda: None,
}
"""How each kind begins. Lists and queues hold elements, a set its elements by name, a lock (holder, token) or None."""


class Refused(Exception):  # noqa: N818 - it names what happened, and is read as such
    """The operation does not fit the object: why, in a word; and what the object holds, where that helps."""

    def __init__(self, error: str, value: Any = None) -> None:
        super().__init__(error)
        self.error = error
        self.value = value


@dataclass(slots=True)
class Object:
    """What a key holds. `version` names the entry that changed it last; `size` is the bytes of what grows, as JSON."""

    kind: str = "register"
    content: Any = None
    version: Version = NOTHING
    size: int = 0

    def __post_init__(self) -> None:
        if self.content is None:
            self.content = EMPTY[self.kind]()

    def is_null(self) -> bool:
        """Whether the key is as good as never written."""
        return self.kind == "register" and self.content is None

    def copy(self) -> Object:
        """One that can be changed without changing this."""
        content = self.content
        return Object(self.kind, content.copy() if hasattr(content, "copy") else content, self.version, self.size)

    def render(self) -> Any:
        """What a read returns: plain JSON that later changes do not reach. A free lock reads as null."""
        if self.kind == "set":
            return [self.content[name] for name in sorted(self.content)]
        return list(self.content) if self.kind in ("list", "queue") or self.is_held() else self.content

    def is_held(self) -> bool:
        """Whether this is a lock that somebody holds."""
        return self.kind == "lock" and self.content is not None

    def dump(self) -> list[Any]:
        """As JSON-able data."""
        return [self.kind, self.render(), list(self.version)]

    @classmethod
    def load(cls, data: list[Any]) -> Object:
        """The object that `dump` gave."""
        kind, content, (generation, index) = data
        made = cls(kind, version=(generation, index))
        if kind == "set":
            made.content = {named(element): element for element in content}
        elif kind == "queue":
            made.content = deque(content)
        else:
            made.content = tuple(content) if kind == "lock" and content is not None else content
        if kind in ("list", "set", "queue") and content:
            made.size = len(json.dumps(content, separators=(",", ":"))) - 1
        return made


def named(value: Any) -> tuple[str, Any]:
    """A scalar as JSON knows it, to be compared and hashed: true is not 1, and 1 is not 1.0."""
    return (type(value).__name__, value)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it."""
    return type(one) is type(other) and bool(one == other)


def size_of(element: Any) -> int:
    """Bytes of an element within an array."""
    return len(json.dumps(element)) + 1


def change(target: Object, f: str, arguments: list[Any], index: int) -> Any:
    """Carry out an operation on an object of its kind, as entry `index`; Refused leaves the object as it was."""
    return _OPERATIONS[f][1](target, *arguments, *([index] if f == "acquire" else []))


def kind_of(f: str) -> str:
    """The kind of object that an operation is for."""
    return _OPERATIONS[f][0]


# ── registers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write(target: Object, value: Any) -> Any:
    target.content = value
    return value


def _cas(target: Object, old: Any, new: Any) -> Any:
    if not same(target.content, old):
        raise Refused("mismatch", target.content)
    return _write(target, new)


def _increment(target: Object, delta: int) -> int:
    number = 0 if target.content is None else target.content
    if type(number) is not int:
        raise Refused("wrong-type")
    total = number + delta
    if abs(total) >= NUMBER_MAX:
        raise Refused("overflow")
    target.content = total
    return total


# ── lists, sets, queues ──────────────────────────────────────────────────────────────────────────────────────────────


def _grow(target: Object, element: Any) -> None:
    size = target.size + size_of(element)
    if size > OBJECT_BYTES_MAX:
        raise Refused("too-large")
    target.size = size


def _append(target: Object, element: Any) -> None:
    _grow(target, element)
    target.content.append(element)


def _add(target: Object, element: Any) -> None:
    name = named(element)
    if name not in target.content:
        _grow(target, element)
        target.content[name] = element


def _dequeue(target: Object) -> Any:
    if not target.content:
        raise Refused("empty")
    element = target.content.popleft()
    target.size -= size_of(element)
    return element


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _acquire(target: Object, owner: str, token: int) -> int:
    if target.is_held():
        raise Refused("held")
    target.content = (owner, token)
    return token


def _release(target: Object, token: int) -> None:
    if not target.is_held() or target.content[1] != token:
        raise Refused("not-holder")
    target.content = None


_OPERATIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "write": ("register", _write),
    "cas": ("register", _cas),
    "increment": ("register", _increment),
    "append": ("list", _append),
    "add": ("set", _add),
    "enqueue": ("queue", _append),
    "dequeue": ("queue", _dequeue),
    "acquire": ("lock", _acquire),
    "release": ("lock", _release),
}
