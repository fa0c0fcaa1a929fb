"""Of every fault that `doctor` lists a short run of its own on containers: made, proven, lifted, proven, and survived.

The store writes to a majority and syncs always, so it keeps its promises under each of them. Damage by `corrupt` falls
on one node of three; an fsync that lies loses nothing while the power stays on.

A run mostly waits, so the runs ahead in the list are under way while one is looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import made_by

from harness.doctor import examine_docker
from harness.nemesis.catalogue import FAULTS
from harness.nemesis.targets import ROLES

pytestmark = [pytest.mark.docker, pytest.mark.loop]

SPLITBRAIN: Final = (sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())")
SHORT: Final = (
    *("--on", "docker", "--nodes", "3", "--disk", "loop", "--replication", "quorum", "--fsync", "always"),
    *("--time-limit", "4", "--interval", "0.4", "--duration", "0.8", "--quiet-period", "1.5", "--seed", "1"),
)
TARGETS: Final = {"corrupt": "all"}
"""Which of them may be damaged is the fault's own affair."""
AT_ONCE: Final = 3
RUN_S: Final = 150


class Runs:
    """The runs that were asked for, each begun when it or one a little before it is wanted."""

    def __init__(self, folder: Path, kinds: list[str], threads: ThreadPoolExecutor) -> None:
        self._folder, self._kinds, self._threads = folder, kinds, threads
        self._begun: dict[str, Future[subprocess.CompletedProcess[str]]] = {}

    def of(self, kind: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
        """The store and the outcome of the run under this fault."""
        place = self._kinds.index(kind)
        for ahead in self._kinds[place : place + AT_ONCE]:
            if ahead not in self._begun:
                self._begun[ahead] = self._threads.submit(self._run, ahead)
        return self._folder / kind, self._begun[kind].result(timeout=RUN_S * 2)

    def _run(self, kind: str) -> subprocess.CompletedProcess[str]:
        words = [*SHORT, "--nemesis", kind, "--target", TARGETS.get(kind, "one"), "--store", str(self._folder / kind)]
        return subprocess.run([*SPLITBRAIN, "run", "--json", *words], capture_output=True, text=True, timeout=RUN_S)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    asked = [
        item.callspec.params["kind"]
        for item in request.session.items
        if item.path == request.path and isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield Runs(tmp_path_factory.mktemp("runs"), asked, threads)


@pytest.fixture(scope="module")
def missing() -> dict[str, str]:
    """What `doctor` says cannot be made on containers here, and why."""
    return {found.ability: found.detail for found in examine_docker() if not found.available}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_run_under_one_fault_proves_it_and_keeps_every_promise(
    kind: str, runs: Runs, missing: dict[str, str]
) -> None:
    store, done = runs.of(kind)
    if kind in missing:
        assert done.returncode in (254, 255) and kind in done.stderr
        return
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, result["outcome"]) == (0, "valid"), (result.get("reason"), result["verdicts"])
    assert result["faults"]
    for fault in result["faults"]:
        assert fault["kind"] == kind
        assert fault["proven"], fault
        assert len(fault["evidence"]) == 2
        assert fault["stop_ns"] > fault["start_ns"]
        assert fault["nodes"]
        assert set(fault["roles"]) <= {"leader", "follower", *ROLES}
    assert {verdict["checker"] for verdict in result["verdicts"]} >= {"linearizability", "durability", "vacuity"}
    assert result["counts"]["ok"] > 50
    [run] = store.glob("*/2*")
    assert made_by(run.name) == []
