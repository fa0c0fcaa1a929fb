"""What the verifiers of session guarantees and durability see of a history: pairs of raw events, and nothing more.

It shares no code with the checkers, on purpose.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from checkers.verifiers.events import paired
from harness.history import Header, History
from harness.op import Op, canonical

INFINITE: Final = 1 << 62
Told = TypeVar("Told")


def kept(make: Callable[[History], Told]) -> Callable[[History], Told]:
    """Keep what is told of the latest history for as long as it lives, since several verdicts are about one."""
    latest: dict[str, tuple[weakref.ref[History], Told]] = {}

    def told(history: History) -> Told:
        entry = latest.get("history")
        if entry is None or entry[0]() is not history:
            entry = latest["history"] = weakref.ref(history, lambda _: latest.clear()), make(history)
        return entry[1]

    return told


@dataclass(frozen=True)
class Did:
    """An operation as its two raw events tell it.

    Attributes:
        wrote, read: JSON, None where it did not; key: JSON.
        over: when it was certainly over; never for a write in doubt.
    """

    begin: Op
    end: Op | None
    wrote: bytes | None
    read: bytes | None
    key: bytes
    over: int

    @property
    def version(self) -> tuple[int, int] | None:
        """What the system said."""
        return self.end.version if self.end is not None else None

    def session(self) -> Any:
        """To whom the guarantees are promised."""
        return self.begin.process if self.begin.session is None else self.begin.session


def operations_of(history: History) -> Iterator[Did]:
    """Every client operation, in order of invocation."""
    for begin, end in paired(history):
        yield did_of(begin, end, history.header)


def did_of(begin: Op, end: Op | None, header: Header) -> Did:
    """What two events tell."""
    wrote, read = _wrote(begin, end), _read(begin, end, header)
    over = end.index if end is not None and (end.type == "ok" or read is not None) else INFINITE
    return Did(begin, end, wrote, read, json_of(begin.key), over)


def _wrote(begin: Op, end: Op | None) -> bytes | None:
    if end is not None and end.type == "fail":
        return None
    if begin.f == "write":
        return json_of(begin.value)
    if begin.f == "cas" and isinstance(begin.value, list) and len(begin.value) == 2:
        return json_of(begin.value[1])
    return None


def _read(begin: Op, end: Op | None, header: Header) -> bytes | None:
    if end is None:
        return None
    if begin.f == "read" and end.type == "ok":
        return json_of(end.value)
    told = header.fail_cas == "returned" and begin.f == "cas" and end.type == "fail"
    return json_of(end.value[2]) if told and isinstance(end.value, list) and len(end.value) == 3 else None


def json_of(value: Any) -> bytes:
    """Equal for equal JSON values."""
    return canonical(value)


def contradiction(dids: Iterable[Did]) -> str:
    """Why versions of one key cannot be believed.

    Each completed operation has one, no version is of two values or two writes, and no value of one write has two.
    """
    named: dict[Any, bytes | None] = {}
    versions: dict[bytes | None, set[Any]] = {}
    written: Counter[bytes] = Counter()
    taken: set[Any] = set()
    for did in dids:
        version = None if did.version is None else tuple(did.version)
        if did.over < INFINITE:
            value = did.wrote if did.read is None else did.read
            if version is None:
                return f"{did.begin.index} has no version."
            if named.setdefault(version, value) != value:
                return f"version {version} names two values."
            versions.setdefault(value, set()).add(version)
        if did.wrote is not None:
            written[did.wrote] += 1
            if version is not None and version in taken:
                return f"version {version} names two writes."
            taken.add(version)
    for value, told in versions.items():
        if value is not None and written[value] == 1 and len(told) > 1:
            return f"the value {value.decode()}, which was written once, has {len(told)} versions."
    return ""
