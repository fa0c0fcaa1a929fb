"""Machines that exist: containers with nothing but sshd, which somebody else made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from conftest import engine
from counting_system import DOCKERFILE, CountingSystem

from harness.docker_ground.engine import connect
from harness.docker_ground.images import system_image

BOOT = """
rm -rf /opt/splitbrain /var/lib/splitbrain /var/log/splitbrain /run/splitbrain
mkdir -p /root/.ssh /run/sshd && chmod 700 /root/.ssh && printf '%s\\n' "$1" >/root/.ssh/authorized_keys
printf '#!/bin/sh\\n[ "$1 $2" = "-n --" ] || exit 9\\nshift 2\\necho sudo >>/tmp/sudo\\n' >/usr/local/bin/sudo
printf 'exec "$@"\\n' >>/usr/local/bin/sudo
chmod 755 /usr/local/bin/sudo
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key </dev/null
exec /usr/sbin/sshd -D -e -o UsePAM=no -o UseDNS=no -o MaxSessions=200 -o MaxStartups=200
"""


@dataclass(frozen=True)
class Machines:
    """Containers by name, their addresses, and the switches by which they are entered."""

    names: dict[str, str]
    addresses: dict[str, str]
    options: dict[str, Any]

    def flags(self) -> list[str]:
        """These switches as words of a command line."""
        return [word for name, value in self.options.items() for word in (f"--{name.replace('_', '-')}", value)]

    def shell(self, node: str, *words: str) -> str:
        return engine("exec", self.names[node], *words)


@contextmanager
def somebodys_machines(folder: Path, nodes: Sequence[str]) -> Iterator[Machines]:
    """So many containers with nothing but sshd, for as long as we are inside; keys go into the folder."""
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(folder / "key"))
    with connect() as client:
        image = system_image(client, CountingSystem(DOCKERFILE), None, lambda: False)
    network = f"sshd-test-{os.getpid()}-{len(nodes)}"
    names = {node: f"{network}-{node}" for node in nodes}
    engine("network", "create", "--internal", network)
    try:
        for name in names.values():
            words = ["run", "--detach", "--name", name, "--network", network, "--cap-add", "NET_ADMIN", "--init"]
            engine(*words, "--entrypoint", "sh", image, "-c", BOOT, "sh", f"{key.get_name()} {key.get_base64()}")
        shape = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        addresses = {node: engine("inspect", "--format", shape, name).strip() for node, name in names.items()}
        known = folder / "known_hosts"
        known.write_text("".join(f"{addresses[node]} {host_key(name)}" for node, name in names.items()))
        options = {
            "machines": ",".join(f"root@{address}" for address in addresses.values()),
            "ssh_key": str(folder / "key"),
            "known_hosts": str(known),
        }
        yield Machines(names, addresses, options)
    finally:
        subprocess.run(["docker", "rm", "--force", *names.values()], capture_output=True, timeout=60)
        subprocess.run(["docker", "network", "rm", network], capture_output=True, timeout=60)


def host_key(container: str) -> str:
    script = (
        "until [ -s /etc/ssh/ssh_host_ed25519_key.pub ]; do sleep 0.02; done; cat /etc/ssh/ssh_host_ed25519_key.pub"
    )
    return engine("exec", container, "sh", "-c", script)
