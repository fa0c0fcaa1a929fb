"""Two more ways to run commands on a node than SSH: the engine's own exec, and entering its namespaces from outside.

Both fit `Remote`. Exec needs nothing but the engine, and takes some 50 ms a command; entering takes some 2 ms, and
needs root on the engine's machine. What is started joins the container's control groups, so that limits hold for it.

Limits: a command past its deadline goes on running on the node when it was run by exec.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final

from docker import DockerClient
from docker.utils.socket import frames_iter

from harness.docker_ground.engine import FAILURES, plain
from harness.docker_ground.host import IN_CONTAINER, Host
from harness.errors import RemoteError
from harness.ssh import OUTPUT_BYTES_MAX, Completed, shorten

JOIN: Final = 'for group; do shift; [ "$group" = -- ] && break; echo $$ >"$group/cgroup.procs"; done; exec "$@"'
"""Joins control groups, then becomes what comes after --."""
GRACE_S: Final = 1.0


class ThreadedRemote:
    """Implements `control.Remote` on a call that blocks: (arguments, stdin, seconds) → what it came to."""

    def __init__(self, node: str, call: Callable[[Sequence[str], bytes, float], Completed], threads: Executor) -> None:
        self._node, self._call, self._threads = node, call, threads

    async def run(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> Completed:
        """Run a command, whatever its exit status.

        Raises:
            RemoteError: no end before the deadline, or the way is closed.
        """
        work = partial(self._call, list(arguments), stdin, timeout_s)
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise RemoteError(self._node, shorten(shlex.join(arguments)), None) from error

    async def check(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> str:
        """Run a command that must succeed.

        Raises:
            RemoteError: as `run`, and when the exit status is not 0.
        """
        done = await self.run(arguments, timeout_s=timeout_s, stdin=stdin)
        if done.status != 0:
            raise RemoteError(self._node, shorten(shlex.join(arguments)), done.status, done.errors or done.output)
        return done.output

    def is_connected(self) -> bool:
        """There is no connection; a node that is gone is found out when it does not answer."""
        return True

    def close(self) -> None:
        """Nothing is open."""


def enter(host: Host, arguments: Sequence[str], stdin: bytes, timeout_s: float) -> Completed:
    """Run a command in a container's namespaces and control groups."""
    if not host.is_here():
        raise RemoteError(host.node, shorten(shlex.join(arguments)), None, "its container is not on this machine")
    groups = [str(group) for group in host.cgroups()]
    inside = ["nsenter", "--target", str(host.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--", *arguments]
    words = ["sh", "-c", JOIN, "join", *groups, "--", *inside]
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments, and no shell text from data)
            words, input=stdin, capture_output=True, timeout=timeout_s, env=IN_CONTAINER, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RemoteError(host.node, shorten(shlex.join(arguments)), None) from error
    return Completed(done.returncode, _text(done.stdout), _text(done.stderr))


def execute(
    client: DockerClient, node: str, container: str, arguments: Sequence[str], stdin: bytes, timeout_s: float
) -> Completed:
    """Run a command by the engine's exec."""
    try:
        made = client.api.exec_create(container, list(arguments), stdin=True)["Id"]
        wire = client.api.exec_start(made, socket=True)
        output = _talk(wire, stdin, timeout_s)
        status = client.api.exec_inspect(made)["ExitCode"]
    except (*FAILURES, OSError) as error:
        reason = "" if isinstance(error, TimeoutError) else plain(error)
        raise RemoteError(node, shorten(shlex.join(arguments)), None, reason) from error
    return Completed(status, _text(output[1]), _text(output[2]))


def _talk(wire: Any, stdin: bytes, timeout_s: float) -> dict[int, bytearray]:
    """Send standard input to its end, and take both streams to theirs."""
    talk: socket.socket = getattr(wire, "_sock", wire)
    output = {1: bytearray(), 2: bytearray()}
    sending = threading.Thread(target=_send, args=(talk, stdin), daemon=True)
    try:
        talk.settimeout(timeout_s)
        sending.start()  # beside reading: a command may say much before it has heard all
        for stream, data in frames_iter(wire, tty=False):  # type: ignore[no-untyped-call]  # the SDK has no types
            output[stream] += data[: max(0, OUTPUT_BYTES_MAX - len(output[stream]))]
    finally:
        wire.close()
        talk.close()  # the SDK keeps the response that it took this from
    return output


def _send(talk: socket.socket, stdin: bytes) -> None:
    with contextlib.suppress(OSError):  # a command need not listen to its end
        talk.sendall(stdin)
        talk.shutdown(socket.SHUT_WR)


def _text(data: bytes | bytearray) -> str:
    return bytes(data[:OUTPUT_BYTES_MAX]).decode(errors="replace")
