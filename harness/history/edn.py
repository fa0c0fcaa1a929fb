"""Reads EDN, the notation of Jepsen's `history.edn`, into plain JSON-like values and from there into operations.

A small reader of our own, because a history is hundreds of thousands of small maps: one regular expression finds the
tokens and a stack of open brackets builds the values, so speed is linear and nothing recurses; depth is bounded by
DEPTH_MAX all the same, since those who work with the values do. Keywords and symbols become strings, characters
strings, lists lists, sets lists in one order; a tagged value becomes the value, except that `#inst` and `#uuid` are
strings anyway. Decimals (`1.5M`) and ratios become floats where a float is exactly that. Else they stay strings as they
are written, and so do `##Inf`, `##-Inf` and `##NaN`, which JSON does not have: two values that differ must not become
one.

    >>> read_edn('{:type :ok, :value [1 nil]}').values
    [{'type': 'ok', 'value': [1, None]}]

Jepsen's independent workloads write every client value as `[key value]`. The notation does not say so (Clojure prints
a MapEntry like a vector), so `split_independent` recognises it: every client value is a pair, and there is a read, or
what else has no argument, that was invoked as `[key nil]`.

Limits: no namespaced map syntax, no metadata, no reader conditionals: no history has them.
Source: the EDN specification, https://github.com/edn-format/edn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from harness.op import NEMESIS, Op, canonical

_TOKEN: Final = re.compile(
    r"[\s,]*(?:(?P<keyword>:[^\s,;\"\\\[\](){}]+)|(?P<whole>-?\d+)(?=[\s,\])}]|\Z)|;[^\n]*|\Z"
    r'|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<open>\#?\{|[\[(])|(?P<close>[\])}])|(?P<discard>\#_)"
    r"|(?P<character>\\(?:newline|return|space|tab|formfeed|backspace|u[0-9A-Fa-f]{4}|.))"
    r'|(?P<atom>[^\s,;"\\\[\](){}]+)|(?P<broken>.))',
    re.DOTALL,
)
_CLOSES: Final = {"{": "}", "#{": "}", "[": "]", "(": ")"}
_WORDS: Final[dict[str, Any]] = {
    "nil": None,
    "true": True,
    "false": False,
    **{word: word for word in ("##Inf", "##-Inf", "##NaN")},
}
_CHARACTERS: Final = {"newline": "\n", "return": "\r", "space": " ", "tab": "\t", "formfeed": "\f", "backspace": "\b"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NUMBER: Final = re.compile(r"[+-]?\d+(?:(?P<float>(?:\.\d*)?(?:[eE][+-]?\d+)?M?)|N|/(?P<divisor>\d+))$")

DEPTH_MAX: Final = 400
"""Brackets that may be open at once."""


class EdnError(Exception):
    """A place in the text where EDN cannot go on: character `offset`, and what is wrong there."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(problem)
        self.offset, self.problem = offset, problem


class Located(dict[Any, Any]):
    """A map near the top of the file that remembers where it began: an operation."""

    offset: int = 0


class Pair(list[Any]):
    """`[key value]` that the file itself calls a tuple of an independent history."""


@dataclass(frozen=True)
class Edn:
    """Values of a text, in order, and where the text was cut off inside a value (None when it was not)."""

    values: list[Any]
    cut_at: int | None


@dataclass(slots=True)
class _Frame:
    """An open bracket, or a tag or `#_` that waits for its value."""

    kind: str
    offset: int
    items: list[Any]


def read_edn(text: str) -> Edn:
    """All values of a text. A text that ends inside a top-level vector keeps the elements that are whole.

    Raises:
        EdnError: anything else that is wrong.
    """
    root = _Frame("", 0, [])
    stack = [root]
    keywords: dict[str, str] = {}
    for match in _TOKEN.finditer(text):
        sort = match.lastgroup
        if sort is None:
            continue
        written = match[sort]
        if sort == "keyword":
            # A history repeats few keywords often: each is one string in memory.
            _add(stack, keywords.setdefault(written, written[1:]))
            continue
        offset = match.start(sort)
        if sort == "whole":
            _add(stack, _whole(written, offset))
        elif sort == "atom" and written[0] == "#" and written not in _WORDS:
            stack.append(_Frame(written, offset, []))
        elif sort == "atom":
            _add(stack, _atom(written, offset))
        elif sort in {"open", "discard"}:
            if len(stack) > DEPTH_MAX:
                raise EdnError(offset, f"found more than {DEPTH_MAX} brackets open at once")
            stack.append(_Frame(written, offset, []))
        elif sort == "close":
            _close(stack, written, offset)
        elif sort == "string":
            _add(stack, _unquoted(written[1:-1]))
        elif sort == "character":
            _add(stack, _character(written[1:]))
        elif '"' not in text[offset + 1 :]:
            return _cut_off(stack, text)  # a string that never ends: the file was cut inside it
        else:
            raise EdnError(offset, f"found {written!r}")
    return Edn(root.items, None) if len(stack) == 1 else _cut_off(stack, text)


def _cut_off(stack: list[_Frame], text: str) -> Edn:
    """What is whole of a text that ends too early.

    Raises:
        EdnError: what is not closed goes on over later operations, so that it is no file that was cut off.
    """
    root, offset = stack[0], len(text)
    whole = len(stack) > 1 and stack[1].kind in {"[", "("} and not root.items
    for frame in stack[1 + whole : 2 + whole]:
        column = frame.offset - (text.rfind("\n", 0, frame.offset) + 1)
        if re.search(rf"\n[ ]{{{column}}}\{{", text[frame.offset :]):
            raise EdnError(frame.offset, f"found {frame.kind!r} that is not closed before the next operation begins")
    return Edn([stack[1].items] if whole else root.items, offset)


def _close(stack: list[_Frame], written: str, offset: int) -> None:
    frame = stack[-1]
    if _CLOSES.get(frame.kind) != written:
        wanted = f"the {_CLOSES.get(frame.kind, 'value')!r} of {frame.kind!r}" if frame.kind else "a value"
        raise EdnError(offset, f"found {written!r}, wanted {wanted}")
    stack.pop()
    if frame.kind != "{":
        _add(stack, _in_order(frame.items) if frame.kind == "#{" else frame.items)
        return
    if len(frame.items) % 2:
        raise EdnError(frame.offset, "found a map with a key and no value")
    near_top = len(stack) <= 2 or sum(1 for f in stack if f.kind[:1] != "#") <= 2
    made: dict[Any, Any] = Located() if near_top else {}
    for key, value in zip(frame.items[::2], frame.items[1::2], strict=True):
        made[key if type(key) is str else _as_text(key)] = value
    if isinstance(made, Located):
        made.offset = frame.offset
    _add(stack, made)


def _in_order(elements: list[Any]) -> list[Any]:
    """The elements of a set in one order, so that equal sets are equal lists."""
    if all(type(element) is int for element in elements):
        return sorted(elements)
    return sorted(elements, key=canonical)


def _add(stack: list[_Frame], value: Any) -> None:
    """Give a value to the innermost bracket, after the tags that wait for it have had it."""
    while (tag := stack[-1].kind)[:1] == "#" and tag != "#{":
        stack.pop()
        if tag == "#_":
            return
        if tag.rsplit("/")[-1].rsplit(".")[-1].lower() in {"tuple", "mapentry"} and _is_pair(value):
            value = Pair(value)
    stack[-1].items.append(value)


def _atom(written: str, offset: int) -> Any:
    if written in _WORDS:
        return _WORDS[written]
    first = written[0]
    if first.isdigit() or (first in "+-" and len(written) > 1 and written[1].isdigit()):
        return _number(written, offset)
    return written


def _number(written: str, offset: int) -> int | float | str:
    match = _NUMBER.match(written)
    if match is None:
        raise EdnError(offset, f"found {written[:40]!r}, wanted a number")
    if match["divisor"]:
        whole, _, divisor = written.partition("/")
        if _whole(divisor, offset) == 0:
            raise EdnError(offset, f"found {written[:40]!r}, wanted a number")
        return _ratio(Fraction(_whole(whole, offset), _whole(divisor, offset)))
    if written.endswith("M"):
        return _decimal(written[:-1])
    return float(written) if match["float"] else _whole(written.rstrip("N"), offset)


def _whole(written: str, offset: int) -> int:
    try:
        return int(written)
    except ValueError as error:
        raise EdnError(offset, f"found a number of {len(written):,} digits, wanted a shorter one") from error


def _ratio(exact: Fraction) -> int | float | str:
    if exact.denominator == 1:
        return exact.numerator
    try:
        near = exact.numerator / exact.denominator
    except OverflowError:
        return str(exact)
    return near if Fraction(near) == exact else str(exact)


def _decimal(written: str) -> float | str:
    """As a float, if that is written with the same digits."""
    near = float(written)
    return near if Decimal(repr(near)) == Decimal(written) else f"{written}M"


def _unquoted(inside: str) -> str:
    if "\\" not in inside:
        return inside

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", plain, inside, flags=re.DOTALL)


def _character(name: str) -> str:
    return chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else _CHARACTERS.get(name, name)


def _as_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


# ── from values to operations ────────────────────────────────────────────────────────────────────────────────────────


def operations_of(edn: Edn) -> list[Any]:
    """The operation maps of a history, written as one vector or as one map after another."""
    values = edn.values
    if len(values) == 1 and isinstance(values[0], list):
        return list(values[0])
    return values


def split_independent(ops: Sequence[Op]) -> list[Op]:
    """Move the key out of `[key value]` where the history is one of independent keys; see the module docstring."""
    clients = [op for op in ops if op.process != NEMESIS]
    tagged = any(isinstance(op.value, Pair) for op in clients)
    if not tagged and not _looks_independent(clients):
        return list(ops)
    return [
        msgspec.structs.replace(op, key=op.value[0], value=op.value[1])
        if op.process != NEMESIS
        and op.key is None
        and _is_pair(op.value)
        and (isinstance(op.value, Pair) or not tagged)
        else op
        for op in ops
    ]


_ASKS: Final = ("read", "get", "dequeue", "pop", "drain", "acquire")
"""What is asked for without a value of its own."""


def _looks_independent(clients: Sequence[Op]) -> bool:
    pairs = all(op.key is None and _is_pair(op.value) for op in clients)
    return pairs and any(tells_of_a_key(op, *op.value) for op in clients)


def tells_of_a_key(op: Op, key: Any, value: Any) -> bool:
    """Whether an operation whose value is written as `[key value]` shows that it is such a pair, and no other list."""
    return op.f in _ASKS and op.type == "invoke" and value is None and not isinstance(key, list | dict)
