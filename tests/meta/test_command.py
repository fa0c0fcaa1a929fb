"""The command as an installation has it: help at once, errors in one sentence, and nothing loaded in vain."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HELP_S = 0.15
STARTS = 9
OTHERS = (
    "checkers.sessions.",
    "checkers.transactions",
    "checkers.structures",
    "importlib.metadata",
    "asyncio",
    "docker",
)
HEAVY = ("docker", "jinja2", "msgspec", "networkx", "numpy", "paramiko", "rich", "argparse", "asyncio")


def splitbrain() -> Path:
    script = Path(sys.executable).with_name("splitbrain")
    assert script.exists(), f"{script} is missing; run `make setup`"
    return script


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = f"""
import sys
from harness.cli import main
assert main(["--help"]) == 0
print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


def test_judging_a_register_loads_no_other_checker() -> None:
    """Somebody who judges hundreds of histories waits for the loading more than for anything else."""
    history = Path(__file__).resolve().parents[2] / "examples" / "histories" / "stale-read.jsonl"
    code = f"""
import sys
from harness.cli import main
assert main(["check", {str(history)!r}]) == 1
print(sorted(name for name in sys.modules if name.startswith({OTHERS!r})), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


def processor_time_s(words: Sequence[str | Path]) -> float:
    """What one start costs the processor, in and out of the kernel; how busy the machine is hardly matters to it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, capture_output=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_comes_at_once() -> None:
    """The median of several starts. It waits for nothing, so on an idle machine this is what a person waits."""
    took_s = [processor_time_s([splitbrain(), "--help"]) for _ in range(STARTS)]
    assert statistics.median(took_s) < HELP_S, f"`splitbrain --help` took {sorted(took_s)} s; at most {HELP_S} s"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: splitbrain"),
        (("runn",), "Did you mean 'run'?"),
        (("run", "--workload", "registr"), "Did you mean 'register'?"),
        (("run", "--nemesis", "partitoin"), "Did you mean 'partition'?"),
        (("run", "--nodse", "3"), "Did you mean '--nodes'?"),
        (("run", "--replication", "asink"), "Did you mean 'async'?"),
        (("run", "--nodes", "none"), "wanted a whole number of at least 1, found 'none'"),
        (("run", "no-such-plan.toml"), "no-such-plan.toml"),
        (("check", "no-such-file.jsonl"), "no-such-file.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_gets_one_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = subprocess.run([splitbrain(), *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 254
    assert said in done.stderr + done.stdout
    if words:
        assert done.stdout == "" and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir()), "something was left behind"
