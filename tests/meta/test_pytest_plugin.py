"""The pytest plugin, as somebody uses it: the example's own tests, in a pytest of their own."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "my_store"


def run_pytest(folder, *words):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300).stdout


def test_the_example_finds_the_bug_shrinks_it_and_finds_nothing_in_the_honest_store():
    told = run_pytest(EXAMPLE, ".", "--splitbrain-seeds", "2")
    assert re.search(r"FAILED test_my_store.py::test_a_read_shows_the_last_write\[seed-\d\]", told)
    assert "FAILED test_my_store.py::test_a_read_from_the_leader" not in told
    assert "ERROR" not in told and "passed" in told
    (faults, operations) = map(int, re.search(r"→ (\d+) operations, (\d+) faults", told).groups()[::-1])
    assert faults <= 3 and operations <= 10
    assert "So: " in told and "stale" not in told.split("So: ")[0].splitlines()[-1]
    replay = re.search(r"replay   pytest (\S+) (--splitbrain-seed \d+)", told)
    again = run_pytest(EXAMPLE, replay[1], *replay[2].split(), "--splitbrain-no-shrink")
    assert "1 failed" in again and "shrunk" not in again


def test_the_example_s_tests_are_fewer_than_forty_lines():
    assert len((EXAMPLE / "test_my_store.py").read_text().splitlines()) < 40


def test_a_simulated_test_that_takes_no_run_is_refused(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "from harness.testing import simulate\n\n@simulate(nodes=3)\ndef test_it():\n    pass\n"
    )
    assert "takes `judged`" in run_pytest(tmp_path, ".")
