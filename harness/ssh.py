"""Commands on a node over SSH: one long-lived connection per node, used for containers and machines alike.

    login = RunKey(("10.0.0.2", 22), "root", key, host_key="ssh-ed25519 AAAA...")
    connection = Connection("n1", login, threads=pool)
    completed = await connection.run(["cat", "/proc/7/stat"], timeout_s=5.0)

Why so:

- The socket is our own, with TCP_NODELAY: paramiko's waits for delayed acknowledgements, some 40 ms on every command
  that else takes a few (benchmarks/runs/docker_ground.py measures both).
- A command is a list of arguments, each quoted; no shell text is ever put together from data.
- Every command has a deadline, which holds even where paramiko would wait for ever: past it the connection is dropped,
  and the next command makes a new one.
- Connecting is tried again, a bounded number of times, as long as nothing was sent. A command that was sent is never
  repeated: whether it happened is then unknown, and its caller is told so.
- A `Login` says how a node is reached, whom it may be, and who we are there: a container has the run's own key and a
  pinned host key (`RunKey`); a machine that exists is met as its owner meets it (`harness.ssh_ground.login`).

paramiko blocks, so each command occupies one of the threads handed in.

Limits: a command past its deadline goes on running on the node; of each output stream the first 4 MiB are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import shlex
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.clock import monotonic_ns, sleep_s
from harness.errors import InfrastructureError, RemoteError

BACKOFF_S: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses before each attempt to connect."""
CONNECT_S: Final = 5.0
GRACE_S: Final = 0.5
"""How long after its deadline a command that does not even give up is cut off, with its connection."""
KEEP_ALIVE_S: Final = 5
OUTPUT_BYTES_MAX: Final = 4 << 20
_CHUNK: Final = 65536
# What paramiko has to say of a broken connection is said by the errors below; unheard, it would go to the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Completed:
    """What a command came to: exit status, and both output streams as text."""

    status: int
    output: str
    errors: str


def generate_key() -> paramiko.PKey:
    """A fresh ed25519 key pair that exists in this process' memory only. Paramiko reads such keys but makes none."""
    made = Ed25519PrivateKey.generate()
    text = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return paramiko.Ed25519Key(file_obj=io.StringIO(text.decode()))


def public_line(key: paramiko.PKey, comment: str) -> str:
    """The public half, as a line for `authorized_keys`."""
    return f"{key.get_name()} {key.get_base64()} {comment}"


class Login(Protocol):
    """How to get to a node, and how to be let in. Its methods block."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for messages."""

    def open(self, timeout_s: float) -> Any:
        """A connected socket, or a channel that can stand for one; OSError or SSHException."""

    def distrusts(self, found: paramiko.PKey) -> str:
        """Why a host with this key is not who it should be, as the rest of a sentence; "" when it is."""

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in; AuthenticationException when no key is accepted."""


def open_socket(address: tuple[str, int], timeout_s: float) -> socket.socket:
    """A TCP connection that waits for no delayed acknowledgement."""
    opened = socket.create_connection(address, timeout=timeout_s)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


@dataclass(frozen=True)
class RunKey:
    """Implements `Login` for a node that this run made: one key, and one host key that was read past the network."""

    address: tuple[str, int]
    user: str
    key: paramiko.PKey = field(repr=False)
    host_key: str

    def open(self, timeout_s: float) -> socket.socket:
        """Directly."""
        return open_socket(self.address, timeout_s)

    def distrusts(self, found: paramiko.PKey) -> str:
        """One other key, and nothing is sent."""
        if f"{found.get_name()} {found.get_base64()}" == " ".join(self.host_key.split()[:2]):
            return ""
        return "another SSH host key than the node has; something else took its address"

    def authenticate(self, transport: paramiko.Transport) -> None:
        """By the run's key."""
        transport.auth_publickey(self.user, self.key)


class Connection:
    """The connection to one node. Safe to use from many tasks at once; connects when first used."""

    def __init__(self, node: str, login: Login, *, threads: Executor) -> None:
        self.node, self.login = node, login
        self._threads = threads
        self._transport: paramiko.Transport | None = None
        self._connecting = threading.Lock()
        self._closed = False

    async def run(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> Completed:
        """Run a command and wait for its end, whatever its exit status.

        Raises:
            RemoteError: no connection, or no end before the deadline; whether it happened is then unknown.
            InfrastructureError: the node has another host key than it should.
        """
        command = shlex.join(arguments)
        deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
        work = partial(self._run, command, stdin, deadline_ns)
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            self.drop()
            raise RemoteError(self.node, shorten(command), None) from error

    async def check(self, arguments: Sequence[str], *, timeout_s: float = 10.0, stdin: bytes = b"") -> str:
        """Run a command that must succeed, and return its output.

        Raises:
            RemoteError: as `run`, and when the exit status is not 0.
        """
        completed = await self.run(arguments, timeout_s=timeout_s, stdin=stdin)
        if completed.status != 0:
            said = completed.errors or completed.output
            raise RemoteError(self.node, shorten(shlex.join(arguments)), completed.status, said)
        return completed.output

    def is_connected(self) -> bool:
        """Whether there is a connection now; without one the next command makes one."""
        return self._transport is not None and self._transport.is_active()

    def drop(self) -> None:
        """Cut the connection, ending whatever waits on it; the next command makes a new one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def close(self) -> None:
        """Cut the connection for good; idempotent."""
        self._closed = True
        self.drop()

    # ── on a thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, command: str, stdin: bytes, deadline_ns: int) -> Completed:
        channel = self._open_channel(command, deadline_ns)
        try:
            channel.settimeout(_left_s(deadline_ns))
            if stdin:
                channel.exec_command(command)
                channel.sendall(stdin)
                channel.shutdown_write()
            else:  # to end the input of a command that is over already ends the connection of all others, too
                channel.exec_command(f"{command} </dev/null")
            output = _read(channel.recv)
            errors = _read(channel.recv_stderr)
            if not channel.status_event.wait(_left_s(deadline_ns)):
                raise RemoteError(self.node, shorten(command), None, errors or output)
            status = channel.recv_exit_status()
        except TimeoutError as error:
            raise RemoteError(self.node, shorten(command), None) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._lost(command) from error
        finally:
            with contextlib.suppress(Exception):  # closing says goodbye on a connection that may be gone
                channel.close()
        if status < 0:
            raise self._lost(command)
        return Completed(status, output, errors)

    def _lost(self, command: str) -> RemoteError:
        return RemoteError(self.node, shorten(command), None, "the SSH connection was lost meanwhile")

    def _open_channel(self, command: str, deadline_ns: int) -> paramiko.Channel:
        """A channel on the connection there is, or on a new one; nothing was sent yet, so trying again is harmless."""
        reason = "the connection is closed"
        for pause_s in BACKOFF_S:
            if self._closed or _left_s(deadline_ns) < pause_s:
                break
            sleep_s(pause_s)
            transport = None
            try:
                transport = self._connected(deadline_ns)
                return transport.open_session(timeout=max(0.01, _left_s(deadline_ns)))
            except paramiko.ChannelException as error:
                reason = f"sshd refused another channel ({error})"
            except (paramiko.SSHException, OSError, EOFError) as error:
                host, port = self.login.address
                reason = f"cannot connect to {host}:{port} ({str(error) or type(error).__name__})"
                self._forget(transport)
        raise RemoteError(self.node, shorten(command), None, reason)

    def _connected(self, deadline_ns: int) -> paramiko.Transport:
        with self._connecting:
            if self._transport is None or not self._transport.is_active():
                self._transport = self._connect(min(CONNECT_S, max(0.01, _left_s(deadline_ns))))
            if self._closed:
                self._transport.close()
            return self._transport

    def _forget(self, transport: paramiko.Transport | None) -> None:
        """Drop this very connection: another task may have made a new one meanwhile."""
        with self._connecting:
            if transport is not None and self._transport is transport:
                self._transport = None
                transport.close()

    def _connect(self, timeout_s: float) -> paramiko.Transport:
        opened = self.login.open(timeout_s)
        transport = None
        try:
            transport = paramiko.Transport(opened)
            transport.banner_timeout = transport.auth_timeout = timeout_s
            transport.start_client(timeout=timeout_s)
            self._check_host_key(transport.get_remote_server_key())
            self.login.authenticate(transport)
            transport.set_keepalive(KEEP_ALIVE_S)
        except BaseException:
            if transport is not None:
                transport.close()
            opened.close()
            raise
        return transport

    def _check_host_key(self, found: paramiko.PKey) -> None:
        if reason := self.login.distrusts(found):
            host, port = self.login.address
            raise InfrastructureError(f"{self.node}: {host}:{port} answers with {reason}, so nothing was sent.")


def shorten(command: str, most: int = 120) -> str:
    """A command for a message: the peers and options of a server can fill a screen."""
    return command if len(command) <= most else command[: most - 1] + "…"


def _left_s(deadline_ns: int) -> float:
    return max(0.0, (deadline_ns - monotonic_ns()) / 1e9)


def _read(receive: Callable[[int], bytes]) -> str:
    """One output stream up to its end; what is past the bound is read and thrown away."""
    kept = bytearray()
    while data := receive(_CHUNK):
        kept += data[: max(0, OUTPUT_BYTES_MAX - len(kept))]
    return kept.decode(errors="replace")
