"""The commands of this machine that the ground `local` uses: `ip` and, inside a namespace, `iptables-restore`.

Arguments are lists, never shell text. A command has a deadline, and a failure says what was run and what came back.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from harness.errors import InfrastructureError

TIMEOUT_S: Final = 10.0
SEARCH_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Users' search paths often lack the folders of system programs."""


def found(program: str) -> str | None:
    """Where a program is, or None."""
    return shutil.which(program) or shutil.which(program, path=SEARCH_PATH)


def run(arguments: Sequence[str], *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, whatever its exit status.

    Raises:
        InfrastructureError: there is no such program, or it did not end in time.
    """
    program = found(arguments[0])
    if program is None:
        raise InfrastructureError(f"There is no program {arguments[0]!r} on this machine.")
    try:
        return subprocess.run(  # noqa: S603 - a list, of our own making
            [program, *arguments[1:]], input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"`{' '.join(arguments)}` did not end within {TIMEOUT_S:g} s.") from error


def check(arguments: Sequence[str], *, stdin: bytes = b"") -> str:
    """Run a command that must succeed; returns its output.

    Raises:
        InfrastructureError: as `run`, and when the exit status is not 0.
    """
    done = run(arguments, stdin=stdin)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        told = f": {said[-1]}" if said else ""
        raise InfrastructureError(f"`{' '.join(arguments)}` ended with status {done.returncode}{told}.")
    return done.stdout.decode(errors="replace")


def remove_namespace(name: str) -> bool:
    """Remove a network namespace; returns whether it was there."""
    return found("ip") is not None and run(["ip", "netns", "delete", name]).returncode == 0


def remove_link(name: str) -> bool:
    """Remove a network interface; returns whether it was there."""
    return found("ip") is not None and run(["ip", "link", "delete", name]).returncode == 0
