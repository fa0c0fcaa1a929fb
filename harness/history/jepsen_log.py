"""Reads the operations out of a log of `jepsen.util`, the form in which Porcupine keeps its register histories.

One line is one event: process, type, function and value, with tabs or blanks between them; other lines are left out.

    INFO  jepsen.util - 3	:invoke	:cas	[1 2]
    INFO  jepsen.util - 3	:info	:cas	:timed-out

A keyword in the place of the value is an error ("timed-out"), a value after it the same. Such a log has one register, a
failed compare-and-set means by Porcupine's convention that the register held something else.

    >>> [(line, op.f) for line, op in read_jepsen_log("INFO  jepsen.util - 4\\t:invoke\\t:read\\tnil\\n")]
    [(1, 'read')]

Source: https://github.com/anishathalye/porcupine, test_data/jepsen.
"""

from __future__ import annotations

import re
from typing import Any, Final

from harness.history.edn import EdnError, read_edn
from harness.op import NEMESIS, Op

_EVENT: Final = re.compile(
    r"^.*?\bjepsen\.util\b[\s:-]+(?P<process>\d+|:nemesis)\s+"
    r":(?P<type>invoke|ok|fail|info)\s+:(?P<f>\S+)[ \t]*(?P<rest>.*)$"
)


_ODD: Final = re.compile(r"^.*?\bjepsen\.util\b[\s:-]+(?P<process>\S+)\s+(?P<type>:\w+)\s+:[a-z]\S*(?:[ \t]|$)")
"""What looks like an event but for its process or its type."""


class LogError(Exception):
    """A line that names an event but cannot be understood: its number and what is wrong."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, problem


def looks_like_jepsen_log(text: str) -> bool:
    """Whether a line near the top is an event of such a log."""
    return any(_EVENT.match(line) for line in text.splitlines()[:200])


def read_jepsen_log(text: str) -> list[tuple[int, Op]]:
    """Its events with the numbers of their lines, in file order.

    Raises:
        LogError: a value is not EDN, or a line is an event but for one of its words.
    """
    found = ((number, _event(number, line)) for number, line in enumerate(text.splitlines(), 1))
    return [(number, op) for number, op in found if op is not None]


def _event(number: int, line: str) -> Op | None:
    match = _EVENT.match(line)
    if match is None:
        odd = _ODD.match(line)
        if odd is not None:
            found = f"process {odd['process']} and type {odd['type']}"
            raise LogError(number, f"found {found}; wanted a number or :nemesis, and :invoke, :ok, :fail or :info")
        return None
    try:
        edn = read_edn(match["rest"])
    except EdnError as error:
        raise LogError(number, f"its value is not EDN: {error.problem}") from error
    if edn.cut_at is not None:
        raise LogError(number, f"its value is not EDN: {match['rest'][:40]!r} ends too early")
    values = edn.values
    process: Any = NEMESIS if match["process"] == ":nemesis" else int(match["process"])
    value, complaint = _value_and_error(match["rest"], values)
    if match["type"] in {"invoke", "ok"}:
        value, complaint = (values[0] if values else None), None  # what follows is a remark, as of Porcupine's hints
    return Op(process=process, type=match["type"], f=match["f"], value=value, error=complaint)  # type: ignore[arg-type]  # the pattern says so


def _value_and_error(written: str, values: list[Any]) -> tuple[Any, str | None]:
    if written.startswith(":"):
        return None, " ".join(map(str, values)) or None
    return (values[0] if values else None), " ".join(map(str, values[1:])) or None
