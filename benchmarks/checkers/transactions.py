"""How quickly transactions on lists are judged strict serializable: reading, judging, memory, by length.

    python benchmarks/checkers/transactions.py            10,000 to 2,000,000 transactions; needs 600 MB of disk
    python benchmarks/checkers/transactions.py 100000     nothing longer than that

The histories are those of a store that is right, so that a checker has to look at all of it: clients take turns at
random, a transaction of one to four steps takes effect somewhere between its two events, and a key is replaced by a
fresh one after 32 appends, as Jepsen's generators do. Each length is measured in a process of its own: "read" is from
the file to columns, "check" is the checker alone with its certificate, "verify" re-checks that, all in seconds of
processor time; "txn/s" is for reading and checking, "verified" for all three; "MB" is the peak.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.transactions.reading import read_transactions
from checkers.verify import verify
from harness.streams import Streams

LENGTHS = (10_000, 100_000, 500_000, 1_000_000, 2_000_000)
CLIENTS, KEYS, APPENDS_PER_KEY, STEPS_MAX = 10, 10, 32, 4
HEADING = (
    f"{'transactions':>12}{'file MB':>9}{'read s':>8}{'check s':>9}{'verify s':>10}"
    f"{'txn/s':>10}{'verified':>10}{'MB':>7}  answer"
)


class Store:
    """A right store, its keys, and the transactions that clients ask of it."""

    def __init__(self, seed: int) -> None:
        self.random = Streams(seed).stream("transactions")
        self.live = list(range(KEYS))
        self.appended = dict.fromkeys(self.live, 0)
        self.lists: dict[int, list[int]] = {}

    def ask(self) -> list[list[Any]]:
        """The steps of a new transaction."""
        steps: list[list[Any]] = []
        for _ in range(1 + int(self.random.random() * STEPS_MAX)):
            place = int(self.random.random() * KEYS)
            key = self.live[place]
            if self.random.random() < 0.5:
                steps.append(["r", key, None])
                continue
            self.appended[key] += 1
            steps.append(["append", key, self.appended[key]])
            if self.appended[key] == APPENDS_PER_KEY:
                fresh = len(self.appended)
                self.live[place] = fresh
                self.appended[fresh] = 0
        return steps

    def serve(self, steps: list[list[Any]]) -> list[list[Any]]:
        """Take effect."""
        told: list[list[Any]] = []
        for f, key, value in steps:
            held = self.lists.setdefault(key, [])
            if f == "append":
                held.append(value)
            told.append([f, key, held[:] if f == "r" else value])
        return told


def lines(length: int) -> Iterator[bytes]:
    """The lines of a history."""
    store, encode = Store(length), msgspec.json.encode
    clients: list[tuple[list[list[Any]], bool] | None] = [None] * CLIENTS
    asked = done = index = 0
    yield b'{"splitbrain":1,"model":"list-append"}\n'
    while done < length:
        process = int(store.random.random() * CLIENTS)
        held = clients[process]
        if held is not None and not held[1]:
            clients[process] = (store.serve(held[0]), True)
            continue
        if held is None and asked == length:
            continue
        steps = store.ask() if held is None else held[0]
        kind = b"invoke" if held is None else b"ok"
        yield b'{"index":%d,"time":%d,"process":%d,"type":"%b","f":"txn","value":%b}\n' % (
            index,
            index * 1000,
            process,
            kind,
            encode(steps),
        )
        index += 1
        asked += held is None
        done += held is not None
        clients[process] = (steps, False) if held is None else None


def measure(path: Path) -> str:
    """One row of the table, but for the length."""
    start = time.process_time()
    history = read_transactions(path)
    assert history is not None
    read_s = time.process_time() - start
    verdict = Transactions().check(history, Budget(600))
    total_s = time.process_time() - start
    problems = verify(history, verdict)
    assert not problems, problems
    verified_s = time.process_time() - start
    length, peak_mb = len(history.table), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return (
        f"{length:>12,}{path.stat().st_size / 1e6:>9,.0f}{read_s:>8.2f}{total_s - read_s:>9.2f}"
        f"{verified_s - total_s:>10.2f}{length / total_s:>10,.0f}{length / verified_s:>10,.0f}{peak_mb:>7,}"
        f"  {verdict.answer}"
    )


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--file"]:
        print(measure(Path(sys.argv[2])))
        return
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else LENGTHS[-1]
    print(HEADING)
    for length in (length for length in LENGTHS if length <= longest):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.jsonl"
            with path.open("wb") as file:
                file.writelines(lines(length))
            row = [sys.executable, __file__, "--file", str(path)]
            print(subprocess.run(row, check=True, capture_output=True, text=True).stdout, end="", flush=True)


if __name__ == "__main__":
    main()
