"""The harness is killed at any moment of a run: what it left is removed, and what it recorded is readable.

A moment is drawn between the start of the command and the end of its main phase: in the middle of an image, of a
network, of a fault, of an injection. The sample is small here; `make torture` takes a hundred moments.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from conftest import made_by

from harness.history.reader import read_history
from harness.local_ground import ledger

SPLITBRAIN = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"]
FAULTS = "kill,pause,partition"
SHORT = [
    "--nodes",
    "3",
    "--time-limit",
    "5",
    "--interval",
    "0.3",
    "--duration",
    "0.5",
    "--combine",
    "--nemesis",
    FAULTS,
]
AT_A_TIME = 3
CLEANUP_S = 60


def killed_run(store: Path, after_s: float, *words: str) -> Path | None:
    """The directory of a run whose harness was killed; None when it had made none yet."""
    with subprocess.Popen(
        [*SPLITBRAIN, "run", *SHORT, "--nemesis", FAULTS, "--store", str(store), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as harness:
        time.sleep(after_s)
        harness.send_signal(signal.SIGKILL)
    return next(iter(store.glob("*/2*")), None)


def cleaned(run_id: str, ground: str) -> str:
    done = subprocess.run(
        [*SPLITBRAIN, "cleanup", "--on", ground, "--run", run_id], capture_output=True, text=True, timeout=CLEANUP_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def readable(run: Path) -> int:
    """How many events the history has; none where it was not begun."""
    history = run / "history.jsonl"
    return len(read_history(history).events) if history.exists() and history.stat().st_size else 0


def traces(run_id: str) -> list[str]:
    """What of this machine still names a run: processes, mounts, disks of loop devices, namespaces, files."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if run_id in command and f"cleanup {run_id}" not in command:
            found.append(f"process {process.name} {command}")
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if run_id in line]
    for loop in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found += [f"{loop.parts[3]} {loop.read_text().strip()}"] if run_id in loop.read_text() else []
        except OSError:
            continue
    found += [str(path) for path in Path("/run/netns").glob(f"*{run_id}*")]
    found += [str(path) for path in Path("/var/tmp/splitbrain").glob(f"*{run_id}*")]
    found += [str(path) for path in Path("/tmp").glob(f"splitbrain-{run_id}*")]
    return found


def kill_at(store: Path, after_s: float, ground: str, *words: str) -> int:
    """Kill one harness, clean up after it, and look; returns how many events it had recorded."""
    run = killed_run(store, after_s, "--on", ground, *words)
    if run is None:
        return 0
    path = ledger.folder() / f"{run.name}.json"
    links = msgspec.json.decode(path.read_bytes(), type=ledger.Entry).links if path.exists() else []
    cleaned(run.name, ground)
    assert cleaned(run.name, ground) == "Nothing was left behind.\n"
    assert traces(run.name) == [], f"killed after {after_s:.2f} s"
    assert not path.exists()
    assert [link for link in links if Path("/sys/class/net", link).exists()] == []
    if ground == "docker":
        assert made_by(run.name) == [], f"killed after {after_s:.2f} s"
    return readable(run)


def kill_at_moments(folder: Path, count: int, longest_s: float, seed: int, *words: str) -> None:
    chance = random.Random(seed)
    moments = [longest_s * (place + chance.random()) / count for place in range(count)]  # one in each part of the run
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        stores = [folder / f"store {place}" for place in range(count)]
        recorded = list(threads.map(lambda store, after_s: kill_at(store, after_s, *words), stores, moments))
    assert any(recorded), "no run was killed after it had recorded something"
    assert not all(recorded), "no run was killed before it recorded anything"


@pytest.mark.namespaces
def test_a_harness_on_local_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    kill_at_moments(tmp_path, 12, 6.0, 11, "local")


@pytest.mark.docker
def test_a_harness_on_docker_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    kill_at_moments(tmp_path, 8, 16.0, 12, "docker")


@pytest.mark.docker
@pytest.mark.loop
def test_a_harness_on_docker_with_disks_that_is_killed_leaves_no_loop_device(tmp_path: Path) -> None:
    kill_at_moments(tmp_path, 3, 18.0, 13, "docker", "--disk", "loop", "--control", "nsenter")


@pytest.mark.torture
@pytest.mark.docker
@pytest.mark.namespaces
@pytest.mark.parametrize("ground", ["local", "docker"])
def test_a_hundred_moments(tmp_path: Path, ground: str) -> None:
    kill_at_moments(tmp_path, 100, 16.0, 14, ground)
