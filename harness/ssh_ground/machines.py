"""Which machines a cluster runs on, from the command line or a file.

    >>> parse_machine("admin@db1.example:2222")
    Machine(host='db1.example', port=2222, user='admin')

A file has one machine a line; empty lines and what follows `#` are left out. IPv6 addresses are written in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import UsageError

_MACHINE: Final = re.compile(
    r"(?:(?P<user>[^@\s/:]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)


@dataclass(frozen=True)
class Machine:
    """A machine as it was named; port 0 and user "" mean: what ~/.ssh/config says, else 22 and the user's own name."""

    host: str
    port: int = 0
    user: str = ""


def parse_machine(text: str) -> Machine:
    """`[USER@]HOST[:PORT]`.

    Raises:
        UsageError: what was found instead.
    """
    match = _MACHINE.fullmatch(text)
    port = int(match["port"] or 0) if match else 0
    if match is None or port > 65535 or (match["host"] or "").startswith("-"):
        raise UsageError(f"{text!r} is no machine; wanted [USER@]HOST[:PORT].")
    return Machine(match["six"] or match["host"], port, match["user"] or "")


def named(machines: Sequence[Machine]) -> dict[str, Machine]:
    """The machines by names that tell them apart: the host, and the port where one was given."""
    return {f"{one.host}:{one.port}" if one.port else one.host: one for one in machines}


def read_machines(path: Path) -> tuple[Machine, ...]:
    """The machines of a file.

    Raises:
        UsageError: the file cannot be read, has no machine, or a line is none; the line's number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the list of machines cannot be read: {error}.") from error
    machines = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            try:
                machines.append(parse_machine(text))
            except UsageError as error:
                raise UsageError(f"{path}, line {number}: {error}") from error
    if not machines:
        raise UsageError(f"{path}: there is no machine in it; wanted one [USER@]HOST[:PORT] a line.")
    return tuple(machines)
