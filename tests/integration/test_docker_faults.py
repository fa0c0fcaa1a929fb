"""Faults on containers: each is made, seen from outside, and lifted."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from conftest import NODES, OPTIONS, Up, engine
from counting_system import answer, tells

from harness.errors import InfrastructureError

pytestmark = pytest.mark.docker

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 7100), 0.5).close()"


def connects(up: Up, source: str, destination: str) -> bool:
    """Whether a TCP connection between two nodes' servers can be made, tried from inside the source."""
    words = ["docker", "exec", up.container(source), "python3", "-c", CONNECT, up.cluster.address(destination)[0]]
    return subprocess.run(words, capture_output=True, timeout=30).returncode == 0


def reached(up: Up, *links: tuple[str, str]) -> list[bool]:
    async def probe() -> list[bool]:
        return await asyncio.gather(*(up.net.reaches(*link) for link in links))

    return up.do(probe())


def test_every_node_serves_under_its_own_name_and_got_its_options(up: Up, tmp_path: Path) -> None:
    for node in NODES:
        assert up.do(tells(up.cluster, node)) is not None
        assert up.do(tells(up.cluster, node)).split()[0] == node
    up.do(up.cluster.collect_logs(tmp_path))
    for node in NODES:
        assert str(list(OPTIONS.values())) in (tmp_path / node / "server.log").read_text()


def test_a_one_way_cut_stops_one_way_only(up: Up) -> None:
    up.do(up.net.cut([("n1", "n2")]))
    assert reached(up, ("n1", "n2"), ("n2", "n1"), ("n1", "n3"), ("n3", "n2")) == [False, True, True, True]


def test_a_cut_replaces_the_one_before_and_heal_lifts_all(up: Up) -> None:
    up.do(up.net.cut([("n1", "n2"), ("n2", "n1")]))
    up.do(up.net.cut([("n3", "n1")]))
    assert reached(up, ("n1", "n2"), ("n2", "n1"), ("n3", "n1")) == [True, True, False]
    for _ in range(2):
        up.do(up.net.heal())
        assert reached(up, ("n1", "n2"), ("n2", "n1"), ("n3", "n1")) == [True, True, True]


def test_a_cut_holds_for_tcp_and_not_for_clients(up: Up) -> None:
    assert connects(up, "n1", "n2")
    up.do(up.net.cut([("n1", "n2"), ("n2", "n1"), ("n1", "n3"), ("n3", "n1")]))
    assert not connects(up, "n1", "n2")
    assert connects(up, "n3", "n2")
    for node in NODES:
        assert up.do(tells(up.cluster, node)) is not None
    up.do(up.net.heal())
    assert connects(up, "n1", "n2")


def test_a_cut_breaks_a_connection_that_was_open(up: Up) -> None:
    """What is under way when a cut falls must not get through: an old connection is no way around it."""
    talk = (
        "import socket, sys, time\n"
        "receiver = socket.create_server(('', 7300)) if len(sys.argv) == 1 else None\n"
        "if receiver:\n"
        "    talk, _ = receiver.accept()\n"
        "    while True: print(talk.recv(10).decode(), end='', flush=True)\n"
        "with socket.create_connection((sys.argv[1], 7300), 5) as talk:\n"
        "    while True: talk.send(b'x'); time.sleep(0.02)\n"
    )
    words = ["docker", "exec", up.container("n2"), "timeout", "20", "python3", "-c", talk]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as listener:
        sender = ["docker", "exec", "-d", up.container("n1"), "sh", "-c"]
        retry = 'for _ in 1 2 3 4 5 6 7 8 9; do timeout 20 python3 -c "$1" "$2"; sleep 0.1; done'
        subprocess.run([*sender, retry, "sh", talk, up.cluster.address("n2")[0]], check=True, timeout=20)
        assert listener.stdout is not None
        assert listener.stdout.read(5) == b"xxxxx"
        up.do(up.net.cut([("n1", "n2")]))
        engine("exec", up.container("n2"), "sleep", "0.3")  # what was on its way has arrived
        before = count_received(up)
        engine("exec", up.container("n2"), "sleep", "0.5")
        assert count_received(up) == before
        listener.kill()
    for node in ("n1", "n2"):
        subprocess.run(["docker", "exec", up.container(node), "pkill", "-f", "7300"], timeout=20)


def count_received(up: Up) -> str:
    """The kernel's account of the connection, on the receiver: bytes received."""
    told = engine("exec", up.container("n2"), "ss", "-tinH", "sport = :7300")
    return next(word for word in told.split() if word.startswith("bytes_received:"))


def test_a_link_to_nowhere_is_refused_in_a_sentence(up: Up) -> None:
    with pytest.raises(InfrastructureError, match="n1→n9 cannot be cut: there are no such nodes"):
        up.do(up.net.cut([("n1", "n9")]))


def test_a_killed_server_is_gone_and_starts_again_on_its_data(up: Up) -> None:
    before = int(up.do(tells(up.cluster, "n2")).split()[1])
    up.do(up.processes.kill("n2"))
    assert up.do(up.processes.state("n2")) == "stopped"
    assert up.do(tells(up.cluster, "n2")) is None
    assert engine("inspect", "--format", "{{.State.Running}}", up.container("n2")).strip() == "true"
    up.do(up.processes.start("n2"))
    assert up.do(up.processes.state("n2")) == "running"
    up.do(answer(up.cluster, "n2"))
    assert up.do(tells(up.cluster, "n2")) == f"n2 {before + 1}"


def test_a_paused_server_keeps_its_connections_and_says_nothing(up: Up) -> None:
    before = up.do(tells(up.cluster, "n3"))
    up.do(up.processes.pause("n3"))
    assert up.do(up.processes.state("n3")) == "paused"
    assert up.do(tells(up.cluster, "n3", within_s=0.3)) is None
    up.do(up.processes.resume("n3"))
    assert up.do(up.processes.state("n3")) == "running"
    assert up.do(tells(up.cluster, "n3")) == before


def test_processes_do_nothing_twice(up: Up) -> None:
    before = up.do(tells(up.cluster, "n1"))
    for verb in ("start", "resume", "pause", "pause", "resume", "resume"):
        up.do(getattr(up.processes, verb)("n1"))
    assert up.do(tells(up.cluster, "n1")) == before
    for verb in ("kill", "kill", "pause", "resume"):
        up.do(getattr(up.processes, verb)("n1"))
        assert up.do(up.processes.state("n1")) == "stopped"


def test_a_paused_server_can_be_killed(up: Up) -> None:
    up.do(up.processes.pause("n1"))
    up.do(up.processes.kill("n1"))
    assert up.do(up.processes.state("n1")) == "stopped"


def test_a_stranger_with_the_servers_number_is_left_alone(up: Up) -> None:
    """Numbers of processes are given out again: the pid file alone says nothing."""
    up.do(up.processes.kill("n1"))
    pretend = "sleep 60 >/dev/null 2>&1 & echo $! 12345 >/run/splitbrain/server.pid; echo $!"
    stranger = engine("exec", up.container("n1"), "sh", "-c", pretend).strip()
    assert up.do(up.processes.state("n1")) == "stopped"
    up.do(up.processes.kill("n1"))
    engine("exec", up.container("n1"), "kill", stranger)  # fails where there is nobody to kill


def test_probes_are_heard_again_after_the_listener_ended(up: Up) -> None:
    """Otherwise every later fault would count as unproven."""
    engine("exec", up.container("n3"), "pkill", "-f", "probe_listener")
    assert not any(reached(up, ("n1", "n3")))

    async def heard() -> None:
        while not await up.net.reaches("n1", "n3"):
            pass

    up.do(heard(), within_s=20.0)
