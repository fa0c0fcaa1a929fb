"""The process fault surface on this machine: one server per node, a process group of its own, struck by signals.

A server ends with the harness, even with one that is killed (`workers.end_with`). State comes from /proc.

Limits: Linux. A server that forks into another session escapes; none of ours does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from harness.errors import InfrastructureError
from harness.protocols import ProcessState
from harness.workers import end_with

TRIES: Final = 500
PAUSE_S: Final = 0.01
_PROC: Final = Path("/proc")


class LocalProcesses:
    """Implements `harness.protocols.Processes`.

    Attributes:
        commands: each node's command line; logs: the file to which its output is added.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], logs: Mapping[str, Path]) -> None:
        self.commands, self.logs = dict(commands), dict(logs)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self, node: str) -> None:
        """Start it unless it runs; returns when there is a process, which need not serve yet."""
        if await self.state(node) == "stopped":
            self._running[node] = self._spawn(node)

    async def kill(self, node: str) -> None:
        """SIGKILL to its process group; returns when it is gone."""
        self._strike(node, signal.SIGKILL)
        await self._until(node, "stopped")

    async def pause(self, node: str) -> None:
        """SIGSTOP to its process group; returns when it has stopped."""
        if await self.state(node) == "running":
            self._strike(node, signal.SIGSTOP)
            await self._until(node, "paused", "stopped")

    async def resume(self, node: str) -> None:
        """SIGCONT to its process group."""
        if await self.state(node) == "paused":
            self._strike(node, signal.SIGCONT)
            await self._until(node, "running", "stopped")

    async def state(self, node: str) -> ProcessState:
        """As /proc has it."""
        return self._state(node)

    def end_all(self) -> None:
        """Kill every server and collect it."""
        for node, process in self._running.items():
            self._strike(node, signal.SIGKILL)
            process.wait(TRIES * PAUSE_S)

    def _state(self, node: str) -> ProcessState:
        process = self._running.get(node)
        if process is None or process.poll() is not None:
            return "stopped"
        try:
            letter = (_PROC / str(process.pid) / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return "stopped"
        return "paused" if letter in "Tt" else "running"

    def _spawn(self, node: str) -> subprocess.Popen[bytes]:
        with self.logs[node].open("ab") as log:
            try:
                return subprocess.Popen(  # noqa: S603 - the system's own command line
                    self.commands[node],
                    cwd=self.logs[node].parent,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=partial(end_with, os.getpid()),
                )
            except OSError as error:
                raise InfrastructureError(f"{node}: its server cannot be started: {error}.") from error

    def _strike(self, node: str, number: int) -> None:
        process = self._running.get(node)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    async def _until(self, node: str, *wanted: ProcessState) -> None:
        for _ in range(TRIES):
            if self._state(node) in wanted:
                return
            await asyncio.sleep(PAUSE_S)
        raise InfrastructureError(f"{node}: its server is still {self._state(node)} after {TRIES * PAUSE_S:g} s.")
