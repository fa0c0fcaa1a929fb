"""Machines that exist: three containers with nothing but sshd, which somebody else made."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import engine
from counting_system import SERVER, CountingSystem, answer, tells
from somebodys_machines import Machines, somebodys_machines

from harness.cli import main
from harness.errors import InfrastructureError, PlanError
from harness.ssh_ground import SshGround
from harness.ssh_ground.fleet import clean_machines
from harness.ssh_ground.ground import access_of, machines_of
from system_under_test.leader_follower.system import SYSTEM

pytestmark = pytest.mark.docker
NODES = ("n1", "n2", "n3")


class Installed(CountingSystem):
    """The counting system as files and a command."""

    def files(self):
        return {"counting/server.py": SERVER}

    def command(self, node, addresses, options):
        return ["python3", "/opt/splitbrain/counting/server.py", node]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with somebodys_machines(tmp_path_factory.mktemp("access"), NODES) as made:
        yield made


def leftovers(machines: Machines, node: str) -> str:
    """What a run may leave on a machine, in one line; "" when there is nothing."""
    look = (
        "ls -d /opt/splitbrain /var/lib/splitbrain /var/log/splitbrain /run/splitbrain 2>/dev/null;"
        "iptables -S | grep SPLITBRAIN; pgrep -f 'probe_listene[r]|server[.]py|leader_followe[r]'; true"
    )
    return " ".join(machines.shell(node, "sh", "-c", look).split())


@pytest.fixture(autouse=True)
def nothing_is_left(machines: Machines) -> Iterator[None]:
    yield
    assert {node: leftovers(machines, node) for node in NODES} == dict.fromkeys(NODES, "")


def with_cluster(machines: Machines, work: Any, system: Any = None, **changed: Any) -> Any:
    """Run work(cluster) on all three machines."""
    system, options = system or Installed(), machines.options | changed

    async def main() -> Any:
        async with SshGround().cluster(system, NODES, options, f"test-{os.getpid()}") as cluster:
            async with asyncio.timeout(60):
                await system.wait_ready(cluster, options, 20.0)
                return await work(cluster)

    return asyncio.run(main())


def test_servers_are_struck_links_are_cut_and_logs_come_home(machines: Machines, tmp_path: Path) -> None:
    async def work(cluster):
        net, processes = cluster.net, cluster.processes
        await net.cut([("n1", "n2")])
        reached = [await net.reaches("n1", "n2"), await net.reaches("n2", "n1"), await net.reaches("n1", "n3")]
        await net.heal()
        reached.append(await net.reaches("n1", "n2"))
        await processes.kill("n3")
        states = [await processes.state("n3")]
        await processes.start("n3")
        await answer(cluster, "n3")
        await processes.pause("n2")
        states.append(await processes.state("n2"))
        await processes.resume("n2")
        await cluster.collect_logs(tmp_path)
        return reached, states, await tells(cluster, "n3")

    assert with_cluster(machines, work) == ([False, True, True, True], ["stopped", "paused"], "n3 2")
    assert "start 2" in (tmp_path / "n3" / "server.log").read_text()


def test_the_store_is_installed_serves_and_is_gone_afterwards(machines: Machines) -> None:
    async def work(cluster):
        return await SYSTEM.leader(cluster)

    assert with_cluster(machines, work, SYSTEM) in NODES


def test_everything_may_go_through_sudo(machines: Machines) -> None:
    async def work(cluster):
        return await cluster.processes.state("n1")

    assert with_cluster(machines, work, sudo=True) == "running"
    assert machines.shell("n1", "cat", "/tmp/sudo").count("sudo") > 3


def test_machines_can_be_behind_another(machines: Machines) -> None:
    async def work(cluster):
        return await cluster.processes.state("n2")

    jump = f"root@{machines.addresses['n3']}"
    assert with_cluster(machines, work, jump=jump) == "running"


def test_a_dead_machine_is_named_and_the_others_are_cleaned(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.ssh.BACKOFF_S", (0.0, 0.05))
    engine("pause", machines.names["n2"])
    monkeypatch.setattr("harness.ssh.CONNECT_S", 0.5)
    try:
        with pytest.raises(InfrastructureError, match=rf"n2: .*cannot connect to {machines.addresses['n2']}:22"):
            with_cluster(machines, None)
    finally:
        engine("unpause", machines.names["n2"])


def test_a_machine_in_use_is_refused_and_can_be_cleaned(machines: Machines) -> None:
    machines.shell("n1", "sh", "-c", "mkdir -p /opt/splitbrain && echo earlier-run >/opt/splitbrain/run")
    with pytest.raises(InfrastructureError, match=r"n1 \(.*\): in use by the run earlier-run"):
        with_cluster(machines, None)
    options = machines.options
    assert len(clean_machines(machines_of(options), access_of(options))) == len(NODES)


def test_a_folder_of_somebody_else_is_left_alone(machines: Machines) -> None:
    machines.shell("n1", "mkdir", "/opt/splitbrain")
    try:
        with pytest.raises(InfrastructureError, match="that is none of ours"):
            with_cluster(machines, None)
    finally:
        machines.shell("n1", "rmdir", "/opt/splitbrain")


def test_connections_that_are_cut_at_random_do_no_harm(machines: Machines) -> None:
    """sshd's sessions are killed again and again: what may be done twice is done twice."""
    chance = random.Random(7)
    over = threading.Event()
    cut: list[bool] = []

    def cut_connections() -> None:
        while not over.wait(chance.uniform(0.05, 0.25)):
            node = chance.choice(NODES)
            words = ["docker", "exec", machines.names[node], "pkill", "-KILL", "-f", "sshd: root"]
            cut.append(subprocess.run(words, capture_output=True, timeout=60).returncode == 0)

    async def work(cluster):
        with ThreadPoolExecutor(1) as saboteur:
            cutting = saboteur.submit(cut_connections)
            try:
                for number in range(40):
                    node = NODES[number % 3]
                    await cluster.processes.pause(node)
                    assert await cluster.processes.state(node) == "paused"
                    await cluster.processes.resume(node)
                    await cluster.net.cut([("n1", "n2")] if number % 2 else [])
                await cluster.net.heal()
            finally:
                over.set()
        cutting.result()
        return [await cluster.processes.state(node) for node in NODES]

    assert with_cluster(machines, work) == ["running"] * 3
    assert sum(cut) >= 5


def test_too_few_machines_or_a_system_that_is_no_files_are_refused(machines: Machines) -> None:
    with pytest.raises(PlanError, match="1 machines for 3 nodes"):
        with_cluster(replace(machines, options=machines.options | {"machines": "root@10.0.0.1"}), None)
    with pytest.raises(PlanError, match="cannot be installed over SSH"):
        with_cluster(machines, None, CountingSystem())


def test_the_command_runs_a_test_over_ssh(
    machines: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["--time-limit", "3", "--quiet-period", "0.3", "--interval", "0.5", "--duration", "0.5", "--seed", "2"]
    faults = ["--nemesis", "kill,partition", "--json", "--store", str(tmp_path / "run s")]
    code = main(["run", "--on", "ssh", *machines.flags(), *short, *faults])
    result = json.loads(capsys.readouterr().out)
    assert code == 0, result
    assert result["plan"]["nodes"] == 3
    assert result["faults"]
    assert all(fault["proven"] for fault in result["faults"])
    assert {path.name for path in (Path(result["run"]) / "nodes").iterdir()} == set(NODES)


def test_doctor_looks_at_each_machine_and_cleanup_cleans_what_a_killed_harness_left(
    machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    address = machines.addresses["n1"]
    machines.shell("n1", "sh", "-c", "mkdir -p /opt/splitbrain && echo '2 $(touch /tmp/no)' >/opt/splitbrain/run")
    assert main(["doctor", "--on", "ssh", "--json", *machines.flags()]) == 0
    found = {finding["ability"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found[address]["detail"] == "it is in use by the run 2 $(touch /tmp/no)"
    assert found[machines.addresses["n2"]]["available"]
    assert found["partition"]["available"]
    assert main(["cleanup", "--on", "ssh", *machines.flags()]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{one} is clean" for one in machines.addresses.values()]


def test_a_machine_that_cannot_be_reached_any_more_is_named_and_cleaned_once_it_is_back(
    machines: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = ["INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT"]

    def cut() -> None:
        while not list(tmp_path.glob("*/2*/history.jsonl")):
            time.sleep(0.05)
        time.sleep(0.5)
        machines.shell("n2", "iptables", "-I", *rule)

    cutting = threading.Thread(target=cut)
    cutting.start()
    words = ["--time-limit", "3", "--quiet-period", "0.3", "--nemesis", "kill", "--target", "n2", "--interval", "0.5"]
    try:
        code = main(
            ["run", "--on", "ssh", *machines.flags(), *words, "--json", "--store", str(tmp_path), "--seed", "1"]
        )
    finally:
        cutting.join()
        machines.shell("n2", "iptables", "-D", *rule)
    result = json.loads(capsys.readouterr().out)
    assert (code, result["outcome"]) == (255, "infrastructure")
    assert "n2" in result["reason"]
    assert (leftovers(machines, "n1"), leftovers(machines, "n3")) == ("", "")
    assert main(["cleanup", "--on", "ssh", *machines.flags()]) == 0
