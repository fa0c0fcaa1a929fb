"""A search in worker processes that is told to end, or killed: it leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXPLORE = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())", "explore"]
EXPLORE += ["--nodes", "3", "--time-limit", "0.3", "--nemesis", "kill", "--seeds", "0..99999", "--jobs", "2"]
PATIENCE_S = 60


def children(pid: int) -> set[int]:
    """Processes that a process has made."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_worker_outlives_the_command(tmp_path: Path, ending: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        EXPLORE, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as command:
        assert command.stdout is not None
        command.stdout.read(1)  # the mark of a first run
        workers = children(command.pid)
        command.send_signal(ending)
        printed, said = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == status, said
    assert len(workers) >= 2
    if ending == signal.SIGTERM:
        assert said.decode() == "splitbrain: Interrupted.\n"
        (told,) = tmp_path.glob("store/explore/2*/explore.json")
        assert json.loads(told.read_text())["runs"] >= 1
        assert str(told.relative_to(tmp_path)) in printed.decode()
    deadline = time.monotonic() + PATIENCE_S
    while (left := {pid for pid in workers if _runs(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
