"""What every node's image has below the system under test: SSH, iptables, and the harness' own helpers.

    Dockerfile         the layers on the base image
    entrypoint.sh      what a container runs: makes its host key, the chain for cuts, and waits for SSH
    server.sh          start, stop, kill, pause, resume and state of the one server that is tested on the node
    probe_listener.py  notes which probes reached the node
    link_queue.py      holds, delays, drops, doubles and damages what arrives from peers
    clock.h, preload.c, preload_file.py    a wall clock and an fsync of the server's own
    vdso.c, vdso.ld    the same for programs that are static, put there from outside
    clock_tool.py      tells what that clock shows
    disk_tool.py       tries the disk, and damages files
    capture.py         writes packets into a file
    sshd.conf          SSH with one key and nothing else

They are read as files and sent to the engine; nothing imports them. The paths below are what the ground relies on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
FILES: Final = (
    "Dockerfile",
    "capture.py",
    "clock.h",
    "clock_tool.py",
    "disk_tool.py",
    "entrypoint.sh",
    "link_queue.py",
    "preload.c",
    "preload_file.py",
    "probe_listener.py",
    "server.sh",
    "sshd.conf",
    "vdso.c",
    "vdso.ld",
)
ENTRYPOINT: Final = "/opt/splitbrain/node/entrypoint.sh"
SERVER: Final = "/opt/splitbrain/node/server.sh"
LOG_FOLDER: Final = "/var/log/splitbrain"
HEARD_FOLDER: Final = "/run/splitbrain/heard"
HOST_KEY_FILE: Final = "/etc/ssh/ssh_host_ed25519_key.pub"
CHAIN: Final = "SPLITBRAIN"
"""The iptables chain, called from INPUT, that holds the cuts and nothing else."""
PROBE_PORT: Final = 7999
DATA_FOLDER: Final = "/var/lib/splitbrain"
PRELOAD: Final = "/opt/splitbrain/node/preload.so"
VDSO_CODE: Final = "/opt/splitbrain/node/vdso.bin"
SERVER_PID: Final = "/run/splitbrain/server.pid"
PYTHON: Final = ("python3", "-I", "-S")
SET_PRELOAD: Final = (*PYTHON, "/opt/splitbrain/node/preload_file.py", "/run/splitbrain/preload")
SHOW_CLOCK: Final = ("env", f"LD_PRELOAD={PRELOAD}", *PYTHON, "/opt/splitbrain/node/clock_tool.py")
QUEUE: Final = 7
"""Number of the packet filter's queue that link_queue.py answers."""
TELL_LINKS: Final = (*PYTHON, "/opt/splitbrain/node/link_queue.py", str(QUEUE), "/run/splitbrain/links.sock")
DISK_TOOL: Final = (*PYTHON, "/opt/splitbrain/node/disk_tool.py")
CAPTURE: Final = (*PYTHON, "/opt/splitbrain/node/capture.py", f"{LOG_FOLDER}/packets.pcap", str(32 << 20))
