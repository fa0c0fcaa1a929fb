"""Control over SSH: arguments, deadlines, lost connections, strangers, and nodes that died."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Up, engine, made_by
from counting_system import CountingSystem

from harness import ssh
from harness.docker_ground import DockerGround
from harness.errors import InfrastructureError, RemoteError

pytestmark = pytest.mark.docker

NASTY = "a  b;$(touch /tmp/pwned) `id` 'quoted' \"twice\" \\ * ~ # é\n-n"


def test_arguments_arrive_as_they_are(up: Up) -> None:
    assert up.do(up.control.check("n1", ["printf", "%s|%s", NASTY, ""])) == f"{NASTY}|"
    assert up.do(up.control.check("n1", ["cat"], stdin=NASTY.encode())) == NASTY
    assert up.do(up.control.run("n1", ["test", "-e", "/tmp/pwned"])).status == 1


def test_a_command_that_fails_tells_node_command_status_and_last_words(up: Up) -> None:
    with pytest.raises(RemoteError, match=r"^n2: `ls /nowhere` gave exit status 2: .*No such file") as caught:
        up.do(up.control.check("n2", ["ls", "/nowhere"]))
    assert (caught.value.node, caught.value.status) == ("n2", 2)


def test_a_command_past_its_deadline_is_an_error_and_the_next_one_works(up: Up) -> None:
    connection = up.control._connections["n1"]
    began = time.monotonic()
    with pytest.raises(RemoteError, match="no answer before the deadline"):
        up.do(connection.run(["sleep", "20"], timeout_s=0.3))
    assert time.monotonic() - began < 10.0
    assert up.do(connection.check(["echo", "on"])) == "on\n"


def test_a_lost_connection_is_made_anew(up: Up) -> None:
    async def losing() -> None:
        waiting = asyncio.create_task(up.control.run("n1", ["sleep", "20"]))
        await asyncio.sleep(0.3)
        up.control._connections["n1"].drop()
        await waiting

    with pytest.raises(RemoteError, match="the SSH connection was lost meanwhile"):
        up.do(losing())
    assert up.do(up.control.check("n1", ["echo", "again"])) == "again\n"


def test_a_node_restarted_by_somebody_is_reached_again(up: Up) -> None:
    """sshd's children end, so the connection is lost without a goodbye from our side."""
    engine("exec", up.container("n2"), "pkill", "-f", "sshd: root")
    assert up.do(up.control.check("n2", ["echo", "here"])) == "here\n"


def test_large_output_is_read_to_its_end_and_kept_up_to_a_bound(up: Up) -> None:
    done = up.do(up.control.run("n1", ["sh", "-c", "yes | head -c 20000000; echo over >&2"]))
    assert (done.status, done.errors, len(done.output)) == (0, "over\n", ssh.OUTPUT_BYTES_MAX)


def test_many_commands_at_once_share_the_connection(up: Up) -> None:
    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(up.control.check("n3", ["echo", str(number)]) for number in range(40)))

    assert up.do(all_at_once()) == [f"{number}\n" for number in range(40)]
    assert engine("exec", up.container("n3"), "pgrep", "-fc", "sshd: root@").strip() == "1"


def test_nobody_else_gets_in(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key than the run's is refused, and a host with another key than the node's is not spoken to."""
    honest = up.control._connections["n1"]

    def connection(**changed: object) -> ssh.Connection:
        return ssh.Connection("n1", replace(honest.login, **changed), threads=honest._threads)

    monkeypatch.setattr(ssh, "BACKOFF_S", (0.0, 0.01))
    stranger = connection(key=ssh.generate_key())
    with pytest.raises(RemoteError, match=r"cannot connect to .*Authentication failed"):
        up.do(stranger.run(["true"]))
    other = up.control._connections["n2"]
    with pytest.raises(InfrastructureError, match="another SSH host key"):
        up.do(connection(host_key=other.login.host_key).run(["true"]))


def test_a_dead_container_is_named_and_its_logs_are_kept(tmp_path: Path) -> None:
    run_id = f"test-dead-{os.getpid()}"

    async def scenario() -> None:
        async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), {}, run_id) as cluster:
            assert cluster.processes is not None
            assert cluster.net is not None
            await CountingSystem().wait_ready(cluster, {}, 20.0)
            engine("kill", f"splitbrain-{run_id}-n2")
            with pytest.raises(InfrastructureError, match=r"^n2: its container does not run any more \(exit code 137"):
                await cluster.processes.state("n2")
            with pytest.raises(InfrastructureError, match=r"^n2: its container does not run"):
                await cluster.net.heal()
            engine("rm", "--force", f"splitbrain-{run_id}-n1")
            with pytest.raises(InfrastructureError, match=r"^n1: .*somebody removed it"):
                await cluster.processes.kill("n1")
            await cluster.collect_logs(tmp_path)

    asyncio.run(scenario())
    assert "start 1" in (tmp_path / "n2" / "server.log").read_text()
    assert "n1 could not be read" in (tmp_path / "n1" / "missing.txt").read_text()
    assert made_by(run_id) == []


@pytest.mark.parametrize("way", ["exec", pytest.param("nsenter", marks=pytest.mark.loop)])
def test_nodes_are_reached_by_other_ways_than_ssh(way: str) -> None:
    run_id = f"test-{way}-{os.getpid()}"

    async def scenario() -> None:
        options = {"control": way}
        async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), options, run_id) as cluster:
            await CountingSystem().wait_ready(cluster, {}, 20.0)
            control, processes, net = cluster.net._control, cluster.processes, cluster.net
            assert await control.check("n1", ["printf", "%s|%s", NASTY, ""]) == f"{NASTY}|"
            assert await control.check("n1", ["cat"], stdin=NASTY.encode() * 5_000) == NASTY * 5_000
            done = await control.run("n2", ["sh", "-c", "echo out; echo err >&2; exit 3"])
            assert (done.status, done.output, done.errors) == (3, "out\n", "err\n")
            assert (await control.run("n1", ["no-such-program"])).status in (126, 127)
            with pytest.raises(RemoteError, match="no answer before the deadline"):
                await control._connections["n1"].run(["sleep", "5"], timeout_s=0.3)
            await net.cut([("n1", "n2")])
            assert [await net.reaches("n1", "n2"), await net.reaches("n2", "n1")] == [False, True]
            await processes.limit_cpu("n1", 0.5)  # the server is in the container's control groups, whoever started it
            await processes.pause("n1")
            assert await processes.state("n1") == "paused"
            await processes.kill("n1")
            groups = engine(
                "exec", f"splitbrain-{run_id}-n2", "sh", "-c", "cat /proc/$(cut -d' ' -f1 /run/*/server.pid)/cgroup"
            )
            assert groups == engine("exec", f"splitbrain-{run_id}-n2", "cat", "/proc/1/cgroup")
            engine("rm", "--force", f"splitbrain-{run_id}-n2")
            with pytest.raises(InfrastructureError, match=r"^n2: .*somebody removed it"):
                await processes.state("n2")

    asyncio.run(scenario())
    assert made_by(run_id) == []
