"""What root on the engine's machine can do to a container from outside: its namespaces, its files, its control groups.

    host = Host("n1", container_id, pid)
    host.enter("mount", ["mount", "-o", "remount,ro", "/var/lib/splitbrain"])

Nothing is started inside the container for it and it needs no capability there, so it works on a node whose disk hangs.
Everything blocks. Commands are lists of arguments.

Limits: the engine must run on this machine, and its processes be visible here (`why_not` tells).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.docker_ground.owner import PROC
from harness.errors import InfrastructureError

TIMEOUT_S: Final = 20.0
CGROUPS: Final = Path("/sys/fs/cgroup")
PROGRAMS: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IN_CONTAINER: Final = {"PATH": PROGRAMS, "LC_ALL": "C"}


@dataclass(frozen=True)
class Host:
    """This machine's view of one node's container."""

    node: str
    container: str
    pid: int

    def path(self, inside: str) -> Path:
        """A path of the container, as this machine reaches it."""
        return PROC / str(self.pid) / "root" / inside.lstrip("/")

    def enter(self, namespaces: Sequence[str], arguments: Sequence[str], stdin: bytes = b"") -> str:
        """Run one of the container's own programs in some of its namespaces ("mount", "net", ...).

        Raises:
            InfrastructureError: it failed, or took longer than TIMEOUT_S; with its last words.
        """
        words = ["nsenter", "--target", str(self.pid), *(f"--{name}" for name in namespaces), "--", *arguments]
        return command(self.node, words, stdin)

    def cgroup(self, controller: str) -> Path:
        """The folder of the container's control group: of version 2, or that of the controller in version 1.

        Raises:
            InfrastructureError: the container has none.
        """
        for line in self._groups():
            number, controllers, path = line.split(":", 2)
            if number == "0" and (CGROUPS / "cgroup.controllers").exists():
                return CGROUPS / path.lstrip("/")
            if controller in controllers.split(","):
                return CGROUPS / controller / path.lstrip("/")
        raise InfrastructureError(f"{self.node}: its container has no control group of {controller}.")

    def cgroups(self) -> list[Path]:
        """The folders of all its control groups, where a process is put into each."""
        if (CGROUPS / "cgroup.controllers").exists():
            return [self.cgroup("")]
        found = []
        for line in self._groups():
            _, controllers, path = line.split(":", 2)
            folder = CGROUPS / (controllers.removeprefix("name=") or "unified") / path.lstrip("/")
            if folder.is_dir():
                found.append(folder)
        return found

    def is_here(self) -> bool:
        """Whether the engine's number of the process means that very container on this machine."""
        return any(self.container in line for line in self._groups())

    def _groups(self) -> list[str]:
        try:
            return (PROC / str(self.pid) / "cgroup").read_text().splitlines()
        except OSError:
            return []


def why_not() -> str | None:
    """Why this process cannot do anything to containers from outside; None if it can, as far as can be told here."""
    return None if os.geteuid() == 0 else "the harness is not root on the engine's machine; run it as root there"


def command(node: str, arguments: Sequence[str], stdin: bytes = b"") -> str:
    """Run a program of this machine, and return its output; errors as for `Host.enter`."""
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments, and no shell)
            list(arguments), input=stdin, capture_output=True, timeout=TIMEOUT_S, env=IN_CONTAINER, check=False
        )
    except FileNotFoundError as error:
        raise InfrastructureError(f"{node}: the program {arguments[0]} is not on this machine; install it.") from error
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"{node}: `{' '.join(arguments)}` did not end within {TIMEOUT_S:g} s.") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())[:300]
        raise InfrastructureError(f"{node}: `{' '.join(arguments)}` gave exit status {done.returncode}: {said}.")
    return done.stdout.decode(errors="replace")
