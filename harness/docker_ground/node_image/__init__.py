"""What every node's image has below the system under test: SSH, iptables, and the harness' own three helpers.

    Dockerfile         the layers on the base image
    entrypoint.sh      what a container runs: makes its host key, the chain for cuts, and waits for SSH
    server.sh          start, kill, pause, resume and state of the one server that is tested on the node
    probe_listener.py  notes which probes reached the node
    sshd.conf          SSH with one key and nothing else

They are read as files and sent to the engine; nothing imports them. The paths below are what the ground relies on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
FILES: Final = ("Dockerfile", "entrypoint.sh", "probe_listener.py", "server.sh", "sshd.conf")
ENTRYPOINT: Final = "/opt/splitbrain/node/entrypoint.sh"
SERVER: Final = "/opt/splitbrain/node/server.sh"
LOG_FOLDER: Final = "/var/log/splitbrain"
HEARD_FOLDER: Final = "/run/splitbrain/heard"
HOST_KEY_FILE: Final = "/etc/ssh/ssh_host_ed25519_key.pub"
CHAIN: Final = "SPLITBRAIN"
"""The iptables chain, called from INPUT, that holds the cuts and nothing else."""
PROBE_PORT: Final = 7999
