"""Reads a history file: our own, and what others wrote.

    read_history(Path("store/latest"))                      a run directory: its history.jsonl
    read_history(Path("history.jsonl"))                     ours, or any file with one JSON operation per line
    read_history(Path("history.json"))                      a JSON array of operations
    read_history(Path("history.edn"))                       Jepsen's
    read_history(Path("etcd_002.log"))                      the log of Jepsen's util, as Porcupine keeps its registers

The format is told by the content, not by the name. A line that was cut off at the end of the file is left out and
`History.truncated` says so, because that is how a killed run ends. Every other broken line refuses the file, in one
sentence with the line's number: a history that is silently incomplete invents violations.

What is checked: fields and their types; that every completion has its invocation, and that no process does two things
at a time. Indices are given afresh, 0, 1, 2, ... in file order. Unknown fields are ignored, missing ones have their
defaults.

A long file with one operation per line is read into columns instead, if there is nothing wrong with it: see `columnar`.

Limits: any other file is held in memory (about 200 bytes per event).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import HistoryError
from harness.history.header import Header
from harness.history.history import History
from harness.history.lanes import mended
from harness.history.vocabulary import with_names
from harness.op import NEMESIS, Op

_OPS: Final = msgspec.json.Decoder(Op)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_STRING_KEYS: Final = re.compile(rb'[\[(]?\s*\{\s*"(?:[^"\\]|\\.)*"(?:\s*:(?!true|false|null)[a-zA-Z]|\s+[^\s:])')
"""A map of EDN whose keys are strings: what follows the first is no colon, or a keyword's."""
_AT: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
LONG: Final = 4 << 20
"""Bytes of a file below which reading it plainly is just as good as into columns."""
_CHOICES: Final = {"type": "invoke, ok, fail or info", "fail_cas": "drop, mismatch or returned"}
_SHOWN: Final = 60
"""Characters of a broken value that a message shows."""

Place = Callable[[int], str]
"""Names where an event stands in its file: "line 7"."""


def read_history(path: Path) -> History:
    """Read a history file or a run directory; see the module docstring for the formats.

    Raises:
        HistoryError: one sentence that names the file, the line, the field, what was found and what was wanted.
    """
    path = _file_of(path)
    try:
        history = _read_long(path) if path.stat().st_size >= LONG else None
        if history is not None:
            return history
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise HistoryError(f"{path}: no such file.") from error
    except OSError as error:
        raise HistoryError(f"{path}: the history cannot be read: {error.strerror}.") from error
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    start = raw[:4096].lstrip()
    if not start:
        raise HistoryError(f"{path}: the file is empty; wanted a history.")
    if _STRING_KEYS.match(start):
        return _read_edn(path, raw)
    if re.match(rb'\[\s*(\{\s*["}]|\])', start):
        return _read_array(path, raw)
    if re.match(rb'\{\s*(["}]|$)', start):
        return _read_lines(path, raw)
    if start[:1] in b"[({#;":
        return _read_edn(path, raw)
    if raw[:2] == b"\x1f\x8b":
        raise HistoryError(f"{path}: the file is compressed; wanted a history: unpack it with gunzip first.")
    from harness.history.jepsen_log import looks_like_jepsen_log

    if looks_like_jepsen_log(start.decode("utf-8", errors="replace")):
        return _read_log(path, raw)
    raise HistoryError(
        f"{path}, line 1: found {_shown(start)}; wanted a history: one JSON operation per line, a JSON array of"
        " operations, Jepsen's EDN, or a log of jepsen.util."
    )


def _read_long(path: Path) -> History | None:
    """A long file with one operation per line, in columns; None where it has to be read plainly."""
    from harness.history import columnar

    with path.open("rb") as file:
        first = file.readline(columnar.BLOCK)
        start = file.tell()
    if not re.match(rb'\{\s*"', first):
        return None
    try:
        header = _header(path, first, "line 1")
    except HistoryError:
        return None
    return columnar.read_columns(path, start if header else 0, header or Header())


def _file_of(path: Path) -> Path:
    """The history file of a run directory, or of one of Jepsen's; any other path as it is."""
    if not path.is_dir():
        return path
    ours, theirs = path / "history.jsonl", path / "history.edn"
    return theirs if theirs.exists() and not ours.exists() else ours


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_lines(path: Path, raw: bytes) -> History:
    """One JSON object per line; the first may be a header."""
    whole, cut = _without_cut_line(raw)
    lines_before = len(whole) - len(whole.lstrip())
    first_line = whole.count(b"\n", 0, lines_before) + 1
    first, _, rest = whole[lines_before:].partition(b"\n")
    header = _header(path, first, f"line {first_line}") if first else Header()
    body, body_line = (whole, 1) if header is None else (rest, first_line + 1)

    def place(index: int) -> str:
        filled = [number for number, text in enumerate(body.split(b"\n"), body_line) if text.strip()]
        return f"line {filled[index]}" if len(filled) == len(events) else f"event {index}"

    events = _decode_lines(path, body, body_line, foreign=header is None or header.splitbrain == 0)
    truncated = _truncated(path, whole.count(b"\n") + 1, len(events)) if cut else ""
    return _history(path, header or Header(), events, place, truncated)


def _without_cut_line(raw: bytes) -> tuple[bytes, bool]:
    """The text up to its last whole line, and whether something was left out."""
    end = raw.rfind(b"\n") + 1
    if not raw[end:].strip():
        return raw, False
    try:
        msgspec.json.decode(raw[end:])
    except RecursionError:
        return raw, False
    except _UNREADABLE:
        return raw[:end], True
    return raw, False


def _decode_lines(path: Path, body: bytes, first_line: int, *, foreign: bool) -> list[Op]:
    """All at once; line by line only when that fails, to say which, or to forgive what a foreign file may do."""
    try:
        return _OPS.decode_lines(body)
    except _UNREADABLE:
        lines = enumerate(body.split(b"\n"), first_line)
        return [_op(path, text, f"line {number}", foreign=foreign) for number, text in lines if text.strip()]


def _read_array(path: Path, raw: bytes) -> History:
    """A JSON array of operations; the first element may be a header."""
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except _UNREADABLE as error:
        byte = re.search(r"\(byte (\d+)\)", str(error))
        line = raw.count(b"\n", 0, int(byte[1]) if byte else len(raw)) + 1
        raise HistoryError(f"{path}, line {line}: this is not a whole JSON array: {_problem(error)}.") from error
    places: list[str] = []
    end, line = 0, 1
    for number, item in enumerate(items):
        text = bytes(item)
        start = raw.index(text, end)
        line, end = line + raw.count(b"\n", end, start), start + len(text)
        places.append(f"line {line}, element {number}")
        line += text.count(b"\n")
    header = _header(path, bytes(items[0]), places[0]) if items else None
    skip = 0 if header is None else 1
    events = [_op(path, bytes(items[i]), places[i], foreign=True) for i in range(skip, len(items))]
    return _history(path, header or Header(), events, lambda index: places[index + skip], "")


def _header(path: Path, text: bytes, place: str) -> Header | None:
    """The header, or None when the text is an operation; the two are told apart by their fields."""
    try:
        fields = msgspec.json.decode(text)
        if isinstance(fields, dict) and {"splitbrain", "model", "source"} & fields.keys():
            return msgspec.convert(fields, Header)
    except _UNREADABLE as error:
        raise HistoryError(f"{path}, {place}: {_refusal(text, error, 'a header or an operation')}") from error
    return None


def _op(path: Path, text: bytes, place: str, *, foreign: bool) -> Op:
    """One operation from one JSON object."""
    try:
        fields = msgspec.json.decode(text)
        return msgspec.convert(_forgiven(fields) if foreign else fields, Op)
    except _UNREADABLE as error:
        raise HistoryError(f"{path}, {place}: {_refusal(text, error, 'an operation')}") from error


def _forgiven(fields: Any) -> Any:
    """In a foreign file the fields that decide nothing are taken as they come."""
    if not isinstance(fields, dict):
        return fields
    fields = {name: value for name, value in fields.items() if name != "index"}
    for name in ("f", "process"):
        if fields.get(name, "") is None:
            del fields[name]  # without a name, or of nobody in particular, as other languages write it
    for name in ("error", "node"):
        if not isinstance(fields.get(name), str | None):
            fields[name] = msgspec.json.encode(fields[name]).decode()
    if isinstance(fields.get("time"), float):
        fields["time"] = int(fields["time"])
    return fields


# ── EDN ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_edn(path: Path, raw: bytes) -> History:
    """Jepsen's history.edn: one vector of maps, or one map per line."""
    from harness.history.edn import EdnError, Located, operations_of, read_edn, split_independent

    text = raw.decode("utf-8", errors="replace")

    def line(offset: int) -> str:
        return f"line {text.count(chr(10), 0, offset) + 1}"

    def place(index: int) -> str:
        found = maps[index]
        return line(found.offset) if isinstance(found, Located) else f"element {index}"

    try:
        edn = read_edn(text)
    except EdnError as error:
        raise HistoryError(f"{path}, {line(error.offset)}: this is not EDN: {error.problem}.") from error
    maps = operations_of(edn)
    events: list[Op] = []
    for index, fields in enumerate(maps):
        try:
            events.append(msgspec.convert(_forgiven(fields), Op))
        except msgspec.ValidationError as error:
            raise HistoryError(f"{path}, {place(index)}: {_refusal(fields, error, 'an operation')}") from error
    truncated = "" if edn.cut_at is None else _truncated(path, text.count("\n", 0, edn.cut_at) + 1, len(events))
    return _history(path, Header(), split_independent(events), place, truncated)


def _read_log(path: Path, raw: bytes) -> History:
    """A log of jepsen.util: one register, where a failed compare-and-set is an observation."""
    from harness.history.jepsen_log import LogError, read_jepsen_log

    try:
        events = read_jepsen_log(raw.decode("utf-8", errors="replace"))
    except LogError as error:
        raise HistoryError(f"{path}, line {error.line}: {error.problem}.") from error
    header = Header(model="cas-register", fail_cas="mismatch")
    return _history(path, header, [op for _, op in events], lambda index: f"line {events[index][0]}", "")


# ── checks and messages ──────────────────────────────────────────────────────────────────────────────────────────────


def _history(path: Path, header: Header, events: Sequence[Op], place: Place, truncated: str) -> History:
    """Number the events and check that invocations and completions alternate within each process.

    What others wrote down otherwise is mended, where that is no guess (`lanes`).
    """
    events = with_names(events)
    if truncated and not events and header == Header():
        raise HistoryError(f"{path}, line 1: there is not one whole operation in the file; wanted a history.")
    if header.splitbrain == 0 and _is_odd(events):
        events = mended(events) or events
    numbered: list[Op] = []
    running: dict[int | str, int] = {}
    for index, op in enumerate(events):
        numbered.append(op if op.index == index else msgspec.structs.replace(op, index=index))
        if op.process == NEMESIS:
            continue
        if op.process == -1 and not op.f:
            raise HistoryError(f"{path}, {place(index)}: found neither process nor f; wanted an operation.")
        if op.type != "invoke":
            if running.pop(op.process, None) is None:
                raise HistoryError(
                    f"{path}, {place(index)}: process {op.process} completes {op.f or 'an operation'} as {op.type}"
                    " without having invoked it; wanted an invocation before it."
                )
        elif running.setdefault(op.process, index) != index:
            raise HistoryError(
                f"{path}, {place(index)}: process {op.process} invokes {op.f or 'an operation'} while what it invoked"
                f" in {place(running[op.process])} is still running; wanted one operation at a time."
            )
    return History(header, numbered, truncated)


def _is_odd(events: Sequence[Op]) -> bool:
    """Whether invocations and completions of some process do not alternate."""
    busy: set[int | str] = set()
    for op in events:
        if op.process == NEMESIS:
            continue
        if (op.type == "invoke") == (op.process in busy):
            return True
        (busy.add if op.type == "invoke" else busy.discard)(op.process)
    return False


def _truncated(path: Path, line: int, count: int) -> str:
    return f"{path.name} was cut off inside line {line}; events kept: the {count} before it."


def _refusal(source: Any, error: Exception, wanted: str) -> str:
    """The second half of a message: field, what was found, what was wanted."""
    if isinstance(error, RecursionError):
        return f"its brackets are nested too deeply: found {_shown(source)}; wanted {wanted}."
    if not isinstance(error, msgspec.ValidationError) or "out of range" in str(error):
        return f"this is not JSON ({_problem(error)}): found {_shown(source)}; wanted {wanted}."
    match = _AT.match(str(error))
    assert match is not None
    names = re.findall(r"\w+", match["path"] or "")
    found = msgspec.json.decode(source) if isinstance(source, bytes) else source
    for name in names:
        found = found.get(name) if isinstance(found, dict) else found
    expected = re.match(r"Expected (.*?)(?:, got .*)?$", match["problem"], re.DOTALL)
    wanted = expected[1].replace("`", "") if expected and names else wanted
    wanted = "a whole number that has room in 64 bits" if wanted.startswith("int <=") else wanted
    wanted = _CHOICES.get(names[-1] if names else "", wanted)
    return f"{'field ' + names[0] + ': ' if names else ''}found {_shown(found)}; wanted {wanted}."


def _problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "a byte that is not UTF-8"
    if isinstance(error, RecursionError):
        return "its brackets are nested too deeply"
    return str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0].lower()


def _shown(value: Any) -> str:
    """A value as JSON, short."""
    text = value if isinstance(value, bytes) else msgspec.json.encode(value)
    shown = " ".join(text.decode("utf-8", errors="replace").strip().splitlines())
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
