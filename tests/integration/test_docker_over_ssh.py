"""An engine behind SSH: DOCKER_HOST=ssh://..., to an sshd in a container that was lent the engine's socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from conftest import engine, made_by
from counting_system import DOCKERFILE, CountingSystem
from somebodys_machines import host_key

from harness.docker_ground.engine import connect
from harness.docker_ground.images import system_image

ENGINE_SOCKET = Path("/var/run/docker.sock")
pytestmark = [pytest.mark.docker, pytest.mark.socket]
SPLITBRAIN = (sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())")
DIAL = """#!/usr/bin/env python3
import os, socket, sys, threading
assert sys.argv[1:] == ["system", "dial-stdio"], sys.argv
far = socket.socket(socket.AF_UNIX)
far.connect("/run/engine.sock")
def up():
    while data := os.read(0, 65536):
        far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536):
    os.write(1, data)
"""
"""What `docker system dial-stdio` does: the standard streams are the engine's socket."""
BOOT = """
mkdir -p /root/.ssh /run/sshd && chmod 700 /root/.ssh && printf '%s\\n' "$1" >/root/.ssh/authorized_keys
printf '%s' "$2" >/usr/bin/docker && chmod 755 /usr/bin/docker
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key </dev/null
exec /usr/sbin/sshd -D -e -o UsePAM=no -o UseDNS=no -o MaxStartups=200 -o "MaxSessions=$3"
"""


@pytest.fixture(params=[100])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which the engine is behind SSH, with so many sessions for each connection."""
    key = paramiko.ECDSAKey.generate()
    (tmp_path / ".ssh").mkdir(mode=0o700)
    key.write_private_key_file(str(tmp_path / ".ssh" / "id_ecdsa"))
    with connect() as client:
        image = system_image(client, CountingSystem(DOCKERFILE), None, lambda: False)
    name = f"sshd-test-{os.getpid()}-engine"
    engine("network", "create", "--internal", name)
    try:
        lent = ["--volume", f"{ENGINE_SOCKET.resolve()}:/run/engine.sock", "--entrypoint", "sh"]
        given = [f"{key.get_name()} {key.get_base64()}", DIAL, str(request.param)]
        engine("run", "--detach", "--name", name, "--network", name, "--init", *lent, image, "-c", BOOT, "sh", *given)
        shape = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = engine("inspect", "--format", shape, name).strip()
        (tmp_path / ".ssh" / "known_hosts").write_text(f"{address} {host_key(name)}")
        yield {**os.environ, "HOME": str(tmp_path), "DOCKER_HOST": f"ssh://root@{address}", "SSH_AUTH_SOCK": ""}
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60)
        subprocess.run(["docker", "network", "rm", name], capture_output=True, timeout=60)


def splitbrain(away: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SPLITBRAIN, *words], env=away, capture_output=True, text=True, timeout=180)


def test_a_run_goes_through_ssh_to_the_engine_and_leaves_nothing(away: dict[str, str], tmp_path: Path) -> None:
    short = ("--nodes", "3", "--time-limit", "5", "--interval", "0.5", "--duration", "0.7", "--quiet-period", "1.5")
    words = ("--on", "docker", "--nemesis", "partition,kill,freeze", *short, "--seed", "1", "--json")
    done = splitbrain(away, "run", *words, "--store", str(tmp_path / "store"))
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"]) == (0, "valid"), (result["reason"], result["verdicts"])
    assert result["faults"]
    assert all(fault["proven"] for fault in result["faults"]), result["faults"]
    assert made_by(Path(result["run"]).resolve().name) == []


@pytest.mark.parametrize("away", [2], indirect=True)
def test_an_sshd_with_too_few_sessions_is_told_with_what_to_do(away: dict[str, str], tmp_path: Path) -> None:
    words = ("--on", "docker", "--nemesis", "none", "--nodes", "3", "--time-limit", "1", "--seed", "1", "--json")
    done = splitbrain(away, "run", *words, "--store", str(tmp_path / "store"))
    assert done.returncode == 255
    assert "set MaxSessions 100 in its sshd_config" in (
        json.loads(done.stdout)["reason"] if done.stdout else done.stderr
    )
    assert "Traceback" not in done.stderr


def test_an_engine_whose_host_key_is_not_known_is_not_spoken_to(away: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "known_hosts").write_text("")
    done = splitbrain(away, "run", "--on", "docker", "--nemesis", "none", "--nodes", "1", "--time-limit", "1")
    assert done.returncode == 255
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "does not answer" in done.stderr
