"""The scenario language: one step a line, in words; what must come of it stands beside it after an arrow.

    A lost acknowledged write                     the title: the first line
    nodes 3                                       settings: nodes, workload, seed, timeout, and any switch as
    with replication async, read leader           `with NAME VALUE, ...`

    call the leader A
    write x=1 by alice on A           -> done     also: refused, unknown
    read x by bob on B                -> 1        also: nothing
    cut A from all                                also: cut A from B; cut A off, one way: nobody hears A
    heal
    kill A; pause A; power off A; start A; resume A
    set the clock of A by -500 ms
    wait 300 ms
    elect                                         until somebody else leads than did before
    meanwhile write x=2 by carol on A -> unknown  begun, and not waited for until the end or `join`
    join
    when A has acknowledged, cut A from all       the next success that A tells a client of; also: when A is elected
    expect lost-write                             an anomaly or a guarantee; or: expect nothing broken

`#` begins a remark. Names are of nodes (n1, n2, ...), or given with `call`: `the leader`, `a follower`, `another
follower`. Keys and values are words or whole numbers.

>>> parse("A story\\nwrite x=1 by alice on n1 -> done\\nexpect nothing broken").steps[0].words["key"]
'x'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from harness.errors import UsageError, nearest
from harness.plan import Setting

NAME: Final = r"[A-Za-z][\w-]*"

FORMS: Final = {
    "call": rf"call (?P<whom>the leader|a follower|another follower|{NAME}) (?P<name>{NAME})",
    "write": rf"write (?P<key>{NAME})\s*=\s*(?P<value>-?\w+) by (?P<client>{NAME})(?: on (?P<node>{NAME}))?",
    "read": rf"read (?P<key>{NAME}) by (?P<client>{NAME})(?: on (?P<node>{NAME}))?",
    "cut": rf"cut (?P<node>{NAME}) from (?P<other>all|{NAME})",
    "cut off": rf"cut (?P<node>{NAME}) off, one way",
    "heal": r"heal",
    "kill": rf"kill (?P<node>{NAME})",
    "pause": rf"pause (?P<node>{NAME})",
    "power off": rf"power off (?P<node>{NAME})",
    "start": rf"start (?P<node>{NAME})",
    "resume": rf"resume (?P<node>{NAME})",
    "clock": rf"set the clock of (?P<node>{NAME}) by (?P<amount>[+-]?\d+) ms",
    "wait": r"wait (?P<amount>\d+) ms",
    "elect": r"elect",
    "join": r"join",
    "expect": rf"expect (?P<what>nothing broken|{NAME})",
}
"""Every kind of step, and how it is told."""
ASKING: Final = ("write", "read")
WHEN: Final = re.compile(rf"when (?P<node>{NAME}) (?P<event>has acknowledged|is elected), (?P<rest>.+)")
SETTINGS: Final = {"nodes": r"\d+", "workload": NAME, "seed": r"\d+", "timeout": r"\d+ ms"}


class ScenarioError(UsageError):
    """A line of a scenario is not understood."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: of `FORMS`; words: its parts by name; line: its number in the file; text: the line.
        expected: what stands after the arrow; None when nothing does.
        meanwhile: whether it is not waited for; when: (node, event) before which it does not begin.
    """

    kind: str
    words: dict[str, str]
    line: int
    text: str
    expected: str | None = None
    meanwhile: bool = False
    when: tuple[str, str] | None = None


@dataclass(frozen=True)
class Scenario:
    """A parsed file.

    Attributes:
        title: its first line; nodes, workload, seed, timeout_s: its settings; options: its switches, as text.
        steps: in order.
    """

    title: str
    steps: tuple[Step, ...]
    nodes: int = 3
    workload: str = "register"
    seed: int = 1
    timeout_s: float = 2.0
    options: dict[str, str] = field(default_factory=dict)


def parse(text: str, name: str = "scenario") -> Scenario:
    """Read a scenario.

    Raises:
        ScenarioError: naming the line, what was found and what was wanted.
    """
    lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise ScenarioError(f"{name}: the file is empty; its first line is the title.")
    found: dict[str, str] = {}
    options: dict[str, str] = {}
    steps: list[Step] = []
    for number, line in lines[1:]:
        where = f"{name}, line {number}"
        if line.startswith("with "):
            options |= _switches(line.removeprefix("with "), where)
        elif (setting := _setting(line, where)) is not None:
            if steps:
                raise ScenarioError(f"{where}: settings stand before the first step, found {line!r}.")
            found |= setting
        else:
            steps.append(_step(line, number, where))
    if not any(step.kind == "expect" for step in steps):
        raise ScenarioError(f"{name}: there is no `expect`; say what is broken in the end, or `expect nothing broken`.")
    return Scenario(
        lines[0][1],
        tuple(steps),
        int(found.get("nodes", "3")),
        found.get("workload", "register"),
        int(found.get("seed", "1")),
        int(found.get("timeout", "2000 ms").split()[0]) / 1000,
        options,
    )


def _setting(line: str, where: str) -> dict[str, str] | None:
    word, _, value = line.partition(" ")
    if word not in SETTINGS:
        return None
    if re.fullmatch(SETTINGS[word], value) is None:
        raise ScenarioError(f"{where}: {word} wants {SETTINGS[word]}, found {value!r}.")
    return {word: value}


def _switches(text: str, where: str) -> dict[str, str]:
    pairs = [part.split() for part in text.split(",")]
    for pair in pairs:
        if len(pair) != 2:
            raise ScenarioError(f"{where}: `with` wants NAME VALUE, with commas between; found {' '.join(pair)!r}.")
    return {name.replace("-", "_"): value for name, value in pairs}


def _step(line: str, number: int, where: str) -> Step:
    text, arrow, expected = line.partition("->")
    text = text.strip()
    when, meanwhile = None, False
    if (waits := WHEN.fullmatch(text)) is not None:
        when, text = (waits["node"], waits["event"]), waits["rest"]
    if text.startswith("meanwhile "):
        meanwhile, text = True, text.removeprefix("meanwhile ")
    for kind, form in FORMS.items():
        if (match := re.fullmatch(form, text)) is not None:
            if (arrow or meanwhile) and kind not in ASKING:
                raise ScenarioError(f"{where}: only a read or a write has an outcome or goes on meanwhile: {line!r}.")
            words = {part: value for part, value in match.groupdict().items() if value is not None}
            return Step(kind, words, number, line, expected.strip() if arrow else None, meanwhile, when)
    raise ScenarioError(f"{where}: not understood: {line!r}.{_hint(text)}")


def _hint(text: str) -> str:
    first = text.split()[0] if text else ""
    for kind, form in FORMS.items():
        if kind.split()[0] == first:
            plain = re.sub(r"\(\?P<(\w+)>(?:[^()]|\[[^\]]*\])*\)", lambda part: part[1].upper(), form)
            return f" Wanted: {re.sub(r'[(][?]:|[)][?]|.s[*]', '', plain)}"
    return nearest(first, {kind.split()[0] for kind in FORMS})


def typed(options: dict[str, str], defaults: dict[str, Setting], name: str) -> dict[str, Setting]:
    """The switches, with the types of their defaults.

    Raises:
        ScenarioError: there is no such switch, or its value is of another type.
    """
    result = dict(defaults)
    for option, text in options.items():
        if option not in defaults and option.replace("_", "-") in defaults:
            option = option.replace("_", "-")
        if option not in defaults:
            raise ScenarioError(f"{name}: there is no switch {option!r}.{nearest(option, defaults)}")
        default = defaults[option]
        try:
            result[option] = text == "true" if isinstance(default, bool) else type(default)(text)
        except ValueError as error:
            raise ScenarioError(f"{name}: {option} wants {type(default).__name__}, found {text!r}.") from error
    return result


def names(steps: Iterable[Step]) -> set[str]:
    """The clients that appear."""
    return {step.words["client"] for step in steps if "client" in step.words}
