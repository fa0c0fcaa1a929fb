"""A cluster comes whole and goes whole, whatever happens between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import NODES, Up, engine, made_by
from counting_system import CountingSystem, tells

from harness import cli
from harness.docker_ground import DockerGround, volumes
from harness.docker_ground.leftovers import remove_leftovers
from harness.errors import InfrastructureError

pytestmark = pytest.mark.docker


def provision(run_id: str, *, base: str | None = None, system: CountingSystem | None = None) -> None:
    async def scenario() -> None:
        async with DockerGround(base).cluster(system or CountingSystem(), ("n1",), {}, run_id):
            assert len(made_by(run_id)) == 2

    asyncio.run(scenario())


def test_containers_are_labelled_private_and_have_no_more_rights_than_needed(up: Up) -> None:
    assert made_by(up.run_id) == [f"splitbrain-{up.run_id}", *(up.container(node) for node in NODES)]
    assert engine("network", "inspect", "--format", "{{.Internal}}", f"splitbrain-{up.run_id}").strip() == "true"
    rights = "{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}} {{len .HostConfig.PortBindings}}"
    assert engine("inspect", "--format", rights, up.container("n1")).strip() in (
        "false [NET_ADMIN] 0",
        "false [CAP_NET_ADMIN] 0",
    )


def test_no_private_key_of_the_harness_is_in_a_container(up: Up) -> None:
    assert "PRIVATE" not in engine("inspect", up.container("n1"))
    files = engine("exec", up.container("n1"), "grep", "-rl", "PRIVATE KEY", "/root", "/etc/ssh", "/opt/splitbrain")
    assert files.split() == ["/etc/ssh/ssh_host_ed25519_key"]


def test_host_keys_differ_from_node_to_node(up: Up) -> None:
    assert len({connection.login.host_key for connection in up.control._connections.values()}) == len(NODES)


def test_nothing_is_left_after_a_cluster_was_used_or_its_user_failed() -> None:
    run_id = f"test-gone-{os.getpid()}"
    provision(run_id)
    assert made_by(run_id) == []

    async def failing() -> None:
        async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), {}, run_id):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(failing())
    assert made_by(run_id) == []


@pytest.mark.parametrize("after_s", [0.1, 0.4, 0.8])
def test_nothing_is_left_when_provisioning_is_cancelled(after_s: float) -> None:
    run_id = f"test-cancelled-{os.getpid()}-{int(after_s * 1000)}"

    async def scenario() -> None:
        async with asyncio.timeout(after_s):
            async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2", "n3"), {}, run_id):
                await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    assert made_by(run_id) == []


def test_leaving_is_finished_although_it_is_cancelled() -> None:
    """The second Ctrl-C comes while containers are being removed."""
    run_id = f"test-leaving-{os.getpid()}"

    async def scenario() -> None:
        async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), {}, run_id):
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_later(0.05, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())
    assert made_by(run_id) == []


def test_a_build_that_fails_is_one_error_with_its_last_lines() -> None:
    broken = CountingSystem(b"ARG BASE\nFROM ${BASE}\nRUN echo this is why && exit 3\n")
    with pytest.raises(
        InfrastructureError,
        match=r"^The image splitbrain-test-counting could not be built on .*this is why.*code: 3\.$",
    ):
        provision(f"test-broken-{os.getpid()}", system=broken)


def test_whoever_waits_for_a_build_hears_its_steps() -> None:
    heard: list[tuple[str, str]] = []
    dockerfile = f"ARG BASE\nFROM ${{BASE}}\nRUN echo as of {time.time_ns()} && exit 3\n"

    async def scenario() -> None:
        ground = DockerGround(None)
        ground.tell = lambda step, line: heard.append((step, line))
        async with ground.cluster(CountingSystem(dockerfile.encode()), ("n1",), {}, f"test-told-{os.getpid()}"):
            pass

    with pytest.raises(InfrastructureError, match="as of"):
        asyncio.run(scenario())
    steps = list(dict.fromkeys(step for step, _ in heard if "test-counting" in step))
    assert [step.partition(": ")[0] for step in steps] == [
        "building splitbrain-test-counting",
        *(f"building splitbrain-test-counting, step {number}/4" for number in (1, 2, 3)),  # the fourth is its label
    ]
    assert any(line.startswith("as of") for _, line in heard)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "localhost:1/no-such-image:7",
            "^The base image localhost:1/no-such-image:7 is not on this machine and cannot",
        ),
        ("Not A Name", "^'Not A Name' is no name of an image"),
    ],
)
def test_a_base_image_that_cannot_be_had_is_named(base: str, said: str) -> None:
    with pytest.raises(InfrastructureError, match=said):
        provision(f"test-base-{os.getpid()}", base=base)


def test_a_container_that_ends_at_once_is_told_with_its_last_words() -> None:
    ending = CountingSystem(
        b"ARG BASE\nFROM ${BASE}\nRUN printf '#!/bin/sh\\necho no way; exit 9\\n' >/opt/splitbrain/node/entrypoint.sh\n"
    )
    run_id = f"test-ending-{os.getpid()}"
    with pytest.raises(InfrastructureError, match=r"^n1: its container ended .*\(exit code 9: no way\)"):
        provision(run_id, system=ending)
    assert made_by(run_id) == []


def test_the_default_base_image_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITBRAIN_BASE_IMAGE", "localhost:1/from-the-environment")
    with pytest.raises(InfrastructureError, match="localhost:1/from-the-environment"):
        provision(f"test-environment-{os.getpid()}")


KILLED = """
import asyncio, os, sys
from counting_system import CountingSystem
from harness.docker_ground import DockerGround
from harness.docker_ground.abilities import no_loop
from harness.protocols import LinkShape

async def scenario():
    loop = no_loop({"disk": "loop"}) is None
    options = {"disk": "loop" if loop else "image", "capture": True}
    async with DockerGround(None).cluster(CountingSystem(), ("n1", "n2"), options, sys.argv[1]) as cluster:
        await cluster.net.shape({("n1", "n2"): LinkShape(delay_ms=500)})
        if loop:
            await cluster.disks.break_disk("n1", "hung")
        await cluster.processes.limit_cpu("n2", 0.5)
        await cluster.processes.freeze("n2")
        print("up", flush=True)
        await asyncio.sleep(60)

asyncio.run(scenario())
"""


def test_what_a_killed_harness_left_is_removed_with_its_faults_in_force_and_nothing_else(
    up: Up, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = f"test-killed-{os.getpid()}"
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", KILLED, run_id], stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"up\n"
        assert remove_leftovers(run_id) == []  # its harness is alive
        harness.send_signal(signal.SIGKILL)
        harness.wait(timeout=20)
    assert len(made_by(run_id)) == 3
    assert remove_leftovers("another-run") == []
    began = time.monotonic()
    assert cli.main(["cleanup"]) == 0
    assert time.monotonic() - began < 10.0
    printed = capsys.readouterr().out
    for name in (
        f"container splitbrain-{run_id}-n1",
        f"container splitbrain-{run_id}-n2",
        f"network splitbrain-{run_id}",
    ):
        assert f"{name}, of the run {run_id}\n" in printed
    assert made_by(run_id) == []
    assert not (volumes.root() / run_id).exists()
    assert run_id not in "".join(path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file"))
    assert len(made_by(up.run_id)) == 1 + len(NODES)
    assert up.do(tells(up.cluster, "n1")) is not None


def test_everything_means_also_what_belongs_to_a_run_that_is_alive() -> None:
    run_id = f"test-alive-{os.getpid()}"

    async def scenario() -> list[str]:
        async with DockerGround(None).cluster(CountingSystem(), ("n1",), {}, run_id):
            return remove_leftovers(run_id, everything=True)

    assert len(asyncio.run(scenario())) == 2
    assert made_by(run_id) == []
