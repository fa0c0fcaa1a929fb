"""A test that needs Docker, a browser or a corpus is skipped by name, or fails where it is required: never lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

TESTS = """
import pytest

@pytest.mark.docker
def test_containers(): pass

@pytest.mark.corpus
def test_recorded(): pass

@pytest.mark.torture
def test_for_minutes(): pass

@pytest.mark.browser
def test_that_skips_itself(): pytest.skip("no mood")

@pytest.mark.docker
@pytest.mark.xfail(reason="known")
def test_known_to_fail(): assert False

def test_plain(): pass
"""


def outcome(folder: Path, **told: str) -> tuple[int, str]:
    """Exit code and output of a session with our conftest, on a machine that has a browser and nothing else."""
    (folder / "tests").mkdir(exist_ok=True)
    for name in ("conftest.py", "torture.py"):
        (folder / "tests" / name).write_text((ROOT / "tests" / name).read_text(encoding="utf-8"))
    (folder / "tests" / "test_needs.py").write_text(TESTS)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITBRAIN_")}
    missing = {"DOCKER_HOST": f"unix://{folder}/none", "SPLITBRAIN_CORPUS": f"{folder}/none"}
    environment |= missing | {"SPLITBRAIN_CHROMIUM": sys.executable} | told
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-fold-skipped"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout


def test_what_is_missing_is_skipped_by_name_with_the_reason(tmp_path: Path) -> None:
    code, printed = outcome(tmp_path)
    assert code == 0
    assert "1 passed, 4 skipped, 1 deselected" in printed
    for name, reason in {
        "test_containers": "no Docker engine answers",
        "test_recorded": "no recorded histories at",
        "test_that_skips_itself": "no mood",
    }.items():
        assert any(name in line and reason in line for line in printed.splitlines()), printed


@pytest.mark.parametrize(
    ("mark", "named"),
    [("DOCKER", "test_containers"), ("CORPUS", "test_recorded"), ("BROWSER", "test_that_skips_itself")],
)
def test_what_is_required_fails_instead(mark: str, named: str, tmp_path: Path) -> None:
    code, printed = outcome(tmp_path, **{f"SPLITBRAIN_REQUIRE_{mark}": "1"})
    assert code == 1
    assert f"{mark.lower()} is required here" in printed
    assert any("FAILED" in line or "ERROR" in line for line in printed.splitlines() if named in line), printed


def test_torture_is_left_out_and_named(tmp_path: Path) -> None:
    code, printed = outcome(tmp_path)
    assert code == 0
    assert "`make torture` runs it" in printed
    assert "test_needs.py::test_for_minutes (1 case)" in printed


def test_the_browser_comes_last(tmp_path: Path) -> None:
    """The driver's event loop runs until the end of the session, and no other can run beside it."""
    _, printed = outcome(tmp_path, SPLITBRAIN_TORTURE="1")
    (progress,) = [line for line in printed.splitlines() if line.startswith("tests/test_needs.py")]
    assert progress.split()[1] == "ss.s.s", "two needs, torture, the known failure's need, the plain one, the browser"


DRAWS = """
from itertools import islice

import pytest
from torture import some_and_many

@some_and_many(7, each=10, least=5)
@pytest.mark.parametrize("wrong", [False, True])
def test_random_histories(wrong, seeds):
    drawn = list(islice(seeds, 1000))
    seeds.told(len(drawn) // 2)
    assert len(drawn) == len(seeds) and not (wrong and drawn[0])
"""


def rows(folder: Path, **told: str) -> list[list[str]]:
    """The table of a session in which one test of random histories passes and one fails, without its heading."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test_draws.py").write_text(DRAWS)
    _, printed = outcome(folder, SPLITBRAIN_TORTURE="1", **told)
    lines = printed.partition("mismatches  test\n")[2].splitlines()
    return [line.split()[:4] for line in lines[:3]]


def test_torture_draws_as_many_histories_as_it_is_told_and_prints_what_it_compared(tmp_path: Path) -> None:
    test = "test_draws.py::test_random_histories"
    assert rows(tmp_path, SPLITBRAIN_HISTORIES="2000") == [
        ["2,000", "100", "0", f"{test}[False]"],
        ["2,000", "100", "1", f"{test}[True]"],
        ["4,000", "200", "1", "together"],
    ]


def test_torture_draws_fresh_histories_for_as_long_as_it_is_told(tmp_path: Path) -> None:
    assert [row[0] for row in rows(tmp_path, TORTURE_S="0")] == ["50", "50", "100"]
    assert [row[0] for row in rows(tmp_path, TORTURE_S="600")] == ["10,000", "10,000", "20,000"]


def test_torture_runs_when_it_is_asked_for(tmp_path: Path) -> None:
    code, printed = outcome(tmp_path, SPLITBRAIN_TORTURE="1")
    assert code == 0
    assert "2 passed, 4 skipped" in printed


HANGS = """
import asyncio, time

def test_in_a_loop():
    while True:
        pass

def test_asleep_under_a_broad_except():
    try:
        time.sleep(60)
    except Exception:
        pass

def test_waiting_on_an_event_loop():
    asyncio.run(asyncio.Event().wait())

def test_after_them(): pass
"""


def test_a_test_that_hangs_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest.replace("\nTEST_S = 600\n", "\nTEST_S = 1\n"))
    (tmp_path / "torture.py").write_text((ROOT / "tests" / "torture.py").read_text(encoding="utf-8"))
    (tmp_path / "test_hangs.py").write_text(HANGS)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir", ".", "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("not over after 1 s") >= 3
    assert "3 failed, 1 passed" in done.stdout
