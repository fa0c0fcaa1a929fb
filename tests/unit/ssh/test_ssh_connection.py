"""Our side of SSH, against a server in this process: what is sent, what is trusted, and what happens when it breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ssh_server import Server, serving

from harness import ssh
from harness.errors import InfrastructureError, RemoteError


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def connected(server: Server) -> Iterator[Callable[..., ssh.Connection]]:
    made: list[ssh.Connection] = []
    with ThreadPoolExecutor(16) as threads:

        def connect(**changed: Any) -> ssh.Connection:
            told: dict[str, Any] = {"key": server.welcome, "host_key": server.host_key_line, "user": "root"} | changed
            made.append(ssh.Connection("n1", ssh.RunKey(server.address, **told), threads=threads))
            return made[-1]

        yield connect
        for connection in made:
            connection.close()
        server.closing.set()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_arguments_are_quoted_and_the_output_comes_back(server: Server, connected) -> None:
    words = ["echo", "a  b", "$(rm -rf /)", "it's", "", "é\n;"]
    assert run(connected().check(words)) == " ".join(words[1:])
    assert server.asked == [words]


def test_what_is_piped_in_arrives_whole(connected) -> None:
    data = "line\n" * 50_000
    assert run(connected().check(["cat"], stdin=data.encode())) == data


def test_output_past_the_bound_is_read_and_thrown_away(connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "OUTPUT_BYTES_MAX", 70_000)
    assert run(connected().check(["cat"], stdin=b"x" * 300_000)) == "x" * 70_000


def test_one_connection_serves_many_commands_at_once(server: Server, connected) -> None:
    async def all_at_once() -> list[str]:
        connection = connected()
        return await asyncio.gather(*(connection.check(["echo", str(number)]) for number in range(12)))

    assert run(all_at_once()) == [str(number) for number in range(12)]
    assert len(server.transports) == 1


def test_the_socket_does_not_wait_for_more_to_send(connected) -> None:
    connection = connected()
    run(connection.run(["echo"]))
    assert connection._transport.sock.getsockopt(6, 1) == 1  # IPPROTO_TCP, TCP_NODELAY


def test_an_exit_status_is_data_for_run_and_an_error_for_check(connected) -> None:
    assert run(connected().run(["fail", "3"])) == ssh.Completed(3, "", "first\nsecond\nthird\nfourth\n")
    with pytest.raises(RemoteError) as caught:
        run(connected().check(["fail", "3"]))
    assert str(caught.value) == "n1: `fail 3` gave exit status 3: second / third / fourth"


def test_a_long_command_is_cut_in_the_message() -> None:
    assert ssh.shorten("x" * 500) == "x" * 119 + "…"
    assert ssh.shorten("short") == "short"


@pytest.mark.parametrize("command", ["hang", "mute"])
def test_a_deadline_holds_even_where_paramiko_would_wait_for_ever(command: str, connected) -> None:
    connection = connected()
    began = time.monotonic()
    with pytest.raises(RemoteError, match=f"^n1: `{command}` gave no answer before the deadline$"):
        run(connection.run([command], timeout_s=0.2))
    assert time.monotonic() - began < 10.0  # the server would wait for 30 s


def test_the_command_after_a_missed_deadline_works(connected) -> None:
    async def scenario() -> str:
        connection = connected()
        with pytest.raises(RemoteError):
            await connection.run(["mute"], timeout_s=0.1)
        return await connection.check(["echo", "on"])

    assert run(scenario()) == "on"


def test_a_command_during_which_the_connection_is_lost_is_not_repeated(server: Server, connected) -> None:
    connection = connected()
    with pytest.raises(RemoteError, match="the SSH connection was lost meanwhile") as caught:
        run(connection.run(["vanish"]))
    assert caught.value.status is None
    assert server.asked == [["vanish"]]
    assert not connection.is_connected()
    assert run(connection.check(["echo", "new"])) == "new"
    assert len(server.transports) == 2


def test_connecting_is_tried_again_a_bounded_number_of_times(
    server: Server, connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "BACKOFF_S", (0.0, 0.01, 0.02, 0.03, 0.04))
    server.refuse_connections = 3
    assert run(connected().check(["echo", "at last"])) == "at last"
    server.refuse_connections = 1000
    with pytest.raises(RemoteError, match=r"cannot connect to 127\.0\.0\.1:"):
        run(connected().check(["echo"], timeout_s=30.0))
    assert 1000 - server.refuse_connections == len(ssh.BACKOFF_S)


def test_a_deadline_ends_the_tries_to_connect(server: Server, connected) -> None:
    server.refuse_connections = 1000
    with pytest.raises(RemoteError):
        run(connected().check(["echo"], timeout_s=0.3))
    assert 1 <= 1000 - server.refuse_connections < len(ssh.BACKOFF_S)


def test_a_refused_channel_is_asked_for_again_on_the_same_connection(server: Server, connected) -> None:
    connection = connected()
    server.refuse_channels = 2
    assert run(connection.check(["echo", "third"])) == "third"
    assert len(server.transports) == 1


def test_another_host_key_is_not_spoken_to(server: Server, connected) -> None:
    other = ssh.public_line(ssh.generate_key(), "root@other")
    with pytest.raises(InfrastructureError, match=r"^n1: 127\.0\.0\.1:\d+ answers with another SSH host key") as caught:
        run(connected(host_key=other).run(["echo"]))
    assert not isinstance(caught.value, RemoteError)
    assert server.asked == []


def test_another_key_is_not_let_in(server: Server, connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "BACKOFF_S", (0.0, 0.01))
    with pytest.raises(RemoteError, match="Authentication failed"):
        run(connected(key=ssh.generate_key()).run(["echo"]))
    assert server.asked == []


def test_a_closed_connection_stays_closed(server: Server, connected) -> None:
    connection = connected()
    run(connection.run(["echo"]))
    for _ in range(2):
        connection.close()
    with pytest.raises(RemoteError, match="the connection is closed"):
        run(connection.run(["echo"]))
    assert len(server.transports) == 1


def test_every_key_is_new_and_its_public_line_has_no_secret() -> None:
    first, second = ssh.generate_key(), ssh.generate_key()
    assert ssh.public_line(first, "me") != ssh.public_line(second, "me")
    assert ssh.public_line(first, "me").split() == [first.get_name(), first.get_base64(), "me"]
