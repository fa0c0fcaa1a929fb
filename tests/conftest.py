"""What a test may need beyond Python, and what happens where it is missing.

A test marked `docker`, `browser`, `namespaces`, `volume` or `corpus` runs where a Docker engine answers, where
Chromium is installed, where root can make network namespaces, where root can mount an ext4 volume, where the histories
recorded by others lie; README.md has all marks. Elsewhere it is skipped, and says why. With
`SPLITBRAIN_REQUIRE_DOCKER=1` and so on, as in `.ci/run`, it fails instead: there, a skipped test would be an untested
promise.
A test marked `torture` takes minutes, on any machine; it is left out, and the end says so, but for `make torture`.

Each resource is looked for at most once a session, and only if a test that needs it is about to run.

A test has TEST_S seconds, set-up and tear-down included (LONG_TEST_S with the mark `torture`): one that hangs is a
failure with the place where it hung, not a job that somebody has to end.

Property tests draw the same cases every time, and no clock decides whether they pass: a busy machine is no failure.
With `make torture` the cases are fresh ones, as many as its time allows (torture.py).
"""

from __future__ import annotations

import collections
import functools
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import torture

ROOT = Path(__file__).resolve().parents[1]
ENGINE_ANSWER_S = 10
ENGINE_SOCKET = Path("/var/run/docker.sock")
TEST_S = 600
LONG_TEST_S = 7200
TORTURE = os.environ.get("SPLITBRAIN_TORTURE") == "1"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@functools.cache
def docker_missing() -> str | None:
    """Why no Docker engine can be used, or None.

    Asked in a process of its own: where nothing answers, the SDK leaves a socket behind, which here would be an error.
    """
    ask = f"import docker; docker.from_env(timeout={ENGINE_ANSWER_S}).ping()"
    try:
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=3 * ENGINE_ANSWER_S)
    except subprocess.TimeoutExpired:
        return f"no Docker engine answers within {3 * ENGINE_ANSWER_S} s"
    if done.returncode == 0:
        return None
    return f"no Docker engine answers: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"


def socket_missing() -> str | None:
    """Why the engine's socket cannot be lent to a container, or None."""
    return None if ENGINE_SOCKET.is_socket() else f"the engine's socket is not {ENGINE_SOCKET}, so it cannot be lent"


def x86_64_missing() -> str | None:
    """Why nothing that knows the system calls of x86-64 only can be tried, or None."""
    return None if platform.machine() == "x86_64" else f"this machine is {platform.machine()}, not x86-64"


@functools.cache
def loop_missing() -> str | None:
    """Why no disks of containers can be broken from here, or None."""
    from harness.docker_ground.abilities import no_loop

    return no_loop({"disk": "loop"})


@functools.cache
def browser_missing() -> str | None:
    """Why no Chromium can be used, or None."""
    named = os.environ.get("SPLITBRAIN_CHROMIUM")
    if named:
        return None if os.access(named, os.X_OK) else f"SPLITBRAIN_CHROMIUM names {named}, which cannot be run"
    if any(os.access(f"/usr/bin/{name}", os.X_OK) or shutil.which(name) for name in BROWSERS):
        return None
    return "no Chromium: neither SPLITBRAIN_CHROMIUM is set nor is one of " + ", ".join(BROWSERS) + " installed"


@functools.cache
def namespaces_missing() -> str | None:
    """Why no network namespace can be made, or None."""
    from harness.local_ground.namespaces import missing

    return missing() or None


@functools.cache
def volume_missing() -> str | None:
    """Why no ext4 volume can be mounted, or None."""
    if os.geteuid() != 0:
        return "no ext4 volume: only root can mount one"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [tool for tool in ("mkfs.ext4", "mount", "umount") if shutil.which(tool, path=path) is None]
    if missing:
        return f"no ext4 volume: {missing[0]} is not installed"
    return None if Path("/dev/loop-control").exists() else "no ext4 volume: this machine has no loop devices"


def corpus_directory() -> Path:
    """Where the recorded histories are looked for; a relative path counts from the top of the project."""
    return ROOT / os.environ.get("SPLITBRAIN_CORPUS", "../shared/corpus")


@functools.cache
def corpus_missing() -> str | None:
    """Why the histories recorded by others cannot be read, or None."""
    directory = corpus_directory()
    return None if directory.is_dir() else f"no recorded histories at {directory} (SPLITBRAIN_CORPUS names the place)"


# A developer's own settings decide no test; one that is about them sets them.
for name in ("SPLITBRAIN_STORE", "SPLITBRAIN_SEED", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)

hypothesis.settings.register_profile(
    "splitbrain",
    deadline=None,
    derandomize=not TORTURE,
    database=None,
    print_blob=True,
    suppress_health_check=(hypothesis.HealthCheck.too_slow,),
)
hypothesis.settings.load_profile("splitbrain")

MISSING: dict[str, Callable[[], str | None]] = {
    "docker": docker_missing,
    "socket": socket_missing,
    "loop": loop_missing,
    "browser": browser_missing,
    "namespaces": namespaces_missing,
    "corpus": corpus_missing,
    "volume": volume_missing,
    "x86_64": x86_64_missing,
}


LEFT_OUT: collections.Counter[str] = collections.Counter()
"""Test functions that nobody asked for, and how many cases each has."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(torture, "torture")
    config.pluginmanager.register(torture.SHARES, "torture-shares")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for, and put the rest in order."""
    left_out = [item for item in items if not TORTURE and item.get_closest_marker("torture") is not None]
    LEFT_OUT.update(item.nodeid.partition("[")[0] for item in left_out)
    config.hook.pytest_deselected(items=left_out)
    kept = set(items).difference(left_out)
    items[:] = sorted((item for item in items if item in kept), key=place)


def place(item: pytest.Item) -> int:
    """The browser comes last: its driver keeps an event loop running in this thread, where no other could then run."""
    return int(item.get_closest_marker("browser") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out."""
    if LEFT_OUT:
        terminalreporter.section("left out: takes minutes, `make torture` runs it")
    for name, cases in LEFT_OUT.items():
        terminalreporter.write_line(f"{name} ({cases} case{'s' if cases > 1 else ''})")


def marks(item: pytest.Item) -> list[str]:
    return [mark for mark in MISSING if item.get_closest_marker(mark) is not None]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, with the reason."""
    for mark in marks(item):
        if (reason := MISSING[mark]()) is not None:
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip into a failure where the resource is required, whoever skipped: the hook above or the test itself."""
    report = yield
    required = [mark for mark in marks(item) if os.environ.get(f"SPLITBRAIN_REQUIRE_{mark.upper()}") == "1"]
    if report.skipped and required and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{required[0]} is required here, but: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Give the test its bound. The alarm ends even a test whose event loop never runs again."""
    limit_s = LONG_TEST_S if item.get_closest_marker("torture") else TEST_S

    def out_of_time(_number: int, _frame: object) -> None:
        pytest.fail(f"not over after {limit_s} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(limit_s)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of histories recorded by others; use it with the mark `corpus`."""
    return corpus_directory()
