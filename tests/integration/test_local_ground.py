"""Plain processes of this machine as nodes: started, struck, cut off from each other, and gone afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from counting_system import CountingSystem, answer, tells

from harness.errors import InfrastructureError, PlanError
from harness.local_ground import LocalGround, ledger

NODES = ("n1", "n2", "n3")
SERVER = """
import pathlib, socketserver, sys
name, host, port, data = sys.argv[1:]
starts = pathlib.Path(data, "starts")
count = int(starts.read_text()) + 1 if starts.exists() else 1
starts.write_text(str(count))
print("start", count, flush=True)
class Tell(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{name} {count}".encode())
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer((host, int(port)), Tell).serve_forever()
"""
RUN = """
import asyncio, sys
from harness.local_ground import LocalGround
sys.path.insert(0, sys.argv[1])
from test_local_ground import NODES, Launched
async def main():
    async with LocalGround().cluster(Launched(), NODES, {}, sys.argv[2]) as cluster:
        print(*(process.pid for process in cluster.servers._running.values()), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


class Launched(CountingSystem):
    """The counting system, as a plain process."""

    def launch(self, node, addresses, options, data):
        host, port = addresses[node]
        return [sys.executable, "-I", "-c", SERVER, node, host, str(port), str(data)]


class Up:
    """A cluster that is up, and the event loop that it lives on."""

    def __init__(self, runner, cluster):
        self.cluster, self._runner = cluster, runner

    def do(self, work, within_s=30.0):
        async def bounded():
            async with asyncio.timeout(within_s):
                return await work

        return self._runner.run(bounded())


def brought_up(ground: LocalGround, run_id: str) -> Iterator[Up]:
    system = Launched()
    with asyncio.Runner() as runner:
        context = ground.cluster(system, NODES, {}, run_id)
        cluster = runner.run(context.__aenter__())
        try:
            runner.run(system.wait_ready(cluster, {}, 20.0))
            yield Up(runner, cluster)
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def own_ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "folder", lambda: tmp_path / "ledgers")


@pytest.fixture
def up() -> Iterator[Up]:
    """Without namespaces, as a user who is not root has it."""
    ground = LocalGround()
    ground.no_net = "not asked for"
    yield from brought_up(ground, f"test-plain-{os.getpid()}")


@pytest.fixture
def apart() -> Iterator[Up]:
    """With a namespace for each node."""
    yield from brought_up(LocalGround(), f"test-apart-{os.getpid()}")


def test_a_server_is_killed_paused_resumed_and_started_again_on_what_it_left(up: Up) -> None:
    processes = up.cluster.processes
    for _ in range(2):
        up.do(processes.pause("n1"))
    assert up.do(processes.state("n1")) == "paused"
    assert up.do(tells(up.cluster, "n1", 0.3)) is None
    for _ in range(2):
        up.do(processes.resume("n1"))
    assert up.do(tells(up.cluster, "n1")) == "n1 1"
    for _ in range(2):
        up.do(processes.kill("n1"))
    assert up.do(processes.state("n1")) == "stopped"
    for _ in range(2):
        up.do(processes.start("n1"))
    up.do(answer(up.cluster, "n1"))
    assert up.do(tells(up.cluster, "n1")) == "n1 2"


def test_a_paused_server_can_be_killed(up: Up) -> None:
    up.do(up.cluster.processes.pause("n2"))
    up.do(up.cluster.processes.kill("n2"))
    assert up.do(up.cluster.processes.state("n2")) == "stopped"


def test_logs_are_collected_and_a_missing_one_is_named(up: Up, tmp_path: Path) -> None:
    up.cluster.servers.logs["n3"].unlink()
    up.do(up.cluster.collect_logs(tmp_path))
    assert (tmp_path / "n1" / "server.log").read_text() == "start 1\n"
    assert "n3 could not be read" in (tmp_path / "n3" / "missing.txt").read_text()


def test_without_namespaces_the_network_is_no_fault_surface(up: Up) -> None:
    assert up.cluster.net is None
    ground = LocalGround()
    ground.no_net = "not asked for"
    assert ground.faults == {"processes"}


@pytest.mark.namespaces
def test_a_cut_is_one_way_replaces_the_one_before_and_is_lifted(apart: Up) -> None:
    net = apart.cluster.net

    def reached(*links):
        async def probe():
            return await asyncio.gather(*(net.reaches(*link) for link in links))

        return apart.do(probe())

    apart.do(net.cut([("n1", "n2")]))
    assert reached(("n1", "n2"), ("n2", "n1"), ("n3", "n2")) == [False, True, True]
    apart.do(net.cut([("n2", "n1")]))
    assert reached(("n1", "n2"), ("n2", "n1")) == [True, False]
    assert apart.do(tells(apart.cluster, "n1")) == "n1 1"
    for _ in range(2):
        apart.do(net.heal())
    assert reached(("n1", "n2"), ("n2", "n1")) == [True, True]
    with pytest.raises(InfrastructureError, match="no such nodes"):
        apart.do(net.cut([("n1", "n9")]))


def _namespaces() -> str:
    return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


@pytest.mark.namespaces
def test_nothing_is_left_when_a_run_is_over(tmp_path: Path) -> None:
    run_id = f"test-over-{os.getpid()}"
    for up in brought_up(LocalGround(), run_id):
        assert run_id in _namespaces()
        folder = up.cluster.servers.logs["n1"].parent
    assert run_id not in _namespaces()
    assert not folder.exists()
    assert list((tmp_path / "ledgers").iterdir()) == []


@pytest.mark.namespaces
def test_what_a_killed_harness_left_is_found_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    run_id = f"test-killed-{os.getpid()}"
    words = [sys.executable, "-c", RUN, str(Path(__file__).parent), run_id]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as killed:
        servers = [int(word) for word in killed.stdout.readline().split()]
        assert len(servers) == len(NODES)
        killed.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in servers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers), "a server outlived its harness"
    removed = ledger.remove_leftovers(run_id)
    assert len(removed) == len(NODES) + 3, removed
    assert run_id not in _namespaces()
    assert ledger.remove_leftovers(run_id) == []


def test_the_ledger_of_a_harness_that_lives_is_left_alone(tmp_path: Path) -> None:
    mine = ledger.Ledger.open("test-alive")
    mine.add(folder=str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    assert ledger.remove_leftovers() == []
    assert ledger.remove_leftovers(everything=True) == [f"folder {tmp_path / 'data'}, of the run test-alive"]


def test_a_ledger_that_is_none_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ledgers").mkdir()
    (tmp_path / "ledgers" / "torn.json").write_bytes(b'{"run":')
    (tmp_path / "ledgers" / "other.json").write_bytes(msgspec.json.encode({"a": 1}))
    assert ledger.remove_leftovers(everything=True) == []


def test_a_system_that_is_no_plain_process_is_refused() -> None:
    with pytest.raises(PlanError, match="does not run as a plain process"):
        LocalGround().cluster(CountingSystem(), NODES, {}, "test-refused")


def test_a_server_that_cannot_be_started_is_a_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    class Broken(Launched):
        def launch(self, node, addresses, options, data):
            return ["/nonexistent/server"]

    async def main():
        ground = LocalGround()
        ground.no_net = "not asked for"
        async with ground.cluster(Broken(), NODES, {}, "test-broken"):
            pass

    with pytest.raises(InfrastructureError, match="n1: its server cannot be started"):
        asyncio.run(main())
    assert list((tmp_path / "ledgers").iterdir()) == []
