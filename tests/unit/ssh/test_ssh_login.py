"""Getting into a machine that exists: which keys are tried, whom we trust, and what is said when it fails."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest
from ssh_server import Server, serving

from harness import ssh
from harness.errors import InfrastructureError, RemoteError
from harness.ssh_ground.login import Access
from harness.ssh_ground.machines import Machine


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, known hosts and agent: a developer's own decide no test."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(ssh, "BACKOFF_S", (0.0, 0.01))
    return tmp_path


def written(path: Path, key: paramiko.PKey, password: str | None = None) -> Path:
    key.write_private_key_file(str(path), password=password)
    return path


def known(home: Path, server: Server) -> Path:
    host, port = server.address
    path = home / ".ssh" / "known_hosts"
    path.write_text(f"[{host}]:{port} {server.host_key.get_name()} {server.host_key.get_base64()}\n")
    return path


def echo(server: Server, access: Access, user: str = "root") -> str:
    host, port = server.address
    with ThreadPoolExecutor(2) as threads:
        connection = ssh.Connection("n1", access.login(Machine(host, port, user)), threads=threads)
        try:
            return asyncio.run(connection.check(["echo", "in"]))
        finally:
            connection.close()
            server.closing.set()


def test_a_key_that_was_named_opens_the_door(server, home):
    known(home, server)
    key = written(home / "mine", server.welcome)
    assert echo(server, Access(keys=(key,), agent=False)) == "in"


def test_the_usual_key_is_found(server, home):
    known(home, server)
    written(home / ".ssh" / "id_ecdsa", server.welcome)
    assert echo(server, Access()) == "in"


def test_keys_are_tried_one_after_another(server, home):
    known(home, server)
    wrong = written(home / "wrong", paramiko.ECDSAKey.generate())
    right = written(home / "right", server.welcome)
    assert echo(server, Access(keys=(wrong, right), agent=False)) == "in"


def test_without_an_accepted_key_it_is_said_how_many_were_tried(server, home):
    known(home, server)
    wrong = written(home / "wrong", paramiko.ECDSAKey.generate())
    with pytest.raises(RemoteError, match="none of 1 keys is accepted for root"):
        echo(server, Access(keys=(wrong,), agent=False))


def test_a_key_with_a_passphrase_is_the_agents_business(server, home):
    known(home, server)
    locked = written(home / "locked", server.welcome, password="secret")
    with pytest.raises(InfrastructureError, match="needs a passphrase; load it into your agent"):
        echo(server, Access(keys=(locked,), agent=False))


def test_a_host_that_is_not_known_is_refused_with_the_command_that_makes_it_known(server, home):
    key = written(home / "mine", server.welcome)
    with pytest.raises(InfrastructureError, match=r"not known .*ssh-keyscan -p \d+ 127\.0\.0\.1"):
        echo(server, Access(keys=(key,), agent=False))
    assert server.asked == []


def test_a_host_with_another_key_than_the_known_one_is_refused(server, home):
    known(home, server)
    server.host_key = paramiko.ECDSAKey.generate()
    key = written(home / "mine", server.welcome)
    with pytest.raises(InfrastructureError, match="another SSH host key than the known one"):
        echo(server, Access(keys=(key,), agent=False))


def test_who_does_not_care_whom_he_meets_gets_in(server, home):
    key = written(home / "mine", server.welcome)
    assert echo(server, Access(keys=(key,), agent=False, strict=False)) == "in"


def test_the_configuration_names_host_port_user_and_key(server, home):
    known(home, server)
    host, port = server.address
    key = written(home / "mine", server.welcome)
    config = home / ".ssh" / "config"
    config.write_text(f"Host db\n  HostName {host}\n  Port {port}\n  User root\n  IdentityFile {key}\n")
    login = Access(agent=False).login(Machine("db"))
    assert (login.address, login.user) == ((host, port), "root")
