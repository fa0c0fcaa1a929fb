"""Recorded histories, each checked by the command in a process of its own: how long all of them take together.

    python benchmarks/checkers/corpus.py                       the histories that the tests use, two at a time
    python benchmarks/checkers/corpus.py FOLDER --jobs 1       the .jsonl files of a folder

"differ" are those that a `manifest.csv` beside them knows otherwise; docs/corpus-differences.md argues about these.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
COMMAND = Path(sys.executable).with_name("splitbrain")
CODES = {"True": 0, "False": 1}
SLOWEST = 3


def checked(path: Path) -> tuple[float, int]:
    """Seconds that passed, and the exit code."""
    began = time.perf_counter()
    done = subprocess.run([COMMAND, "check", path], stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began, done.returncode


def known(folder: Path) -> dict[str, int]:
    """By name of a file the exit code that it should have, where somebody knows."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return {}
    with manifest.open(encoding="utf-8", newline="") as lines:
        return {row["file"]: CODES[row["expected"]] for row in csv.DictReader(lines) if row["expected"] in CODES}


def main() -> int:
    """Print the figures; 0 also where there is nothing to check."""
    parser = argparse.ArgumentParser(description="Check recorded histories.")
    parser.add_argument("folder", type=Path, nargs="?", default=CORPUS)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    paths = sorted(given.folder.glob("*.jsonl"))
    if not paths:
        print(f"{given.folder}: no .jsonl files there")
        return 0
    began = time.perf_counter()
    with ThreadPoolExecutor(given.jobs) as workers:
        found = dict(zip(paths, workers.map(checked, paths), strict=True))
    wall_s, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy_s = used.ru_utime + used.ru_stime
    print(f"{len(paths)} files, {given.jobs} at a time: {wall_s:.1f} s, {busy_s:.1f} s of processor time")
    for path, (seconds, _) in sorted(found.items(), key=lambda row: -row[1][0])[:SLOWEST]:
        print(f"  {seconds:5.2f} s  {path.name}")
    wanted = known(given.folder)
    differ = sorted(path.name for path, (_, code) in found.items() if wanted.get(path.name, code) != code)
    print(f"{len(differ)} differ of {len(wanted)} whose verdict is known: {', '.join(differ) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
