"""Getting into a machine that exists, as its owner does: keys, agent, jump host, known hosts, ~/.ssh/config.

Host keys are checked strictly unless told otherwise: a machine that ~/.ssh/known_hosts does not know is refused, with
the command that makes it known. Keys are tried in this order: the ones given, the agent's, the usual files of ~/.ssh.

Limits: keys with a passphrase come from an agent; passwords are not supported, so that none is ever asked for or kept.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import paramiko

from harness.errors import InfrastructureError, UsageError
from harness.ssh import open_socket
from harness.ssh_ground.machines import Machine

USUAL_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
SSH_PORT: Final = 22


@dataclass(frozen=True)
class Access:
    """How a user gets into machines.

    Attributes:
        keys: private key files to try before all others.
        agent: whether to ask the agent, and to try the usual files.
        known_hosts: files of host keys; none: ~/.ssh/known_hosts.
        strict: refuse a host whose key is not known.
        jump: a machine to go through.
        sudo: run every command as root by way of `sudo -n`.
        config: an OpenSSH client configuration; none: ~/.ssh/config, if there is one.
    """

    keys: tuple[Path, ...] = ()
    agent: bool = True
    known_hosts: tuple[Path, ...] = ()
    strict: bool = True
    jump: Machine | None = None
    sudo: bool = False
    config: Path | None = None

    @cached_property
    def host_keys(self) -> paramiko.HostKeys:
        """The known hosts.

        Raises:
            UsageError: a file that was named cannot be read.
        """
        known = paramiko.HostKeys()
        usual = Path.home() / ".ssh" / "known_hosts"
        for path in self.known_hosts or ((usual,) if usual.is_file() else ()):
            try:
                known.load(str(path))
            except OSError as error:
                raise UsageError(f"{path}: the known hosts cannot be read: {error.strerror}.") from error
        return known

    @cached_property
    def configured(self) -> paramiko.SSHConfig:
        """What ~/.ssh/config says.

        Raises:
            UsageError: a file that was named cannot be read.
        """
        usual = Path.home() / ".ssh" / "config"
        path = self.config or (usual if usual.is_file() else None)
        if path is None:
            return paramiko.SSHConfig()
        try:
            return paramiko.SSHConfig.from_path(str(path))
        except (OSError, paramiko.SSHException) as error:
            raise UsageError(f"{path}: this SSH configuration cannot be read: {error}.") from error

    def login(self, machine: Machine) -> MachineLogin:
        """How to get to one machine and in."""
        return MachineLogin(self, machine)


@dataclass(frozen=True)
class MachineLogin:
    """Implements `harness.ssh.Login`."""

    access: Access
    machine: Machine
    _hops: list[paramiko.Transport] = field(default_factory=list, repr=False)

    @cached_property
    def settings(self) -> paramiko.SSHConfigDict:
        """What the configuration says of this machine."""
        return self.access.configured.lookup(self.machine.host)

    @cached_property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        settings = self.settings
        return settings.get("hostname", self.machine.host), self.machine.port or int(settings.get("port", SSH_PORT))

    @cached_property
    def user(self) -> str:
        """Who we are there."""
        return self.machine.user or self.settings.get("user") or getpass.getuser()

    def open(self, timeout_s: float) -> Any:
        """Directly, or by way of the jump host."""
        if self.access.jump is None or self.machine == self.access.jump:
            return open_socket(self.address, timeout_s)
        hop = self._hop(self.access.login(self.access.jump), timeout_s)
        return hop.open_channel("direct-tcpip", self.address, ("127.0.0.1", 0), timeout=timeout_s)

    def distrusts(self, found: paramiko.PKey) -> str:
        """Why its key is not the one that is known, unless nobody wants to know."""
        if not self.access.strict:
            return ""
        host, port = self.address
        name = host if port == SSH_PORT else f"[{host}]:{port}"
        known = self.access.host_keys.lookup(name)
        if known is None:
            make = f"ssh-keyscan -p {port} {host} >> ~/.ssh/known_hosts"
            return f"an SSH host key that is not known (compare it with the machine's, then: {make})"
        if found.get_name() in known and known[found.get_name()] == found:
            return ""
        return "another SSH host key than the known one (the machine was set up anew, or it is not the machine)"

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Try each key until one is accepted.

        Raises:
            AuthenticationException: none is; how many were tried.
            InfrastructureError: a key file that was named cannot be used.
        """
        tried = 0
        for key in self._keys():
            tried += 1
            try:
                transport.auth_publickey(self.user, key)
                return
            except paramiko.AuthenticationException:
                continue
        raise paramiko.AuthenticationException(f"none of {tried} keys is accepted for {self.user}")

    def _keys(self) -> Iterator[paramiko.PKey]:
        for path in (*self.access.keys, *map(Path, self.settings.get("identityfile", ()))):
            yield _key_of(path)
        if self.access.agent:
            yield from paramiko.Agent().get_keys()
            usual = (Path.home() / ".ssh" / name for name in USUAL_KEYS)
            for path in usual:
                if path.is_file():
                    try:
                        yield _key_of(path)
                    except InfrastructureError:
                        continue  # nobody named it; one with a passphrase is the agent's business

    def _hop(self, login: MachineLogin, timeout_s: float) -> paramiko.Transport:
        """A connection to the jump host, kept for as long as it holds."""
        if self._hops and self._hops[-1].is_active():
            return self._hops[-1]
        transport = paramiko.Transport(login.open(timeout_s))
        try:
            transport.banner_timeout = transport.auth_timeout = timeout_s
            transport.start_client(timeout=timeout_s)
            if reason := login.distrusts(transport.get_remote_server_key()):
                raise InfrastructureError(f"The jump host {login.machine.host} answers with {reason}.")
            login.authenticate(transport)
        except BaseException:
            transport.close()
            raise
        self._hops[:] = [transport]
        return transport


def _key_of(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except FileNotFoundError as error:
        raise InfrastructureError(f"{path}: there is no such key file.") from error
    except (OSError, ValueError, TypeError, paramiko.SSHException) as error:
        reason = "it needs a passphrase; load it into your agent" if "ncrypted" in str(error) else str(error)
        raise InfrastructureError(f"{path}: this key cannot be used: {reason}.") from error
