"""How reports put values, times and names into words: short, the same in every report, and inert.

Whatever a system under test answers ends up here, so nothing that leaves this module holds a control character, a
terminal escape or a mark that turns the reading direction: each is written out (`\\x1b`, `\\u202e`). What is too long
is cut, and the cut says how much there was.

>>> duration_text(5_200_000)
'5.2 ms'
>>> inert("a\\x1b[31mb")
'a\\\\x1b[31mb'
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Characters that act instead of showing: controls, direction marks, invisible ones, halves of pairs, tags."""

_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def inert(text: str, limit: int = 300) -> str:
    """The text with nothing in it that acts, cut at `limit` characters."""
    short = UNSAFE.sub(_written_out, text[:limit])
    return short if len(text) <= limit else f"{short}… ({count_text(len(text))} characters)"


def _written_out(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_text(value: Any) -> str:
    """A value as one line of JSON in which nothing acts; still equal JSON."""
    try:
        text = msgspec.json.encode(value, order="deterministic").decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        text = msgspec.json.encode(repr(value).encode("utf-8", "replace").decode()).decode()
    return UNSAFE.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    return "".join(f"\\u{unit:04x}" for unit in _utf16(ord(match.group())))


def _utf16(number: int) -> tuple[int, ...]:
    if number < 0x10000:
        return (number,)
    return 0xD800 + (number - 0x10000 >> 10), 0xDC00 + (number - 0x10000 & 0x3FF)


def value_text(value: Any, limit: int = 60) -> str:
    """A value for people: plain words stay bare, all else is JSON."""
    if isinstance(value, str) and value and len(value) <= limit and value.replace("-", "").replace("_", "").isalnum():
        return inert(value, limit)
    return inert(json_text(value), limit)


def name_text(name: Any, limit: int = 40) -> str:
    """A key, a node or another name, bare."""
    return inert(name, limit) if isinstance(name, str) else value_text(name, limit)


def process_text(process: Any) -> str:
    """p3 for process 3; others by their name."""
    return f"p{process}" if isinstance(process, int) else name_text(process, 12)


def operation_text(f: str, argument: Any, result: Any, status: str, limit: int = 40) -> str:
    """What an operation asked and got: "write 5", "read → 3", "cas 3 → 5"."""
    name = inert(f, 24)
    if argument is None:
        answered = status == "ok" or (status == "fail" and result is not None)
        return f"{name} → {value_text(result, limit)}" if answered else f"{name} → ?"
    if f == "cas" and isinstance(argument, list | tuple) and len(argument) == 2:
        return f"{name} {value_text(argument[0], limit)} → {value_text(argument[1], limit)}"
    asked = f"{name} {value_text(argument, limit)}"
    if status == "ok" and result != argument and result is not None:
        return f"{asked} → {value_text(result, limit)}"
    return asked


def count_text(number: int) -> str:
    """48,211."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 fault, 2 faults."""
    return f"{count_text(number)} {noun if number == 1 else plural or noun + 's'}"


def duration_text(duration_ns: int) -> str:
    """A length of time in the unit that suits it."""
    if duration_ns >= 120_000_000_000:
        minutes, seconds = divmod(duration_ns // 1_000_000_000, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
    for size, unit in _UNITS:
        if duration_ns >= size:
            number = duration_ns / size
            return f"{number:.1f} {unit}" if number < 100 and size > 1 else f"{number:.0f} {unit}"
    return "0 s"


def moment_text(time_ns: int, step_ns: int = 10_000_000) -> str:
    """A moment from the start of the run, in seconds, with as many digits as a step of `step_ns` needs."""
    digits = 0
    while digits < 9 and 10 ** (9 - digits) > max(step_ns, 1):
        digits += 1
    return f"{time_ns / 1e9:.{digits}f} s"
