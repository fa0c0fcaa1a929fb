"""Packs a history for the page: a column per field, a byte plane per byte, deflated, in base64.

A row per operation as JSON would be 12 MB for 100,000 operations; packed like this it is about 1.5 MB, and the browser
unpacks it with its own DecompressionStream in some tens of milliseconds. Numbers that grow are stored as differences
(zigzag, so that small negative ones stay small), and equal bytes of neighbouring rows lie side by side, which is what
deflate likes. Values, keys, errors and names go once into dictionaries, as text.

    pack(history, keep=...)  →  Packed(columns="eJx…", words="eJx…", layout={"columns": [...], "rows": 100000, ...})

Times are whole microseconds from the start of the run; a history without times is laid out by event index.

Limits: numbers are cut at 2^47. Long values are cut, the more of them the shorter, so that the dictionaries stay below
1.2 MB; past 500,000 operations, those of anomalies and around them, those that did not end ok, and an even sample of
the rest are packed, in this order of preference as far as there is room, and `layout` tells what was left out.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.history import History, Operations
from harness.history.operations import OK, Interner
from reports.text import count_text, inert, json_text
from reports.witness import has_times

ROWS_MAX: Final = 500_000
WORDS_BYTES_MAX: Final = 1_200_000
AROUND_NS: Final = 2_000_000_000
_LIMITS: Final = (400, 120, 40, 16)
_LARGEST: Final = (1 << 47) - 1
RUNNING: Final = 3
"""Beside OK, FAIL and INFO in the page's status column: it never completed."""


@dataclass(frozen=True)
class Packed:
    """What the page's script unpacks.

    Attributes:
        columns, words: raw deflate in base64; `words` holds a JSON object of string lists.
        layout: where each column lies, how many rows there are, and what was left out.
    """

    columns: str
    words: str
    layout: dict[str, Any]


def pack(history: History, marked: Iterable[int]) -> Packed:
    """Pack the client operations; `marked` are invocation indices that must not be left out."""
    operations = history.operations
    rows = rows_kept(operations, marked, ROWS_MAX)
    timed = has_times(operations)
    errors, error_words = _errors(operations, rows)
    blob, described = _blob(_columns(operations, rows, timed, errors))
    words, limit = _words(operations, error_words)
    layout = {
        "columns": described,
        "rows": len(rows),
        "total": len(operations),
        "kept": _told(operations, rows),
        "timed": timed,
        "value_limit": limit,
    }
    return Packed(_base64(_deflate(blob)), _base64(words), layout)


def rows_kept(operations: Operations, marked: Iterable[int], limit: int) -> NDArray[np.int64]:
    """Row numbers to pack: all, or past the limit what matters most and an even sample of the rest."""
    if len(operations) <= limit:
        return np.arange(len(operations))
    named = np.isin(operations.invoke, np.fromiter(marked, dtype=np.int64))
    around = np.zeros(len(operations), dtype=bool)
    for moment in operations.invoke_ns[named].tolist()[:100]:
        around |= np.abs(operations.invoke_ns - moment) <= AROUND_NS
    keep = np.zeros(len(operations), dtype=bool)
    for wanted in (named, around, operations.status != OK, operations.status == OK):
        others = np.flatnonzero(wanted & ~keep)
        room = limit - int(keep.sum())
        keep[others if len(others) <= room else others[:: -(-len(others) // room)] if room else others[:0]] = True
    return np.flatnonzero(keep)


def _told(operations: Operations, rows: NDArray[np.int64]) -> str:
    """Which operations the page holds, in words; "" when all."""
    if len(rows) == len(operations):
        return ""
    troubled = int(np.count_nonzero(operations.status != OK))
    whole = int(np.count_nonzero(operations.status[rows] != OK)) == troubled
    what = "all that did not end ok and" if whole else "of those that did not end ok, and of the others,"
    return f"The page holds {count_text(len(rows))} of {count_text(len(operations))}: {what} a sample."


def _errors(operations: Operations, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """A code per row into a list of error texts; 0 is none."""
    interner = Interner()
    found = (operations.events[at].error if at >= 0 else None for at in operations.completion[rows].tolist())
    codes = np.fromiter((interner.code(error) for error in found), dtype=np.int64, count=len(rows))
    return codes, ["", *(inert(str(error), 300) for error in interner.values[1:])]


def _columns(
    operations: Operations, rows: NDArray[np.int64], timed: bool, errors: NDArray[np.int64]
) -> list[tuple[str, bool, NDArray[np.int64]]]:
    """(name, stored as differences, numbers)."""
    done = operations.completion >= 0
    start = operations.invoke_ns // 1000 if timed else operations.invoke
    stop = operations.response_ns // 1000 if timed else operations.completion
    returned = done & (operations.response_ns >= 0) if timed else done
    same_session = operations.session == operations.process
    same_value = operations.result == operations.argument
    columns = [
        ("start", True, start),
        ("took", False, np.where(returned, np.maximum(stop - start, 0) + 1, 0)),  # 0: unknown
        ("status", False, np.where(done, operations.status, RUNNING)),
        ("process", False, operations.process),
        ("session", False, np.where(same_session, 0, operations.session + 1)),  # 0: that of the process
        ("node", False, operations.node),
        ("f", False, operations.f),
        ("key", False, operations.key),
        ("argument", False, operations.argument),
        ("result", False, np.where(same_value, 0, operations.result + 1)),  # 0: the argument
        ("generation", True, operations.generation),
        ("log_index", True, operations.log_index),
        ("index", True, operations.invoke),
        ("completion", False, np.where(done, operations.completion - operations.invoke, 0)),
    ]
    picked = [(name, by_difference, column[rows].astype(np.int64)) for name, by_difference, column in columns]
    return [*picked, ("error", False, errors)]


def _blob(columns: Sequence[tuple[str, bool, NDArray[np.int64]]]) -> tuple[bytes, list[dict[str, Any]]]:
    """All byte planes of all columns, lowest byte first; a column of zeros has no plane at all."""
    planes, described = [], []
    for name, by_difference, column in columns:
        numbers = np.clip(column, -_LARGEST // 2, _LARGEST // 2)
        if by_difference:
            numbers = np.diff(numbers, prepend=0)
            numbers = np.where(numbers < 0, -2 * numbers - 1, 2 * numbers)
        assert not len(numbers) or numbers.min() >= 0, f"column {name} has a negative number"
        width = (int(numbers.max(initial=0)).bit_length() + 7) // 8
        as_bytes = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)
        planes.append(as_bytes[:, :width].T.tobytes())
        described.append({"name": name, "difference": by_difference, "width": width})
    return b"".join(planes), described


def _words(operations: Operations, errors: list[str]) -> tuple[bytes, int]:
    """The dictionaries, deflated, and the length at which values were cut."""
    packed, limit = b"", 0
    for limit in _LIMITS:
        words = {
            "values": [inert(json_text(value), limit) for value in operations.values],
            "keys": [key if isinstance(key, str) else json_text(key) for key in operations.keys],
            "names": [name if isinstance(name, str) else json_text(name) for name in operations.names],
            "fs": [str(f) for f in operations.fs],
            "errors": errors,
        }
        for name in ("keys", "names", "fs"):
            words[name] = [inert(word, limit) for word in words[name]]
        packed = _deflate(msgspec.json.encode(words))
        if len(packed) <= WORDS_BYTES_MAX:
            break
    return packed, limit


def _deflate(raw: bytes) -> bytes:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    return squeeze.compress(raw) + squeeze.flush()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
