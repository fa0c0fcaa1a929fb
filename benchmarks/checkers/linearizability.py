"""Linearizability over a grid of histories of one cas-register: length, clients, doubt, values, sound or corrupted.

    python benchmarks/checkers/linearizability.py                            the whole grid; ten minutes and more
    python benchmarks/checkers/linearizability.py --lengths 1000,10000       a part of it; --clients, --values, --doubt
    python benchmarks/checkers/linearizability.py --no-brief                 a line for each history, not each row

Each history is made by `gen.py` (--generator; it is not part of the project) in a folder that is removed at the end,
and judged in a process of its own, as `splitbrain check` would: imports, reading and checking are timed apart, in
seconds of processor time, and so is the memory that the process had at most; then the certificate is re-checked.
"growth" is the time of reading and checking, against that of the same history a tenth as long: 10 is linear.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

GENERATOR = Path(__file__).resolve().parents[3] / "shared" / "bench" / "gen.py"
COLUMNS = ("operations", "clients", "in doubt", "values", "corrupted")
COLUMNS += ("import s", "read s", "check s", "verify s", "MB", "growth", "answer")
GRACE_S = 60.0
WORKER = """
import json, resource, sys, time
start = time.process_time()
from pathlib import Path
from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history.reader import read_history
imported = time.process_time()
history = read_history(Path(sys.argv[1]))
read = time.process_time()
verdict = Linearizability().check(history, Budget(float(sys.argv[2]), time.process_time_ns))
checked = time.process_time()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
problems = verify(history, verdict) if sys.argv[3] == "verify" else []
verified = time.process_time()
print(json.dumps({"import": imported, "read": read - imported, "check": checked - read, "memory": memory,
    "verify": verified - checked, "answer": verdict.answer, "reason": verdict.reason, "problems": problems,
    "expected": history.header.expected}))
"""


@dataclass(frozen=True)
class Case:
    """One history of the grid. `values`: "unique", or how many there are."""

    clients: int
    doubt: float
    values: str
    corrupt: bool
    operations: int

    def make(self, generator: Path, base: Path) -> Path:
        """Write it to a file."""
        words = [sys.executable, str(generator), "--model", "cas-register", "--n", str(self.operations), "--no-ops"]
        words += ["--conc", str(self.clients), "--info", str(self.doubt), "--values", self.values, "--out", str(base)]
        words += ["--corrupt", "0.9"] if self.corrupt else []
        subprocess.run(words, check=True)
        return base.with_suffix(".jsonl")


def measured(path: Path, budget_s: float, verify: bool) -> dict[str, Any]:
    """What the judging process says of a history."""
    words = [sys.executable, "-c", WORKER, str(path), str(budget_s), "verify" if verify else "check"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10 * budget_s + GRACE_S)
    except subprocess.TimeoutExpired:
        return {"answer": "overran", "reason": "the process was ended"}
    if done.returncode:
        return {"answer": "failed", "reason": done.stderr.strip().splitlines()[-1:]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(case: Case, told: dict[str, Any], shorter_s: float | None) -> str:
    """One line of the table."""
    times = [""] * 6
    if "read" in told:
        growth = f"{(told['read'] + told['check']) / shorter_s:.1f}" if shorter_s else ""
        times = [f"{told[name]:.2f}" for name in ("import", "read", "check", "verify")]
        times += [str(told["memory"]), growth]
    answer = told["answer"]
    if told.get("expected") is not None and answer == ("invalid" if told["expected"] else "valid"):
        answer += " WRONG"
    if told.get("problems"):
        answer += f" NOT CONFIRMED: {told['problems'][0]}"
    said = [f"{case.operations:,}", str(case.clients), f"{case.doubt:.0%}", case.values]
    return table_row([*said, "yes" if case.corrupt else "no", *times, answer])


def brief_table(told: dict[Case, dict[str, Any]]) -> Iterator[str]:
    """One line for all lengths: seconds of reading and checking; growth and memory of the longest."""
    lengths = sorted({case.operations for case in told})
    heads = ["values", "clients", "in doubt", "corrupted", *(f"{length:,}" for length in lengths), "growth", "MB"]
    yield table_row([*heads, "answers"]) + "\n|" + "---:|" * len(heads) + "---|"
    for first in [case for case in told if case.operations == lengths[0]]:
        line = [told[replace(first, operations=length)] for length in lengths]
        took = [one["read"] + one["check"] if "read" in one else float("nan") for one in line]
        growth = f"{took[-1] / took[-2]:.1f}" if len(took) > 1 and lengths[-1] == 10 * lengths[-2] else ""
        said = [first.values, str(first.clients), f"{first.doubt:.0%}", "yes" if first.corrupt else "no"]
        answers = [one["answer"] for one in line]
        same = answers[:1] if len(set(answers)) == 1 else answers
        times = [f"{seconds:.2f}" for seconds in took]
        yield table_row([*said, *times, growth, str(line[-1].get("memory", "")), ", ".join(same)])


def table_row(cells: Sequence[str]) -> str:
    """One line of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def cases(given: argparse.Namespace) -> Iterator[Case]:
    """The part of the grid that was asked for; lengths vary fastest."""
    grid = product(given.clients, given.doubt, given.values, (False, True), sorted(given.lengths))
    for clients, doubt, values, corrupt, operations in grid:
        yield Case(clients, doubt, values, corrupt, operations)


def arguments() -> argparse.Namespace:
    """What the command line says."""

    def numbers(kind: type) -> Any:
        return lambda text: [kind(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lengths", type=numbers(int), default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--clients", type=numbers(int), default=[5, 10, 20, 50])
    parser.add_argument("--doubt", type=numbers(float), default=[0.0, 0.01, 0.05])
    parser.add_argument("--values", type=numbers(str), default=["unique", "5"])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of processor time for each")
    onoff = argparse.BooleanOptionalAction
    parser.add_argument("--verify", action=onoff, default=True, help="re-check the certificates")
    parser.add_argument("--brief", action=onoff, default=True, help="print one line for all lengths, at the end")
    parser.add_argument("--generator", type=Path, default=GENERATOR)
    return parser.parse_args()


def main() -> int:
    """Print the table; 1 if a verdict was wrong, or nothing could be made."""
    given = arguments()
    if not given.generator.is_file():
        print(f"{given.generator}: no such file; --generator names the program that makes the histories")
        return 0
    if not given.brief:
        print(table_row(COLUMNS) + "\n|" + "---:|" * (len(COLUMNS) - 1) + "---|", flush=True)
    found: dict[Case, dict[str, Any]] = {}
    decided = wrong = total = 0
    shorter: tuple[Case, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(given):
            path = case.make(given.generator, Path(folder) / "history")
            told = measured(path, given.budget, given.verify)
            path.unlink()
            comparable = shorter is not None and shorter[0].operations * 10 == case.operations
            line = row(case, told, shorter[1] if shorter is not None and comparable else None)
            found[case] = told
            print(line, file=sys.stderr if given.brief else sys.stdout, flush=True)
            total += 1
            decided += told["answer"] in ("valid", "invalid")
            wrong += "WRONG" in line or "NOT CONFIRMED" in line
            shorter = (case, told["read"] + told["check"]) if "read" in told else None
    if given.brief:
        print("\n".join(brief_table(found)))
    print(f"{decided} of {total} decided, {wrong} wrong or not confirmed")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
