"""Parsing arguments: argparse, with our exit code and our sentences."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import UsageError, nearest

if TYPE_CHECKING:
    from harness.plan import Setting
    from harness.protocols import Option


class Choices:
    """Words to choose from, found only when somebody chooses or asks for help; give the argument a `metavar`."""

    def __init__(self, find: Callable[[], Sequence[str]]) -> None:
        self._find = find

    def __contains__(self, word: object) -> bool:
        return word in self._find()

    def __iter__(self) -> Iterator[str]:
        return iter(self._find())


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of exiting, and names the nearest option for a typo."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Bad arguments: one sentence."""
        if (typo := re.match(r"unrecognized arguments: (--[\w-]+)", message)) is not None:
            known = [option for action in self._actions for option in action.option_strings]
            raise UsageError(f"{self.prog}: there is no option {typo[1]!r}.{nearest(typo[1], known)}")
        choice = re.match(r"argument ([^:]+): invalid choice: '?(.*?)'? \(choose from (.*)\)", message)
        if choice is not None:
            known = [word.strip(" '") for word in choice[3].split(",")]
            raise UsageError(f"{self.prog}: {choice[1]} cannot be {choice[2]!r}.{nearest(choice[2], known)}")
        raise UsageError(f"{self.prog}: {message}.")


def add_options(parser: argparse.ArgumentParser, title: str, options: Sequence[Option]) -> None:
    """Add the switches of a system or a workload as a group of their own."""
    group = parser.add_argument_group(title)
    for option in options:
        kind: Any = parse_truth if isinstance(option.default, bool) else type(option.default)
        default = str(option.default).lower() if isinstance(option.default, bool) else option.default
        group.add_argument(
            flag(option.name),
            dest=f"option:{option.name}",
            type=kind,
            choices=option.choices or None,
            metavar=None if option.choices else type(option.default).__name__.upper(),
            help=f"{option.help} (default: {default})",
        )


def given_options(given: argparse.Namespace) -> dict[str, Setting]:
    """The switches of `add_options` that were typed, by name."""
    return {
        name.removeprefix("option:"): value
        for name, value in vars(given).items()
        if name.startswith("option:") and value is not None
    }


def flag(name: str) -> str:
    """The flag of a switch: `heartbeat_ms` is `--heartbeat-ms`."""
    return f"--{name.replace('_', '-')}"


def parse_truth(text: str) -> bool:
    """true or false."""
    truths = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
    if text.lower() not in truths:
        raise argparse.ArgumentTypeError(f"wanted true or false, found {text!r}")
    return truths[text.lower()]


def positive(text: str) -> float:
    """A number above zero."""
    return _number(text, above=0.0)


def not_negative(text: str) -> float:
    """A number of at least zero."""
    return _number(text, above=-1e-12)


def share(text: str) -> float:
    """A number above zero, up to one."""
    number = _number(text, above=0.0)
    if number > 1:
        raise argparse.ArgumentTypeError(f"wanted a share above 0 and up to 1, found {text!r}")
    return number


def count(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wanted a whole number of at least 1, found {text!r}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them; "none" is no name."""
    return tuple(name for name in text.split(",") if name and name != "none")


def settings(text: str) -> dict[str, Setting]:
    """Names and values: a=1,b=x."""
    pairs = [word.partition("=") for word in text.split(",") if word]
    wrong = next((name for name, equals, value in pairs if not (name and equals and value)), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"wanted name=value, with commas between them, found {wrong!r}")
    return {name: value for name, _, value in pairs}


def _number(text: str, above: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not above < number < 1e9:
        raise argparse.ArgumentTypeError(f"wanted a number above {max(above, 0):g}, found {text!r}")
    return number
