"""The Makefile as a newcomer meets it: its list of targets, and a demonstration that shows what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT, text

from harness.store import Run

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
SPLITBRAIN = (sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())")
DEMO_S = 120


def make(*words: str) -> str:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout


def test_help_names_every_target_that_people_use() -> None:
    shown = set(re.findall(r"^make ([a-z]+)", make("help"), re.MULTILINE))
    assert shown == TARGETS - {"develop"}


def test_every_target_is_one_verb_and_no_file() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony and set(phony[1].split()) == TARGETS


def demonstrated() -> list[list[str]]:
    """Arguments of each `splitbrain run` of the demonstration, as make would run it."""
    lines = [line.partition(";")[0] for line in make("--dry-run", "demo").splitlines() if "splitbrain run" in line]
    return [shlex.split(line)[1:] for line in lines]


def test_the_demonstration_has_a_promise_kept_and_a_promise_broken() -> None:
    assert [words[-1] for words in demonstrated()] == ["quorum", "async"]


def quoted_proof() -> str:
    """The sentence that README.md shows of the second run, however its lines are broken."""
    quoted = re.search(r"^    VIOLATION .*\n((?:    .*\n)+?)    +At ", text(Path("README.md")), re.MULTILINE)
    assert quoted, "README.md shows no proof"
    return " ".join(quoted[1].split())


@pytest.mark.parametrize(("place", "code", "outcome"), [(0, 0, "valid"), (1, 1, "violation")], ids=["kept", "broken"])
def test_the_demonstration_comes_out_as_it_says(place: int, code: int, outcome: str, tmp_path: Path) -> None:
    words = [*SPLITBRAIN, *demonstrated()[place]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=DEMO_S)
    run = Run(tmp_path / "store" / "latest")
    assert (done.returncode, run.result().outcome) == (code, outcome), done.stdout + done.stderr
    assert run.result().faults and all(fault.proven for fault in run.result().faults)
    assert run.report_path.stat().st_size > 0
    if outcome == "violation":
        assert quoted_proof() in " ".join(done.stdout.split()), f"README.md quotes another proof than:\n{done.stdout}"
