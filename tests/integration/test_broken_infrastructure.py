"""A machine, an engine or a disk that fails during a run: said by name, cleaned up, and never called a violation."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import engine, made_by

from harness.history.reader import read_history

SPLITBRAIN = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"]
SHORT = ["--nodes", "3", "--time-limit", "4", "--interval", "0.4", "--duration", "0.4", "--quiet-period", "0.3"]
BEGIN_S = 60
END_S = 120


class Going:
    """A run that goes on in a process of its own."""

    def __init__(self, store: Path, *words: str, **environment: str) -> None:
        self.store = store
        self.process = subprocess.Popen(
            [*SPLITBRAIN, "run", *SHORT, "--seed", "3", "--json", "--store", str(store), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def until_it_records(self) -> str:
        """The run's id, once some operations are in its history."""
        deadline_s = time.monotonic() + BEGIN_S
        while time.monotonic() < deadline_s:
            for history in self.store.glob("*/2*/history.jsonl"):
                if history.stat().st_size > 10_000:
                    return history.parent.name
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        raise AssertionError("the run recorded nothing")

    def end(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, result and what was complained of."""
        printed, complaint = self.process.communicate(timeout=END_S)
        return self.process.returncode, json.loads(printed) if printed else {}, complaint


@contextmanager
def relay(path: Path, target: str = "/var/run/docker.sock") -> Iterator[threading.Event]:
    """An engine's socket that is gone for good once the event is set."""
    gone, pairs = threading.Event(), []

    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while not gone.is_set():
            try:
                near = listener.accept()[0]
            except OSError:
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(target)
            pairs.extend((near, far))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=carry, args=ends, daemon=True).start()
        listener.close()
        for end in pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(50)
    listener.settimeout(0.05)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield gone
    finally:
        gone.set()
        thread.join()
        for end in pairs:
            end.close()


@pytest.mark.docker
@pytest.mark.parametrize("nemesis", ["none", "kill"])
def test_a_container_that_somebody_removes_is_named_and_the_others_are_cleaned(tmp_path: Path, nemesis: str) -> None:
    going = Going(tmp_path, "--on", "docker", "--nemesis", nemesis, "--target", "one")
    run_id = going.until_it_records()
    engine("rm", "--force", f"splitbrain-{run_id}-n2")
    code, result, _ = going.end()
    assert (code, result["outcome"]) == (255, "infrastructure")
    assert "n2: its container does not run any more (somebody removed it)" in result["reason"]
    assert made_by(run_id) == []


CLOSED = ["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT", "--reject-with", "tcp-reset"]


@pytest.mark.docker
def test_a_node_whose_ssh_is_cut_for_good_is_named_and_everything_is_cleaned(tmp_path: Path) -> None:
    going = Going(tmp_path, "--on", "docker", "--nemesis", "kill", "--target", "n2")
    run_id = going.until_it_records()
    engine("exec", f"splitbrain-{run_id}-n2", *CLOSED)
    code, result, _ = going.end()
    assert (code, result["outcome"]) == (255, "infrastructure")
    assert re.search(r"\bn2\b.*(connect|SSH)", result["reason"]), result["reason"]
    assert made_by(run_id) == []


@pytest.mark.docker
def test_an_engine_that_is_restarted_and_stops_all_containers_is_named_and_everything_is_cleaned(
    tmp_path: Path,
) -> None:
    """As its daemon does: it does not answer for a while, its containers end, and then it answers again."""
    path = tmp_path / "engine.sock"
    with relay(path) as gone:
        going = Going(tmp_path / "s", "--on", "docker", "--nemesis", "pause", DOCKER_HOST=f"unix://{path}")
        run_id = going.until_it_records()
        nodes = [f"splitbrain-{run_id}-n{number}" for number in (1, 2, 3)]
        gone.set()
        engine("kill", *nodes)
    path.unlink()
    with relay(path):
        code, result, _ = going.end()
    assert (code, result["outcome"]) == (255, "infrastructure")
    assert re.search(r"\bn[123]\b", result["reason"]), result["reason"]
    assert made_by(run_id) == []


@pytest.mark.docker
def test_an_engine_that_goes_away_is_named_and_cleanup_removes_what_it_kept(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with relay(path) as gone:
        going = Going(tmp_path / "s", "--on", "docker", "--nemesis", "kill", DOCKER_HOST=f"unix://{path}")
        run_id = going.until_it_records()
        gone.set()
        code, result, _ = going.end()
    assert (code, result["outcome"]) == (255, "infrastructure")
    assert "could not be removed" in result["reason"]
    assert "splitbrain cleanup" in result["reason"]
    assert made_by(run_id) != []
    subprocess.run([*SPLITBRAIN, "cleanup", "--on", "docker", "--run", run_id], check=True, timeout=60)
    assert made_by(run_id) == []


@pytest.mark.volume
@pytest.mark.parametrize("ground", ["sim", "local", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_written(tmp_path: Path, ground: str) -> None:
    store = tmp_path / "small disk"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(store)], check=True)
    try:
        code, _, complaint = Going(store, "--on", ground, "--rate", "400").end()
        assert code == 255
        assert "No space left on device" in complaint.splitlines()[-1]
        assert "Traceback" not in complaint
        [history] = store.glob("*/2*/history.jsonl")
        assert len(read_history(history).events) > 100
        assert (history.parent / "plan.json").stat().st_size > 0
        assert ground != "docker" or made_by(history.parent.name) == []
    finally:
        subprocess.run(["umount", str(store)], check=True)
